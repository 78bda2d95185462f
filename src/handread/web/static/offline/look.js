// What the network saw, as handread.web.look shows it: cleaned ink, inputs, and what spoke for each answer.

import { picture } from "./image.js";
import { blurred } from "./morphology.js";
import { byte, round } from "./numbers.js";
import { pngUri } from "./png.js";
import { cubic, linear, shrunk } from "./scale.js";

const INK_SIDE = 1200;
const TILE = 192;
const SURE = 1e-6;
const [FOR, AGAINST] = [[37, 92, 196], [217, 108, 20]]; // prettier-ignore

/** The pictures of a reading as data: URIs, with each character's glyph and cue: why it was read so takes longer. */
export async function look({ ink, glyphs, cues }) {
  const factor = Math.max(ink.width, ink.height) / INK_SIDE;
  const small =
    factor <= 1 ? ink : shrunk(ink, Math.max(1, round(ink.width / factor)), Math.max(1, round(ink.height / factor)));
  const characters = [];
  for (const [i, glyph] of glyphs.entries()) {
    characters.push({ input: await inverted(glyph), saliency: "", glyph, cue: cues[i] });
  }
  return { ink: await inverted(small), characters };
}

/** What of a glyph spoke for its answer and what against it, as a data: URI. */
export function why(reader, glyph, cue, wanted) {
  return painted(glyph, saliency(reader, glyph, cue, wanted));
}

const inverted = ({ data, width, height }) => pngUri(data.map((value) => 255 - value), width, height, 1); // prettier-ignore

/** In log-odds: above 0 where the ink spoke for the answer, found by covering it patch by patch. */
function saliency(reader, glyph, cue, wanted) {
  const { width, height } = glyph;
  const patches = patchesOf(width, height);
  const covered = patches.map(({ x, y, side }) => {
    const made = picture(width, height, glyph.data.slice());
    for (let v = y; v < y + side; v += 1) made.data.fill(0, v * width + x, v * width + x + side);
    return made;
  });
  const scores = reader.score([glyph, ...covered], Array(covered.length + 1).fill(cue), wanted);
  const answer = scores[0].label;
  const [whole, ...others] = scores.map(({ probabilities }) => logOdds(probabilities[answer]));
  const heat = new Float32Array(width * height);
  const count = new Float32Array(width * height);
  patches.forEach(({ x, y, side }, i) => {
    for (let v = y; v < y + side; v += 1) {
      for (let u = x; u < x + side; u += 1) {
        heat[v * width + u] += whole - others[i];
        count[v * width + u] += 1;
      }
    }
  });
  return heat.map((value, i) => value / count[i]);
}

function patchesOf(width, height) {
  const least = Math.min(width, height);
  const side = Math.max(2, Math.floor(least / 4));
  const step = Math.max(1, Math.floor(least / 10));
  const places = (size) => {
    const found = [];
    for (let at = 0; at < size - side; at += step) found.push(at);
    return [...found, size - side];
  };
  return places(height).flatMap((y) => places(width).map((x) => ({ x, y, side })));
}

function logOdds(probability) {
  const p = Math.min(Math.max(probability, SURE), 1 - SURE);
  return Math.log(p) - Math.log1p(-p);
}

function painted(glyph, heat) {
  const scale = Math.max(1, Math.floor(TILE / Math.max(glyph.width, glyph.height)));
  const [width, height] = [glyph.width * scale, glyph.height * scale];
  const ink = linear(glyph, width, height).data;
  const smooth = cubic(blurred(heat, glyph.width, glyph.height), glyph.width, glyph.height, width, height);
  const most = smooth.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const made = new Uint8Array(3 * width * height);
  for (let i = 0; i < ink.length; i += 1) {
    const strength = most > 0 ? Math.abs(smooth[i]) / most : 0;
    const colour = smooth[i] > 0 ? FOR : AGAINST;
    const share = strength * (0.08 + (0.92 * ink[i]) / 255);
    const paper = 255 - (120 * ink[i]) / 255;
    for (let c = 0; c < 3; c += 1) made[3 * i + c] = byte(paper * (1 - share) + colour[c] * share);
  }
  return pngUri(made, width, height, 3);
}
