// Grey pictures in, readings out, as handread.recognizer.Recognizer reads them.

import { pictureCue } from "./cues.js";
import { characterFrom, rowOf, score } from "./decode.js";
import { any } from "./image.js";
import { extractInk } from "./ink.js";
import { Network } from "./network.js";
import { round } from "./numbers.js";
import { parseModel } from "./onnx.js";
import { areCharacters, findCharacters } from "./layout.js";
import { atReadingSize, segment } from "./segment.js";
import { singleCharacter } from "./single.js";

export class Recognizer {
  /** Of the bytes of a model's file. */
  constructor(bytes) {
    const model = parseModel(bytes);
    this.card = JSON.parse(model.metadata["handread.card"]);
    const { height = 32, width = 32, ink_side: ink = 26, centre = "box" } = this.card;
    this.frame = { height, width, ink, centre };
    this.network = new Network(model);
  }

  /** The characters asked for: `alphabet` an array, null for all. */
  wanted(alphabet) {
    return alphabet ?? [...this.card.alphabet];
  }

  score(glyphs, cues, wanted) {
    const card = { temperature: 1, accept_above: 0, ink_above: 0, alphabet_above: 0, ...this.card };
    return score(this.network.run(glyphs, cues), card, wanted, glyphs.map((glyph) => !any(glyph))); // prettier-ignore
  }

  /** {row, ink, glyphs, cues, wanted} of {gray, scale}. */
  read({ gray, scale }, { name = "", alphabet = null, one = false, top = 3 } = {}) {
    const wanted = this.wanted(alphabet);
    return one ? this.#readSingle(gray, scale, name, wanted, top) : this.#readLines(gray, scale, name, wanted, top);
  }

  #readSingle(gray, scale, name, wanted, top) {
    const { glyph, cue, box, empty, ink } = singleCharacter(gray, this.frame);
    if (empty) return { row: rowOf(name, []), ink, glyphs: [], cues: [], wanted };
    const [found] = this.score([glyph], [cue], wanted);
    const row = rowOf(name, [characterFrom(found, wanted, scaled(box, scale), top)]);
    return { row, ink, glyphs: [glyph], cues: [cue], wanted };
  }

  #readLines(gray, scale, name, wanted, top) {
    const [ink, shrink] = atReadingSize(extractInk(gray));
    const judge = (glyphs, cues) => this.score(glyphs, cues, wanted);
    const spots = findCharacters(segment(ink), judge, wanted, this.frame);
    if (!spots.length) return { row: rowOf(name, []), ink, glyphs: [], cues: [], wanted };
    const glyphs = spots.map((spot) => spot.glyph);
    const cues = spots.map((spot) => spot.cue);
    if (spots.length === 1) cues[0] = pictureCue(spots[0].box, ink.height);
    const scores = this.score(glyphs, cues, wanted);
    const [right, low] = [round(gray.width * scale), round(gray.height * scale)];
    const place = ({ box }) => within(scaled(box, scale * shrink), right, low);
    const found = scores.map((own, i) => characterFrom(own, wanted, place(spots[i]), top));
    if (found.length === 1) return { row: rowOf(name, found), ink, glyphs, cues, wanted };
    const keep = areCharacters(spots, scores, wanted);
    const [characters, gaps] = [[], []];
    let gap = "";
    found.forEach((character, i) => {
      const { before } = spots[i];
      if (gap === "\n" || before === "\n") gap = "\n";
      else if (before.length > gap.length) gap = before;
      if (!keep[i]) return;
      characters.push(character);
      gaps.push(gap);
      gap = "";
    });
    const kept = (values) => values.filter((_, i) => keep[i]);
    return { row: rowOf(name, characters, ["", ...gaps.slice(1)]), ink, glyphs: kept(glyphs), cues: kept(cues), wanted };
  }
}

/** The part of a box inside the picture: one made small was rounded, and reaches beyond when enlarged. */
function within({ x, y, width, height }, right, low) {
  const [left, top] = [Math.min(x, right - 1), Math.min(y, low - 1)];
  return { x: left, y: top, width: Math.min(width, right - left), height: Math.min(height, low - top) };
}

/** A box by a factor, in whole pixels again. */
export function scaled({ x, y, width, height }, factor) {
  return { x: round(x * factor), y: round(y * factor), width: round(width * factor), height: round(height * factor) };
}
