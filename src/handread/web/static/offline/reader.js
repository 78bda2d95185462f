// The recogniser behind the page, in a worker of its own: messages {id, deed, ...} in, {id, answer} or {id, error} out.

import { drawCanvas } from "./drawing.js";
import { look, why } from "./look.js";
import { PictureError, readPicture } from "./read.js";
import { Recognizer, scaled } from "./recognizer.js";

const DIGITS = "0123456789";
const UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER = UPPER.toLowerCase();
const NAMED = {
  digits: DIGITS, upper: UPPER, lower: LOWER, letters: UPPER + LOWER,
  alphanumeric: DIGITS + UPPER + LOWER, hex: `${DIGITS}ABCDEFabcdef`,
}; // prettier-ignore

/** Answer the messages of `port`: the worker itself, or one end of a channel. */
export function attend(port) {
  const reader = new Reader();
  port.onmessage = async ({ data: { id, deed, ...asked } }) => {
    try {
      port.postMessage({ id, answer: await reader[deed](asked) });
    } catch (error) {
      port.postMessage({ id, error: { message: error.message, code: error.code ?? "broken" } });
    }
  };
}

class Reader {
  load({ model }) {
    this.recognizer = new Recognizer(model);
    const { card } = this.recognizer;
    const known = new Set(card.alphabet);
    const alphabets = Object.entries(NAMED).filter(([, characters]) => [...characters].every((one) => known.has(one)));
    return { card, alphabets: Object.fromEntries(alphabets) };
  }

  async read({ strokes, pictures, alphabet, one, top, look: looking, ...canvas }) {
    const options = { alphabet: this.#alphabet(alphabet), one, top };
    const sources = strokes ? [{ name: "drawing", drawing: drawCanvas(strokes, canvas) }] : pictures;
    const rows = [];
    for (const { name, blob, drawing } of sources) {
      try {
        const picture = drawing ? { gray: drawing.gray, scale: 1 } : await readPicture(blob, name || "the picture");
        rows.push(await this.#row(name, picture, options, looking, drawing?.scale ?? 1));
      } catch (error) {
        if (!(error instanceof PictureError)) throw error;
        if (sources.length === 1) throw Object.assign(error, { code: "unreadable" });
        rows.push({ image: name, text: "", confidence: 0, characters: [], error: error.message });
      }
    }
    const { name, version } = this.recognizer.card;
    return { model: name, version, readings: rows };
  }

  async #row(name, picture, options, looking, factor) {
    const seen = this.recognizer.read(picture, { name, ...options });
    const characters = seen.row.characters.map((character) => {
      const [x, y, width, height] = character.box;
      const box = factor === 1 ? character.box : Object.values(scaled({ x, y, width, height }, factor));
      return { ...character, box };
    });
    const row = { ...seen.row, characters };
    return looking ? { ...row, look: await look(seen) } : row;
  }

  why({ glyph, cue, alphabet }) {
    return why(this.recognizer, glyph, cue, this.recognizer.wanted(this.#alphabet(alphabet)));
  }

  /** The characters of a name or of a text; null for all. */
  #alphabet(given) {
    if (!given) return null;
    const characters = [...(NAMED[given] ?? given)];
    const twice = characters.find((one, i) => characters.indexOf(one) < i);
    if (twice) throw wrong(`'${twice}' stands twice in the alphabet; name each character once`);
    const { alphabet } = this.recognizer.card;
    const missing = characters.filter((one) => ![...alphabet].includes(one));
    if (!missing.length) return characters;
    const named = missing.map((one) => `'${one}'`).join(", ");
    throw wrong(`this model has never seen ${named}; it knows ${alphabet}: leave ${missing.length > 1 ? "them" : "it"} out of the alphabet`);
  }
}

const wrong = (message) => Object.assign(new Error(message), { code: "alphabet" });
