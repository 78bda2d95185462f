// A network run: the operators that Handread's own networks are made of, in ONNX's terms, on one thread.

import { Arena } from "./kernel.js";
import { limited, round } from "./numbers.js";

const REAL = new Set([1, 10, 11]); // kinds of numbers with a fraction
const INT8 = 3; // ONNX's number of that kind
const RECTIFYING = new Set(["Add", "Conv"]);
const TOGETHER = 16; // items at once: more would only take more memory

export class Network {
  /** `model` as `parseModel` gives it. Throws for one with an operator that is not in OPERATORS. */
  constructor({ nodes, constants, outputs }) {
    this.arena = new Arena();
    this.output = outputs.includes("logits") ? "logits" : outputs[0];
    this.constants = new Map(constants);
    this.steps = [];
    for (const node of nodes) {
      const { operator, inputs } = node;
      if (!OPERATORS[operator]) throw new Error(`the model uses ${operator}, which the page cannot work out`);
      const step = { ...node, packed: null, rectified: false, rooms: { arrays: [], taken: 0 } };
      if (inputs.every((name) => !name || this.constants.has(name))) this.#run(step, this.constants);
      else this.steps.push(step);
    }
    this.#rectify();
  }

  /** Let a step whose result goes to Relu and nowhere else do that one's work. */
  #rectify() {
    const readers = new Map();
    for (const { inputs } of this.steps) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
    const makers = new Map(this.steps.map((step) => [step.outputs[0], step]));
    this.steps = this.steps.filter(({ operator, inputs: [name], outputs }) => {
      const maker = makers.get(name);
      if (operator !== "Relu" || !RECTIFYING.has(maker?.operator) || readers.get(name) > 1) return true;
      maker.rectified = true;
      maker.outputs = outputs;
      makers.set(outputs[0], maker);
      return false;
    });
  }

  /** Logits, a Float32Array a row, of network inputs (pictures) and their cues. */
  run(glyphs, cues) {
    const rows = [];
    for (let start = 0; start < glyphs.length; start += TOGETHER) {
      rows.push(...this.#chunk(glyphs.slice(start, start + TOGETHER), cues.slice(start, start + TOGETHER)));
    }
    return rows;
  }

  #chunk(glyphs, cues) {
    const count = glyphs.length;
    const { width, height } = glyphs[0];
    const image = new Float32Array(count * width * height);
    glyphs.forEach((glyph, i) => image.set(glyph.data, i * width * height));
    const known = new Float32Array(count * 4);
    cues.forEach((cue, i) => known.set(cue, 4 * i));
    const values = new Map([
      ["image", { dims: [count, 1, height, width], data: image }],
      ["cues", { dims: [count, 4], data: known }],
    ]);
    for (const step of this.steps) {
      rooms = step.rooms;
      rooms.taken = 0;
      this.#run(step, values);
    }
    rooms = null;
    const { dims, data } = values.get(this.output);
    return Array.from({ length: count }, (_, i) => data.slice(i * dims[1], (i + 1) * dims[1]));
  }

  #run(step, values) {
    const inputs = step.inputs.map((name) => (name ? (values.get(name) ?? this.constants.get(name)) : null));
    const made = OPERATORS[step.operator](inputs, step.attributes, { step, arena: this.arena, constants: this.constants });
    values.set(step.outputs[0], made);
  }
}

let rooms = null; // arrays of the step that is being worked out, taken again the next time

/** A tensor to be written, all of it: what stood in its array the last time still stands there. */
function filled(dims) {
  const size = volume(dims);
  if (!rooms) return { dims, data: new Float32Array(size) };
  const place = rooms.taken;
  rooms.taken += 1;
  if (!(rooms.arrays[place]?.length >= size)) rooms.arrays[place] = new Float32Array(size);
  return { dims, data: rooms.arrays[place].subarray(0, size) };
}

const volume = (dims) => dims.reduce((product, size) => product * size, 1);
const axisOf = (axis, dims) => (axis < 0 ? axis + dims.length : axis);

