// What reads where there is no server: the recogniser in a worker of this page. It offers what ../engine.js offers,
// whose place it takes in an exported page; `handreadModel` and `handreadReader` are set by files beside the page.

/* global handreadModel, handreadReader */

const MOST = Number.MAX_SAFE_INTEGER; // nothing is sent, and so nothing is too much
const MOST_EXPLAINED = 40; // characters of a reading, as on the server

let started = null;
let last = 0;
const waiting = new Map();

export class EngineError extends Error {
  constructor(message, code, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** There is nobody to be trusted. */
export function trust() {}

export async function describe() {
  const { card, alphabets } = await (await start()).loaded;
  return {
    model: { name: card.name, version: card.version, card },
    alphabets,
    collect: false,
    limits: { upload_bytes: MOST, pictures: MOST, characters: MOST, pixels: 80_000_000 },
  };
}

export async function read({ strokes, width, height, pen, pictures, alphabet, one, top, look }, { signal } = {}) {
  const reader = await start();
  await reader.loaded;
  signal?.throwIfAborted();
  const asked = { alphabet, one: Boolean(one), top: top ?? 5, look: Boolean(look) };
  const drawing = Boolean(strokes);
  if (drawing) open = open.filter((one) => !one.drawing); // nobody will look at the one before
  const what = drawing ? { strokes: plain(strokes), width, height, pen } : { pictures };
  const found = await ask(reader.port, "read", { ...what, ...asked });
  for (const { look: seen } of found.readings) {
    if (seen) seen.characters = later(seen.characters, { drawing, alphabet });
  }
  explain(reader.port);
  return found;
}

// --- why a character was read so is worked out when nothing else is to be done, the last character first

let open = [];
let busy = false;

function later(characters, about) {
  const shown = characters.map(({ input, saliency }) => ({ input, saliency }));
  const some = characters.slice(0, MOST_EXPLAINED);
  open.push(...some.map(({ glyph, cue }, i) => ({ glyph, cue, shown: shown[i], ...about })));
  return shown;
}

async function explain(port) {
  if (busy) return;
  busy = true;
  try {
    for (let one = open.pop(); one; one = open.pop()) {
      const { glyph, cue, alphabet, shown } = one;
      shown.saliency = await ask(port, "why", { glyph, cue, alphabet });
      dispatchEvent(new Event("look"));
    }
  } finally {
    busy = false;
  }
}

export async function correct() {
  throw new EngineError("Nobody collects corrections here; download the set instead.", "not-collected", 404);
}

const plain = (strokes) => strokes.map((stroke) => stroke.map(({ x, y, pressure }) => ({ x, y, pressure })));

function start() {
  started ??= begin();
  return started;
}

async function begin() {
  const port = newPort();
  port.onmessage = ({ data: { id, answer, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error) reject(new EngineError(error.message, error.code));
    else resolve(answer);
  };
  const model = Uint8Array.from(atob(handreadModel), (letter) => letter.charCodeAt(0));
  return { port, loaded: ask(port, "load", { model }) };
}

/** A worker of the reader's own source, or, where the browser allows none, the same on this thread. */
function newPort() {
  try {
    const source = new Blob([`(${handreadReader})().attend(self);`], { type: "text/javascript" });
    return new Worker(URL.createObjectURL(source));
  } catch {
    const { port1, port2 } = new MessageChannel();
    handreadReader().attend(port2);
    return port1;
  }
}

function ask(port, deed, asked) {
  last += 1;
  const id = last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    port.postMessage({ id, deed, ...asked });
  });
}
