// The innermost loop of a network, as WebAssembly that is put together here: four rows of weights times eight columns.

const PAGE = 65536;

/** Memory shared with the kernel, and the kernel: run(weights, columns, bias, out, depth, stride), places in bytes. */
export class Arena {
  constructor() {
    this.used = 0;
    this.floats = null;
    const memory = newMemory();
    const code = memory && [true, false].map(assemble).find((bytes) => WebAssembly.validate(bytes));
    this.memory = code ? memory : null;
    if (code) {
      this.run = new WebAssembly.Instance(new WebAssembly.Module(code), { own: { memory } }).exports.tile;
      this.floats = new Float32Array(memory.buffer);
    } else {
      this.floats = new Float32Array(PAGE / 4);
      this.run = (...places) => tile(this.floats, ...places);
    }
  }

  /** The place in bytes of `count` new floats, to be kept. */
  keep(count) {
    const place = this.used;
    this.used += 16 * Math.ceil(count / 4);
    this.#reach(this.used);
    return place;
  }

  /** The place of `count` floats that hold until the next call. */
  scratch(count) {
    this.#reach(this.used + 4 * count);
    return this.used;
  }

  #reach(bytes) {
    const missing = bytes - 4 * this.floats.length;
    if (missing <= 0) return;
    if (this.memory) {
      this.memory.grow(Math.ceil(missing / PAGE));
      this.floats = new Float32Array(this.memory.buffer);
    } else {
      const larger = new Float32Array(Math.ceil(bytes / 4));
      larger.set(this.floats);
      this.floats = larger;
    }
  }
}

function newMemory() {
  try {
    return new WebAssembly.Memory({ initial: 1 });
  } catch {
    return null; // switched off: slower, but it reads
  }
}

/** The same in JavaScript, for browsers without SIMD. */
function tile(floats, weights, columns, bias, out, depth, stride) {
  for (let row = 0; row < 4; row += 1) {
    for (let column = 0; column < 8; column += 1) {
      let sum = floats[bias / 4 + row];
      for (let k = 0; k < depth; k += 1) sum += floats[weights / 4 + 4 * k + row] * floats[columns / 4 + 8 * k + column];
      floats[(out + row * stride) / 4 + column] = sum;
    }
  }
}

/** The module's bytes; `fused` multiplies and adds in one step, where the browser has that. */
function assemble(fused) {
  const [A, B, BIAS, OUT, DEPTH, STRIDE] = [0, 1, 2, 3, 4, 5];
  const sum = (row, half) => 6 + 2 * row + half;
  const [LEFT, RIGHT, WEIGHT] = [14, 15, 16];
  const get = (local) => [0x20, local];
  const set = (local) => [0x21, local];
  const load = (from, offset) => [...get(from), 0xfd, 0x00, 0, offset];
  const splat = (from, offset) => [...get(from), 0xfd, 0x09, 0, offset];
  const store = (to, offset, value) => [...get(to), ...get(value), 0xfd, 0x0b, 0, offset];
  const step = (local, by) => [...get(local), 0x41, by, 0x6a, ...set(local)];
  const rows = [0, 1, 2, 3];
  const grown = (row, half, column) =>
    fused
      ? [...get(WEIGHT), ...get(column), ...get(sum(row, half)), 0xfd, 0x85, 0x02, ...set(sum(row, half))]
      : [...get(sum(row, half)), ...get(WEIGHT), ...get(column), 0xfd, 0xe6, 0x01, 0xfd, 0xe4, 0x01, ...set(sum(row, half))];
  const body = [
    ...rows.flatMap((row) => [...splat(BIAS, 4 * row), 0x22, sum(row, 0), ...set(sum(row, 1))]),
    0x03, 0x40,
    ...load(B, 0), ...set(LEFT), ...load(B, 16), ...set(RIGHT),
    ...rows.flatMap((row) => [...splat(A, 4 * row), ...set(WEIGHT), ...grown(row, 0, LEFT), ...grown(row, 1, RIGHT)]),
    ...step(A, 16), ...step(B, 32),
    ...get(DEPTH), 0x41, 1, 0x6b, 0x22, DEPTH, 0x0d, 0,
    0x0b,
    ...rows.flatMap((row) => [
      ...store(OUT, 0, sum(row, 0)), ...store(OUT, 16, sum(row, 1)),
      ...get(OUT), ...get(STRIDE), 0x6a, ...set(OUT),
    ]),
    0x0b,
  ]; // prettier-ignore
  const name = (text) => [text.length, ...new TextEncoder().encode(text)];
  const section = (id, bytes) => [id, ...length(bytes.length), ...bytes];
  const code = [1, 11, 0x7b, ...body]; // eleven locals of 128 bits
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 6, ...Array(6).fill(0x7f), 0]),
    ...section(2, [1, ...name("own"), ...name("memory"), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("tile"), 0, 0]),
    ...section(10, [1, ...length(code.length), ...code]),
  ]); // prettier-ignore
}

/** A number in groups of seven bits. */
function length(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...length(value >>> 7)];
}
