// Grey picture to ink, as handread.imaging.ink does: shadow, texture, noise and polarity dealt with.

import { any, histogram, lookedUp, mapped, picture } from "./image.js";
import { closed, dilated, mean, medianOfNine, opened } from "./morphology.js";
import { argmax, byte, limited, median, part, quantile, quantileOfCounts, round, runningSum, searchSorted, solveSymmetric } from "./numbers.js"; // prettier-ignore
import { removeRules } from "./rules.js";
import { linear, shrunk } from "./scale.js";

const FAINTEST = 14;
const [CLEAN, TEXTURED] = [0.3, 0.55];
const THIN_FROM = 60;
const PAPER_SIDE = 300;

/** Ink of a grey picture, 0 paper to 255 full ink; zeros where there is none. */
export function extractInk(gray) {
  if (Math.min(gray.width, gray.height) < 3 || gray.data.every((value) => value === gray.data[0])) return picture(gray.width, gray.height);
  const dark = isBrightOnDark(gray) ? mapped(gray, (value) => 255 - value) : gray;
  const ink = cutAtInk(darkness(dark));
  return any(ink) ? removeRules(ink) : ink;
}

export function isBrightOnDark(gray) {
  const side = Math.min(gray.width, gray.height);
  const small = smaller(gray, PAPER_SIDE);
  const tiny = smaller(small, 96);
  const sloped = reachesFurther(level(tiny, false));
  if (sloped !== null && (side < THIN_FROM || sloped === reachesFurther(level(tiny, true)))) return sloped;
  if (side >= THIN_FROM) {
    for (const window of [3, 5, 7, 11, 17, 25]) {
      const [bright, dark] = thin(small, window);
      const [more, less] = [Math.max(bright, dark), Math.min(bright, dark)];
      if (more > FAINTEST && more > 1.5 * less) return bright > dark;
    }
  }
  const [bright, dark] = thin(small, Math.max(3, part(Math.min(small.width, small.height), 5) | 1));
  return bright > dark * 1.1;
}

function reachesFurther(values) {
  const sorted = values.slice().sort();
  const [low, middle, high] = [0.01, 0.5, 0.99].map((share) => quantile(sorted, share));
  const [dark, bright] = [middle - low, high - middle];
  return Math.max(dark, bright) > 2.2 * Math.min(dark, bright) ? bright > dark : null;
}

function thin(small, window) {
  const without = opened(small, window, window);
  const filled = closed(small, window, window);
  const bright = mapped(small, (value, i) => value - without.data[i]);
  const dark = mapped(small, (value, i) => filled.data[i] - value);
  return [bright, dark].map((image) => quantileOfCounts(histogram(image), 0.985));
}

function level({ data, width, height }, bowl) {
  const terms = bowl ? 6 : 3;
  const count = data.length;
  const across = Float64Array.from({ length: width }, (_, x) => -1 + x * (2 / (width - 1)));
  const down = Float64Array.from({ length: height }, (_, y) => -1 + y * (2 / (height - 1)));
  const shapes = new Float64Array(count * terms);
  for (let i = 0; i < count; i += 1) {
    const [x, y] = [across[i % width], down[part(i, width)]];
    const at = i * terms;
    shapes[at] = 1;
    shapes[at + 1] = x;
    shapes[at + 2] = y;
    if (!bowl) continue;
    shapes[at + 3] = x * x;
    shapes[at + 4] = y * y;
    shapes[at + 5] = x * y;
  }
  let plane = new Float64Array(count).fill(median(data));
  const off = new Float64Array(count);
  for (let turn = 0; turn < 3; turn += 1) {
    for (let i = 0; i < count; i += 1) off[i] = Math.abs(data[i] - plane[i]);
    const near = quantile(off.slice().sort(), 0.6);
    const matrix = Array.from({ length: terms }, () => new Float64Array(terms));
    const right = new Float64Array(terms);
    for (let i = 0; i < count; i += 1) {
      if (off[i] > near) continue;
      for (let a = 0; a < terms; a += 1) {
        const own = shapes[i * terms + a];
        right[a] += own * data[i];
        for (let b = 0; b <= a; b += 1) matrix[a][b] += own * shapes[i * terms + b];
      }
    }
    for (let a = 0; a < terms; a += 1) for (let b = 0; b < a; b += 1) matrix[b][a] = matrix[a][b];
    const weights = solveSymmetric(matrix, right);
    plane = new Float64Array(count);
    for (let i = 0; i < count; i += 1) for (let a = 0; a < terms; a += 1) plane[i] += shapes[i * terms + a] * weights[a];
  }
  return plane.map((value, i) => data[i] - value);
}

function smaller(gray, side) {
  const factor = Math.max(gray.width, gray.height) / side;
  if (factor <= 1) return gray;
  return shrunk(gray, Math.max(3, round(gray.width / factor)), Math.max(3, round(gray.height / factor)));
}

function darkness(gray) {
  const small = medianOfNine(smaller(gray, PAPER_SIDE));
  const [short, long] = [Math.min(small.width, small.height), Math.max(small.width, small.height)];
  const window = Math.max(5, round(Math.min(short * 0.45, long * 0.25))) | 1;
  let paper = mean(closed(small, window, window), part(window, 4) * 2 + 1);
  if (paper.width !== gray.width || paper.height !== gray.height) paper = linear(paper, gray.width, gray.height);
  return mapped(gray, (value, i) => 255 - byte((value * 255) / Math.max(paper.data[i], 24)));
}

function cutAtInk(dark) {
  const counts = histogram(dark);
  const [paper, spread] = paperLevel(counts);
  const floor = Math.max(paper + 3.5 * spread, paper + 6.0);
  const threshold = otsu(counts, Math.trunc(Math.min(floor, 250)));
  const above = runningSum(counts.slice(threshold));
  const nothing = picture(dark.width, dark.height);
  const total = above.at(-1) ?? 0;
  if (!total) return nothing;
  const full = threshold + searchSorted(above, 0.6 * total);
  if (full - paper < FAINTEST || full - paper < 4.5 * spread) return nothing;
  const share = isTextured(dark, floor, threshold) ? TEXTURED : CLEAN;
  const start = Math.min(Math.max(floor * 0.8, share * threshold), full - 2);
  const table = Uint8Array.from({ length: 256 }, (_, i) => round(limited((i - start) * (255 / (full - start)), 0, 255)));
  return lookedUp(dark, table);
}

function isTextured(dark, floor, threshold) {
  const near = dilated(mapped(dark, (value) => (value > threshold ? 1 : 0)), 5, 5);
  let weak = 0;
  for (let i = 0; i < dark.data.length; i += 1) if (dark.data[i] > floor && !near.data[i]) weak += 1;
  return weak / dark.data.length > 0.01;
}

function paperLevel(counts) {
  const sums = runningSum(counts);
  const share = sums.map((value) => value / sums[255]);
  const middle = searchSorted(share, 0.4);
  const low = searchSorted(share, 0.08);
  return [middle, Math.max((middle - low) / 1.15, 0.7)];
}

function otsu(counts, first) {
  const weight = runningSum(counts);
  const total = weight[255];
  const mass = runningSum(counts.map((count, i) => count * i));
  const between = weight.map((own, i) => {
    const value = ((mass[255] * own) / total - mass[i]) ** 2 / (own * (total - own));
    return Number.isFinite(value) ? value : -1;
  });
  return Math.max(argmax(between) + 1, first);
}
