// A picture's file to a grey picture at working size, as handread.imaging.read makes it: upright, transparency
// flattened, limited in size.

import { picture } from "./image.js";
import { quantileOfCounts, round } from "./numbers.js";
import { decodePng, isPng, pngSize } from "./png.js";
import { shrunk } from "./scale.js";

const MAX_PIXELS = 80_000_000;
const WORKING_SIDE = 2400;
const TWO_TONES = 64;
const STRIP = 4_000_000; // pixels that are taken off the canvas at once
const FOREIGN = [
  ["TIFF", [0x49, 0x49, 0x2a, 0x00]], ["TIFF", [0x4d, 0x4d, 0x00, 0x2a]],
  ["PPM", [0x50, 0x35]], ["PPM", [0x50, 0x36]], ["PPM", [0x50, 0x34]],
]; // prettier-ignore

/** What is wrong with a picture, as a sentence for people. */
export class PictureError extends Error {}

/** {gray, scale} of a Blob; `scale` is the source's pixels for one of the grey picture. */
export async function readPicture(blob, name) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (!bytes.length) throw new PictureError(`${name} is empty (0 bytes); save the picture again`);
  const gray = isPng(bytes) && bytes.length > 33 ? await grayOfPng(bytes, name) : await grayOfOther(blob, bytes, name);
  return workingSize(gray);
}

function workingSize({ gray, longest }) {
  const factor = Math.max(gray.width, gray.height) / WORKING_SIDE;
  const made =
    factor <= 1
      ? gray
      : shrunk(gray, Math.max(1, round(gray.width / factor)), Math.max(1, round(gray.height / factor)));
  return { gray: made, scale: longest / Math.max(made.width, made.height) };
}

function limit(width, height, name) {
  if (width * height <= MAX_PIXELS) return;
  const size = `${width} x ${height} = ${(width * height).toLocaleString("en")} pixels`;
  throw new PictureError(`${name} is too large (${size}, at most ${MAX_PIXELS.toLocaleString("en")}); scale it down first`);
}

// --- PNG, from the file itself

async function grayOfPng(bytes, name) {
  limit(...pngSize(bytes), name);
  let file;
  try {
    file = await decodePng(bytes);
  } catch (error) {
    throw new PictureError(`${name} is damaged and cannot be decoded (${error.message}); save the picture again`);
  }
  const { width, height, kind, depth, samples, transparent } = file;
  const longest = Math.max(width, height);
  const upright = (image) => turned(image, orientationOf(file.exif));
  if (kind === 0 && depth === 16) return { gray: upright(stretched(samples, width, height)), longest };
  const colour = coloursOf(file);
  const clear = kind === 4 || kind === 6 || transparent;
  const gray = picture(width, height);
  if (!clear) {
    for (let i = 0; i < gray.data.length; i += 1) gray.data[i] = lightness(...colour(i));
    return { gray: upright(gray), longest };
  }
  const alpha = new Uint8Array(width * height);
  for (let i = 0; i < gray.data.length; i += 1) {
    const [red, green, blue, own] = colour(i);
    gray.data[i] = opaqueLightness(red, green, blue);
    alpha[i] = own;
  }
  const factor = Math.floor(longest / WORKING_SIDE);
  const [seen, mask] = factor > 1 ? [gray, picture(width, height, alpha)].map((image) => averaged(image, factor)) : [gray, { data: alpha }];
  return { gray: upright(flattened(seen, mask.data)), longest };
}

/** Place -> [red, green, blue, alpha] in bytes. */
function coloursOf({ kind, depth, channels, samples, palette, transparent }) {
  const high = depth === 16 ? 8 : 0;
  const keys = transparent && kind !== 3 ? Array.from({ length: transparent.length >> 1 }, (_, i) => (transparent[2 * i] << 8) | transparent[2 * i + 1]) : null;
  if (kind === 3) {
    return (i) => {
      const index = samples[i];
      return [palette[3 * index] ?? 0, palette[3 * index + 1] ?? 0, palette[3 * index + 2] ?? 0, transparent?.[index] ?? 255];
    };
  }
  const spread = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  if (channels <= 2) {
    return (i) => {
      const value = samples[i * channels];
      const gray = (value >> high) * spread;
      const alpha = channels === 2 ? samples[2 * i + 1] >> high : keys && value === keys[0] ? 0 : 255;
      return [gray, gray, gray, alpha];
    };
  }
  return (i) => {
    const [red, green, blue] = [samples[i * channels], samples[i * channels + 1], samples[i * channels + 2]];
    const gone = keys && red === keys[0] && green === keys[1] && blue === keys[2];
    const alpha = channels === 4 ? samples[4 * i + 3] >> high : gone ? 0 : 255;
    return [red >> high, green >> high, blue >> high, alpha];
  };
}

/** Deep grey values to bytes over the range they use. */
function stretched(values, width, height) {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0]);
  const made = picture(width, height);
  if (high === low) made.data.fill(high > 0 ? 255 : 0);
  else values.forEach((value, i) => (made.data[i] = round((value - low) * (255 / (high - low)))));
  return made;
}

// --- everything else, from the browser

