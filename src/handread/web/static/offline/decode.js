// Logits to characters, as handread.decode reads them: temperature, alphabet, tests of acceptance, candidates.

const LOOK_ALIKES = [
  "0oO", "0OQ", "1lIi", "2zZ", "5sS", "6b", "6G", "8B", "9gq",
  "cC", "fF", "iI", "jJ", "kK", "lL", "mM", "oO", "pP", "sS", "tT", "uU", "vV", "wW", "xX", "yY", "zZ",
  "uvUV", "hn", "rv", "a9", "4y",
]; // prettier-ignore

/** Softmax of logits / temperature, in single precision. */
export function probabilities(logits, temperature) {
  const scaled = Float64Array.from(logits, (value) => value / temperature);
  const most = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = scaled.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float32Array.from(powers, (power) => power / sum);
}

/** Characters of `known` that are in `wanted` or look like one of it. */
export function lookAlikes(known, wanted) {
  const inside = new Set(wanted);
  for (const group of LOOK_ALIKES) {
    if ([...group].some((character) => wanted.includes(character))) for (const one of group) inside.add(one);
  }
  return known.map((character) => inside.has(character));
}

/**
 * What the network makes of each character: [{probabilities, ink, mass, accepted, reason, label}], restricted to the
 * array `wanted` of the card's characters. `blank[i]` marks inputs without any ink.
 */
export function score(rows, card, wanted, blank) {
  const known = [...card.alphabet];
  const places = wanted.map((character) => known.indexOf(character));
  const inside = lookAlikes(known, wanted);
  const [inkAbove, massAbove, sureAbove] = [card.ink_above, card.alphabet_above, card.accept_above].map(Math.fround);
  return rows.map((logits, i) => {
    if (!logits.every(Number.isFinite)) {
      throw new Error("the network gave NaN or infinite values; its weights are damaged, export it again");
    }
    const full = probabilities(logits, card.temperature);
    const own = probabilities(places.map((place) => logits[place]), card.temperature); // prettier-ignore
    const ink = blank[i] ? 0 : card.has_none ? Math.fround(1 - full.at(-1)) : 1;
    const mass = massOf(logits, inside, card.temperature);
    const label = own.indexOf(Math.max(...own));
    const reason = blank[i] ? "no ink"
      : ink < inkAbove ? "not a character"
      : mass < massAbove ? "not in the alphabet"
      : own[label] < sureAbove ? "too uncertain"
      : ""; // prettier-ignore
    return { probabilities: own, ink, mass, label, accepted: !reason, reason };
  });
}

function massOf(logits, inside, temperature) {
  if (inside.every(Boolean)) return 1;
  const shares = probabilities(logits.slice(0, inside.length), temperature);
  return Math.min(1, Math.fround(shares.reduce((sum, share, i) => (inside[i] ? sum + share : sum), 0)));
}

/** A character as the answer has it, with its `top` best candidates, `box` in whole pixels. */
export function characterFrom(one, wanted, box, top) {
  const best = [...wanted.keys()].sort((a, b) => one.probabilities[b] - one.probabilities[a] || a - b);
  const candidates = best.slice(0, Math.max(1, top)).map((k) => [wanted[k], one.probabilities[k]]);
  const [[text, confidence]] = candidates;
  return { text, confidence, accepted: one.accepted, reason: one.reason, box, candidates };
}

/** The row of a reading; `gaps[i]` is what stands before character i. */
export function rowOf(name, characters, gaps = []) {
  const text = characters.map((character, i) => (gaps[i] ?? "") + character.text).join("");
  const confidence = characters.length ? characters.reduce((product, one) => product * one.confidence, 1) : 0;
  return {
    image: name,
    text,
    confidence: six(confidence),
    characters: characters.map((one) => ({
      ...one,
      confidence: six(one.confidence),
      box: [one.box.x, one.box.y, one.box.width, one.box.height],
      candidates: one.candidates.map(([character, probability]) => [character, six(probability)]),
    })),
    error: null,
  };
}

const six = (value) => Number(value.toFixed(6));
