// What reads: here the server that sent this page. Another engine offers the same four names:
//
//   describe()        -> {model: {name, version, card}, alphabets: {name: characters}, collect, limits}
//   read(request)     -> {model, version, readings: [row]}
//   correct(one)      -> sends a correction to whoever collects them
//   trust(token)      -> from now on with this token, where the server wants one
//
// A request holds either `strokes` ([[{x, y, pressure, t}]]), `width`, `height` and `pen`, or `pictures`
// ([{name, blob}]), and for both `alphabet` (null: all), `one`, `top` and `look`. A row is what `handread read
// --json` prints, with `look` as well where it was asked for; an engine that has a look's `saliency` only later fires
// `look` on the window when it has come. What goes wrong is an EngineError whose message is a sentence for people.

const ROOT = new URL("../", import.meta.url);
let token = null;

export class EngineError extends Error {
  /** `code` is the server's short word; "unreachable" when there was no answer at all. */
  constructor(message, code, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function trust(given) {
  token = given;
}

export async function describe() {
  const answer = await ask("v1/models");
  const row = answer.models.find((model) => model.name === answer.loaded) ?? answer.models[0];
  return {
    model: { name: row.name, version: row.card.version, card: row.card },
    alphabets: answer.alphabets,
    collect: answer.collect,
    limits: answer.limits,
  };
}

export async function read({ strokes, width, height, pen, pictures, alphabet, one, top, look }, { signal } = {}) {
  const options = { one: Boolean(one), top: top ?? 5, look: Boolean(look) };
  if (alphabet) options.alphabet = alphabet;
  if (strokes) {
    return ask("v1/read", { signal, ...json({ strokes, width, height, pen, ...options }) });
  }
  const body = new FormData();
  for (const { name, blob } of pictures) body.append("pictures", blob, name);
  for (const [name, value] of Object.entries(options)) body.append(name, String(value));
  return ask("v1/read", { signal, method: "POST", body });
}

export async function correct({ picture, label, read: was }) {
  return ask("v1/corrections", json({ picture: await base64(picture), label, read: was }));
}

function json(value) {
  return { method: "POST", body: JSON.stringify(value), headers: { "content-type": "application/json" } };
}

async function ask(path, { headers = {}, ...options } = {}) {
  const sent = token ? { ...headers, authorization: `Bearer ${token}` } : headers;
  let response;
  try {
    response = await fetch(new URL(path, ROOT), { ...options, headers: sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new EngineError("The reader cannot be reached. Is handread serve still running?", "unreachable");
  }
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new EngineError(problem.detail ?? `The reader answered ${response.status}.`, problem.code, response.status);
}

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(binary);
}
