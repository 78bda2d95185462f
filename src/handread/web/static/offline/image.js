// Pictures of one byte a pixel: {data: Uint8Array, width, height}, row by row from the top.

/** A picture of zeros, or of `data`. */
export function picture(width, height, data = new Uint8Array(width * height)) {
  return { data, width, height };
}

export function cut(image, x, y, width, height) {
  const part = picture(width, height);
  for (let row = 0; row < height; row += 1) {
    const start = (y + row) * image.width + x;
    part.data.set(image.data.subarray(start, start + width), row * width);
  }
  return part;
}

/** A new picture of the same size, each pixel by `change(value, place)`. */
export function mapped(image, change) {
  const made = picture(image.width, image.height);
  const { data } = image;
  for (let i = 0; i < data.length; i += 1) made.data[i] = change(data[i], i);
  return made;
}

/** 1 where a pixel is above `level`, else 0. */
export function above(image, level) {
  const made = picture(image.width, image.height);
  const { data } = image;
  for (let i = 0; i < data.length; i += 1) made.data[i] = data[i] > level ? 1 : 0;
  return made;
}

export function transposed({ data, width, height }) {
  const made = picture(height, width);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) made.data[x * height + y] = data[y * width + x];
  }
  return made;
}

/** The picture with `room` pixels of zero around it. */
export function framed(image, room) {
  const { data, width, height } = image;
  const made = picture(width + 2 * room, height + 2 * room);
  for (let y = 0; y < height; y += 1) {
    made.data.set(data.subarray(y * width, (y + 1) * width), (y + room) * made.width + room);
  }
  return made;
}

/** Each value by a table of 256. */
export function lookedUp(image, table) {
  const made = picture(image.width, image.height);
  for (let i = 0; i < image.data.length; i += 1) made.data[i] = table[image.data[i]];
  return made;
}

/** Each value times `factor`, at most 255. */
export function strengthened(image, factor) {
  const single = Math.fround(factor);
  const table = new Uint8Array(256);
  for (let value = 0; value < 256; value += 1) {
    const product = Math.fround(value * single);
    const below = Math.floor(product);
    const rest = product - below;
    table[value] = Math.min(255, rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below);
  }
  return lookedUp(image, table);
}

export function histogram({ data }) {
  const counts = new Float64Array(256);
  for (let i = 0; i < data.length; i += 1) counts[data[i]] += 1;
  return counts;
}

export function sum({ data }) {
  let total = 0;
  for (let i = 0; i < data.length; i += 1) total += data[i];
  return total;
}

export function peak({ data }) {
  let most = 0;
  for (let i = 0; i < data.length; i += 1) if (data[i] > most) most = data[i];
  return most;
}

export function any({ data }) {
  for (let i = 0; i < data.length; i += 1) if (data[i]) return true;
  return false;
}

/** Box [x, y, width, height] of what is not zero; zeros where there is nothing. */
export function bounds({ data, width, height }) {
  let [left, right, top, bottom] = [width, -1, -1, -1];
  for (let y = 0; y < height; y += 1) {
    const start = y * width;
    for (let x = 0; x < width; x += 1) {
      if (!data[start + x]) continue;
      if (top < 0) top = y;
      bottom = y;
      if (x < left) left = x;
      if (x > right) right = x;
    }
  }
  return top < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}
