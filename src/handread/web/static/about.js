// The model's card, as the engine tells it.

import { at, make, turnTheme } from "./dom.js";
import { describe } from "./engine.js";

const share = (value) => `${(100 * value).toFixed(value === 1 || value === 0 ? 0 : 1)} %`;

function entries(id, pairs) {
  at(id).replaceChildren(
    ...pairs.map(([term, ...sense]) => make("div", {}, make("dt", { textContent: term }), make("dd", {}, ...sense))),
  );
}

function show({ model: { name, version, card } }) {
  const images = card.data.reduce((sum, { count }) => sum + count, 0);
  at("name").textContent = `${name}, version ${version}`;
  at("summary").textContent =
    `${card.alphabet.length} characters, seen at ${card.width} × ${card.height} pixels each, learned from ${images.toLocaleString("en")} images.`;
  at("alphabet").textContent = card.alphabet;
  at("scores").replaceChildren(
    ...Object.entries(card.scores)
      .sort(([, a], [, b]) => b - a)
      .map(([what, value]) => {
        const bar = make("i");
        bar.style.setProperty("--p", value);
        const [split, set] = what.split(/ accuracy, /);
        return make(
          "tr",
          {},
          make("td", {}, set ?? what, set ? make("span", { className: "note", textContent: ` ${split}` }) : ""),
          make("td", { className: "wide", attr: { "aria-hidden": "true" } }, make("span", { className: "track" }, bar)),
          make("td", { className: "number", textContent: share(value) }),
        );
      }),
  );
  entries("refusals", [
    ["no ink", "Nothing is left of it in the network’s input."],
    ["not a character", card.has_none
      ? `More likely a blot, a line or two characters grown together: less than ${share(card.ink_above)} that it is one.`
      : "This model has no such answer."],
    ["not in the alphabet", `Less than ${share(card.alphabet_above)} that it is any character of the alphabet asked for.`],
    ["too uncertain", `Even the best candidate has less than ${share(card.accept_above)}.`],
  ]); // prettier-ignore
  at("data").replaceChildren(
    ...card.data.map(({ name: set, count, licence, source }) =>
      make(
        "tr",
        {},
        make("td", {}, set, make("br"), make("span", { className: "note", textContent: source })),
        make("td", { className: "number", textContent: count.toLocaleString("en") }),
        make("td", { textContent: licence }),
      ),
    ),
  );
  entries("rest", [
    ["Licence of the weights", card.licence],
    ["Recipe", card.recipe || "not told"],
    ["Temperature", `${card.temperature}: probabilities are calibrated, so that of characters read with 90 % about nine in ten are right.`],
    ["Size and place", card.has_cues ? "taken into account: within a line they tell c from C" : "not taken into account"],
  ]);
}

at("theme").addEventListener("click", turnTheme);

describe().then(show, (error) => {
  at("trouble").textContent = error.message;
});
