// A zip archive whose files are stored as they are: pictures are packed already.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** CRC-32 as zip wants it. */
export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** The archive as a Blob, of `[{name, bytes}]`; names are UTF-8, the date is that of `when`. */
export function zip(files, when = new Date()) {
  const time = (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1);
  const date = (Math.max(0, when.getFullYear() - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const title = new TextEncoder().encode(name);
    // version, UTF-8 names, stored, time, date, crc, both sizes, length of the name, no extra field
    const common = [[20, 2], [0x0800, 2], [0, 2], [time, 2], [date, 2], [crc32(bytes), 4], [bytes.length, 4],
      [bytes.length, 4], [title.length, 2], [0, 2]]; // prettier-ignore
    const head = numbers([[0x04034b50, 4], ...common]);
    directory.push(numbers([[0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]]), title);
    parts.push(head, title, bytes);
    offset += head.length + title.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = [[0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [offset, 4], [0, 2]];
  return new Blob([...parts, ...directory, numbers(end)], { type: "application/zip" });
}

/** Little-endian bytes of `[value, length]` pairs. */
function numbers(pairs) {
  return Uint8Array.from(
    pairs.flatMap(([value, length]) => Array.from({ length }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff)),
  );
}
