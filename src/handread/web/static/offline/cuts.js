// Where touching characters may part, as handread.imaging.cuts decides it.

import { picture } from "./image.js";
import { argmax, part, quantile, round, searchSorted } from "./numbers.js";
import { LEVEL } from "./rules.js";
import { shrunk } from "./scale.js";

const WAIST = 0.8;
const MOST_PARTS = 24;

/** Columns that upright strokes lean to the right per row upward, over all images. */
export function slantOf(inks) {
  if (!inks.length) return 0;
  const step = (0.9 - -0.2) / 11;
  const leans = Array.from({ length: 12 }, (_, i) => (i === 11 ? 0.9 : i * step + -0.2));
  const score = new Float64Array(leans.length);
  for (const ink of inks.slice(0, 40)) {
    const small = ink.height <= 40 ? ink : shrunk(ink, Math.max(1, round((ink.width * 40) / ink.height)), 40);
    const { data, width } = small;
    const places = [];
    for (let i = 0; i < data.length; i += 1) if (data[i] > LEVEL) places.push(i);
    if (!places.length) continue;
    leans.forEach((lean, index) => {
      const along = places.map((i) => Math.floor((i % width) + lean * part(i, width) + 0.5));
      const least = along.reduce((a, b) => Math.min(a, b), Infinity);
      const counts = new Map();
      for (const place of along) counts.set(place - least, (counts.get(place - least) ?? 0) + 1);
      for (const count of counts.values()) score[index] += count * count;
    });
  }
  return leans[argmax(score.map((value, i) => value * (1 - 0.06 * Math.abs(leans[i]))))];
}

/** Parts of one component as [column offset, row offset, ink], left to right; one when nothing can be cut. */
export function cutPiece(ink, height, slant) {
  const { data, width } = ink;
  const middle = ink.height / 2;
  const places = [];
  for (let i = 0; i < data.length; i += 1) if (data[i]) places.push(i);
  const along = places.map((i) => (i % width) + slant * (part(i, width) - middle));
  const strong = places.map((i) => data[i] > LEVEL);
  const cuts = cutPlaces(
    ink,
    along.filter((_, n) => strong[n]),
    places.filter((_, n) => strong[n]).map((i) => part(i, width)),
    height,
  );
  if (!cuts.length) return [[0, 0, ink]];
  const partOf = along.map((value) => searchSorted(cuts, value));
  const parts = [];
  for (let index = 0; index <= cuts.length; index += 1) {
    const chosen = places.filter((_, n) => partOf[n] === index);
    if (chosen.filter((i) => data[i] > LEVEL).length < 6) continue;
    let [left, right, top, bottom] = [Infinity, -1, Infinity, -1];
    for (const i of chosen) {
      const [x, y] = [i % width, part(i, width)];
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
    const piece = picture(right - left + 1, bottom - top + 1);
    for (const i of chosen) piece.data[(part(i, width) - top) * piece.width + (i % width) - left] = data[i];
    parts.push([left, top, piece]);
  }
  return parts.length ? parts : [[0, 0, ink]];
}

function cutPlaces(ink, along, rows, height) {
  if (!along.length) return [];
  const start = Math.floor(along.reduce((a, b) => Math.min(a, b), Infinity));
  const columns = along.map((value) => round(value - start));
  const width = columns.reduce((a, b) => Math.max(a, b), 0) + 1;
  if (width < 6) return [];
  const counts = new Float64Array(width);
  const top = new Float64Array(width).fill(ink.height);
  const bottom = new Float64Array(width).fill(-1);
  columns.forEach((column, n) => {
    counts[column] += 1;
    top[column] = Math.min(top[column], rows[n]);
    bottom[column] = Math.max(bottom[column], rows[n]);
  });
  const kernel = Math.max(3, round(0.06 * height)) | 1;
  const crossed = smooth(counts, kernel);
  const span = smooth(bottom.map((value, x) => Math.max(value - top[x] + 1, 0)), kernel); // prettier-ignore
  const pen = Math.max(2, quantile(crossed.slice().sort(), 0.25));
  const apart = Math.max(3, round(0.16 * height));
  const limit = Math.max(2.2 * pen, 0.3 * height);
  const reach = Math.max(4, round(0.55 * height));
  const candidates = [];
  for (let x = apart; x < width - apart; x += 1) {
    const near = [Math.max(0, x - part(apart, 2)), x + part(apart, 2) + 1];
    if (crossed[x] <= Math.min(...crossed.slice(...near)) && crossed[x] <= limit) candidates.push([crossed[x] / limit, x]);
    const sides = Math.min(
      Math.max(...span.slice(Math.max(0, x - reach), x)),
      Math.max(...span.slice(x + 1, x + reach + 1)),
    );
    if (span[x] <= Math.min(...span.slice(...near)) && span[x] < WAIST * sides) candidates.push([span[x] / sides, x]);
  }
  const chosen = [];
  for (const [, x] of candidates.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (chosen.every((other) => Math.abs(x - other) >= apart)) chosen.push(x);
    if (chosen.length >= MOST_PARTS) break;
  }
  return chosen.sort((a, b) => a - b).map((x) => start + x + 0.25);
}

function smooth(values, kernel) {
  const half = kernel >> 1;
  const share = 1 / kernel;
  return values.map((_, x) => {
    let sum = 0;
    for (let d = -half; d <= half; d += 1) sum += values[Math.min(Math.max(x + d, 0), values.length - 1)] * share;
    return sum;
  });
}
