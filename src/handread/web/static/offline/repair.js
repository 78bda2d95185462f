// Damage of small pictures, undone before their ink is looked for, as handread.imaging.repair does it.

import { mapped, picture } from "./image.js";
import { median } from "./numbers.js";

const LARGEST = 128;
const APART = 60;
const NOISY = 0.01;
const JUMP = 150;

/** A grey picture without single wrong pixels, and without sides in which light and dark have changed places. */
export function repaired(gray) {
  const { width, height } = gray;
  return Math.max(width, height) > LARGEST || Math.min(width, height) < 8 ? gray : withoutNoise(oneGround(gray));
}

function withoutNoise(gray) {
  const { data, width, height } = gray;
  const count = data.length;
  const [bright, dark] = [new Uint8Array(count), new Uint8Array(count)];
  const middle = picture(width, height);
  const around = new Uint8Array(8);
  let [alone, brighter, darker] = [0, 0, 0];
  for (let i = 0; i < count; i += 1) {
    const y = Math.floor(i / width);
    const x = i - y * width;
    let at = 0;
    for (let v = y - 1; v <= y + 1; v += 1) {
      const row = Math.min(Math.max(v, 0), height - 1) * width;
      for (let u = x - 1; u <= x + 1; u += 1) {
        if (u === x && v === y) continue;
        const value = data[row + Math.min(Math.max(u, 0), width - 1)];
        around[at++] = value;
        if (data[i] - value > APART) bright[i] += 1;
        if (value - data[i] > APART) dark[i] += 1;
      }
    }
    around.sort();
    middle.data[i] = (around[3] + around[4]) >> 1;
    if (bright[i] === 8 || dark[i] === 8) alone += 1;
    brighter += bright[i];
    darker += dark[i];
  }
  if (alone / count < NOISY) return gray;
  const [leastBright, leastDark] = brighter >= darker ? [6, 5] : [5, 6];
  return mapped(gray, (value, i) => (bright[i] >= leastBright || dark[i] >= leastDark ? middle.data[i] : value));
}

function oneGround(gray) {
  const { data, width, height } = gray;
  const places = [];
  const signs = [];
  for (let x = 1; x < width; x += 1) {
    const step = (y) => data[y * width + x] - data[y * width + x - 1];
    let [jumps, mirrored] = [0, 0];
    for (let y = 0; y < height; y += 1) {
      const sum = data[y * width + x] + data[y * width + x - 1];
      if (Math.abs(step(y)) >= JUMP) jumps += 1;
      if (Math.abs(sum - 255) < 255 - JUMP) mirrored += 1;
    }
    const [first, last] = [step(0), step(height - 1)];
    if (jumps / height < 0.5 || mirrored / height < 0.5) continue;
    if (Math.abs(first) < JUMP || Math.abs(last) < JUMP || first > 0 !== last > 0) continue;
    places.push(x);
    signs.push(first > 0);
  }
  if (places.length !== 2 || signs[0] === signs[1]) return gray;
  const [left, right] = places;
  if (left > 0.4 * width || right < 0.6 * width) return gray;
  const inside = (i) => i % width >= left && i % width < right;
  const ground = median(data.filter((_, i) => inside(i)));
  let inked = 0;
  for (let y = 0; y < height; y += 1) {
    const row = data.subarray(y * width + left, y * width + right);
    if (row.some((value) => Math.abs(value - ground) > JUMP / 2)) inked += 1;
  }
  return inked / height < 0.4 ? gray : mapped(gray, (value, i) => (inside(i) ? value : 255 - value));
}
