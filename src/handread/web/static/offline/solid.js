// Blots wider than any stroke, as handread.imaging.solid fills them.

import { components } from "./components.js";
import { above, mapped, picture } from "./image.js";
import { dilated } from "./morphology.js";
import { nth } from "./numbers.js";
import { smaller } from "./scale.js";

const LEVEL = 90;
const SIDE = 300;
const LEAST = 16;
const AS_DARK = 0.35;

/** The ink with those holes filled that are as dark as the ink around them in `gray`, dark on light. */
export function filled(ink, gray) {
  const [small, shade] = [smaller(ink, SIDE), smaller(gray, SIDE)];
  const { width, height } = small;
  const inked = above(small, LEVEL);
  const found = components(mapped(inked, (value) => (value ? 0 : 1)));
  const holes = found.parts.map((part, label) => label > 0 && isSolid(part, label, found.labels, inked, shade));
  if (!holes.some(Boolean)) return ink;
  const mask = picture(width, height, Uint8Array.from(found.labels, (label) => (holes[label] ? 1 : 0)));
  const grown = dilated(mask, 3, 3);
  const full = picture(ink.width, ink.height, ink.data.slice());
  for (let y = 0; y < ink.height; y += 1) {
    const row = Math.min(Math.floor((y * height) / ink.height), height - 1) * width;
    for (let x = 0; x < ink.width; x += 1) {
      if (grown.data[row + Math.min(Math.floor((x * width) / ink.width), width - 1)]) full.data[y * ink.width + x] = 255;
    }
  }
  return full;
}

function isSolid({ x, y, width: w, height: h, area }, label, labels, inked, shade) {
  const { width, height } = shade;
  if (area < LEAST || x === 0 || y === 0 || x + w === width || y + h === height) return false;
  const room = 3 + Math.floor(Math.max(w, h) / 4);
  const counts = new Array(256).fill(0);
  let [dark, ink, inside, total] = [0, 0, 0, 0];
  for (let row = Math.max(0, y - room); row < Math.min(height, y + h + room); row += 1) {
    for (let column = Math.max(0, x - room); column < Math.min(width, x + w + room); column += 1) {
      const i = row * width + column;
      counts[shade.data[i]] += 1;
      total += 1;
      if (inked.data[i]) [dark, ink] = [dark + shade.data[i], ink + 1];
      if (labels[i] === label) inside += shade.data[i];
    }
  }
  const bright = nth(counts, Math.floor(0.9 * (total - 1)));
  return inside / area - dark / ink < AS_DARK * (bright - dark / ink);
}
