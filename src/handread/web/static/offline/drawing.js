// Strokes to a picture at the place where they were drawn, as handread.web.drawing makes it.

import { mapped, picture } from "./image.js";
import { limited, round } from "./numbers.js";
import { drawLine } from "./pen.js";
import { shrunk } from "./scale.js";

const LONGEST_SIDE = 1200;
const EVEN = 0.5;

/** {gray, scale}: black on white, and pixels of the canvas for one of the picture. */
export function drawCanvas(strokes, { width, height, pen }) {
  const scale = Math.max(1, Math.max(width, height) / LONGEST_SIDE);
  const [wide, high] = [Math.max(1, round(width / scale)), Math.max(1, round(height / scale))];
  const enlarge = wide * high <= 40_000 ? 4 : 2;
  const ink = picture(wide * enlarge, high * enlarge);
  for (const stroke of strokes) if (stroke.length) drawStroke(ink, stroke, enlarge / scale, pen);
  return { gray: mapped(shrunk(ink, wide, high), (value) => 255 - value), scale };
}

function drawStroke(ink, stroke, factor, pen) {
  const place = (value) => round(limited(value * factor - 0.5, -30_000, 30_000) * 16);
  let places = stroke.map(({ x, y }) => [place(x), place(y)]);
  let wide = stroke.map(({ pressure }) => Math.max(round(pen * (0.6 + 0.8 * (pressure || EVEN)) * factor), 1));
  if (stroke.length === 1) [places, wide] = [[places[0], places[0]], [wide[0], wide[0]]];
  const thick = wide.slice(1).map((own, i) => Math.max(wide[i], own));
  for (let first = 0; first < thick.length; ) {
    let last = first + 1;
    while (last < thick.length && thick[last] === thick[first]) last += 1;
    drawLine(ink, places.slice(first, last + 1), thick[first]);
    first = last;
  }
}
