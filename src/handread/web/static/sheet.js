// The sheet that is written on: pen, finger or mouse by way of signature_pad, or the keys; undo, redo, clear.

import SignaturePad from "./vendor/signature_pad-5.1.4.js";
import { at, calm } from "./dom.js";
import * as hand from "./hand.js";

const PLAIN = 0.5; // pressure of what knows none: the pen's own width
const STEP = 8; // pixels that an arrow key moves the pen, and with Shift
const SMALL_STEP = 2;
const LEAST = 40; // pixels: what is narrower is not there yet
const CLOSEST = 1.5; // pixels between two points that are kept

const WAYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
}; // prettier-ignore

/** signature_pad with the width that the reader draws with: the pen's, 0.6 of it at pressure 0, 1.4 at 1. */
class Pad extends SignaturePad {
  _pointerEventToSignatureEvent(event) {
    const signature = super._pointerEventToSignatureEvent(event);
    // fingers and mice report a pressure that says nothing
    return event.pointerType === "pen" && event.pressure > 0 ? signature : { ...signature, pressure: PLAIN };
  }

  _createPoint(x, y, pressure) {
    const point = super._createPoint(x, y, pressure);
    const last = this._lastPoints.at(-1);
    if (pressure === PLAIN && last) {
      // a quick stroke is a little thinner, as with ink
      const wanted = PLAIN - Math.min(0.2, 0.09 * point.velocityFrom(last));
      point.pressure = last.pressure + (wanted - last.pressure) * 0.3;
    }
    return point;
  }

  _calculateCurveWidths(from, to, options) {
    const width = options.maxWidth * (0.6 + 0.8 * (to.pressure || PLAIN));
    const start = this._lastWidth;
    this._lastWidth = width;
    return { start, end: width };
  }
}

/** The pad's curves end at the last point but one: here is the rest of each stroke. */
function finish(canvas, groups) {
  const context = canvas.getContext("2d");
  context.save();
  context.lineCap = "round";
  for (const { points, penColor, maxWidth } of groups) {
    if (points.length < 2) continue;
    const [from, to] = points.slice(-2);
    context.strokeStyle = penColor;
    context.lineWidth = 2 * maxWidth * (0.6 + 0.8 * (to.pressure || PLAIN));
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }
  context.restore();
}