/** Operator -> (inputs, attributes, context) => tensor. */
export const OPERATORS = {
  Add: binary((a, b) => a + b),
  AveragePool: ([x], attributes) => pool(x, attributes, false),
  BatchNormalization: ([x, scale, shift, means, variances], { epsilon = 1e-5 }) => {
    const [, channels, ...rest] = x.dims;
    const size = volume(rest);
    const made = filled(x.dims);
    for (let i = 0; i < x.data.length; i += 1) {
      const c = Math.floor(i / size) % channels;
      made.data[i] = ((x.data[i] - means.data[c]) / Math.sqrt(variances.data[c] + epsilon)) * scale.data[c] + shift.data[c];
    }
    return made;
  },
  Cast: ([x], { to }) => ({ dims: x.dims, data: REAL.has(to) ? x.data : x.data.map(Math.trunc) }),
  Clip: ([x, low, high], { min, max }) => {
    const [least, most] = [low?.data[0] ?? min ?? -Infinity, high?.data[0] ?? max ?? Infinity];
    return each(x, (value) => Math.min(Math.max(value, least), most));
  },
  Concat: (inputs, { axis }) => {
    const at = axisOf(axis, inputs[0].dims);
    const dims = [...inputs[0].dims];
    dims[at] = inputs.reduce((sum, { dims: own }) => sum + own[at], 0);
    const made = filled(dims);
    const after = volume(dims.slice(at + 1));
    let offset = 0;
    for (const { dims: own, data } of inputs) {
      const part = own[at] * after;
      for (let i = 0; i * part < data.length; i += 1) {
        made.data.set(data.subarray(i * part, (i + 1) * part), i * dims[at] * after + offset);
      }
      offset += part;
    }
    return made;
  },
  Constant: (_, attributes) => {
    if (attributes.value) return attributes.value;
    const [value] = Object.values(attributes);
    return { dims: Array.isArray(value) ? [value.length] : [], data: Float32Array.from([value].flat()) };
  },
  Conv: convolve,
  DequantizeLinear: ([x, scale, zero], { axis = 1 }) => {
    const at = axisOf(axis, x.dims);
    const after = volume(x.dims.slice(at + 1));
    const made = filled(x.dims);
    for (let i = 0; i < x.data.length; i += 1) {
      const c = scale.data.length === 1 ? 0 : Math.floor(i / after) % x.dims[at];
      made.data[i] = (x.data[i] - (zero?.data[c] ?? 0)) * scale.data[c];
    }
    return made;
  },
  Div: binary((a, b) => a / b),
  Dropout: ([x]) => x,
  Elu: ([x], { alpha = 1 }) => each(x, (value) => (value < 0 ? alpha * Math.expm1(value) : value)),
  Flatten: ([x], { axis = 1 }) => {
    const at = axisOf(axis, x.dims);
    return { dims: [volume(x.dims.slice(0, at)), volume(x.dims.slice(at))], data: x.data };
  },
  Gemm: ([a, b, c], { alpha = 1, beta = 1, transA = 0, transB = 0 }, context) => {
    const rows = transA ? turned(a) : a;
    return multiplied(rows, () => (transB ? b : turned(b)), context, { alpha, beta, bias: c });
  },
  GlobalAveragePool: ([x]) => reduced(x, [2, 3], true, (sum, value) => sum + value, 0, (sum, count) => sum / count),
  GlobalMaxPool: ([x]) => reduced(x, [2, 3], true, Math.max, -Infinity),
  HardSigmoid: ([x], { alpha = 0.2, beta = 0.5 }) => each(x, (v) => Math.min(Math.max(alpha * v + beta, 0), 1)),
  HardSwish: ([x]) => each(x, (v) => v * Math.min(Math.max(v / 6 + 0.5, 0), 1)),
  Identity: ([x]) => x,
  LeakyRelu: ([x], { alpha = 0.01 }) => each(x, (value) => (value < 0 ? alpha * value : value)),
  Log: ([x]) => each(x, Math.log),
  LogSoftmax: ([x], { axis = -1 }) => each(softmax(x, axis), Math.log),
  MatMul: ([a, b], _, context) => multiplied(a, () => turned(b), context, {}),
  MaxPool: ([x], attributes) => pool(x, attributes, true),
  Mul: binary((a, b) => a * b),
  QuantizeLinear: ([x, scale, zero], { axis = 1 }) => {
    const at = axisOf(axis, x.dims);
    const after = volume(x.dims.slice(at + 1));
    const [low, high] = zero?.kind === INT8 ? [-128, 127] : [0, 255];
    const made = filled(x.dims);
    for (let i = 0; i < x.data.length; i += 1) {
      const c = scale.data.length === 1 ? 0 : Math.floor(i / after) % x.dims[at];
      made.data[i] = limited(round(x.data[i] / scale.data[c]) + (zero?.data[c] ?? 0), low, high);
    }
    return made;
  },
  ReduceMax: ([x, axes], attributes) => reduced(x, axes ?? attributes.axes, attributes.keepdims ?? 1, Math.max, -Infinity),
  ReduceMean: ([x, axes], attributes) =>
    reduced(x, axes ?? attributes.axes, attributes.keepdims ?? 1, (sum, value) => sum + value, 0, (sum, count) => sum / count),
  ReduceSum: ([x, axes], attributes) =>
    reduced(x, axes ?? attributes.axes, attributes.keepdims ?? 1, (sum, value) => sum + value, 0),
  Relu: ([x]) => {
    const made = filled(x.dims);
    for (let i = 0; i < x.data.length; i += 1) made.data[i] = x.data[i] > 0 ? x.data[i] : 0;
    return made;
  },
  Reshape: ([x, shape]) => {
    const dims = Array.from(shape.data, (size, i) => (size === 0 ? x.dims[i] : size));
    const open = dims.indexOf(-1);
    if (open >= 0) dims[open] = x.data.length / -volume(dims);
    return { dims, data: x.data };
  },
  Sigmoid: ([x]) => each(x, (value) => 1 / (1 + Math.exp(-value))),
  Softmax: ([x], { axis = -1 }) => softmax(x, axis),
  Squeeze: ([x, axes], attributes) => {
    const gone = new Set(Array.from(axes?.data ?? attributes.axes, (axis) => axisOf(axis, x.dims)));
    return { dims: x.dims.filter((_, i) => !gone.has(i)), data: x.data };
  },
  Sub: binary((a, b) => a - b),
  Tanh: ([x]) => each(x, Math.tanh),
  Transpose: ([x], { perm }) => permuted(x, perm ?? x.dims.map((_, i) => x.dims.length - 1 - i)),
  Unsqueeze: ([x, axes], attributes) => {
    const dims = [...x.dims];
    const wanted = Array.from(axes?.data ?? attributes.axes);
    const rank = dims.length + wanted.length;
    for (const axis of wanted.map((a) => (a < 0 ? a + rank : a)).sort((a, b) => a - b)) dims.splice(axis, 0, 1);
    return { dims, data: x.data };
  },
};

