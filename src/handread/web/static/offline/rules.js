// Ruled lines, squared paper and box edges, as handread.imaging.rules removes them.

import { above, any, bounds, cut, framed, mapped, picture, strengthened, sum, transposed } from "./image.js";
import { components, kept } from "./components.js";
import { closed, dilated, opened } from "./morphology.js";
import { median, round } from "./numbers.js";
import { nearest, shrunk, smaller } from "./scale.js";

/** Ink from which a pixel counts as drawn. */
export const LEVEL = 90;
const SEARCH_SIDE = 640;
const SMALL = [24, 64];
const GAP = 2;
const [DOTS, MOST_MARKS] = [4, 40];
const DOTTED_SIDE = 480;
const RIM = 0.16;

export function removeRules(ink) {
  const { width, height } = ink;
  if (Math.min(width, height) < 12) return ink;
  if (Math.max(width, height) > SEARCH_SIDE) return removeAtSearchSize(ink);
  const mask = above(ink, LEVEL);
  const lines = horizontal(mask);
  const upright = transposed(horizontal(transposed(mask)));
  for (let i = 0; i < lines.data.length; i += 1) lines.data[i] |= upright.data[i];
  if (!any(lines)) return ink;
  const rest = mapped(mask, (value, i) => value & ~lines.data[i]);
  if (isTightCharacter(mask, rest)) return ink;
  const nearLines = dilated(lines, 3, 3).data;
  const nearRest = dilated(rest, 3, 3).data;
  return mapped(ink, (value, i) => (nearLines[i] && (!nearRest[i] || lines.data[i]) ? 0 : value));
}

function removeAtSearchSize(ink) {
  const factor = Math.max(ink.width, ink.height) / SEARCH_SIDE;
  const size = [Math.max(12, round(ink.width / factor)), Math.max(12, round(ink.height / factor))];
  const small = strengthened(shrunk(ink, ...size), 2);
  const left = removeRules(small);
  const gone = mapped(small, (value, i) => (value > 0 && left.data[i] === 0 ? 1 : 0));
  if (!any(gone)) return ink;
  const large = nearest(gone, ink.width, ink.height);
  return mapped(ink, (value, i) => (large.data[i] ? 0 : value));
}

function isTightCharacter(mask, rest) {
  const { width, height, data } = mask;
  const row = (y) => data.subarray(y * width, (y + 1) * width).some(Boolean);
  const column = (x) => {
    for (let y = 0; y < height; y += 1) if (data[y * width + x]) return true;
    return false;
  };
  const edges = row(0) && row(height - 1) && column(0) && column(width - 1);
  if (!edges || Math.max(height, width) > 400) return false;
  const found = components(rest);
  const total = sum(rest);
  const heavy = found.parts.slice(1).filter(({ area }) => area > 0.15 * Math.max(total, 1)).length;
  if (heavy > 2 || total < 0.25 * sum(mask)) return false;
  const large = found.parts.map(({ area }, label) => label > 0 && area > 0.05 * total);
  const [, , w, h] = bounds(cut(kept(found, large), 1, 1, width - 2, height - 2));
  return w >= 0.86 * width || h >= 0.86 * height;
}

function horizontal(mask) {
  const { width, height } = mask;
  const found = picture(width, height);
  const gap = Math.max(height, width) < SMALL[1] ? GAP : 0;
  const joined = cut(closed(dilated(framed(mask, gap), 1, 3), 5, 1), gap, gap, width, height);
  const runs = opened(joined, Math.max(9, Math.trunc(width * 0.2)), 1);
  if (!any(runs)) return found;
  const { labels, parts } = components(runs);
  for (let index = 1; index < parts.length; index += 1) {
    const { x, y, width: w, height: h } = parts[index];
    if (!spans(x, y, w, h, height, width)) continue;
    const [top, bottom] = [Math.max(0, y - 2), Math.min(height, y + h + 2)];
    const window = cut(mask, x, top, w, bottom - top);
    const own = mapped(window, (_, i) => {
      const v = Math.floor(i / w);
      return labels[(top + v) * width + x + (i - v * w)] === index ? 1 : 0;
    });
    const rule = dilated(own, 1, 5);
    const ruled = mapped(window, (value, i) => value & rule.data[i]);
    const thick = thickness(ruled);
    if (thick > thickest(height, width)) continue;
    const narrow = thin(mask, x, top, w, bottom - top, round(1.3 * thick + 1));
    for (let v = 0; v < bottom - top; v += 1) {
      for (let u = 0; u < w; u += 1) {
        found.data[(top + v) * width + x + u] |= ruled.data[v * w + u] & narrow.data[v * w + u];
      }
    }
  }
  return found;
}

