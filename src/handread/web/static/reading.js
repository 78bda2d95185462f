// A reading as people see it: the text, one cell a character, boxes over the ink, and the inside of the selected one.

import { announce, at, make, percent } from "./dom.js";

const SURE = 0.7; // below this the whole reading is marked in the margin
const CANDIDATES = 5;
const TAG = 24; // pixels that what was read takes above its box

/** The characters of a row with the line they stand in and the room before each: {line, gap, index, ...character}. */
export function placed(row) {
  const characters = row.characters.map((character, index) => ({ ...character, index, line: 0, gap: false }));
  let [next, line, gap] = [0, 0, false];
  for (const letter of row.text) {
    if (letter === "\n") line += 1;
    else if (letter === " ") gap = true;
    else if (characters[next]) {
      Object.assign(characters[next], { line, gap: gap && characters[next - 1]?.line === line });
      [next, gap] = [next + 1, false];
    }
  }
  return characters;
}

/** The text of a row with what people have corrected put in. */
export function mendedText(row, mended) {
  let next = 0;
  return [...row.text].map((letter) => (/\s/.test(letter) ? letter : (mended.get(next++) ?? letter))).join("");
}

/** What a listener hears of a row. */
export function spoken(row) {
  if (!row.characters.length) return "Nothing found.";
  const refused = row.characters.filter(({ accepted }) => !accepted);
  const doubt = refused.map(({ text, reason }) => `${text} is refused: ${reason}`).join("; ");
  return `Reads ${row.text.replaceAll("\n", ", next line, ")}, ${percent(row.confidence)} sure.${doubt ? ` ${doubt}.` : ""}`;
}

