// The page: what was drawn or shown goes to the engine, what comes back to the reading, corrections to their box.

import * as corrections from "./corrections.js";
import { announce, at, calm, download, make, memory, percent, turnTheme } from "./dom.js";
import * as engine from "./engine.js";
import { cutOut, frameOf, png, stamp } from "./frames.js";
import { Photos } from "./photo.js";
import { ReadingView, mendedText, placed, spoken } from "./reading.js";
import { Sheet } from "./sheet.js";

const TOP = 5; // candidates a character
const REST = 110; // ms without a new point before a drawing is read
const CALM = 650; // ms without a new reading before it is spoken and looked into
const TOGETHER = 8; // pictures a request

const sheet = new Sheet();
const photos = new Photos();
const view = new ReadingView();
const drawing = { key: "sheet", row: null, mended: new Map() };
let mode = "write";
let about = null;

// --- what is asked for

function options() {
  const chosen = at("alphabet").value;
  const alphabet = chosen === "own" ? at("own").value.replace(/\s/g, "") || null : chosen || null;
  return { alphabet, one: at("one").checked, top: TOP };
}

async function ask(request, settings) {
  try {
    return await engine.read({ ...options(), ...request }, settings);
  } catch (error) {
    if (error.code === "token") askForToken();
    throw error;
  }
}

// --- drawing: one request at a time, always for the newest ink

const reader = { timer: 0, later: 0, busy: false, again: false, version: 0 };

function inkChanged(settled) {
  reader.version += 1;
  clearTimeout(reader.later);
  at("invitation").hidden = !sheet.empty || !settled;
  at("undo").disabled = !sheet.canUndo;
  at("redo").disabled = !sheet.canRedo;
  at("clear").disabled = sheet.empty;
  if (sheet.empty) {
    clearTimeout(reader.timer);
    showDrawing(null);
    return;
  }
  if (settled) {
    drawing.mended = new Map();
    view.chosen = null;
  }
  clearTimeout(reader.timer);
  reader.timer = setTimeout(readDrawing, settled ? 0 : REST);
}

async function readDrawing({ look = false } = {}) {
  if (reader.busy) {
    reader.again = true;
    return;
  }
  const version = reader.version;
  const strokes = sheet.strokes();
  if (!strokes.length) return;
  reader.busy = true;
  try {
    const answer = await ask({ strokes, ...sheet.size, pen: sheet.width, look });
    if (sheet.empty) return;
    const row = answer.readings[0];
    if (!look) showDrawing(row);
    else if (version === reader.version && drawing.row) {
      drawing.row.look = row.look;
      if (mode === "write") view.refreshLook();
    }
    if (!look && version === reader.version) {
      reader.later = setTimeout(() => {
        announce(spoken(row));
        readDrawing({ look: true });
      }, CALM);
    }
  } catch (error) {
    complain(error);
  } finally {
    reader.busy = false;
    if (reader.again) {
      reader.again = false;
      readDrawing();
    }
  }
}

function showDrawing(row) {
  drawing.row = row;
  if (mode === "write") view.show(row && drawnSubject(), { quietly: true });
}

function drawnSubject() {
  const ratio = sheet.canvas.width / sheet.size.width;
  return {
    ...drawing,
    overlays: [at("boxes")],
    size: sheet.size,
    cut: (index, side) => stamp(sheet.canvas, drawing.row.characters[index].box, side, ratio),
    keepsake: (index) => {
      const characters = placed(drawing.row);
      const [x, y, width, height] = characters[index].box;
      return sheet.picture({ x, y, width, height }, frameOf(index, characters, sheet.size));
    },
  };
}

// --- pictures