function thickest(height, width) {
  const limit = Math.max(5, 0.1 * height);
  const side = Math.max(height, width);
  return SMALL[0] <= side && side < SMALL[1] ? Math.min(limit, Math.max(2.6, 0.1 * height)) : limit;
}

function thickness({ data, width, height }) {
  const columns = new Float64Array(width);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) columns[x] += data[y * width + x];
  const inked = columns.filter((count) => count > 0);
  return inked.length ? median(inked) : 0;
}

function spans(x, y, w, h, height, width) {
  const [left, right] = [x <= 0.02 * width + 1, x + w >= 0.98 * width - 1];
  const band = Math.max(3, RIM * height);
  const atRim = y + h <= band + 2 || y >= height - band - 2;
  const straight = h <= Math.max(7, 0.12 * w);
  if (atRim) return straight && w >= 0.45 * width && (left || right || y <= 1 || y + h >= height - 1);
  if (left && right) return straight;
  return straight && width >= 300 && w >= 0.75 * width;
}

function thin(mask, x, y, w, h, limit) {
  const top = Math.max(0, y - limit - 1);
  const bottom = Math.min(mask.height, y + h + limit + 1);
  const window = cut(mask, x, top, w, bottom - top);
  const long = opened(window, 1, limit + 1, 0);
  return cut(mapped(window, (value, i) => value & ~long.data[i]), 0, y - top, w, h);
}

/** Without dotted lines: at least four marks of one size, far smaller than the character, in a straight row. */
export function removeDots(ink) {
  const small = smaller(ink, DOTTED_SIDE);
  if (small !== ink && removeDots(small) === small) return ink;
  const found = components(above(ink, LEVEL));
  const { labels, parts } = found;
  if (parts.length <= DOTS || parts.length > MOST_MARKS) return ink;
  const largest = Math.max(...parts.slice(1).map(({ area }) => area));
  let dots = parts.map((_, label) => label).filter((label) => label && parts[label].area <= 0.2 * largest);
  const gone = parts.map(() => false);
  while (dots.length >= DOTS) {
    const row = straightRow(dots.map((label) => parts[label]), Math.max(ink.width, ink.height)); // prettier-ignore
    if (row === null) break;
    dots.forEach((label, i) => (gone[label] ||= row[i]));
    dots = dots.filter((_, i) => !row[i]);
  }
  if (!gone.some(Boolean)) return ink;
  const rest = dilated(kept(found, gone.map((out, label) => label > 0 && !out)), 3, 3).data; // prettier-ignore
  const near = dilated(kept(found, gone), 3, 3).data;
  return mapped(ink, (value, i) => (near[i] && (!rest[i] || gone[labels[i]]) ? 0 : value));
}

function straightRow(marks, side) {
  let [best, most] = [null, 0];
  for (let first = 0; first < marks.length; first += 1) {
    for (let second = first + 1; second < marks.length; second += 1) {
      const [from, to] = [marks[first], marks[second]];
      const [dx, dy] = [to.cx - from.cx, to.cy - from.cy];
      const length = Math.hypot(dx, dy);
      if (!length) continue;
      let [count, low, high] = [0, Infinity, -Infinity];
      const row = marks.map(({ cx, cy, area }) => {
        const [u, v] = [cx - from.cx, cy - from.cy];
        const aside = Math.abs(u * dy - v * dx) / length;
        if (aside > 0.6 + 0.01 * side || area < 0.5 * from.area || area > 2 * from.area) return false;
        const place = (u * dx + v * dy) / length;
        [count, low, high] = [count + 1, Math.min(low, place), Math.max(high, place)];
        return true;
      });
      if (count >= DOTS && high - low >= 0.45 * side && count > most) [best, most] = [row, count];
    }
  }
  return best;
}

/** Without what leans in from outside and stays within a band along the rim, and without specks. */
export function removeRim(ink) {
  const { width, height } = ink;
  const found = components(above(ink, LEVEL));
  if (found.parts.length === 1) return ink;
  const [bandY, bandX] = [Math.max(2, RIM * height), Math.max(2, RIM * width)];
  const near = Math.max(1, round(0.03 * Math.min(height, width)));
  const largest = Math.max(...found.parts.slice(1).map(({ area }) => area));
  const keep = found.parts.map(({ x, y, width: w, height: h, area }, label) => {
    if (!label) return false;
    const touches = x <= near || y <= near || x + w >= width - near || y + h >= height - near;
    const inBand = y + h <= bandY || y >= height - bandY || x + w <= bandX || x >= width - bandX;
    const speck = area < 4 || (area < 7 && area < 0.05 * largest);
    return !(touches && inBand && (area < 0.5 * largest || area < 0.02 * height * width)) && !speck;
  });
  if (keep.slice(1).every(Boolean)) return ink;
  const allowed = dilated(kept(found, keep), 3, 3);
  return mapped(ink, (value, i) => (allowed.data[i] ? value : 0));
}
