// Smallest, largest, middle and mean of each pixel's neighbours, as OpenCV's morph, median and box filters have them.

import { cut, framed, mapped, picture, transposed } from "./image.js";
import { byte } from "./numbers.js";

const FEW_ROWS = 7;

/** The smallest in a window of `width` x `height`; beyond the rim lies `outside`, which by default never counts. */
export function eroded(image, width, height, outside = 255) {
  return filtered(image, width, height, outside, true);
}

/** The largest in a window of `width` x `height`. */
export function dilated(image, width, height, outside = 0) {
  return filtered(image, width, height, outside, false);
}

export function opened(image, width, height, outside = null) {
  return dilated(eroded(image, width, height, outside ?? 255), width, height, outside ?? 0);
}

export function closed(image, width, height) {
  return eroded(dilated(image, width, height), width, height);
}

function filtered(image, width, height, outside, least) {
  const [from, beyond] = least ? [inverse(image), 255 - outside] : [image, outside];
  let made = width > 1 ? alongRows(from, width, beyond) : from;
  if (height > 1) made = height <= FEW_ROWS ? alongColumns(made, height, beyond) : transposed(alongRows(transposed(made), height, beyond));
  if (least) return inverse(made);
  return made === image ? picture(image.width, image.height, image.data.slice()) : made;
}

function inverse({ data, width, height }) {
  const made = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 1) made[i] = 255 - data[i];
  return { data: made, width, height };
}

/** The largest of `size` in a row. In blocks, each run through from both ends (van Herk 1992, Gil and Werman 1993). */
function alongRows({ data, width, height }, size, outside) {
  const made = picture(width, height);
  const out = made.data;
  const anchor = size >> 1;
  const length = width + size - 1;
  const line = new Uint8Array(length).fill(outside);
  const forth = new Uint8Array(length);
  const back = new Uint8Array(length);
  for (let y = 0; y < height; y += 1) {
    const start = y * width;
    line.set(data.subarray(start, start + width), anchor);
    for (let block = 0; block < length; block += size) {
      const stop = Math.min(block + size, length);
      let most = 0;
      for (let i = block; i < stop; i += 1) {
        if (line[i] > most) most = line[i];
        forth[i] = most;
      }
      most = 0;
      for (let i = stop - 1; i >= block; i -= 1) {
        if (line[i] > most) most = line[i];
        back[i] = most;
      }
    }
    for (let x = 0; x < width; x += 1) {
      const [a, b] = [back[x], forth[x + size - 1]];
      out[start + x] = a > b ? a : b;
    }
  }
  return made;
}

/** The largest of `size`, few, in a column. */
function alongColumns({ data, width, height }, size, outside) {
  const made = picture(width, height);
  const out = made.data;
  const anchor = size >> 1;
  for (let y = 0; y < height; y += 1) {
    const start = y * width;
    const stop = start + width;
    if (y < anchor || y + size - anchor > height) out.fill(outside, start, stop);
    const last = Math.min(height, y - anchor + size);
    for (let row = Math.max(0, y - anchor); row < last; row += 1) {
      let from = row * width;
      for (let i = start; i < stop; i += 1) {
        const value = data[from];
        if (value > out[i]) out[i] = value;
        from += 1;
      }
    }
  }
  return made;
}

/** The largest within an ellipse of `size` x `size`. */
export function dilatedRound(image, size) {
  const radius = size >> 1;
  const runs = [];
  for (let row = 0; row < size; row += 1) {
    const off = row - radius;
    if (Math.abs(off) > radius) continue;
    const half = byte(radius * Math.sqrt((radius * radius - off * off) * (radius ? 1 / (radius * radius) : 0)));
    runs.push([off, -Math.min(half, radius), Math.min(half, size - 1 - radius)]);
  }
  const { data, width, height } = image;
  return mapped(image, (_, i) => {
    const y = Math.floor(i / width);
    const x = i - y * width;
    let most = 0;
    for (const [off, first, last] of runs) {
      const row = y + off;
      if (row < 0 || row >= height) continue;
      for (let u = Math.max(0, x + first); u <= Math.min(width - 1, x + last); u += 1) {
        if (data[row * width + u] > most) most = data[row * width + u];
      }
    }
    return most;
  });
}

/** The middle of each pixel and its eight neighbours; the rim repeats itself. */
export function medianOfNine({ data, width, height }) {
  const made = picture(width, height);
  // of each column of three the lowest, middle and highest; then the middle of the highest lowest, the middle middle
  // and the lowest highest (Smith 1996)
  const [low, mid, high] = [new Uint8Array(width), new Uint8Array(width), new Uint8Array(width)];
  for (let y = 0; y < height; y += 1) {
    const above = Math.max(y - 1, 0) * width;
    const below = Math.min(y + 1, height - 1) * width;
    for (let x = 0; x < width; x += 1) {
      const [a, b, c] = [data[above + x], data[y * width + x], data[below + x]];
      const [less, more] = a < b ? [a, b] : [b, a];
      low[x] = c < less ? c : less;
      high[x] = c > more ? c : more;
      mid[x] = c < less ? less : c > more ? more : c;
    }
    for (let x = 0; x < width; x += 1) {
      const left = x > 0 ? x - 1 : 0;
      const right = x < width - 1 ? x + 1 : x;
      const floor = Math.max(low[left], low[x], low[right]);
      const roof = Math.min(high[left], high[x], high[right]);
      made.data[y * width + x] = middle(floor, middle(mid[left], mid[x], mid[right]), roof);
    }
  }
  return made;
}

