// PNG files taken apart and written, so that pixels are those of the file: a browser's canvas would round what is
// transparent and drop the second byte of deep greys.

import { crc32 } from "../zip.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]; // prettier-ignore

export const isPng = (bytes) => SIGNATURE.every((value, i) => bytes[i] === value);

/** Width and height, for a decision before anything is decoded. */
export function pngSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

/**
 * {width, height, kind, depth, channels, samples, palette, transparent, exif}: `samples` are numbers of `depth` bits,
 * `channels` a pixel, as they stand in the file. Throws for what is no whole PNG.
 */
export async function decodePng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = {};
  const packed = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) throw new Error("the file ends in the middle");
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (name === "IDAT") packed.push(content);
    else chunks[name] ??= content;
    at += 12 + length;
    if (name === "IEND") break;
  }
  if (!chunks.IHDR || !packed.length) throw new Error("the file ends in the middle");
  const [width, height] = pngSize(bytes);
  const [depth, kind, , , interlaced] = chunks.IHDR.subarray(8);
  const channels = CHANNELS[kind];
  if (!channels || ![1, 2, 4, 8, 16].includes(depth)) throw new Error("its head is wrong");
  const raw = await through(new DecompressionStream("deflate"), packed);
  const samples = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  let at = 0;
  for (const [x, y, across, down] of interlaced ? ADAM7 : [[0, 0, 1, 1]]) {
    const [columns, rows] = [Math.ceil((width - x) / across), Math.ceil((height - y) / down)];
    if (columns <= 0 || rows <= 0) continue;
    const length = Math.ceil((columns * channels * depth) / 8);
    const step = Math.max(1, (channels * depth) >> 3);
    if (at + rows * (length + 1) > raw.length) throw new Error("the file ends in the middle");
    let before = new Uint8Array(length);
    for (let row = 0; row < rows; row += 1) {
      const line = raw.subarray(at + 1, at + 1 + length);
      unfilter(line, before, raw[at], step);
      before = line;
      at += length + 1;
      const start = (y + row * down) * width + x;
      for (let i = 0; i < columns * channels; i += 1) {
        const place = (start + Math.floor(i / channels) * across) * channels + (i % channels);
        samples[place] = depth === 8 ? line[i] : depth === 16 ? (line[2 * i] << 8) | line[2 * i + 1] : few(line, i, depth);
      }
    }
  }
  return {
    width, height, kind, depth, channels, samples,
    palette: chunks.PLTE ?? null, transparent: chunks.tRNS ?? null, exif: chunks.eXIf ?? null,
  }; // prettier-ignore
}

const few = (line, i, depth) => (line[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & ((1 << depth) - 1);

function unfilter(line, before, kind, step) {
  for (let i = 0; i < line.length; i += 1) {
    const left = i >= step ? line[i - step] : 0;
    const above = before[i];
    if (kind === 1) line[i] += left;
    else if (kind === 2) line[i] += above;
    else if (kind === 3) line[i] += (left + above) >> 1;
    else if (kind === 4) {
      const corner = i >= step ? before[i - step] : 0;
      const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
      line[i] += a <= b && a <= c ? left : b <= c ? above : corner;
    } else if (kind) throw new Error("a row is damaged");
  }
}

/** A PNG of bytes, `channels` (1 grey, 3 colour) a pixel, as a data: URI. */
export async function pngUri(data, width, height, channels) {
  const lines = new Uint8Array((width * channels + 1) * height);
  for (let y = 0; y < height; y += 1) {
    lines.set(data.subarray(y * width * channels, (y + 1) * width * channels), y * (width * channels + 1) + 1);
  }
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, channels === 3 ? 2 : 0], 8);
  const packed = await through(new CompressionStream("deflate"), [lines]);
  const parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", head), chunk("IDAT", packed), chunk("IEND", new Uint8Array(0))];
  let binary = "";
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 8192) binary += String.fromCharCode(...part.subarray(i, i + 8192));
  }
  return `data:image/png;base64,${btoa(binary)}`;
}

function chunk(name, content) {
  const made = new Uint8Array(content.length + 12);
  const view = new DataView(made.buffer);
  view.setUint32(0, content.length);
  made.set(new TextEncoder().encode(name), 4);
  made.set(content, 8);
  view.setUint32(content.length + 8, crc32(made.subarray(4, content.length + 8)));
  return made;
}

async function through(stream, parts) {
  const whole = new Blob(parts).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(whole).arrayBuffer());
}