async function readPictures(items) {
  const alone = items.length === 1;
  showMany();
  if (!items.length) return;
  view.say(alone ? "Reading …" : `Reading ${items.length} pictures …`);
  const round = {};
  for (const item of items) item.round = round;
  const room = 0.9 * (about?.limits.upload_bytes ?? 20e6);
  for (const some of await parcels(items, room)) {
    let found;
    try {
      const { readings } = await ask({ pictures: some.map(({ name, blob }) => ({ name, blob })), look: alone });
      found = readings.map((row) => ({ row, error: row.error }));
    } catch (error) {
      found = some.map(() => ({ row: null, error: error.message }));
      announce(error.message);
    }
    // what has been turned, cropped or asked for differently meanwhile has another answer on its way
    some.forEach((item, i) => item.round === round && Object.assign(item, found[i]));
    showMany();
    if (some.includes(photos.item)) showPicture();
  }
}

/** Items for one request each: not too many, and not more bytes than the server takes. */
async function parcels(items, room) {
  const made = [];
  let bytes = Infinity;
  for (const item of items) {
    if (item.blob.size > room) await photos.reduce(item);
    if (bytes + item.blob.size > room || made.at(-1).length === TOGETHER) {
      made.push([]);
      bytes = 0;
    }
    made.at(-1).push(item);
    bytes += item.blob.size;
  }
  return made;
}

async function showPicture() {
  const item = photos.item;
  if (mode !== "photo") return;
  photos.showInk(item?.row?.look?.ink ?? null);
  if (!item?.row || item.error) {
    view.show(null);
    if (item && !item.error) view.say("Reading …");
    if (item?.error) view.say(item.error, { wrong: true });
    return;
  }
  view.show(pictureSubject(item));
  if (item.row.look) return;
  try {
    const { readings } = await ask({ pictures: [{ name: item.name, blob: item.blob }], look: true });
    item.row.look = readings[0].look;
    if (photos.item === item && mode === "photo") {
      photos.showInk(item.row.look?.ink ?? null);
      view.refreshLook();
    }
  } catch (error) {
    complain(error);
  }
}

function pictureSubject(item) {
  const size = item.canvas ?? { width: 1, height: 1 };
  return {
    key: item,
    row: item.row,
    mended: item.mended,
    overlays: item.canvas ? [at("photo-boxes"), at("cleaned-boxes")] : [],
    size,
    cut: (index, side) => stamp(item.canvas ?? make("canvas"), item.row.characters[index].box, side),
    keepsake: (index) => cutOut(item.canvas, frameOf(index, placed(item.row), size), 480),
  };
}

function showMany() {
  const { items } = photos;
  at("many").hidden = items.length < 2;
  at("many-title").textContent = `${items.length} pictures`;
  at("rows").replaceChildren(
    ...items.map((item) => {
      const open = make("button", { type: "button", textContent: item.name });
      open.addEventListener("click", () => {
        photos.open(item);
        at("drop").scrollIntoView({ block: "nearest", behavior: calm() ? "auto" : "smooth" });
      });
      const found = item.row && !item.error;
      const reads = make("td", { className: "reads", textContent: found ? mendedText(item.row, item.mended) : "" });
      if (item.error) Object.assign(reads, { textContent: item.error, className: "mark" });
      else if (!item.row) reads.textContent = "…";
      return make(
        "tr",
        { className: item === photos.item ? "active" : "" },
        make("td", {}, open),
        reads,
        make("td", { className: "number", textContent: found ? percent(item.row.confidence) : "" }),
        make("td", { className: "number", textContent: found ? String(refused(item).length || "") : "" }),
      );
    }),
  );
}

const refused = ({ row }) => (row?.characters ?? []).filter(({ accepted }) => !accepted);

function asCsv() {
  const head = ["image", "text", "confidence", "refused", "corrected", "error"];
  const rows = photos.items.map((item) => [
    item.name,
    item.row?.text ?? "",
    item.row ? item.row.confidence : "",
    item.row ? refused(item).length : "",
    item.mended.size ? mendedText(item.row, item.mended) : "",
    item.error ?? "",
  ]);
  return [head, ...rows].map((row) => row.map((field) => corrections.quoted(String(field))).join(",")).join("\r\n") + "\r\n";
}

