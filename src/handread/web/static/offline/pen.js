// Thick lines as OpenCV draws them (modules/imgproc, drawing.cpp): a rectangle a segment, a disc at each end. Places
// count in 65536ths of a pixel, beyond what 32 bits hold, so they are floats that hold whole numbers.

const ONE = 65536;
const HALF = 32768;

const floored = (value) => Math.floor(value / ONE);

/** Draw `points` [[x, y]], whole numbers in 16ths of a pixel, `thickness` pixels wide in 255. */
export function drawLine(image, points, thickness) {
  let before = points[0];
  points.slice(1).forEach((point, i) => {
    thick(image, before.map((v) => v * 4096), point.map((v) => v * 4096), thickness, i === 0); // prettier-ignore
    before = point;
  });
}

function thick(image, from, to, thickness, first) {
  if (thickness <= 1) {
    thinLine(image, from, to);
    return;
  }
  const [dx, dy] = [(from[0] - to[0]) / ONE, (to[1] - from[1]) / ONE];
  const long = dx * dx + dy * dy;
  if (long > Number.EPSILON) {
    const reach = (thickness * HALF + (thickness & 1) * ONE * 0.5) / Math.sqrt(long);
    const [x, y] = [rounded(dy * reach), rounded(dx * reach)];
    fillConvex(image, [
      [from[0] + x, from[1] + y],
      [from[0] - x, from[1] - y],
      [to[0] - x, to[1] - y],
      [to[0] + x, to[1] + y],
    ]);
  }
  const radius = floored(thickness * HALF + HALF);
  for (const end of first ? [from, to] : [to]) disc(image, floored(end[0] + HALF), floored(end[1] + HALF), radius);
}

function rounded(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

function row({ data, width, height }, y, from, to) {
  if (y < 0 || y >= height || to < 0 || from >= width) return;
  data.fill(255, y * width + Math.max(from, 0), y * width + Math.min(to, width - 1) + 1);
}

function disc(image, x, y, radius) {
  let [error, dx, dy, plus, minus] = [0, radius, 0, 1, 2 * radius - 1];
  while (dx >= dy) {
    row(image, y - dy, x - dx, x + dx);
    row(image, y + dy, x - dx, x + dx);
    row(image, y - dx, x - dy, x + dy);
    row(image, y + dx, x - dy, x + dy);
    dy += 1;
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      dx -= 1;
      minus -= 2;
    }
  }
}

function thinLine(image, from, to) {
  const clipped = clip(image, from, to);
  if (!clipped) return;
  let [x1, y1, x2, y2] = clipped;
  const { data, width, height } = image;
  const put = (x, y) => {
    if (x >= 0 && y >= 0 && x < width && y < height) data[y * width + x] = 255;
  };
  let [dx, dy] = [x2 - x1, y2 - y1];
  const flat = Math.abs(dx) > Math.abs(dy);
  if (flat ? dx < 0 : dy < 0) [x1, y1, x2, y2, dx, dy] = [x2, y2, x1, y1, -dx, -dy];
  const odd = (value) => (value % 2 ? value : value + 1);
  put(floored(x2 + HALF), floored(y2 + HALF));
  if (flat) {
    const step = Math.trunc((dy * ONE) / odd(Math.abs(dx)));
    let y = y1 + HALF;
    let x = floored(x1 + HALF);
    for (let count = floored(x2 - x1); count >= 0; count -= 1, x += 1, y += step) put(x, floored(y));
  } else {
    const step = Math.trunc((dx * ONE) / odd(Math.abs(dy)));
    let x = x1 + HALF;
    let y = floored(y1 + HALF);
    for (let count = floored(y2 - y1); count >= 0; count -= 1, y += 1, x += step) put(floored(x), y);
  }
}

/** The part of a line within the picture, or null. */
function clip({ width, height }, from, to) {
  let [x1, y1, x2, y2] = [...from, ...to];
  const [right, bottom] = [width * ONE - 1, height * ONE - 1];
  const side = (x, y) => (x < 0 ? 1 : 0) + (x > right ? 2 : 0) + (y < 0 ? 4 : 0) + (y > bottom ? 8 : 0);
  let [a, b] = [side(x1, y1), side(x2, y2)];
  if ((a & b) === 0 && (a | b) !== 0) {
    if (a & 12) {
      const y = a < 8 ? 0 : bottom;
      x1 += Math.trunc(((y - y1) * (x2 - x1)) / (y2 - y1));
      y1 = y;
      a = (x1 < 0 ? 1 : 0) + (x1 > right ? 2 : 0);
    }
    if (b & 12) {
      const y = b < 8 ? 0 : bottom;
      x2 += Math.trunc(((y - y2) * (x2 - x1)) / (y2 - y1));
      y2 = y;
      b = (x2 < 0 ? 1 : 0) + (x2 > right ? 2 : 0);
    }
    if ((a & b) === 0 && (a | b) !== 0) {
      if (a) {
        const x = a === 1 ? 0 : right;
        y1 += Math.trunc(((x - x1) * (y2 - y1)) / (x2 - x1));
        x1 = x;
        a = 0;
      }
      if (b) {
        const x = b === 1 ? 0 : right;
        y2 += Math.trunc(((x - x2) * (y2 - y1)) / (x2 - x1));
        x2 = x;
        b = 0;
      }
    }
  }
  return (a | b) === 0 ? [x1, y1, x2, y2] : null;
}

function fillConvex(image, corners) {
  const { width, height } = image;
  const count = corners.length;
  const [xs, ys] = [0, 1].map((i) => corners.map((corner) => corner[i]));
  corners.forEach((corner, i) => thinLine(image, corners[(i + count - 1) % count], corner));
  const [left, right, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys)].map((v) => floored(v + HALF));
  const end = floored(Math.max(...ys) + HALF);
  if (right < 0 || end < 0 || left >= width || top >= height) return;
  const bottom = Math.min(end, height - 1);
  const start = ys.indexOf(Math.min(...ys));
  const sides = [1, count - 1].map((turn) => ({ at: start, turn, x: -ONE, step: 0, until: top }));
  let edges = count;
  for (let y = top; y <= bottom; y += 1) {
    for (const side of sides) {
      if (y < side.until) continue;
      let at = side.at;
      let next = (at + side.turn) % count;
      for (; edges > 0; edges -= 1) {
        const until = floored(ys[next] + HALF);
        if (until > y) {
          side.until = until;
          side.step = Math.trunc(((xs[next] - xs[at]) * 2 + (until - y)) / (2 * (until - y)));
          side.x = xs[at];
          side.at = next;
          edges -= 1;
          break;
        }
        at = next;
        next = (next + side.turn) % count;
      }
      if (edges < 0) return;
    }
    if (y >= 0) {
      const [a, b] = [sides[0].x, sides[1].x];
      row(image, y, floored(Math.min(a, b) + HALF), floored(Math.max(a, b) + HALF));
    }
    for (const side of sides) side.x += side.step;
  }
}
