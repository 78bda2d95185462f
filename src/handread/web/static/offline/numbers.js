// Numbers as Python and NumPy have them, so that the same picture takes the same turns here as there.

/** To the nearest whole number, halves to the even one. */
export function round(value) {
  const below = Math.floor(value);
  const part = value - below;
  return part > 0.5 || (part === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** A whole number within 0..255. */
export function byte(value) {
  const whole = round(value);
  return whole < 0 ? 0 : whole > 255 ? 255 : whole;
}

export const limited = (value, low, high) => Math.min(Math.max(value, low), high);

/** Whole part of a quotient. */
export const part = (value, of) => Math.floor(value / of);

/** The value at `share` (0..1) of sorted numbers, between two of them where it falls between. */
export function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const first = sorted[low];
  const second = sorted[Math.min(low + 1, sorted.length - 1)];
  const rest = place - low;
  return rest < 0.5 ? first + (second - first) * rest : second - (second - first) * (1 - rest);
}

/** As `quantile`, for bytes that are counted by value. */
export function quantileOfCounts(counts, share) {
  let total = 0;
  for (const count of counts) total += count;
  const place = share * (total - 1);
  const low = Math.floor(place);
  const first = nth(counts, low);
  const second = nth(counts, Math.min(low + 1, total - 1));
  const rest = place - low;
  return rest < 0.5 ? first + (second - first) * rest : second - (second - first) * (1 - rest);
}

/** The value of the byte at `place` among bytes counted by value, were they sorted. */
export function nth(counts, place) {
  let seen = 0;
  for (let value = 0; value < 256; value += 1) {
    seen += counts[value];
    if (seen > place) return value;
  }
  return 255;
}

export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The first place in sorted numbers at which `value` can stand. */
export function searchSorted(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function runningSum(values) {
  let sum = 0;
  return Float64Array.from(values, (value) => (sum += value));
}

/** The place of the largest, the first of equals. */
export function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) if (values[i] > values[best]) best = i;
  return best;
}
