// Ink of a page to lines of pieces, as handread.imaging.segment finds them.

import { components } from "./components.js";
import { cutPiece, slantOf } from "./cuts.js";
import { above, cut, mapped, picture, strengthened } from "./image.js";
import { dilated } from "./morphology.js";
import { limited, median, round, runningSum, searchSorted } from "./numbers.js";
import { LEVEL } from "./rules.js";
import { shrunk } from "./scale.js";

const READING_HEIGHT = 72;
const SURVEY_SIDE = 640;
const MOST_COMPONENTS = 4000;

class Mark {
  constructor(label, { x, y, right, bottom, area }) {
    Object.assign(this, { x, y, right, bottom, area, labels: [label] });
  }

  get width() {
    return this.right - this.x;
  }

  get height() {
    return this.bottom - this.y;
  }

  get middle() {
    return (this.y + this.bottom) / 2;
  }

  get centre() {
    return (this.x + this.right) / 2;
  }

  join(other) {
    [this.x, this.y] = [Math.min(this.x, other.x), Math.min(this.y, other.y)];
    [this.right, this.bottom] = [Math.max(this.right, other.right), Math.max(this.bottom, other.bottom)];
    this.area += other.area;
    this.labels.push(...other.labels);
  }
}

/** [ink, factor]: scaled down where its characters are much larger than reading needs, and the factor back. */
export function atReadingSize(ink) {
  const factor = Math.max(1, Math.max(ink.width, ink.height) / SURVEY_SIDE);
  const small = factor > 1 ? scaledDown(ink, factor) : ink;
  const marks = marksOf(components(above(small, LEVEL)));
  if (!marks.length) return [ink, 1];
  const factorBack = (typicalHeight(marks) * factor) / READING_HEIGHT;
  return factorBack > 1.4 ? [scaledDown(ink, factorBack), factorBack] : [ink, 1];
}

function scaledDown(ink, factor) {
  const size = [Math.max(1, round(ink.width / factor)), Math.max(1, round(ink.height / factor))];
  return strengthened(shrunk(ink, ...size), 1.5);
}

/** Lines {pieces, height, skew}, from the top; a piece is {box: {x, y, width, height}, ink, joinedLeft}. */
export function segment(ink) {
  const found = components(above(ink, LEVEL));
  let marks = marksOf(found);
  if (!marks.length) return [];
  const typical = typicalHeight(marks);
  marks = marks.filter((mark) => !isDebris(mark, typical, ink));
  const body = marks.filter((mark) => mark.height >= 0.4 * typical);
  if (!body.length) return [];
  const skew = skewOf(body, typical);
  const lines = linesOf(body, skew);
  placeSmall(lines, marks.filter((mark) => mark.height < 0.4 * typical), skew); // prettier-ignore
  const level = (line) => median(line.map((mark) => mark.middle - skew * mark.centre));
  const placed = lines.map((line) => ({ line, at: level(line) }));
  placed.sort((a, b) => a.at - b.at);
  return placed.map(({ line }) => textLine(line, found, ink, skew));
}

function marksOf({ parts }) {
  return parts
    .map((part, label) => ({ part, label }))
    .slice(1)
    .sort((a, b) => b.part.area - a.part.area)
    .slice(0, MOST_COMPONENTS)
    .filter(({ part }) => part.area >= 5)
    .map(({ part, label }) => new Mark(label, part));
}

function typicalHeight(marks) {
  const sorted = [...marks].sort((a, b) => a.height - b.height);
  const sums = runningSum(sorted.map((mark) => Math.max(mark.height, mark.width) * mark.height));
  return sorted[searchSorted(sums.map((value) => value / sums.at(-1)), 0.5)].height;
}

function isDebris(mark, typical, { width, height }) {
  const { width: w, height: h, area } = mark;
  if (Math.max(h, w) < Math.max(3, 0.055 * typical) || area < Math.max(5, 0.0025 * typical ** 2)) return true;
  if (w > 2.5 * typical && h < 0.25 * typical) return true;
  if (h > 3 * typical && w < 0.25 * typical) return true;
  const atRim = mark.y <= 0 || mark.bottom >= height || mark.x <= 0 || mark.right >= width;
  return atRim && h < 0.45 * typical;
}

function skewOf(body, typical) {
  const slopes = [];
  const ordered = [...body].sort((a, b) => a.centre - b.centre);
  ordered.forEach((mark, index) => {
    for (const other of ordered.slice(index + 1, index + 40)) {
      const gap = other.centre - mark.centre;
      if (gap > 6 * typical) break;
      const rise = other.bottom - mark.bottom;
      if (gap > 0.7 * typical && Math.abs(rise) < 0.5 * typical) slopes.push(rise / gap);
    }
  });
  return slopes.length >= 3 ? limited(median(slopes), -0.3, 0.3) : 0;
}