function asJson() {
  const rows = photos.items.map(({ name, row, error, mended }) => {
    const { look, ...plain } = row ?? { image: name, text: "", confidence: 0, characters: [] };
    return { ...plain, error: error ?? null, corrected: mended.size ? mendedText(row, mended) : null };
  });
  return `${JSON.stringify(rows, null, 1)}\n`;
}

// --- corrections

async function mend({ index, label }) {
  const subject = view.subject;
  const { row, mended } = subject;
  const was = row.characters[index].text;
  const before = (subject.keptAs ??= keptAs(subject)).get(index);
  mended.set(index, label);
  view.show(subject, { quietly: true });
  try {
    const picture = await png(subject.keepsake(index));
    if (before !== undefined) await corrections.change(before, label);
    else subject.keptAs.set(index, await corrections.keep(picture, label));
    at("correct-note").textContent = `Kept: ${label}.`;
    await showKept();
    if (about?.collect && at("send").checked) {
      await engine.correct({ picture, label, read: was });
      at("correct-note").textContent = `Kept and sent: ${label}.`;
    }
  } catch (error) {
    at("correct-note").textContent = error.message;
  }
  if (mode === "photo") showMany();
}

const keptIn = new WeakMap(); // corrections of one reading -> which of the kept ones they are

function keptAs({ mended }) {
  if (!keptIn.has(mended)) keptIn.set(mended, new Map());
  return keptIn.get(mended);
}

async function showKept() {
  const kept = await corrections.all();
  const labels = [...new Set(kept.map(({ label }) => label))].sort().join(" ");
  at("kept-count").textContent = kept.length ? `${kept.length} kept: ${labels}` : "None yet.";
  at("kept-download").disabled = at("kept-clear").disabled = !kept.length;
}

// --- the page around it

function complain(error) {
  if (error.name === "AbortError") return;
  view.say(error.message, { wrong: true });
  announce(error.message);
}

function switchTo(next, { focus = false } = {}) {
  mode = next;
  for (const name of ["write", "photo"]) {
    const tab = at(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === mode));
    tab.tabIndex = name === mode ? 0 : -1;
    if (name === mode && focus) tab.focus();
    at(`pane-${name}`).hidden = name !== mode;
  }
  at("many").hidden = mode !== "photo" || photos.items.length < 2;
  if (mode === "write") view.show(drawing.row && drawnSubject(), { quietly: true });
  else showPicture();
}

function again() {
  const { alphabet } = options();
  memory.set("alphabet", at("alphabet").value || null);
  memory.set("own", at("own").value || null);
  if (at("alphabet").value === "own" && !alphabet) return;
  if (!sheet.empty) {
    reader.version += 1;
    readDrawing();
  }
  if (photos.items.length) {
    for (const item of photos.items) Object.assign(item, { row: null, error: null, mended: new Map() });
    readPictures(photos.items);
  }
}

function offerAlphabets(alphabets) {
  const shown = { digits: "0–9", upper: "A–Z", lower: "a–z", letters: "A–Z a–z", hex: "0–9 A–F" };
  const all = Object.keys(alphabets).filter((name) => name !== "alphanumeric");
  at("alphabet").append(
    ...all.map((name) => make("option", { value: name, textContent: shown[name] ? `${name}  ${shown[name]}` : name })),
    make("option", { value: "own", textContent: "these characters …" }),
  );
  const kept = memory.get("alphabet");
  if (kept && [...at("alphabet").options].some(({ value }) => value === kept)) at("alphabet").value = kept;
  at("own").value = memory.get("own") ?? "";
  at("own").parentElement.hidden = at("alphabet").value !== "own";
}

let asked = false;

function askForToken() {
  if (asked) return;
  asked = true;
  const given = prompt("This server wants a token. Its operator has given you one:");
  if (given) {
    asked = false;
    engine.trust(given.trim());
    start();
    again();
  }
}