function middle(a, b, c) {
  if (a < b) return b < c ? b : a < c ? c : a;
  return a < c ? a : b < c ? c : b;
}

/** The middle of a window of `size` x `size`, `size` odd; the rim is a mirror that repeats its own pixels. */
export function medianOf({ data, width, height }, size) {
  const made = picture(width, height);
  const reach = size >> 1;
  const mirrored = (place, length) => (place < 0 ? -1 - place : place >= length ? 2 * length - 1 - place : place);
  const columns = Int32Array.from({ length: width + 2 * reach }, (_, i) => mirrored(i - reach, width));
  const rows = Int32Array.from({ length: height + 2 * reach }, (_, i) => mirrored(i - reach, height) * width);
  const half = (size * size) >> 1;
  // the middle is followed from pixel to pixel, with the number of values below it (Huang, Yang and Tang 1979)
  const counts = new Int32Array(256);
  for (let y = 0; y < height; y += 1) {
    counts.fill(0);
    let [value, below] = [0, 0];
    for (let x = -1; x < width; x += 1) {
      for (let v = 0; v < size; v += 1) {
        const row = rows[y + v];
        if (x < 0) {
          for (let u = 0; u < size; u += 1) counts[data[row + columns[u]]] += 1;
        } else if (x > 0) {
          const [gone, come] = [data[row + columns[x - 1]], data[row + columns[x + size - 1]]];
          counts[gone] -= 1;
          counts[come] += 1;
          below += (come < value) - (gone < value);
        }
      }
      if (x < 0) continue;
      while (below > half) below -= counts[(value -= 1)];
      while (below + counts[value] <= half) below += counts[value++];
      made.data[y * width + x] = value;
    }
  }
  return made;
}

/** The mean of a window of `size` x `size`, `size` odd; the rim is a mirror that does not repeat its own pixels. */
export function mean({ data, width, height }, size) {
  const made = picture(width, height);
  const reach = size >> 1;
  const mirrored = (place, length) => {
    if (length === 1) return 0;
    let at = place;
    while (at < 0 || at >= length) at = at < 0 ? -at : 2 * (length - 1) - at;
    return at;
  };
  const columns = new Int32Array(width);
  const padded = new Int32Array(width + 2 * reach);
  const from = Int32Array.from({ length: padded.length }, (_, i) => mirrored(i - reach, width));
  const add = (row, sign) => {
    const start = mirrored(row, height) * width;
    for (let x = 0; x < width; x += 1) columns[x] += sign * data[start + x];
  };
  for (let v = -reach; v < reach; v += 1) add(v, 1);
  for (let y = 0; y < height; y += 1) {
    add(y + reach, 1);
    for (let i = 0; i < padded.length; i += 1) padded[i] = columns[from[i]];
    let sum = 0;
    for (let i = 0; i < size - 1; i += 1) sum += padded[i];
    for (let x = 0; x < width; x += 1) {
      sum += padded[x + size - 1];
      made.data[y * width + x] = byte(sum / (size * size));
      sum -= padded[x];
    }
    add(y - reach, -1);
  }
  return made;
}

/** Values of `width` x `height` blurred with a Gaussian of one pixel. Only for pictures to look at. */
export function blurred(values, width, height) {
  const weights = [4, 3, 2, 1, 0, 1, 2, 3, 4].map((d) => Math.exp((-d * d) / 2));
  const total = weights.reduce((sum, weight) => sum + weight);
  const mirror = (i, n) => (n === 1 ? 0 : i < 0 ? Math.min(-i, n - 1) : i >= n ? Math.max(0, 2 * (n - 1) - i) : i);
  const pass = (from, step, count, other, otherStep) => {
    const made = new Float32Array(from.length);
    for (let j = 0; j < other; j += 1) {
      for (let i = 0; i < count; i += 1) {
        let sum = 0;
        weights.forEach((weight, k) => (sum += weight * from[mirror(i + k - 4, count) * step + j * otherStep]));
        made[i * step + j * otherStep] = sum / total;
      }
    }
    return made;
  };
  return pass(pass(values, 1, width, height, width), width, height, width, 1);
}

/** As `dilatedRound` with an ellipse of `grow` + 1 pixels, with half of `grow` as room around. */
export function grownRound(image, grow) {
  const grown = dilatedRound(framed(image, grow), grow + 1);
  const off = grow >> 1;
  return cut(grown, off, off, grown.width - 2 * off, grown.height - 2 * off);
}
