// What the network saw, as handread.web.look shows it: cleaned ink, inputs, and what spoke for each answer.

import { mapped, picture } from "./image.js";
import { blurred } from "./morphology.js";
import { byte, round } from "./numbers.js";
import { pngUri } from "./png.js";
import { cubic, linear, shrunk } from "./scale.js";

const MOST_CHARACTERS = 40;
const FEW = 3; // characters up to which patches lie as closely as on the server; for more there is no time
const INK_SIDE = 1200;
const TILE = 192;
const SURE = 1e-6;
const [FOR, AGAINST] = [[37, 92, 196], [217, 108, 20]]; // prettier-ignore

/** Pictures as data: URIs of what `reader.read` gave; `pause()` is awaited between characters. */
export async function look(reader, { ink, glyphs, cues, wanted }, pause) {
  const factor = Math.max(ink.width, ink.height) / INK_SIDE;
  const small =
    factor <= 1 ? ink : shrunk(ink, Math.max(1, round(ink.width / factor)), Math.max(1, round(ink.height / factor)));
  const characters = [];
  for (const [i, glyph] of glyphs.entries()) {
    const shown = { input: await grey(mapped(glyph, (value) => 255 - value)), saliency: "" };
    if (i < MOST_CHARACTERS) {
      await pause();
      const heat = saliency(reader, glyph, cues[i], wanted, glyphs.length > FEW ? 2 : 1);
      shown.saliency = await painted(glyph, heat);
    }
    characters.push(shown);
  }
  return { ink: await grey(mapped(small, (value) => 255 - value)), characters };
}

const grey = ({ data, width, height }) => pngUri(data, width, height, 1);

/** In log-odds: above 0 where the ink spoke for the answer, found by covering it patch by patch. */
function saliency(reader, glyph, cue, wanted, coarse) {
  const { width, height } = glyph;
  const patches = patchesOf(width, height, coarse);
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

function patchesOf(width, height, coarse) {
  const least = Math.min(width, height);
  const side = Math.max(2, Math.floor(least / 4));
  const step = Math.max(1, Math.floor(least / 10)) * coarse;
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