export class ReadingView extends EventTarget {
  /** Fires `select` with the index, and `mend` with {index, label}. */
  constructor() {
    super();
    this.subject = null;
    this.chosen = null; // by the person; null: the last one is shown
    this.bars = Array.from({ length: CANDIDATES }, () => {
      const bar = make(
        "button",
        { type: "button", title: "This is what it is" },
        make("span"), " ", make("span", { className: "track" }, make("i")), make("b"),
      ); // prettier-ignore
      bar.addEventListener("click", () => this.#mend(bar.firstChild.textContent));
      at("bars").append(make("li", { hidden: true }, bar));
      return bar;
    });
    at("cells").addEventListener("click", (event) => this.#onCell(event));
    at("cells").addEventListener("keydown", (event) => this.#onKey(event));
    at("correct").addEventListener("submit", (event) => this.#onMend(event));
    at("label").addEventListener("focus", () => at("label").select());
    at("copy").addEventListener("click", async () => {
      await navigator.clipboard?.writeText(mendedText(this.subject.row, this.subject.mended));
      this.say("Copied.");
    });
  }

  /** The index of the character that is open, or -1. */
  get selected() {
    const count = this.subject?.row.characters.length ?? 0;
    return this.chosen !== null && this.chosen < count ? this.chosen : count - 1;
  }

  /**
   * Show a subject, or with null nothing: {row, mended: Map, overlays: [element], size: {width, height},
   * cut(index, side)} where `cut` gives a canvas with one character. `quietly` leaves listeners in peace.
   */
  show(subject, { quietly = false } = {}) {
    if (subject?.key !== this.subject?.key) this.chosen = null;
    const old = this.subject?.overlays ?? [];
    for (const overlay of old) if (!subject?.overlays.includes(overlay)) overlay.replaceChildren();
    this.subject = subject;
    this.#showText();
    this.#showCells();
    this.#showBoxes();
    this.#showInside();
    if (subject && !quietly) announce(spoken(subject.row));
  }

  /** A word below the reading; `wrong` marks it. */
  say(text, { wrong = false } = {}) {
    at("status").textContent = text;
    at("status").classList.toggle("mark", wrong);
  }

  select(index, { focus = false } = {}) {
    this.chosen = index;
    for (const cell of at("cells").querySelectorAll(".cell")) {
      const chosen = Number(cell.dataset.index) === index;
      cell.setAttribute("aria-selected", String(chosen));
      cell.tabIndex = chosen ? 0 : -1;
      if (chosen) {
        if (focus) cell.focus();
        cell.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    }
    this.#showBoxes();
    this.#showInside();
    this.dispatchEvent(new CustomEvent("select", { detail: index }));
  }

  /** The pictures of what the network saw have come. */
  refreshLook() {
    this.#showLook(this.subject?.row.look?.characters[this.selected]);
  }

  #showText() {
    const { row, mended } = this.subject ?? { row: null };
    const parts = [];
    let next = 0;
    for (const letter of row?.text ?? "") {
      if (/\s/.test(letter)) {
        parts.push(letter);
        continue;
      }
      const index = next++;
      if (mended.has(index)) parts.push(make("span", { className: "mended", textContent: mended.get(index) }));
      else if (row.characters[index]?.accepted === false) {
        parts.push(make("span", { className: "refused", textContent: row.characters[index].text }));
      } else parts.push(letter);
    }
    at("text").replaceChildren(...parts);
    const any = Boolean(row?.characters.length);
    at("copy").disabled = !any;
    at("sure").textContent = any ? percent(row.confidence) : "";
    at("sure").classList.toggle("doubtful", any && (row.confidence < SURE || row.characters.some((c) => !c.accepted)));
    const refused = (row?.characters ?? []).filter((c, i) => !c.accepted && !mended.has(i));
    const reasons = [...new Set(refused.map(({ reason }) => reason))].map((reason) =>
      `${refused.filter((c) => c.reason === reason).map(({ text }) => text).join(" ")} (${reason})`,
    );
    if (reasons.length) this.say(`Refused: ${reasons.join("; ")}.`, { wrong: true });
    else if (row && !any) this.say("Nothing found.");
    else this.say("");
  }

  #showCells() {
    const cells = at("cells");
    const focused = cells.contains(document.activeElement);
    const lines = [];
    for (const character of this.subject ? placed(this.subject.row) : []) {
      (lines[character.line] ??= []).push(this.#cell(character));
    }
    const groups = lines.filter(Boolean).map((line, i, { length }) =>
      make("div", { attr: { role: "group", "aria-label": length > 1 ? `Line ${i + 1}` : "Line" } }, ...line),
    );
    const before = [cells.scrollLeft, cells.scrollTop];
    cells.replaceChildren(...groups);
    [cells.scrollLeft, cells.scrollTop] = before;
    const selected = cells.querySelector('[aria-selected="true"]');
    if (focused) (selected ?? at("sheet")).focus({ preventScroll: true });
    if (this.chosen === null) cells.scrollLeft = cells.scrollWidth;
  }

  #cell({ index, text, confidence, accepted, reason, gap }) {
    const mended = this.subject.mended.get(index);
    const cell = make(
      "div",
      {
        className: ["cell", gap && "gap", !accepted && "refused", mended && "mended"].filter(Boolean).join(" "),
        tabIndex: index === this.selected ? 0 : -1,
        attr: {
          role: "option",
          "aria-selected": String(index === this.selected),
          "data-index": index,
        },
      },
      this.subject.cut(index, 46 * Math.max(1, Math.round(devicePixelRatio || 1))),
      make("i"),
      make("b", { textContent: mended ?? text }),
      " ",
      make("small", { textContent: percent(confidence) }),
      make("span", { className: "unseen", textContent: mended ? ` corrected from ${text}` : reason && ` refused: ${reason}` }),
    );
    cell.style.setProperty("--p", confidence);
    cell.style.setProperty("--d", density(confidence));
    return cell;
  }

  #showBoxes() {
    if (!this.subject) return;
    const { row, mended, overlays, size } = this.subject;
    for (const overlay of overlays) {
      overlay.replaceChildren(
        ...row.characters.map(({ box: [x, y, width, height], text, confidence, accepted }, index) => {
          const box = make("div", { className: "box" }, make("span", { textContent: mended.get(index) ?? text }));
          box.classList.toggle("refused", !accepted && !mended.has(index));
          box.classList.toggle("selected", index === this.selected);
          box.classList.toggle("low", overlay === at("boxes") && (y * overlay.clientHeight) / size.height < TAG);
          box.style.setProperty("--d", density(confidence));
          const margin = 0.006 * size.width;
          box.style.left = `${(100 * (x - margin)) / size.width}%`;
          box.style.top = `${(100 * (y - margin)) / size.height}%`;
          box.style.width = `${(100 * (width + 2 * margin)) / size.width}%`;
          box.style.height = `${(100 * (height + 2 * margin)) / size.height}%`;
          box.addEventListener("click", () => this.select(index));
          return box;
        }),
      );
    }
  }

  #showInside() {
    const index = this.selected;
    const character = this.subject?.row.characters[index];
    at("inside").hidden = !character;
    at("inside-empty").hidden = Boolean(character);
    const typing = document.activeElement === at("label") && character;
    at("label").disabled = at("keep").disabled = !character;
    if (!typing) at("label").value = character ? (this.subject.mended.get(index) ?? "") : "";
    if (!character) return;
    const { text, confidence, accepted, reason, candidates } = character;
    const mended = this.subject.mended.get(index);
    const ink = at("specimen-ink").getContext("2d");
    ink.clearRect(0, 0, 224, 224);
    ink.drawImage(this.subject.cut(index, 224), 0, 0);
    at("specimen-glyph").textContent = mended ?? text;
    at("specimen-glyph").className = `glyph ${mended ? "mended" : accepted ? "" : "refused"}`;
    at("verdict").textContent = mended
      ? `Read as ${text}, ${percent(confidence)} sure; corrected to ${mended}.`
      : accepted
        ? `Read as ${text}, ${percent(confidence)} sure.`
        : `Refused: ${reason}.`;
    at("verdict").classList.toggle("mark", !accepted && !mended);
    at("bars").classList.toggle("refused", !accepted);
    for (const [i, bar] of this.bars.entries()) {
      bar.parentElement.hidden = !candidates[i];
      if (!candidates[i]) continue;
      const [letter, probability] = candidates[i];
      bar.firstChild.textContent = letter;
      bar.lastChild.textContent = fine(probability);
      bar.querySelector("i").style.setProperty("--p", probability);
    }
    this.#showLook(this.subject.row.look?.characters[index]);
  }

  #showLook(look) {
    for (const [id, source] of [["look-input", look?.input], ["look-why", look?.saliency]]) {
      at(id).hidden = !source;
      if (source) at(id).src = source;
    }
  }

