// Pictures in other sizes, pixel for pixel as OpenCV makes them (modules/imgproc, resize.cpp and imgwarp.cpp).

import { picture } from "./image.js";
import { byte, limited, round } from "./numbers.js";

/** A smaller copy, its longer side at most `side` pixels. */
export function smaller(image, side) {
  const factor = Math.max(image.width, image.height) / side;
  if (factor <= 1) return image;
  return shrunk(image, Math.max(3, round(image.width / factor)), Math.max(3, round(image.height / factor)));
}

/** Smaller, each pixel the mean of the area that it covers: INTER_AREA. */
export function shrunk(image, width, height) {
  const { data } = image;
  if (width === image.width && height === image.height) return picture(width, height, data.slice());
  const across = image.width / width;
  const down = image.height / height;
  if (across < 1 || down < 1) return linear(image, width, height, areaTaps);
  if (Number.isInteger(across) && Number.isInteger(down)) return wholeMeans(image, width, height, across, down);
  const columns = areaTable(image.width, width, across);
  const rows = areaTable(image.height, height, down);
  const made = picture(width, height);
  const line = new Float32Array(width);
  const sums = new Float32Array(width);
  let row = 0;
  const store = () => {
    for (let x = 0; x < width; x += 1) made.data[row * width + x] = byte(sums[x]);
  };
  for (let i = 0; i < rows.count; i += 1) {
    weigh(data, rows.from[i] * image.width, columns, line);
    const weight = rows.weight[i];
    if (rows.to[i] !== row) {
      store();
      row = rows.to[i];
      for (let x = 0; x < width; x += 1) sums[x] = Math.fround(weight * line[x]);
    } else {
      for (let x = 0; x < width; x += 1) sums[x] = Math.fround(sums[x] + Math.fround(weight * line[x]));
    }
  }
  store();
  return made;
}

/** The sums of a row's pixels, each by its share, in single precision as OpenCV has them. */
function weigh(data, start, { to, from, weight, count }, sums) {
  let [x, sum] = [0, Math.fround(0)];
  for (let j = 0; j < count; j += 1) {
    if (to[j] !== x) {
      sums[x] = sum;
      x = to[j];
      sum = Math.fround(0);
    }
    sum = Math.fround(sum + Math.fround(data[start + from[j]] * weight[j]));
  }
  sums[x] = sum;
}

function areaTable(size, target, scale) {
  const most = size + 2 * target;
  const [to, from, weight] = [new Int32Array(most), new Int32Array(most), new Float32Array(most)];
  let count = 0;
  const add = (x, source, share) => {
    [to[count], from[count], weight[count]] = [x, source, share];
    count += 1;
  };
  for (let x = 0; x < target; x += 1) {
    const first = x * scale;
    const last = first + scale;
    const wide = Math.min(scale, size - first);
    const stop = Math.min(Math.floor(last), size - 1);
    const start = Math.min(Math.ceil(first), stop);
    if (start - first > 1e-3) add(x, start - 1, (start - first) / wide);
    for (let source = start; source < stop; source += 1) add(x, source, 1 / wide);
    if (last - stop > 1e-3) add(x, stop, Math.min(last - stop, 1, wide) / wide);
  }
  return { to, from, weight, count };
}

function wholeMeans({ data, width: wide }, width, height, across, down) {
  const made = picture(width, height);
  const share = Math.fround(1 / (across * down));
  const fours = across === 2 && down === 2;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let v = 0; v < down; v += 1) {
        const start = (y * down + v) * wide + x * across;
        for (let u = 0; u < across; u += 1) sum += data[start + u];
      }
      made.data[y * width + x] = fours ? (sum + 2) >> 2 : byte(Math.fround(sum * share));
    }
  }
  return made;
}

/** Larger or smaller, between the four nearest pixels: INTER_LINEAR. */
export function linear(image, width, height, taps = linearTaps) {
  const { data, width: wide } = image;
  if (width === image.width && height === image.height) return picture(width, height, data.slice());
  const columns = taps(image.width, width);
  const rows = taps(image.height, height);
  const made = picture(width, height);
  const line = (row) => {
    const values = new Int32Array(width);
    for (let x = 0; x < width; x += 1) {
      const start = row * wide;
      values[x] = data[start + columns.first[x]] * columns.left[x] + data[start + columns.second[x]] * columns.right[x];
    }
    return values;
  };
  const kept = new Map();
  for (let y = 0; y < height; y += 1) {
    const wanted = [rows.first[y], rows.second[y]];
    for (const row of kept.keys()) if (!wanted.includes(row)) kept.delete(row);
    for (const row of wanted) if (!kept.has(row)) kept.set(row, line(row));
    const [above, below] = wanted.map((row) => kept.get(row));
    const [top, bottom] = [rows.left[y], rows.right[y]];
    for (let x = 0; x < width; x += 1) {
      made.data[y * width + x] = ((((top * (above[x] >> 4)) >> 16) + ((bottom * (below[x] >> 4)) >> 16) + 2) >> 2);
    }
  }
  return made;
}

