// What of a picture goes with one character: what stands in its cell, and what is kept of it as a correction.

/** A square canvas with what stands in a box, in the middle and nothing else; `ratio` pixels of `source` a pixel. */
export function stamp(source, [x, y, width, height], side, ratio = 1) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const room = 0.06 * Math.max(width, height);
  const [wide, high] = [width + 2 * room, height + 2 * room];
  const scale = (0.9 * side) / Math.max(wide, high, 8);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(
    source,
    (x - room) * ratio, (y - room) * ratio, wide * ratio, high * ratio,
    (side - wide * scale) / 2, (side - high * scale) / 2, wide * scale, high * scale,
  ); // prettier-ignore
  return canvas;
}

/**
 * What is kept of the character at `index` as a picture of its own. Its size within its line is all that tells c from
 * C, so it keeps the height of its line, and one that stands alone keeps that of the whole picture.
 */
export function frameOf(index, characters, size) {
  const [x, y, width, height] = characters[index].box;
  const near = characters.filter(({ line }) => line === characters[index].line);
  let [top, bottom] = [0, size.height];
  if (characters.length > 1) {
    top = Math.min(...near.map(({ box }) => box[1]));
    bottom = Math.max(...near.map(({ box }) => box[1] + box[3]));
    const room = 0.25 * (bottom - top);
    [top, bottom] = [Math.max(0, top - room), Math.min(size.height, bottom + room)];
  }
  // to half of the way to a neighbour
  const room = 0.6 * Math.max(width, height);
  let [left, right] = [Math.max(0, x - room), Math.min(size.width, x + width + room)];
  for (const { box, index: other } of near) {
    if (other === index) continue;
    if (box[0] + box[2] / 2 < x + width / 2) left = Math.max(left, Math.min(x, (box[0] + box[2] + x) / 2));
    else right = Math.min(right, Math.max(x + width, (x + width + box[0]) / 2));
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** A canvas of the part `frame` of `source` (anything that can be drawn), its longer side at most `longest`. */
export function cutOut(source, frame, longest) {
  const scale = Math.min(1, longest / Math.max(frame.width, frame.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(frame.width * scale));
  canvas.height = Math.max(1, Math.round(frame.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(source, frame.x, frame.y, frame.width, frame.height, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** The PNG of a canvas, as a Blob. */
export function png(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
