// Files that a page without a server carries with it, handed out as if they had been fetched.

/* global handreadFiles */

const TYPES = { json: "application/json", jpg: "image/jpeg" };

/** What `fetch` gives for a file of `handreadFiles` (path below static -> base64); nothing else is asked for. */
export async function fetched(address) {
  const path = String(address).split("/static/").at(-1);
  const content = handreadFiles[path];
  if (content === undefined) throw new TypeError(`${path} did not come with this page`);
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return new Response(bytes, { headers: { "content-type": TYPES[path.split(".").at(-1)] } });
}