function linearTaps(size, target) {
  const scale = 1 / (target / size);
  return tapsAt(size, target, (x) => {
    const place = Math.fround((x + 0.5) * scale - 0.5);
    return [Math.floor(place), Math.fround(place - Math.floor(place))];
  });
}

function areaTaps(size, target) {
  const scale = 1 / (target / size);
  return tapsAt(size, target, (x) => {
    const first = Math.floor(x * scale);
    const over = Math.fround(x + 1 - (first + 1) / scale);
    return [first, over <= 0 ? 0 : Math.fround(over - Math.floor(over))];
  });
}

function tapsAt(size, target, place) {
  const taps = { first: new Int32Array(target), second: new Int32Array(target), left: new Int32Array(target), right: new Int32Array(target) };
  for (let x = 0; x < target; x += 1) {
    let [first, rest] = place(x);
    if (first < 0) [first, rest] = [0, 0];
    if (first >= size - 1) [first, rest] = [size - 1, 0];
    taps.first[x] = first;
    taps.second[x] = Math.min(first + 1, size - 1);
    taps.left[x] = round(Math.fround(Math.fround(1 - rest) * 2048));
    taps.right[x] = round(Math.fround(rest * 2048));
  }
  return taps;
}

/** Larger, each pixel that of the place it came from: INTER_NEAREST. */
export function nearest({ data, width: wide, height: high }, width, height) {
  const made = picture(width, height);
  const from = Int32Array.from({ length: width }, (_, x) => Math.min(Math.floor(x * (1 / (width / wide))), wide - 1));
  for (let y = 0; y < height; y += 1) {
    const start = Math.min(Math.floor(y * (1 / (height / high))), high - 1) * wide;
    for (let x = 0; x < width; x += 1) made.data[y * width + x] = data[start + from[x]];
  }
  return made;
}

/** Scaled by `scale` and moved by `across` and `down`, zeros around: warpAffine with INTER_LINEAR. */
export function moved({ data, width: wide, height: high }, scale, across, down, width, height) {
  const made = picture(width, height);
  const back = Math.fround(1 / scale);
  const [left, top] = [Math.fround((-1 / scale) * across), Math.fround((-1 / scale) * down)];
  const at = (x, y) => (x < 0 || y < 0 || x >= wide || y >= high ? 0 : data[y * wide + x]);
  for (let y = 0; y < height; y += 1) {
    const row = Math.fround(y * back + top);
    const v = Math.floor(row);
    const b = Math.fround(row - v);
    for (let x = 0; x < width; x += 1) {
      const column = Math.fround(x * back + left);
      const u = Math.floor(column);
      const a = Math.fround(column - u);
      const upper = at(u, v) + a * (at(u + 1, v) - at(u, v));
      const lower = at(u, v + 1) + a * (at(u + 1, v + 1) - at(u, v + 1));
      made.data[y * width + x] = byte(upper + b * (lower - upper));
    }
  }
  return made;
}

/** A Float32Array of `width` x `height` in another size, by cubic curves: INTER_CUBIC. Only for pictures to look at. */
export function cubic(values, wide, high, width, height) {
  const made = new Float32Array(width * height);
  const taps = (size, target) =>
    Array.from({ length: target }, (_, x) => {
      const place = ((x + 0.5) * size) / target - 0.5;
      const first = Math.floor(place);
      const t = place - first;
      const near = (d) => 1.25 * d ** 3 - 2.25 * d ** 2 + 1;
      const far = (d) => -0.75 * d ** 3 + 3.75 * d ** 2 - 6 * d + 3;
      const weights = [far(t + 1), near(t), near(1 - t), far(2 - t)];
      return weights.map((weight, i) => [limited(first - 1 + i, 0, size - 1), weight]);
    });
  const columns = taps(wide, width);
  const rows = taps(high, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (const [v, b] of rows[y]) for (const [u, a] of columns[x]) sum += a * b * values[v * wide + u];
      made[y * width + x] = sum;
    }
  }
  return made;
}
