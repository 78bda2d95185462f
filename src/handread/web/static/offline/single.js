// One picture that holds exactly one character, as handread.imaging.single prepares it.

import { components, kept } from "./components.js";
import { NO_CUE, pictureCue } from "./cues.js";
import { normalise } from "./glyph.js";
import { above, bounds, cut, mapped, picture, strengthened } from "./image.js";
import { extractInk } from "./ink.js";
import { dilated } from "./morphology.js";
import { argmax, round } from "./numbers.js";
import { repaired } from "./repair.js";
import { LEVEL, removeDots, removeRim, removeRules } from "./rules.js";
import { nearest, shrunk } from "./scale.js";

const DECISION_SIDE = 480;
const SMALLEST = 4;

/** {glyph, cue, box, empty, ink} of a grey picture; `box` in its own pixels. */
export function singleCharacter(gray, frame) {
  const ink = isolate(removeRules(removeDots(extractInk(repaired(gray), false))));
  const [x, y, width, height] = bounds(above(ink, LEVEL));
  if (Math.max(width, height) < SMALLEST) {
    const box = { x: 0, y: 0, width: gray.width, height: gray.height };
    return { glyph: picture(frame.width, frame.height), cue: NO_CUE, box, empty: true, ink };
  }
  const box = { x, y, width, height };
  const glyph = normalise(cut(ink, x, y, width, height), frame);
  return { glyph, cue: pictureCue(box, gray.height), box, empty: false, ink };
}

function isolate(ink) {
  const factor = Math.max(ink.width, ink.height) / DECISION_SIDE;
  if (factor <= 1) return mainInk(removeRim(ink));
  const size = [Math.max(3, round(ink.width / factor)), Math.max(3, round(ink.height / factor))];
  const small = mainInk(removeRim(strengthened(shrunk(ink, ...size), 2)));
  const mask = nearest(dilated(above(small, 0), 3, 3), ink.width, ink.height);
  return mapped(ink, (value, i) => (mask.data[i] ? value : 0));
}

/** The heaviest component near the middle and what belongs to it. */
function mainInk(ink) {
  const found = components(above(ink, LEVEL));
  const { parts } = found;
  if (parts.length <= 2) return ink;
  const { width, height } = ink;
  const weights = parts.slice(1).map(({ area, cx, cy }) => {
    const off = Math.hypot((cx - width / 2) / width, (cy - height / 2) / height);
    return area * (1.2 - off);
  });
  const main = argmax(weights) + 1;
  const { x: x0, y: y0, width: w0, height: h0, area: whole } = parts[main];
  const span = Math.max(w0, h0);
  const keep = parts.map(({ x, y, width: w, height: h, area }, index) => {
    if (!index) return false;
    if (index === main) return true;
    const gap = Math.hypot(Math.max(0, x - x0 - w0, x0 - x - w), Math.max(0, y - y0 - h0, y0 - y - h));
    const atRim = x <= 0 || y <= 0 || x + w >= width || y + h >= height;
    const heavy = area >= (atRim ? 0.12 : 0.022) * whole;
    const below = y > y0 + h0 && area < 0.15 * whole;
    return heavy && gap < 0.6 * span && !below;
  });
  const allowed = dilated(kept(found, keep), 3, 3);
  return mapped(ink, (value, i) => (allowed.data[i] ? value : 0));
}
