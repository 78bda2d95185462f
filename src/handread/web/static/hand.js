// Handread's own hand: typed text as strokes of a pen, in the ways of writing that the package draws with.

let ways = null;

async function known() {
  ways ??= fetch(new URL("pen.json", import.meta.url)).then((response) => response.json());
  return ways;
}

const GAP = 17; // between two characters, in hundredths of the capitals' height
const SPACE = 72;

/**
 * The strokes of `text`, each [{x, y}], on lines at `baselines`, from `left` to `right`, capitals `capital` pixels
 * high. What does not fit is written smaller. `missing` are characters that the hand does not know.
 */
export async function write(text, { left, right, baselines, capital }) {
  const shapes = await known();
  const missing = [...new Set([...text].filter((c) => c.trim() && !(c in shapes)))];
  const words = text.split(/\s+/).map((word) => [...word].filter((c) => c in shapes)).filter((word) => word.length);
  const set = words.map((word) => compose(word, shapes));
  for (let size = capital; ; size *= 0.94) {
    const lines = broken(set, (right - left) / (size / 100));
    if (size > 12 && (lines.length > baselines.length || lines.some((line) => line.width > (right - left) / (size / 100)))) {
      continue;
    }
    const strokes = lines.slice(0, baselines.length).flatMap((line, row) =>
      line.strokes.map((stroke) =>
        stroke.map(([x, y]) => ({ x: left + (x * size) / 100, y: baselines[row] - (y * size) / 100 })),
      ),
    );
    return { strokes, missing };
  }
}

/** A word: its strokes from x = 0, and its width. */
function compose(word, shapes) {
  let x = 0;
  const strokes = [];
  for (const character of word) {
    const choice = shapes[character];
    const way = choice[Math.floor(Math.random() * choice.length)];
    const across = way.flatMap((flat) => flat.filter((_, i) => i % 2 === 0));
    const left = Math.min(...across);
    const lift = (Math.random() - 0.5) * 4;
    for (const flat of way) {
      const stroke = [];
      // leaning a little, as people write
      for (let i = 0; i < flat.length; i += 2) stroke.push([x + flat[i] - left + flat[i + 1] * 0.08, flat[i + 1] + lift]);
      strokes.push(stroke);
    }
    x += Math.max(...across) - left + GAP;
  }
  return { strokes, width: x - GAP };
}

/** Words on lines of at most `room`. */
function broken(words, room) {
  const lines = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line && line.width + SPACE + word.width <= room) {
      const shift = line.width + SPACE;
      line.strokes.push(...word.strokes.map((stroke) => stroke.map(([x, y]) => [x + shift, y])));
      line.width = shift + word.width;
    } else {
      lines.push({ strokes: [...word.strokes], width: word.width });
    }
  }
  return lines;
}