async function start() {
  try {
    about = await engine.describe();
  } catch (error) {
    if (error.code === "token") askForToken();
    else complain(error);
    return;
  }
  if (at("alphabet").options.length === 1) offerAlphabets(about.alphabets);
  at("model").textContent = `${about.model.name}, version ${about.model.version}`;
  at("send-choice").hidden = !about.collect;
  at("kept-where").textContent = about.collect
    ? "The operator of this server collects corrections: the picture of the character and what it is. Yours stay in this browser unless you tick this."
    : "They stay in this browser until you download or forget them. Nothing is sent.";
}

function themeChanged() {
  sheet.recolour();
  if (mode === "write" && drawing.row) view.show(drawnSubject(), { quietly: true });
}

sheet.addEventListener("ink", ({ detail }) => inkChanged(detail.settled));
sheet.addEventListener("pen", ({ detail }) => {
  at("pen").value = Number(at("pen").value) + detail;
  at("pen").dispatchEvent(new Event("input"));
});
photos.addEventListener("read", ({ detail }) => readPictures(detail));
photos.addEventListener("open", () => {
  showMany();
  showPicture();
});
view.addEventListener("mend", ({ detail }) => mend(detail));
view.addEventListener("select", () => (at("correct-note").textContent = ""));

at("undo").addEventListener("click", () => sheet.undo());
at("redo").addEventListener("click", () => sheet.redo());
at("clear").addEventListener("click", () => {
  sheet.clear();
  at("sheet").focus();
});
at("pen").addEventListener("input", () => {
  sheet.setPen(Number(at("pen").value));
  memory.set("pen", at("pen").value);
});
at("show").addEventListener("click", () => sheet.write(["2026", "Gate 42", "7AC3E9", "bread"][Math.floor(Math.random() * 4)]));
at("typed").addEventListener("submit", async (event) => {
  event.preventDefault();
  const missing = await sheet.write(at("typed-text").value);
  if (missing.length) view.say(`The pen does not know ${missing.join(" ")}.`, { wrong: true });
});

for (const name of ["write", "photo"]) {
  at(`tab-${name}`).addEventListener("click", () => switchTo(name));
  at(`tab-${name}`).addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft" || key === "ArrowRight") switchTo(mode === "write" ? "photo" : "write", { focus: true });
  });
}
at("alphabet").addEventListener("change", () => {
  at("own").parentElement.hidden = at("alphabet").value !== "own";
  if (at("alphabet").value === "own") at("own").focus();
  again();
});
at("own").addEventListener("change", again);
at("one").addEventListener("change", again);

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  if (mode !== "photo") switchTo("photo");
  at("drop").classList.add("over");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) at("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  at("drop").classList.remove("over");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  if (mode !== "photo") switchTo("photo");
  photos.add(files);
});
addEventListener("paste", ({ clipboardData }) => {
  const files = [...(clipboardData?.files ?? [])];
  if (!files.length) return;
  if (mode !== "photo") switchTo("photo");
  photos.add(files);
});
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || mode !== "write" || event.target.matches('input[type="text"]')) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) sheet.undo();
  else if (key === "y" || key === "z") sheet.redo();
  else return;
  event.preventDefault();
});

at("as-csv").addEventListener("click", () => download("readings.csv", asCsv(), "text/csv"));
at("as-json").addEventListener("click", () => download("readings.json", asJson(), "application/json"));
at("kept-download").addEventListener("click", async () => {
  download("corrections.zip", corrections.archive(await corrections.all()));
});
at("kept-clear").addEventListener("click", async () => {
  if (!confirm("Forget all corrections kept in this browser?")) return;
  await corrections.forget();
  await showKept();
});
at("keys-open").addEventListener("click", () => at("keys").showModal());
at("theme").addEventListener("click", turnTheme);
addEventListener("themechange", themeChanged);
addEventListener("look", () => view.refreshLook());

const pen = Number(memory.get("pen"));
if (pen >= 2 && pen <= 16) at("pen").value = pen;
sheet.setPen(Number(at("pen").value));
inkChanged(true);
start();
showKept();