function linesOf(body, skew) {
  const lines = [];
  const spans = [];
  for (const mark of [...body].sort((a, b) => b.height - a.height)) {
    const [top, bottom] = [mark.y - skew * mark.centre, mark.bottom - skew * mark.centre];
    let [best, share] = [-1, 0.45];
    spans.forEach(([a, b], index) => {
      const overlap = Math.min(bottom, b) - Math.max(top, a);
      const part = overlap / Math.min(bottom - top, b - a);
      if (part > share) [best, share] = [index, part];
    });
    if (best < 0) {
      lines.push([mark]);
      spans.push([top, bottom]);
    } else {
      lines[best].push(mark);
      const tops = lines[best].map((m) => m.y - skew * m.centre);
      const bottoms = lines[best].map((m) => m.bottom - skew * m.centre);
      spans[best] = [median(tops), median(bottoms)];
    }
  }
  return lines;
}

function placeSmall(lines, small, skew) {
  const middles = lines.map((line) => [
    median(line.map((m) => m.middle - skew * m.centre)),
    median(line.map((m) => m.height)),
  ]);
  for (const mark of small) {
    const distances = middles.map(([middle, height]) => Math.abs(mark.middle - skew * mark.centre - middle) / height);
    let nearest = 0;
    distances.forEach((distance, i) => {
      if (distance < distances[nearest]) nearest = i;
    });
    if (distances[nearest] < 1.2) lines[nearest].push(mark);
  }
}

function textLine(line, found, ink, skew) {
  const tallest = Math.max(...line.map((mark) => mark.height));
  const height = median(line.map((mark) => mark.height).filter((own) => own >= 0.4 * tallest));
  const joined = join([...line].sort((a, b) => a.x - b.x), height); // prettier-ignore
  const whole = joined.map((mark) => cutOut(mark, found, ink));
  const slant = slantOf(whole.filter(({ box }) => box.height > 0.5 * height).map((piece) => piece.ink));
  const pieces = whole.flatMap((piece) => split(piece, height, slant));
  pieces.sort((a, b) => a.box.x + a.box.width / 2 - (b.box.x + b.box.width / 2));
  return { pieces, height, skew };
}

function join(marks, height) {
  let merged = true;
  while (merged) {
    merged = joinOne(marks, height);
    marks.sort((a, b) => a.x - b.x);
  }
  return marks;
}

function joinOne(marks, height) {
  for (let i = 0; i < marks.length; i += 1) {
    for (let j = i + 1; j < marks.length; j += 1) {
      if (marks[j].x > marks[i].right + height) break;
      if (!areOneCharacter(marks[i], marks[j], height)) continue;
      marks[i].join(marks[j]);
      marks.splice(j, 1);
      return true;
    }
  }
  return false;
}

function areOneCharacter(a, b, height) {
  const overlap = Math.min(a.right, b.right) - Math.max(a.x, b.x);
  const narrow = Math.min(a.width, b.width);
  const gap = Math.max(a.y, b.y) - Math.min(a.bottom, b.bottom);
  const [small, large] = a.area <= b.area ? [a, b] : [b, a];
  const both = Math.max(a.bottom, b.bottom) - Math.min(a.y, b.y);
  if (small.height < 0.35 * height && small.width < 0.5 * height) {
    const over = small.bottom <= large.y + 0.35 * large.height;
    const near = small.x - 0.15 * height < large.right && small.right + 0.15 * height > large.x;
    if (Math.sqrt(small.area) < (0.6 * large.area) / Math.max(large.height, large.width)) return false;
    if (over && near && gap < 0.6 * height && both < 1.9 * height) return overlap > -0.15 * height;
    if (!over && small.middle > large.y + 0.7 * large.height && overlap < 0.9 * narrow) return false;
  }
  return overlap > 0.55 * narrow && gap < 0.45 * height && both < 1.7 * height;
}

function cutOut(mark, { labels, width, height }, ink) {
  const [y, x] = [Math.max(0, mark.y - 1), Math.max(0, mark.x - 1)];
  const [w, h] = [Math.min(width, mark.right + 1) - x, Math.min(height, mark.bottom + 1) - y];
  const own = new Set(mark.labels);
  const window = new Int32Array(w * h);
  for (let v = 0; v < h; v += 1) window.set(labels.subarray((y + v) * width + x, (y + v) * width + x + w), v * w);
  const mask = mapped(picture(w, h), (_, i) => (own.has(window[i]) ? 1 : 0));
  const soft = dilated(mask, 3, 3);
  const part = mapped(cut(ink, x, y, w, h), (value, i) =>
    soft.data[i] && (window[i] === 0 || mask.data[i]) ? value : 0,
  );
  return { box: { x, y, width: w, height: h }, ink: part, joinedLeft: false };
}

function split(piece, height, slant) {
  if (piece.box.width < 0.62 * height || piece.box.height < 0.4 * height) return [piece];
  return cutPiece(piece.ink, height, slant).map(([dx, dy, ink], number) => ({
    box: { x: piece.box.x + dx, y: piece.box.y + dy, width: ink.width, height: ink.height },
    ink,
    joinedLeft: number > 0,
  }));
}