export class Sheet extends EventTarget {
  /** Fires `ink` with detail {settled}: false while a stroke is being drawn. */
  constructor() {
    super();
    this.place = at("sheet");
    this.canvas = at("ink");
    this.nib = at("nib");
    this.pad = new Pad(this.canvas, { minDistance: CLOSEST, throttle: 8 });
    this.states = [[]];
    this.now = 0;
    this.shrunk = 1; // of its own size, so that it fits
    this.extent = { width: 1, height: 1 };
    this.tip = null;
    this.held = new Set();
    this.writing = 0;
    this.setPen(6);
    this.#fit();
    this.pad.addEventListener("beginStroke", () => this.#stopWriting());
    this.pad.addEventListener("afterUpdateStroke", () => this.#tell(false));
    this.pad.addEventListener("endStroke", () => this.#done());
    new ResizeObserver(() => this.#fit()).observe(this.place);
    this.place.addEventListener("keydown", (event) => this.#onKey(event));
    this.place.addEventListener("keyup", (event) => this.held.delete(event.key));
    this.place.addEventListener("blur", () => this.#liftNib());
    this.canvas.addEventListener("pointerdown", () => this.#liftNib());
  }

  /** In pixels of the page, also while the sheet is not shown. */
  get size() {
    return this.extent;
  }

  get empty() {
    return this.pad.toData().length === 0;
  }

  get canUndo() {
    return this.now > 0;
  }

  get canRedo() {
    return this.now < this.states.length - 1;
  }

  /** The drawing as a request wants it: [[{x, y, pressure, t}]]. */
  strokes() {
    const start = this.pad.toData()[0]?.points[0]?.time ?? 0;
    return this.pad
      .toData()
      .filter(({ points }) => points.length)
      .map(({ points }) => points.map(({ x, y, pressure, time }) => ({
        x: round(x), y: round(y), pressure: round(Math.min(1, Math.max(0, pressure || PLAIN))), t: time - start,
      }))); // prettier-ignore
  }

  /** Width of the pen in pixels. */
  setPen(width) {
    this.width = width;
    this.pad.minWidth = this.pad.maxWidth = this.pad.dotSize = width / 2;
  }

  undo() {
    if (this.canUndo) this.#go(this.now - 1);
  }

  redo() {
    if (this.canRedo) this.#go(this.now + 1);
  }

  clear() {
    this.#stopWriting();
    if (!this.empty) this.#push([]);
  }

  /** Let Handread's own hand write `text` on a fresh sheet; returns the characters that it does not know. */
  async write(text) {
    this.#stopWriting();
    const style = getComputedStyle(this.place);
    const unit = parseFloat(style.getPropertyValue("--u"));
    const margin = parseFloat(style.getPropertyValue("--m"));
    const { strokes, missing } = await hand.write(text, {
      left: margin + 0.4 * unit,
      right: this.size.width - 0.4 * unit,
      baselines: [3 * unit, 7.5 * unit],
      capital: 2 * unit,
    });
    if (!strokes.length) return missing;
    const groups = strokes.map((points) => this.#group(points.map((p) => ({ ...p, pressure: PLAIN }))));
    if (!calm()) await this.#animate(groups);
    else this.#show(groups);
    this.#push(groups);
    return missing;
  }

  /** The theme has changed: the same drawing in the new ink. */
  recolour() {
    this.#fit(true);
  }

  /** A canvas with the strokes that lie in `box`, black on white; `frame` {x, y, width, height} is what it shows. */
  picture(box, frame, longest = 320) {
    const scale = Math.min(2, longest / Math.max(frame.width, frame.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(frame.width * scale));
    canvas.height = Math.max(1, Math.round(frame.height * scale));
    const pad = new Pad(canvas, { backgroundColor: "#fff" });
    pad.off();
    canvas.getContext("2d").setTransform(scale, 0, 0, scale, -frame.x * scale, -frame.y * scale);
    const groups = this.pad.toData().filter(({ points }) => inside(points, box));
    const black = groups.map((group) => ({ ...group, penColor: "#000" }));
    pad.fromData(black, { clear: false });
    finish(canvas, black);
    return canvas;
  }

  #group(points) {
    const half = this.width / 2;
    const start = Date.now();
    return {
      penColor: this.pad.penColor, dotSize: half, minWidth: half, maxWidth: half,
      velocityFilterWeight: 0.7, compositeOperation: "source-over",
      points: points.map((point, i) => ({ time: start + 8 * i, ...point })),
    }; // prettier-ignore
  }

  #tell(settled) {
    this.dispatchEvent(new CustomEvent("ink", { detail: { settled } }));
  }

  #done() {
    finish(this.canvas, this.pad.toData().slice(-1));
    this.#push(structuredClone(this.pad.toData()), false);
  }

  #push(groups, draw = true) {
    this.states.length = this.now + 1;
    this.states.push(groups);
    this.now += 1;
    if (draw) this.#show(groups);
    this.#tell(true);
  }

  #go(to) {
    this.#stopWriting();
    this.now = to;
    this.#show(this.states[to]);
    this.#tell(true);
  }

  #show(groups) {
    this.pad.fromData(structuredClone(groups));
    finish(this.canvas, groups);
  }

  /** Draw `groups` as if they were being written, in about a second. */
  async #animate(groups) {
    const mine = ++this.writing;
    const total = groups.reduce((sum, { points }) => sum + points.length, 0);
    const length = Math.min(1600, 350 + 9 * total);
    const start = performance.now();
    for (;;) {
      const passed = await new Promise(requestAnimationFrame);
      if (mine !== this.writing) return;
      let left = Math.ceil((total * (passed - start)) / length);
      if (left >= total) return;
      const part = [];
      for (const group of groups) {
        if (left <= 0) break;
        part.push({ ...group, points: group.points.slice(0, left) });
        left -= group.points.length;
      }
      this.pad.fromData(part);
    }
  }

  #stopWriting() {
    this.writing += 1;
  }

  /** Give the canvas the pixels of its place; a drawing that no longer fits is made smaller, and as it was when it does. */
  #fit(force = false) {
    const [width, height] = [this.place.clientWidth, this.place.clientHeight];
    const ratio = Math.max(1, devicePixelRatio || 1);
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (width < LEAST || (!force && this.canvas.width === size[0] && this.canvas.height === size[1])) return;
    this.extent = { width, height };
    [this.canvas.width, this.canvas.height] = size;
    this.canvas.getContext("2d").scale(ratio, ratio);
    this.pad.penColor = getComputedStyle(this.place).getPropertyValue("--pen").trim();
    const reach = (key) => Math.max(0, ...this.states.flat().flatMap(({ points }) => points.map((point) => point[key])));
    const wanted = Math.min(1, ((width - 4) * this.shrunk) / (reach("x") || 1), ((height - 4) * this.shrunk) / (reach("y") || 1));
    const factor = wanted / this.shrunk;
    this.shrunk = wanted;
    this.states = this.states.map((groups) => groups.map((group) => ({
      ...group, penColor: this.pad.penColor,
      points: group.points.map((point) => ({ ...point, x: point.x * factor, y: point.y * factor })),
    }))); // prettier-ignore
    this.#show(this.states[this.now]);
    if (factor !== 1) this.#tell(true);
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in WAYS) {
      this.held.add(event.key);
      const step = event.shiftKey ? SMALL_STEP : STEP;
      // two arrows at once go aslant
      const [dx, dy] = [...this.held].reduce(([x, y], key) => [x + WAYS[key][0], y + WAYS[key][1]], [0, 0]);
      this.#moveNib(Math.sign(dx) * step, Math.sign(dy) * step);
    } else if (event.key === " ") {
      if (!event.repeat) this.#pressNib();
    } else if (event.key === "Backspace") {
      this.undo();
    } else if (event.key === "Delete") {
      this.clear();
    } else if (event.key === "[" || event.key === "]") {
      this.dispatchEvent(new CustomEvent("pen", { detail: event.key === "[" ? -1 : 1 }));
    } else {
      return;
    }
    event.preventDefault();
  }

  #moveNib(dx, dy) {
    const { width, height } = this.size;
    this.tip ??= { x: Math.min(width / 3, 200), y: height * 0.2, line: null };
    this.tip.x = Math.min(width, Math.max(0, this.tip.x + dx));
    this.tip.y = Math.min(height, Math.max(0, this.tip.y + dy));
    if (this.tip.line) {
      this.tip.line.push({ x: this.tip.x, y: this.tip.y, pressure: PLAIN });
      this.#show([...this.states[this.now], this.#group(this.tip.line)]);
      this.#tell(false);
    }
    this.#showNib();
  }

  #pressNib() {
    if (!this.tip) this.#moveNib(0, 0);
    if (this.tip.line) this.#endLine();
    else this.tip.line = [{ x: this.tip.x, y: this.tip.y, pressure: PLAIN }];
    this.#showNib();
  }

  #endLine() {
    const line = this.tip.line;
    this.tip.line = null;
    this.#push([...this.states[this.now], this.#group(line)]);
  }

  #liftNib() {
    this.held.clear();
    if (this.tip?.line) this.#endLine();
    this.nib.hidden = true;
  }

  #showNib() {
    this.nib.hidden = false;
    this.nib.classList.toggle("down", Boolean(this.tip.line));
    this.nib.style.left = `${this.tip.x}px`;
    this.nib.style.top = `${this.tip.y}px`;
  }
}

/** True when the middle of a stroke lies in the box, with a little room around it. */
function inside(points, { x, y, width, height }) {
  if (!points.length) return false;
  const middle = (key) => (Math.min(...points.map((p) => p[key])) + Math.max(...points.map((p) => p[key]))) / 2;
  const room = 6;
  const [px, py] = [middle("x"), middle("y")];
  return px >= x - room && px <= x + width + room && py >= y - room && py <= y + height + room;
}

const round = (value) => Math.round(100 * value) / 100;
