// Pictures: dropped, pasted, chosen or taken; turned and cropped in the browser before they are read.

import { at, make } from "./dom.js";
import { cutOut, png } from "./frames.js";

const LONGEST = 2400; // pixels of a side: the reader looks at no more either
const CORNERS = ["top left", "top right", "bottom left", "bottom right"];
const LEAST = 0.04; // of a side, that a crop leaves

export class Photos extends EventTarget {
  /** Fires `read` with the items whose pictures are new, `open` with the one to show (or null). */
  constructor() {
    super();
    this.items = [];
    this.item = null;
    this.cropping = null;
    at("choose").addEventListener("click", () => at("files").click());
    at("more").addEventListener("click", () => at("files").click());
    at("remove").addEventListener("click", () => this.reset());
    at("camera").addEventListener("click", () => this.#openCamera());
    for (const id of ["files", "shot"]) {
      at(id).addEventListener("change", () => {
        this.add([...at(id).files]);
        at(id).value = "";
      });
    }
    at("turn-left").addEventListener("click", () => this.#turn(-1));
    at("turn-right").addEventListener("click", () => this.#turn(1));
    at("crop").addEventListener("click", () => (this.cropping ? this.#leaveCrop() : this.#enterCrop()));
    at("crop-done").addEventListener("click", () => this.#crop());
    at("crop-cancel").addEventListener("click", () => this.#leaveCrop());
    at("cropper").addEventListener("keydown", (event) => this.#onCropKey(event));
    at("cropper").addEventListener("pointerdown", (event) => this.#onCropDown(event));
    at("snap").addEventListener("click", () => this.#snap());
    at("snap-cancel").addEventListener("click", () => at("viewfinder").close());
    at("viewfinder").addEventListener("close", () => this.#closeCamera());
    for (const button of document.querySelectorAll("[data-try]")) {
      button.addEventListener("click", async () => {
        const name = button.dataset.try;
        const blob = await (await fetch(new URL(`examples/${name}`, import.meta.url))).blob();
        this.add([new File([blob], name, { type: blob.type })]);
      });
    }
  }

  /** Take files in; several make a table. */
  async add(files) {
    if (!files.length) return;
    const items = files.map((file) => ({
      name: file.name || "pasted", blob: file, canvas: null, row: null, mended: new Map(),
      error: /^(text|audio|video)\//.test(file.type) ? `${file.name} is no picture but ${file.type}` : null,
    })); // prettier-ignore
    this.items.push(...items);
    await this.open(items.find(({ error }) => !error) ?? items[0]);
    this.dispatchEvent(new CustomEvent("read", { detail: items.filter(({ error }) => !error) }));
  }

  /** Show an item. */
  async open(item) {
    this.#leaveCrop();
    if (this.item && this.item !== item) this.item.canvas = null; // its file is smaller, and enough
    this.item = item;
    const canvas = item.canvas ?? (await drawn(item.blob));
    if (this.item !== item) return; // another was opened meanwhile
    item.canvas = canvas;
    at("photo-empty").hidden = true;
    at("frames").hidden = false;
    at("more-actions").hidden = false;
    for (const id of ["turn-left", "turn-right", "crop"]) at(id).disabled = !item.canvas;
    at("photo-name").textContent = item.canvas ? item.name : `${item.name} (this browser cannot show it)`;
    this.#paint();
    this.dispatchEvent(new CustomEvent("open", { detail: item }));
  }

  /** Back to the beginning. */
  reset() {
    this.#leaveCrop();
    this.items = [];
    this.item = null;
    at("photo-empty").hidden = false;
    at("frames").hidden = true;
    at("more-actions").hidden = true;
    for (const id of ["turn-left", "turn-right", "crop"]) at(id).disabled = true;
    this.dispatchEvent(new CustomEvent("open", { detail: null }));
  }

  /** Make a picture that is too large to be sent smaller. */
  async reduce(item) {
    const canvas = item.canvas ?? (await drawn(item.blob));
    if (!canvas) return;
    const small = cutOut(canvas, { x: 0, y: 0, width: canvas.width, height: canvas.height }, LONGEST);
    item.blob = await new Promise((resolve) => small.toBlob(resolve, "image/jpeg", 0.92));
    if (item === this.item) {
      item.canvas = small;
      this.#paint();
    }
  }

  /** Put the cleaned ink beside the picture. */
  showInk(source) {
    const ink = at("cleaned-ink");
    ink.hidden = !source;
    if (!source) return;
    ink.src = source;
    if (!this.item.canvas) {
      // all that there is to go by
      ink.decode().then(() => at("cleaned").style.setProperty("--ratio", ink.naturalWidth / ink.naturalHeight));
    }
  }

  #paint() {
    const { canvas } = this.item;
    const shown = at("photo-canvas");
    shown.hidden = !canvas;
    shown.width = canvas?.width ?? 3;
    shown.height = canvas?.height ?? 2;
    shown.setAttribute("aria-label", `The picture ${this.item.name}`);
    if (canvas) shown.getContext("2d").drawImage(canvas, 0, 0);
    for (const id of ["photo", "cleaned"]) at(id).style.setProperty("--ratio", shown.width / shown.height);
  }

  async #replace(canvas) {
    this.#leaveCrop();
    const item = this.item;
    item.canvas = canvas;
    item.blob = await png(canvas);
    Object.assign(item, { row: null, error: null, mended: new Map() });
    this.showInk(null);
    this.#paint();
    this.dispatchEvent(new CustomEvent("read", { detail: [item] }));
  }

  #turn(way) {
    const from = this.item.canvas;
    const canvas = make("canvas", { width: from.height, height: from.width });
    const context = canvas.getContext("2d");
    context.translate(canvas.width / 2, canvas.height / 2);
    context.rotate((way * Math.PI) / 2);
    context.drawImage(from, -from.width / 2, -from.height / 2);
    this.#replace(canvas);
  }

  // --- cropping: `cropping` is [left, top, right, bottom] in fractions of the picture

  #enterCrop() {
    this.cropping = [0.08, 0.08, 0.92, 0.92];
    const cut = make("div", { className: "cut" });
    CORNERS.forEach((name, corner) => {
      cut.append(make("button", { type: "button", attr: { "aria-label": `Corner ${name}`, "data-corner": corner } }));
    });
    at("cropper").replaceChildren(cut);
    at("cropper").hidden = false;
    at("photo-boxes").hidden = true;
    at("crop-actions").hidden = false;
    at("crop").setAttribute("aria-pressed", "true");
    this.#placeCut();
    cut.firstChild.focus({ preventScroll: true });
  }

  #leaveCrop() {
    if (!this.cropping) return;
    this.cropping = null;
    at("cropper").hidden = true;
    at("photo-boxes").hidden = false;
    at("crop-actions").hidden = true;
    at("crop").setAttribute("aria-pressed", "false");
  }

  #crop() {
    const { width, height } = this.item.canvas;
    const [left, top, right, bottom] = this.cropping;
    const frame = { x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height };
    at("crop").focus();
    this.#replace(cutOut(this.item.canvas, frame, LONGEST));
  }

  #placeCut() {
    const [left, top, right, bottom] = this.cropping;
    const cut = at("cropper").firstChild;
    const share = (value) => `${100 * value}%`;
    Object.assign(cut.style, { left: share(left), top: share(top), width: share(right - left), height: share(bottom - top) });
    for (const [i, button] of [...cut.children].entries()) {
      Object.assign(button.style, { left: i % 2 ? "100%" : "0", top: i > 1 ? "100%" : "0" });
    }
  }

  #moveCorner(corner, x, y) {
    const cut = this.cropping;
    const limit = (value, low, high) => Math.min(high, Math.max(low, value));
    if (corner % 2) cut[2] = limit(x, cut[0] + LEAST, 1);
    else cut[0] = limit(x, 0, cut[2] - LEAST);
    if (corner > 1) cut[3] = limit(y, cut[1] + LEAST, 1);
    else cut[1] = limit(y, 0, cut[3] - LEAST);
    this.#placeCut();
  }

  #onCropKey(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const corner = Number(event.target.dataset?.corner ?? -1);
    if (event.key === "Enter") this.#crop();
    else if (event.key === "Escape") {
      this.#leaveCrop();
      at("crop").focus();
    } else if (way && corner >= 0) {
      const step = event.shiftKey ? 0.005 : 0.02;
      const [left, top, right, bottom] = this.cropping;
      this.#moveCorner(corner, (corner % 2 ? right : left) + way[0] * step, (corner > 1 ? bottom : top) + way[1] * step);
    } else return;
    event.preventDefault();
  }

  #onCropDown(event) {
    const area = at("cropper");
    const place = ({ clientX, clientY }) => {
      const { left, top, width, height } = area.getBoundingClientRect();
      return [(clientX - left) / width, (clientY - top) / height];
    };
    const start = place(event);
    const before = [...this.cropping];
    let corner = Number(event.target.dataset?.corner ?? -1);
    const whole = corner < 0 && event.target.classList.contains("cut");
    if (corner < 0 && !whole) {
      // a new rectangle, from here
      this.cropping = [start[0], start[1], Math.min(1, start[0] + LEAST), Math.min(1, start[1] + LEAST)];
      corner = 3;
    }
    area.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const [x, y] = place(moved);
      if (!whole) return this.#moveCorner(corner, x, y);
      const dx = Math.min(1 - before[2], Math.max(-before[0], x - start[0]));
      const dy = Math.min(1 - before[3], Math.max(-before[1], y - start[1]));
      this.cropping = [before[0] + dx, before[1] + dy, before[2] + dx, before[3] + dy];
      return this.#placeCut();
    };
    const end = () => {
      area.removeEventListener("pointermove", move);
      area.removeEventListener("pointerup", end);
      area.removeEventListener("pointercancel", end);
    };
    area.addEventListener("pointermove", move);
    area.addEventListener("pointerup", end);
    area.addEventListener("pointercancel", end);
    if (event.target.dataset?.corner === undefined) event.preventDefault();
  }

