// Grey picture to ink, as handread.imaging.ink does: shadow, texture, noise and polarity dealt with.

import { any, histogram, lookedUp, mapped, picture } from "./image.js";
import { closed, dilated, mean, medianOf, medianOfNine } from "./morphology.js";
import { argmax, byte, limited, part, round, runningSum, searchSorted } from "./numbers.js";
import { removeRules } from "./rules.js";
import { linear, smaller } from "./scale.js";
import { filled } from "./solid.js";

const FAINTEST = 14;
const [CLEAN, TEXTURED] = [0.3, 0.55];
const POLARITY_SIDE = 160;
const STEPS = Float64Array.from({ length: 256 }, (_, value) => Math.log(value + 48));
const LEAST = 1e-3;
const PAPER_SIDE = 300;

/** Ink of a grey picture, 0 paper to 255 full ink; zeros where there is none. */
export function extractInk(gray, withoutRules = true) {
  if (Math.min(gray.width, gray.height) < 3 || gray.data.every((value) => value === gray.data[0])) return picture(gray.width, gray.height);
  const dark = isBrightOnDark(gray) ? mapped(gray, (value) => 255 - value) : gray;
  const cut = cutAtInk(darkness(dark));
  const ink = any(cut) ? filled(cut, dark) : cut;
  return withoutRules && any(ink) ? removeRules(ink) : ink;
}

export function isBrightOnDark(gray) {
  const small = smaller(gray, POLARITY_SIDE);
  const { data, width, height } = small;
  const window = Math.max(3, round(Math.min(width, height) * 0.5)) | 1;
  const paper = medianOf(small, window).data;
  const rim = window >> 2;
  let [bright, dark] = [0, 0];
  for (let y = rim; y < height - rim; y += 1) {
    for (let x = rim; x < width - rim; x += 1) {
      const i = y * width + x;
      const off = STEPS[data[i]] - STEPS[paper[i]];
      if (off > 0) bright += off * off;
      else dark += off * off;
    }
  }
  return bright > dark && bright > LEAST * (width - 2 * rim) * (height - 2 * rim);
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
