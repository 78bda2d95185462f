// Several characters in one picture, as handread.layout finds them: the cheapest way through each line's pieces.

import { lookAlikes } from "./decode.js";
import { NO_CUE, lineCue } from "./cues.js";
import { normalise } from "./glyph.js";
import { picture } from "./image.js";
import { median } from "./numbers.js";

const MOST_PIECES = 5;
const WIDEST = 1.75;
const SMALL = 0.36;
const SKIP_COST = 1.0;
const CUT_COST = 0.6;
const BASE_COST = 0.8;
const [LOW, LOW_COST] = [0.6, 4.0];
const WORD_GAP = 0.4;

/**
 * The characters of a page in reading order: [{box, glyph, cue, before, bearable}]. `score(glyphs, cues)` judges
 * network inputs for the alphabet `wanted`.
 */
export function findCharacters(lines, score, wanted, frame) {
  const groups = lines.map(candidatesOf);
  const all = groups.flat();
  for (const candidate of all) candidate.glyph = normalise(candidate.ink, frame);
  const open = all.filter(({ alone }) => !alone);
  const costs = costsOf(open.length ? score(open.map(({ glyph }) => glyph), open.map(() => NO_CUE)) : [], wanted); // prettier-ignore
  open.forEach((candidate, i) => (candidate.cost = costs[i]));
  const spots = [];
  lines.forEach((line, i) => spots.push(...spotsOf(line, bestPath(line, groups[i]), spots.length > 0)));
  return spots;
}

function candidatesOf(line) {
  const found = [];
  const { pieces, height } = line;
  for (let first = 0; first < pieces.length; first += 1) {
    for (let last = first + 1; last <= Math.min(pieces.length, first + MOST_PIECES); last += 1) {
      const group = pieces.slice(first, last);
      const box = around(group.map((piece) => piece.box));
      if (group.length > 1 && (box.width > WIDEST * height || !isClose(group, height))) break;
      if (group.length === 1 && isMark(group[0], height)) continue;
      found.push({ first, last, box, ink: union(group, box), cost: 0 });
    }
  }
  const wanted = new Float64Array(pieces.length);
  for (const { first, last } of found) for (let i = first; i < last; i += 1) wanted[i] += 1;
  for (const one of found) one.alone = one.last - one.first === 1 && wanted[one.first] === 1;
  return found;
}

function isClose(group, height) {
  const [before, last] = group.slice(-2);
  return last.joinedLeft || last.box.x - (before.box.x + before.box.width) < 0.08 * height;
}

function isMark({ box, joinedLeft }, height) {
  if (joinedLeft) return false;
  const small = box.height < SMALL * height && box.width < SMALL * height;
  return small || (box.height < 0.3 * height && box.width > 1.6 * box.height);
}

function union(group, box) {
  if (group.length === 1) return group[0].ink;
  const ink = picture(box.width, box.height);
  for (const piece of group) {
    const { width, height, data } = piece.ink;
    for (let v = 0; v < height; v += 1) {
      const start = (piece.box.y - box.y + v) * box.width + piece.box.x - box.x;
      for (let u = 0; u < width; u += 1) ink.data[start + u] = Math.max(ink.data[start + u], data[v * width + u]);
    }
  }
  return ink;
}

function around(boxes) {
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  const right = Math.max(...boxes.map((box) => box.x + box.width));
  const bottom = Math.max(...boxes.map((box) => box.y + box.height));
  return { x, y, width: right - x, height: bottom - y };
}

function costsOf(scores, wanted) {
  const alike = new Map();
  const log = (value) => Math.log(Math.max(value, 1e-8));
  return scores.map(({ probabilities, ink, mass, label }) => {
    if (!alike.has(label)) alike.set(label, lookAlikes(wanted, [wanted[label]]));
    const same = alike.get(label);
    const sure = Math.fround(probabilities.reduce((sum, value, k) => (same[k] ? sum + value : sum), 0));
    return Math.min(-(0.75 * log(sure) + 0.5 * log(ink) + 0.25 * log(mass)), 9.2);
  });
}

function bestPath(line, candidates) {
  const { pieces, height } = line;
  const best = [0, ...pieces.map(() => Infinity)];
  const step = [null];
  for (let end = 1; end <= pieces.length; end += 1) {
    const piece = pieces[end - 1];
    const skip = isMark(piece, height) ? 0 : BASE_COST + SKIP_COST * sizeOf(piece.box, height);
    best[end] = best[end - 1] + skip;
    step[end] = { from: end - 1, candidate: null };
    for (const candidate of candidates) {
      if (candidate.last !== end) continue;
      const cut = candidate.first > 0 && pieces[candidate.first].joinedLeft ? 1 : 0;
      const own = candidate.cost * weightOf(candidate.box, height) + lowCost(candidate.box, height);
      const total = best[candidate.first] + own + CUT_COST * cut + BASE_COST;
      if (total < best[end]) {
        best[end] = total;
        step[end] = { from: candidate.first, candidate };
      }
    }
  }
  const chosen = [];
  for (let end = pieces.length; end > 0; end = step[end].from) {
    if (step[end].candidate) chosen.push(step[end].candidate);
  }
  return chosen.reverse();
}

const sizeOf = (box, height) => Math.max(box.width, box.height) / height;

const weightOf = (box, height) => Math.max(box.width / height, (0.35 * box.height) / height, 0.2);

const lowCost = (box, height) => LOW_COST * Math.max(0, LOW - box.height / height);

function spotsOf(line, chosen, follows) {
  const gaps = chosen.slice(1).map(({ box }, i) => box.x - (chosen[i].box.x + chosen[i].box.width));
  const wide = wordGap(gaps, line.height);
  return chosen.map((candidate, index) => {
    const { box, glyph, alone } = candidate;
    let before = index === 0 && follows ? "\n" : "";
    if (index && gaps[index - 1] > wide) before = " ";
    const dear = (SKIP_COST * sizeOf(box, line.height) - lowCost(box, line.height)) / weightOf(box, line.height);
    return { box, glyph, cue: cueOf(line, chosen, index), before, bearable: alone ? dear : Infinity };
  });
}

/** Which of the spots, once scored with their cues, are worth a place in the text. */
export function areCharacters(spots, scores, wanted) {
  return costsOf(scores, wanted).map((cost, i) => cost <= spots[i].bearable);
}

function wordGap(gaps, height) {
  if (gaps.length < 2) return 1.2 * height;
  const usual = median([...gaps].sort((a, b) => a - b).slice(0, (gaps.length >> 1) + 1));
  return Math.max(WORD_GAP * height, 1.8 * usual + 0.1 * height);
}

function cueOf(line, chosen, index) {
  const near = chosen.slice(Math.max(0, index - 3), index + 4);
  if (near.length < 2) return NO_CUE;
  const level = ({ box }, row) => row - line.skew * (box.x + box.width / 2);
  const [top, bottom] = [({ box }) => box.y, ({ box }) => box.y + box.height].map((edge) => (one) => level(one, edge(one)));
  const own = chosen[index];
  return lineCue(top(own), bottom(own), Math.min(...near.map(top)), Math.max(...near.map(bottom)));
}