async function grayOfOther(blob, bytes, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    const foreign = FOREIGN.find(([, start]) => start.every((value, i) => bytes[i] === value));
    if (foreign) throw new PictureError(`${name} is a ${foreign[0]} picture, which this browser cannot read; save it as PNG or JPEG`);
    throw new PictureError(`${name} is not a picture that this browser reads (PNG, JPEG, WebP, BMP, GIF), or it is damaged`);
  }
  const { width, height } = bitmap;
  limit(width, height, name);
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  const gray = picture(width, height);
  const alpha = jpeg ? null : new Uint8Array(width * height);
  const rows = Math.max(1, Math.floor(STRIP / width));
  let clear = false;
  for (let top = 0; top < height; top += rows) {
    const high = Math.min(rows, height - top);
    const canvas = newCanvas(width, high);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, high);
    const start = top * width;
    for (let i = 0; i < width * high; i += 1) {
      gray.data[start + i] = lightness(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
      if (!alpha) continue;
      alpha[start + i] = data[4 * i + 3];
      clear ||= data[4 * i + 3] < 255;
    }
  }
  bitmap.close();
  const longest = Math.max(width, height);
  if (clear) return { gray: flattened(gray, alpha), longest };
  // as a JPEG decoder does that is asked for a half, a quarter or an eighth
  const factor = jpeg && longest > 2 * WORKING_SIDE ? Math.min(8, 2 ** Math.floor(Math.log2(longest / WORKING_SIDE))) : 1;
  return { gray: factor > 1 ? averaged(gray, factor) : gray, longest };
}

function newCanvas(width, height) {
  if (typeof OffscreenCanvas === "function") return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** As Pillow's convert("L"). */
const lightness = (red, green, blue) => (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

/** As OpenCV's RGB2GRAY. */
const opaqueLightness = (red, green, blue) => (red * 9798 + green * 19235 + blue * 3735 + 0x4000) >> 15;

/** Means over squares of `factor` pixels, at the rim over what there is. */
function averaged({ data, width, height }, factor) {
  const made = picture(Math.ceil(width / factor), Math.ceil(height / factor));
  for (let y = 0; y < made.height; y += 1) {
    const [top, bottom] = [y * factor, Math.min(height, (y + 1) * factor)];
    for (let x = 0; x < made.width; x += 1) {
      const [left, right] = [x * factor, Math.min(width, (x + 1) * factor)];
      let sum = 0;
      for (let v = top; v < bottom; v += 1) for (let u = left; u < right; u += 1) sum += data[v * width + u];
      made.data[y * made.width + x] = Math.floor(sum / ((bottom - top) * (right - left)) + 0.5);
    }
  }
  return made;
}

/** Lay what is transparent on white, on black under bright ink, or on the picture's own paper. */
function flattened(gray, alpha) {
  if (alpha.every((value) => value === 255)) return gray;
  let ground = paperShown(gray, alpha);
  if (ground === null) {
    let [sum, total] = [0, 0];
    gray.data.forEach((value, i) => {
      sum += (value * alpha[i]) / 255;
      total += alpha[i] / 255;
    });
    ground = total > 0 && sum / total > 160 ? 0 : 255;
  }
  const made = picture(gray.width, gray.height);
  gray.data.forEach((value, i) => {
    const weight = Math.fround(alpha[i] / 255);
    made.data[i] = round(Math.fround(Math.fround(value * weight) + Math.fround(ground * Math.fround(1 - weight))));
  });
  return made;
}

function paperShown({ data }, alpha) {
  const counts = new Float64Array(256);
  let solid = 0;
  data.forEach((value, i) => {
    if (alpha[i] <= 250) return;
    counts[value] += 1;
    solid += 1;
  });
  if (solid < 0.5 * data.length) return null;
  const [low, middle, high] = [0.01, 0.5, 0.99].map((share) => quantileOfCounts(counts, share));
  return high - low > TWO_TONES ? middle : null;
}

// --- the turn that a camera asks for

function orientationOf(exif) {
  if (!exif || exif.length < 14) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const little = view.getUint16(0) === 0x4949;
  const start = view.getUint32(4, little);
  if (start + 2 > exif.length) return 1;
  const count = view.getUint16(start, little);
  for (let at = start + 2; at < start + 2 + 12 * count && at + 12 <= exif.length; at += 12) {
    if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
  }
  return 1;
}

function turned(image, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return image;
  const { data, width, height } = image;
  const swapped = orientation >= 5;
  const made = swapped ? picture(height, width) : picture(width, height);
  const [right, bottom] = [width - 1, height - 1];
  const from = {
    2: (x, y) => [right - x, y], 3: (x, y) => [right - x, bottom - y], 4: (x, y) => [x, bottom - y],
    5: (x, y) => [y, x], 6: (x, y) => [y, bottom - x], 7: (x, y) => [right - y, bottom - x], 8: (x, y) => [right - y, x],
  }[orientation]; // prettier-ignore
  for (let y = 0; y < made.height; y += 1) {
    for (let x = 0; x < made.width; x += 1) {
      const [u, v] = from(x, y);
      made.data[y * made.width + x] = data[v * width + u];
    }
  }
  return made;
}