  #onCell(event) {
    const cell = event.target.closest(".cell");
    if (cell) this.select(Number(cell.dataset.index), { focus: true });
  }

  #onKey(event) {
    const count = this.subject?.row.characters.length ?? 0;
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step && count) this.select((this.selected + step + count) % count, { focus: true });
    else if (event.key === "Home") this.select(0, { focus: true });
    else if (event.key === "End") this.select(count - 1, { focus: true });
    else if (event.key === "Enter" || event.key === " ") at("label").focus();
    else return;
    event.preventDefault();
  }

  #onMend(event) {
    event.preventDefault();
    const index = this.selected;
    // nothing typed: it was read rightly
    const label = at("label").value.trim() || this.subject.row.characters[index].text;
    if ([...label].length !== 1) at("correct-note").textContent = "Type the one character that it is.";
    else this.#mend(label, { focus: true });
  }

  #mend(label, { focus = false } = {}) {
    const index = this.selected;
    this.dispatchEvent(new CustomEvent("mend", { detail: { index, label } }));
    if (index + 1 < this.subject.row.characters.length) {
      this.select(index + 1);
      at("label").value = this.subject.mended.get(index + 1) ?? "";
    }
    if (focus) at("label").focus();
    else at("label").value = this.subject.mended.get(this.selected) ?? "";
  }
}

/** As `percent`, with a digit behind the point where that is all there is. */
function fine(probability) {
  if (probability >= 0.0995) return percent(probability);
  return probability < 0.001 ? "<0.1 %" : `${(100 * probability).toFixed(1)} %`;
}

/** How dark the ink of a confidence is: 0 pale at 40 % and below, 1 at certainty. */
function density(confidence) {
  return Math.max(0, (confidence - 0.4) / 0.6).toFixed(3);
}
