// Corrections: pictures of one character each with what it really is, kept in this browser's own database and handed
// out as a set that Handread's training takes.

import { zip } from "./zip.js";

const STORE = "corrections";
let opened = null;
const here = []; // where the browser refuses a database, as long as the page is open

function database() {
  opened ??= new Promise((resolve) => {
    let request;
    try {
      request = indexedDB.open("handread", 1);
    } catch {
      resolve(null);
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
  return opened;
}

async function within(mode, work) {
  const base = await database();
  if (base === null) return undefined;
  return new Promise((resolve, reject) => {
    const deed = base.transaction(STORE, mode);
    const request = work(deed.objectStore(STORE));
    deed.oncomplete = () => resolve(request.result);
    deed.onerror = deed.onabort = () => reject(deed.error ?? new Error("the browser's storage is full"));
  });
}

/** Keep `picture` (a Blob, PNG) as `label`; returns its id, for `change` and `drop`. */
export async function keep(picture, label) {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  const id = await within("readwrite", (store) => store.add({ label, bytes }));
  if (id !== undefined) return id;
  here.push({ id: -1 - here.length, label, bytes });
  return here.at(-1).id;
}

/** Put another label on what was kept as `id`. */
export async function change(id, label) {
  const kept = (await all()).find((one) => one.id === id);
  if (!kept) return;
  kept.label = label;
  await within("readwrite", (store) => store.put(kept));
}

/** Everything kept, oldest first. */
export async function all() {
  return (await within("readonly", (store) => store.getAll())) ?? here;
}

/** Forget everything. */
export async function forget() {
  await within("readwrite", (store) => store.clear());
  here.length = 0;
}

/** The set: `labels.csv` with the columns image and label, and the pictures below `images/`. */
export function archive(kept) {
  const names = kept.map((_, i) => `images/${String(i + 1).padStart(5, "0")}.png`);
  const rows = kept.map(({ label }, i) => `${names[i]},${quoted(label)}\n`);
  const table = new TextEncoder().encode(`image,label\n${rows.join("")}`);
  return zip([{ name: "labels.csv", bytes: table }, ...kept.map(({ bytes }, i) => ({ name: names[i], bytes }))]);
}

/** A field of a CSV file, in quotation marks where it needs them. */
export function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