function each(x, change) {
  const made = filled(x.dims);
  for (let i = 0; i < x.data.length; i += 1) made.data[i] = change(x.data[i]);
  return made;
}

function binary(join) {
  return ([a, b], _, { step }) => {
    const made = joined(a, b, join);
    if (step.rectified) rectify(made.data, 0, made.data.length);
    return made;
  };
}

function rectify(data, from, stop) {
  for (let i = from; i < stop; i += 1) if (data[i] < 0) data[i] = 0;
}

function joined(a, b, join) {
  const rank = Math.max(a.dims.length, b.dims.length);
  const [left, right] = [a, b].map(({ dims }) => [...Array(rank - dims.length).fill(1), ...dims]);
  const dims = left.map((size, i) => Math.max(size, right[i]));
  const made = filled(dims);
  const count = made.data.length;
  if (a.data.length === count && b.data.length === count) {
    for (let i = 0; i < count; i += 1) made.data[i] = join(a.data[i], b.data[i]);
  } else if (a.data.length === count && b.data.length === 1) {
    for (let i = 0; i < count; i += 1) made.data[i] = join(a.data[i], b.data[0]);
  } else if (a.data.length === count && isPerPlane(left, right)) {
    const size = count / b.data.length;
    for (let plane = 0; plane < b.data.length; plane += 1) {
      const value = b.data[plane];
      for (let i = plane * size; i < (plane + 1) * size; i += 1) made.data[i] = join(a.data[i], value);
    }
  } else {
    const place = [left, right].map((own) => strides(own).map((step, i) => (own[i] === 1 ? 0 : step)));
    const steps = strides(dims);
    for (let i = 0; i < count; i += 1) {
      let [rest, u, v] = [i, 0, 0];
      for (let d = 0; d < rank; d += 1) {
        const at = Math.floor(rest / steps[d]);
        rest -= at * steps[d];
        u += at * place[0][d];
        v += at * place[1][d];
      }
      made.data[i] = join(a.data[u], b.data[v]);
    }
  }
  return made;
}

