// An ONNX file taken apart: its nodes, its constants, and the card in its metadata (onnx.proto, protocol buffers).

const TEXT = new TextDecoder();

/**
 * {nodes, constants: Map of name -> tensor, outputs, metadata}; a tensor is {dims, data}, its data a Float32Array
 * whatever the file holds: one kind of array keeps the network fast, and counts below 16 million fit. Constants have
 * their `kind` of number as well.
 */
export function parseModel(bytes) {
  const model = { nodes: [], constants: new Map(), outputs: [], metadata: {} };
  for (const { field, value } of fields(bytes)) {
    if (field === 7) parseGraph(value, model);
    else if (field === 14) {
      const entry = Object.fromEntries([...fields(value)].map((part) => [part.field, TEXT.decode(part.value)]));
      model.metadata[entry[1]] = entry[2] ?? "";
    }
  }
  return model;
}

function parseGraph(bytes, model) {
  for (const { field, value } of fields(bytes)) {
    if (field === 1) model.nodes.push(parseNode(value));
    else if (field === 5) {
      const tensor = parseTensor(value);
      model.constants.set(tensor.name, tensor);
    } else if (field === 12) {
      for (const part of fields(value)) if (part.field === 1) model.outputs.push(TEXT.decode(part.value));
    }
  }
}

function parseNode(bytes) {
  const node = { inputs: [], outputs: [], operator: "", attributes: {} };
  for (const { field, value } of fields(bytes)) {
    if (field === 1) node.inputs.push(TEXT.decode(value));
    else if (field === 2) node.outputs.push(TEXT.decode(value));
    else if (field === 4) node.operator = TEXT.decode(value);
    else if (field === 5) {
      const [name, content] = parseAttribute(value);
      node.attributes[name] = content;
    }
  }
  return node;
}

function parseAttribute(bytes) {
  let name = "";
  let content = null;
  const list = [];
  for (const { field, value, wire } of fields(bytes)) {
    if (field === 1) name = TEXT.decode(value);
    else if (field === 2) content = float(value);
    else if (field === 3) content = signed(value);
    else if (field === 4) content = TEXT.decode(value);
    else if (field === 5) content = parseTensor(value);
    else if (field === 7) list.push(...(wire === 2 ? singles(value) : [float(value)]));
    else if (field === 8) list.push(...(wire === 2 ? varints(value) : [value]).map(signed));
  }
  return [name, content ?? list];
}

function parseTensor(bytes) {
  const tensor = { name: "", dims: [], data: null };
  let [type, raw] = [1, null];
  const listed = [];
  for (const { field, value, wire } of fields(bytes)) {
    const numbers = () => (wire === 2 ? varints(value) : [value]).map(signed);
    if (field === 1) tensor.dims.push(...numbers());
    else if (field === 2) type = Number(value);
    else if (field === 4) listed.push(...(wire === 2 ? singles(value) : [float(value)]));
    else if (field === 5 || field === 7) listed.push(...numbers());
    else if (field === 8) tensor.name = TEXT.decode(value);
    else if (field === 9) raw = value;
  }
  const kind = KINDS[type];
  if (!kind) throw new Error(`the model holds numbers of kind ${type}, which the page does not know`);
  tensor.kind = type;
  tensor.data = raw ? kind(raw) : Float32Array.from(listed);
  return tensor;
}

const KINDS = {
  1: singles,
  2: (raw) => Float32Array.from(raw),
  3: (raw) => Float32Array.from(new Int8Array(raw.slice().buffer)),
  6: (raw) => Float32Array.from(new Int32Array(raw.slice().buffer)),
  7: (raw) => Float32Array.from(new BigInt64Array(raw.slice().buffer), Number),
  9: (raw) => Float32Array.from(raw),
  10: halves,
  11: (raw) => Float32Array.from(new Float64Array(raw.slice().buffer)),
};

function singles(raw) {
  return new Float32Array(raw.slice().buffer);
}

let everyHalf = null;

/** Numbers of 16 bits, by a table of all there are. */
function halves(raw) {
  everyHalf ??= Float32Array.from({ length: 65536 }, (_, word) => {
    const sign = word & 0x8000 ? -1 : 1;
    const exponent = (word >> 10) & 31;
    const fraction = word & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return exponent === 31 ? (fraction ? NaN : sign * Infinity) : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  const words = new Uint16Array(raw.slice().buffer);
  const found = new Float32Array(words.length);
  for (let i = 0; i < words.length; i += 1) found[i] = everyHalf[words[i]];
  return found;
}

// --- protocol buffers: wire 0 a number of any length, 1 eight bytes, 2 a length and so many bytes, 5 four bytes

function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      if (at >= bytes.length) throw new Error("the model ends in the middle");
      const byte = bytes[at];
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7n;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const [field, wire] = [key >>> 3, key & 7];
    if (wire === 0) yield { field, wire, value: varint() };
    else if (wire === 1 || wire === 2 || wire === 5) {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : Number(varint());
      if (at + length > bytes.length) throw new Error("the model ends in the middle");
      yield { field, wire, value: bytes.subarray(at, at + length) };
      at += length;
    } else throw new Error("the model is no ONNX file");
  }
}

function varints(bytes) {
  const found = [];
  let [value, shift] = [0n, 0n];
  for (const byte of bytes) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte >= 128) continue;
    found.push(value);
    [value, shift] = [0n, 0n];
  }
  return found;
}

const signed = (value) => Number(BigInt.asIntN(64, value));

const float = (value) => new DataView(value.buffer, value.byteOffset, 4).getFloat32(0, true);
