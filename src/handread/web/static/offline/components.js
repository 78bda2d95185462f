// Connected ink: pixels that touch, also at a corner, as OpenCV's connectedComponentsWithStats tells them apart.

/**
 * Components of what is not zero: {labels: Int32Array, parts}, label 0 the paper, `parts[label]` with x, y, width,
 * height, area and the centre (cx, cy). In the order in which OpenCV numbers them: of their first 2 x 2 pixels.
 */
export function components({ data, width, height }) {
  const [starts, stops, rows] = [[], [], []];
  const parent = [];
  const root = (run) => {
    let at = run;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]];
    return at;
  };
  let [first, last] = [0, 0]; // runs of the row above
  for (let y = 0; y < height; y += 1) {
    const own = starts.length;
    const end = (y + 1) * width;
    let above = first;
    for (let i = y * width; i < end; i += 1) {
      if (!data[i]) continue;
      const from = i;
      while (i < end && data[i]) i += 1;
      const run = starts.length;
      const [x, stop] = [from - y * width, i - y * width];
      starts.push(x);
      stops.push(stop);
      rows.push(y);
      parent.push(run);
      while (above < last && stops[above] < x) above += 1;
      for (let other = above; other < last && starts[other] <= stop; other += 1) {
        const [a, b] = [root(run), root(other)];
        if (a !== b) parent[Math.max(a, b)] = Math.min(a, b);
      }
    }
    first = own;
    last = starts.length;
  }
  const across = (width + 1) >> 1;
  const keys = new Map();
  for (let run = 0; run < starts.length; run += 1) {
    const at = root(run);
    const key = (rows[run] >> 1) * across + (starts[run] >> 1);
    if (!keys.has(at) || key < keys.get(at)) keys.set(at, key);
  }
  const ordered = [...keys.keys()].sort((a, b) => keys.get(a) - keys.get(b));
  const numbers = new Map(ordered.map((at, i) => [at, i + 1]));
  const labels = new Int32Array(width * height);
  const parts = [{ x: 0, y: 0, right: 0, bottom: 0, area: 0, cx: 0, cy: 0 }];
  for (let i = 0; i < ordered.length; i += 1) {
    parts.push({ x: width, y: height, right: 0, bottom: 0, area: 0, cx: 0, cy: 0 });
  }
  for (let run = 0; run < starts.length; run += 1) {
    const label = numbers.get(root(run));
    const [x, stop, y] = [starts[run], stops[run], rows[run]];
    labels.fill(label, y * width + x, y * width + stop);
    const part = parts[label];
    const count = stop - x;
    part.x = Math.min(part.x, x);
    part.y = Math.min(part.y, y);
    part.right = Math.max(part.right, stop);
    part.bottom = Math.max(part.bottom, y + 1);
    part.area += count;
    part.cx += (count * (x + stop - 1)) / 2;
    part.cy += count * y;
  }
  for (const part of parts.slice(1)) {
    part.cx /= part.area;
    part.cy /= part.area;
    part.width = part.right - part.x;
    part.height = part.bottom - part.y;
  }
  return { labels, parts, width, height };
}

/** 1 where a pixel belongs to a component that is kept: `keep[label]`. */
export function kept({ labels, width, height }, keep) {
  const data = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i += 1) data[i] = keep[labels[i]] ? 1 : 0;
  return { data, width, height };
}