/** Whether the second has one value for each of the first's last rows or planes. */
function isPerPlane(left, right) {
  const ones = right.findLastIndex((size) => size !== 1) + 1;
  return right.slice(0, ones).every((size, i) => size === left[i]);
}

function strides(dims) {
  const steps = Array(dims.length).fill(1);
  for (let i = dims.length - 2; i >= 0; i -= 1) steps[i] = steps[i + 1] * dims[i + 1];
  return steps;
}

function permuted(x, order) {
  const dims = order.map((axis) => x.dims[axis]);
  const from = strides(x.dims);
  const steps = strides(dims);
  const made = filled(dims);
  for (let i = 0; i < made.data.length; i += 1) {
    let [rest, place] = [i, 0];
    order.forEach((axis, d) => {
      const at = Math.floor(rest / steps[d]);
      rest -= at * steps[d];
      place += at * from[axis];
    });
    made.data[i] = x.data[place];
  }
  return made;
}

const turned = (x) => permuted(x, [1, 0]);

function reduced(x, axes, keep, join, start, finish = (value) => value) {
  const wanted = axes?.data ?? axes;
  const gone = new Set(wanted ? Array.from(wanted, (axis) => axisOf(axis, x.dims)) : x.dims.keys());
  // those that go are brought to the end, where each sum is of neighbours
  const kept = [...x.dims.keys()].filter((axis) => !gone.has(axis));
  const order = [...kept, ...gone];
  const { data } = order.every((axis, i) => axis === i) ? x : permuted(x, order);
  const made = filled(keep ? x.dims.map((size, i) => (gone.has(i) ? 1 : size)) : kept.map((axis) => x.dims[axis]));
  const count = data.length / made.data.length;
  for (let i = 0; i < made.data.length; i += 1) {
    let value = start;
    for (let k = i * count; k < (i + 1) * count; k += 1) value = join(value, data[k]);
    made.data[i] = finish(value, count);
  }
  return made;
}

function softmax(x, axis) {
  if (axisOf(axis, x.dims) !== x.dims.length - 1) throw new Error("the model's softmax is not along its last axis");
  const size = x.dims.at(-1);
  const made = filled(x.dims);
  for (let start = 0; start < x.data.length; start += size) {
    const row = x.data.subarray(start, start + size);
    const most = Math.max(...row);
    const powers = Array.from(row, (value) => Math.exp(value - most));
    const sum = powers.reduce((a, b) => a + b);
    made.data.set(powers.map((power) => power / sum), start); // prettier-ignore
  }
  return made;
}

/** Where the window of a convolution or a pool stands: {kernel, stride, dilation, before, out}, each [down, across]. */
function windows({ dims }, kernel, { strides: stride = [1, 1], dilations = [1, 1], pads, auto_pad: auto, ceil_mode: up = 0 }) {
  const axes = [0, 1].map((i) => {
    const size = dims[2 + i];
    const span = dilations[i] * (kernel[i] - 1) + 1;
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      const out = Math.ceil(size / stride[i]);
      const pad = Math.max(0, (out - 1) * stride[i] + span - size);
      const before = auto === "SAME_UPPER" ? pad >> 1 : (pad + 1) >> 1;
      return { before, out, after: pad - before };
    }
    const [before, after] = [pads?.[i] ?? 0, pads?.[2 + i] ?? 0];
    const steps = (size + before + after - span) / stride[i];
    let out = (up ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (up && (out - 1) * stride[i] >= size + before) out -= 1;
    return { before, after, out };
  });
  const [before, out, after] = ["before", "out", "after"].map((what) => axes.map((axis) => axis[what]));
  return { kernel, stride, dilation: dilations, before, after, out };
}