  // --- the camera: a phone's own, or one at the desk

  async #openCamera() {
    if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices?.getUserMedia) {
      at("shot").click();
      return;
    }
    at("video-error").textContent = "";
    at("snap").disabled = true;
    at("viewfinder").showModal();
    try {
      const ideal = { facingMode: "environment", width: { ideal: 1920 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video: ideal });
      if (!at("viewfinder").open) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      at("video").srcObject = stream;
      at("snap").disabled = false;
    } catch (error) {
      at("video-error").textContent =
        error.name === "NotAllowedError" ? "The camera may not be used: allow it in the browser." : "There is no camera.";
    }
  }

  #closeCamera() {
    for (const track of at("video").srcObject?.getTracks() ?? []) track.stop();
    at("video").srcObject = null;
  }

  async #snap() {
    const video = at("video");
    const frame = { x: 0, y: 0, width: video.videoWidth, height: video.videoHeight };
    const blob = await png(cutOut(video, frame, LONGEST));
    at("viewfinder").close();
    this.add([new File([blob], "camera.png", { type: "image/png" })]);
  }
}

/** A canvas with the picture, upright, at most LONGEST pixels a side; null when the browser cannot show it. */
async function drawn(blob) {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
    // as it is: boxes are in the pixels of the file
    const canvas = make("canvas", { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    return canvas;
  } catch {
    return null;
  }
}
