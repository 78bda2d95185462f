// The one normalisation, as handread.imaging.glyph does it: an ink image of one character to the network's input.

import { above, cut, framed, peak, picture, strengthened } from "./image.js";
import { grownRound } from "./morphology.js";
import { limited, nth, round } from "./numbers.js";
import { moved, shrunk } from "./scale.js";

const THINNEST = 1.9 / 26;
const INK_LEVEL = 0.35;
const FINE = 3;

/** An ink image in `frame` {height, width, ink, centre}; zeros where it has no ink. */
export function normalise(ink, frame) {
  let image = ink;
  const bounds = inkBounds(image);
  if (!bounds) return picture(frame.width, frame.height);
  let [top, bottom, left, right] = bounds;
  let longest = Math.max(bottom - top, right - left);
  const take = (made) => {
    image = made;
    [top, left, bottom, right] = [0, 0, image.height, image.width];
    longest = Math.max(bottom, right);
  };
  const inside = () => cut(image, left, top, right - left, bottom - top);
  if (longest > FINE * frame.ink) take(reduced(inside(), (FINE * frame.ink) / longest));
  if (longest > frame.ink * 1.25) take(thickened(inside(), THINNEST * longest));
  let scale = frame.ink / longest;
  if (scale < 0.8) {
    take(reduced(inside(), scale));
    scale = 1;
  }
  let [x, y] = [(left + right) / 2, (top + bottom) / 2];
  if (frame.centre === "mass") [x, y] = centreOfMass(image, scale, [top, bottom, left, right], frame);
  let across = frame.width / 2 - scale * x + (scale - 1) / 2;
  let down = frame.height / 2 - scale * y + (scale - 1) / 2;
  if (scale === 1 && frame.centre === "mass") [across, down] = [round(across), round(down)];
  return filledUp(moved(image, scale, across, down, frame.width, frame.height));
}

function inkBounds(image) {
  const most = peak(image);
  if (most < 8) return null;
  const { data, width, height } = image;
  const level = Math.max(1, INK_LEVEL * most);
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (data[y * width + x] < level) continue;
      [top, bottom, left, right] = [Math.min(top, y), y + 1, Math.min(left, x), Math.max(right, x + 1)];
    }
  }
  return [top, bottom, left, right];
}

function centreOfMass({ data, width }, scale, [top, bottom, left, right], frame) {
  let [total, across, down] = [0, 0, 0];
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      const value = data[y * width + x];
      total += value;
      across += value * (x - left + 0.5);
      down += value * (y - top + 0.5);
    }
  }
  const [halfWidth, halfHeight] = [frame.width / 2 / scale, frame.height / 2 / scale];
  return [
    limited(left + across / total - 0.5 / scale, right - halfWidth, left + halfWidth),
    limited(top + down / total - 0.5 / scale, bottom - halfHeight, top + halfHeight),
  ];
}

/** Let full ink read 255 whatever the pen and the scale. */
function filledUp(target) {
  const level = fullInk(target);
  return level > 0 && level < 245 ? strengthened(target, 255 / level) : target;
}

function fullInk(target) {
  const counts = new Float64Array(256);
  let inked = 0;
  for (const value of target.data) {
    if (value <= 96) continue;
    counts[value] += 1;
    inked += 1;
  }
  return inked ? nth(counts, Math.floor((3 * inked) / 4)) : peak(target);
}

function reduced(image, scale) {
  const small = shrunk(image, Math.max(1, round(image.width * scale)), Math.max(1, round(image.height * scale)));
  const most = peak(small);
  return most > 0 && most < 230 ? strengthened(small, 255 / most) : small;
}

function thickened(image, thinnest) {
  const missing = thinnest - strokeWidth(image);
  return missing < 0.75 ? image : grownRound(image, round(missing));
}

function strokeWidth(image) {
  const { data, width, height } = framed(above(image, 100), 1);
  let [area, edges] = [0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = y * width + x;
      area += data[i];
      if (x && data[i] !== data[i - 1]) edges += 1;
      if (y && data[i] !== data[i - width]) edges += 1;
    }
  }
  return area ? (2 * area) / ((edges * Math.PI) / 4) : 0;
}