function pool(x, attributes, largest) {
  const [count, channels, height, width] = x.dims;
  const { kernel, stride, dilation, before, after, out } = windows(x, attributes.kernel_shape, attributes);
  const padded = attributes.count_include_pad === 1;
  const made = filled([count, channels, ...out]);
  let place = 0;
  for (let plane = 0; plane < count * channels; plane += 1) {
    const start = plane * height * width;
    for (let y = 0; y < out[0]; y += 1) {
      for (let x0 = 0; x0 < out[1]; x0 += 1) {
        let [value, inside] = [largest ? -Infinity : 0, 0];
        for (let v = 0; v < kernel[0]; v += 1) {
          const row = y * stride[0] - before[0] + v * dilation[0];
          for (let u = 0; u < kernel[1]; u += 1) {
            const column = x0 * stride[1] - before[1] + u * dilation[1];
            if (row < 0 || column < 0 || row >= height || column >= width) {
              if (padded && row < height + after[0] && column < width + after[1]) inside += 1;
              continue;
            }
            const own = x.data[start + row * width + column];
            inside += 1;
            value = largest ? Math.max(value, own) : value + own;
          }
        }
        made.data[place] = largest ? value : value / inside;
        place += 1;
      }
    }
  }
  return made;
}

// --- the two that take nearly all of the time: weights in bands of four rows, columns in bands of eight

/** Rows of weights as the kernel takes them: {place, bias, rows, depth}. */
function pack(arena, weights, bias, rows, depth) {
  const bands = Math.ceil(rows / 4);
  const place = arena.keep(bands * 4 * depth);
  const shift = arena.keep(bands * 4);
  const { floats } = arena;
  for (let row = 0; row < bands * 4; row += 1) {
    floats[shift / 4 + row] = row < rows && bias ? bias(row) : 0;
    for (let k = 0; k < depth; k += 1) {
      floats[place / 4 + (row >> 2) * 4 * depth + 4 * k + (row & 3)] = row < rows ? weights[row * depth + k] : 0;
    }
  }
  return { place, bias: shift, rows, bands, depth };
}

/** All rows times all columns; `fill(floats, start)` writes the columns from `start`. Gives {floats, start, stride}. */
function product(arena, packed, columns, fill) {
  const { depth, bands } = packed;
  const tiles = Math.ceil(columns / 8);
  const stride = tiles * 8;
  const from = arena.scratch(tiles * 8 * depth + bands * 4 * stride);
  const to = from + 4 * tiles * 8 * depth;
  const { floats, run } = arena;
  fill(floats, from / 4);
  for (let tile = 0; tile < tiles; tile += 1) {
    for (let band = 0; band < bands; band += 1) {
      run(
        packed.place + 16 * depth * band, from + 32 * depth * tile, packed.bias + 16 * band,
        to + 16 * stride * band + 32 * tile, depth, 4 * stride,
      ); // prettier-ignore
    }
  }
  return { floats, start: to / 4, stride };
}

/** `a` (N, K) times the transpose of `rows()` (M, K), which is constant, plus a bias. */
function multiplied(a, rows, { step, arena, constants }, { alpha = 1, beta = 1, bias = null }) {
  if (!constants.has(step.inputs[1])) throw new Error("the model multiplies what it has worked out with itself");
  if (!step.packed) {
    const { dims, data } = rows();
    const own = bias && ((row) => beta * bias.data[bias.data.length === 1 ? 0 : row]);
    step.packed = pack(arena, alpha === 1 ? data : data.map((value) => alpha * value), own, dims[0], dims[1]);
  }
  const { rows: outputs, depth } = step.packed;
  const count = a.data.length / depth;
  const { floats, start, stride } = product(arena, step.packed, count, (to, at) => {
    for (let n = 0; n < count; n += 1) {
      const place = at + (n >> 3) * 8 * depth + (n & 7);
      for (let k = 0; k < depth; k += 1) to[place + 8 * k] = a.data[n * depth + k];
    }
  });
  const made = filled([...a.dims.slice(0, -1), outputs]);
  for (let n = 0; n < count; n += 1) {
    for (let row = 0; row < outputs; row += 1) made.data[n * outputs + row] = floats[start + row * stride + n];
  }
  return made;
}

