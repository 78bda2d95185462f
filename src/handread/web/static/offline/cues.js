// Size-and-position cues, as handread.imaging.cues has them: [from a picture, from a line, height, centre].

export const NO_CUE = Float32Array.of(0, 0, 0, 0);

/** A character in `box` in a picture `height` pixels high. */
export function pictureCue(box, height) {
  const [size, centre] = [box.height / height, 1 - (box.y + box.height / 2) / height];
  return cue(1, 0, Math.min(Math.max(size, 0.3), 1), Math.min(Math.max(centre, 0.35), 0.6));
}

/** A character from row `top` to `bottom` in a line from `lineTop` to `lineBottom`. */
export function lineCue(top, bottom, lineTop, lineBottom) {
  const span = Math.max(lineBottom - lineTop, 1e-6);
  return cue(0, 1, (bottom - top) / span, (lineBottom - (top + bottom) / 2) / span);
}

function cue(picture, line, height, centre) {
  return Float32Array.of(picture, line, Math.min(height, 1.5), Math.min(Math.max(centre, -0.5), 1.5));
}