function convolve([x, weights, bias], attributes, { step, arena }) {
  const [count, channels, height, width] = x.dims;
  const [outputs, perGroup, ...kernel] = weights.dims;
  const groups = attributes.group ?? 1;
  const where = windows(x, kernel, attributes);
  const depth = perGroup * kernel[0] * kernel[1];
  const own = outputs / groups;
  step.packed ??= Array.from({ length: groups }, (_, group) =>
    pack(
      arena,
      weights.data.subarray(group * own * depth, (group + 1) * own * depth),
      bias && ((row) => bias.data[group * own + row]),
      own,
      depth,
    ),
  );
  const area = where.out[0] * where.out[1];
  const room = bordered(x, where);
  const { starts, steps } = placesOf(room, where, perGroup);
  const made = filled([count, outputs, ...where.out]);
  const together = Math.max(1, Math.floor(512 / area)); // so that the columns stay in the processor's cache
  for (let group = 0; group < groups; group += 1) {
    for (let first = 0; first < count; first += together) {
      const some = Math.min(together, count - first);
      const plane = room.height * room.width;
      const { floats, start, stride } = product(arena, step.packed[group], some * area, (to, at) => {
        const columns = new Int32Array(Math.ceil((some * area) / 8) * 8);
        for (let n = 0; n < some; n += 1) {
          const from = ((first + n) * channels + group * perGroup) * plane;
          for (let p = 0; p < area; p += 1) columns[n * area + p] = from + starts[p];
        }
        unfold(room.data, columns, steps, to, at);
      });
      for (let n = 0; n < some; n += 1) {
        for (let row = 0; row < own; row += 1) {
          const from = start + row * stride + n * area;
          const to = ((first + n) * outputs + group * own + row) * area;
          made.data.set(floats.subarray(from, from + area), to);
          if (step.rectified) rectify(made.data, to, to + area);
        }
      }
    }
  }
  return made;
}

/** All planes of a tensor with the zeros around them that a window reaches. */
function bordered({ dims, data }, { before, after }) {
  const [count, channels, high, wide] = dims;
  const [height, width] = [high + before[0] + after[0], wide + before[1] + after[1]];
  if (height === high && width === wide) return { data, height, width };
  const made = filled([count, channels, height, width]).data; // the border is never written and stays zero
  for (let plane = 0; plane < count * channels; plane += 1) {
    for (let y = 0; y < high; y += 1) {
      const from = (plane * high + y) * wide;
      made.set(data.subarray(from, from + wide), (plane * height + y + before[0]) * width + before[1]);
    }
  }
  return { data: made, height, width };
}

/** Where in its planes each window starts, and how far on from there each of its values lies. */
function placesOf({ height, width }, { kernel, stride, dilation, out }, channels) {
  const starts = new Int32Array(out[0] * out[1]);
  for (let y = 0; y < out[0]; y += 1) {
    for (let x = 0; x < out[1]; x += 1) starts[y * out[1] + x] = y * stride[0] * width + x * stride[1];
  }
  const steps = new Int32Array(channels * kernel[0] * kernel[1]);
  let k = 0;
  for (let c = 0; c < channels; c += 1) {
    for (let v = 0; v < kernel[0]; v += 1) {
      for (let u = 0; u < kernel[1]; u += 1) {
        steps[k] = (c * height + v * dilation[0]) * width + u * dilation[1];
        k += 1;
      }
    }
  }
  return { starts, steps };
}

/** The values under each window, as columns for the kernel. */
function unfold(data, columns, steps, to, start) {
  let at = start;
  for (let tile = 0; tile < columns.length; tile += 8) {
    const [a, b, c, d] = [columns[tile], columns[tile + 1], columns[tile + 2], columns[tile + 3]];
    const [e, f, g, h] = [columns[tile + 4], columns[tile + 5], columns[tile + 6], columns[tile + 7]];
    for (let k = 0; k < steps.length; k += 1) {
      const step = steps[k];
      to[at] = data[a + step];
      to[at + 1] = data[b + step];
      to[at + 2] = data[c + step];
      to[at + 3] = data[d + step];
      to[at + 4] = data[e + step];
      to[at + 5] = data[f + step];
      to[at + 6] = data[g + step];
      to[at + 7] = data[h + step];
      at += 8;
    }
  }
}
