"""The structure of picture files: where their parts lie, which numbers steer a decoder, and parts made to mislead it.

Only so much of each form is understood as an attack needs; a file that is damaged already has fewer parts.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Part = tuple[int, int]
"""Half open range of bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """A whole number in a file."""

    place: int
    size: int
    """Bytes: 1, 2, 4 or 8."""
    big: bool
    """Most significant byte first."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of one form."""

    parts: Callable[[bytes], list[Part]]
    fields: Callable[[bytes], list[Field]]
    crafted: Callable[[np.random.Generator], bytes]
    """A part of its own that is no good."""
    mended: Callable[[bytes], bytes]
    """The checksums made right, so that what was changed is looked at."""


def unchanged(data: bytes) -> bytes:
    """For forms without checksums."""
    return data


def _filler(rng: np.random.Generator, most: int) -> bytes:
    """Rubbish, or the same byte many times."""
    count = int(rng.integers(0, most))
    return rng.bytes(count) if rng.random() < 0.5 else bytes([int(rng.integers(0, 256))]) * count


def _some(rng: np.random.Generator) -> int:
    """Bytes of a part: mostly few, sometimes a thousand times as many."""
    return int(rng.choice((12, 80, 2000, 200_000), p=(0.4, 0.4, 0.19, 0.01)))


def exif(rng: np.random.Generator) -> bytes:
    """A TIFF block of tags as cameras write it, with lying counts, offsets and types."""
    order = ">" if rng.random() < 0.5 else "<"
    count = int(rng.integers(0, 6))
    tags = (0x0112, 0x8769, 0x8825, 0x927C, 0x010F, 0x0201, 0x02BC, 0xA005)
    block = struct.pack(order + "2sHIH", b"MM" if order == ">" else b"II", 42, 8, count)
    for _ in range(count):
        tag = int(rng.choice(tags))
        kind = int(rng.integers(0, 14))
        many = int(rng.choice((0, 1, 1, 2, 65535, 0xFFFFFFFF)))
        value = int(rng.choice((0, 1, 3, 6, 8, 9, 0x7FFFFFFF, 0xFFFFFFFF)))
        block += struct.pack(order + "HHII", tag, kind, many, value)
    return block + struct.pack(order + "I", int(rng.choice((0, 8, 0xFFFFFFF0)))) + _filler(rng, 40)


def _png_parts(data: bytes) -> list[Part]:
    return list(_chunks(data))


def _chunks(data: bytes) -> Iterator[Part]:
    place = 8
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if end > len(data):
            return
        yield place, end
        place = end


def _png_fields(data: bytes) -> list[Field]:
    fields = []
    for start, end in _chunks(data):
        kind, body = data[start + 4 : start + 8], start + 8
        fields.append(Field(start, 4, True))
        if kind == b"IHDR":
            fields += [Field(body, 4, True), Field(body + 4, 4, True)] * 3
            fields += [Field(body + k, 1, True) for k in range(8, 13)] * 2
        elif kind == b"acTL":
            fields += [Field(body, 4, True), Field(body + 4, 4, True)]
        elif kind == b"fcTL":
            fields += [Field(body + 4 * k, 4, True) for k in range(5)]
            fields += [Field(body + k, 1, True) for k in (24, 25)]
        elif kind not in (b"IDAT", b"fdAT", b"IEND") and end - start > 12:
            fields.append(Field(body, 1, True))
    return fields


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_mended(data: bytes) -> bytes:
    mended = bytearray(data)
    for start, end in _chunks(data):
        mended[end - 4 : end] = struct.pack(">I", zlib.crc32(data[start + 4 : end - 4]))
    return bytes(mended)


def _png_crafted(rng: np.random.Generator) -> bytes:
    small = _filler(rng, _some(rng))
    packed = zlib.compress(b"\0" * int(rng.choice((0, 1000, 3_000_000))), 9)
    bodies = {
        b"eXIf": exif(rng),
        b"iCCP": b"x\0\0" + packed,
        b"zTXt": b"k\0\0" + packed,
        b"iTXt": b"k\0\1\0\0\0" + packed,
        b"tEXt": b"k\0" + small,
        b"tRNS": _filler(rng, 800),
        b"PLTE": _filler(rng, 900),
        b"IDAT": small,
        b"acTL": rng.bytes(8),
        b"fcTL": rng.bytes(26),
        b"fdAT": rng.bytes(4) + packed,
        b"gAMA": _filler(rng, 6),
        b"cHRM": _filler(rng, 40),
        b"pHYs": _filler(rng, 12),
        b"sRGB": _filler(rng, 3),
        b"IHDR": struct.pack(">IIBBBBB", *rng.integers(0, 70, 2).tolist(), 8, int(rng.integers(0, 7)), 0, 0, 1),
        b"IEND": b"",
        b"\xffbad": small,
    }
    kind = sorted(bodies)[int(rng.integers(len(bodies)))]
    return chunk(kind, bodies[kind])


def _jpeg_parts(data: bytes) -> list[Part]:
    parts, place = [], 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xDA:  # the scan lasts until the next marker
            header = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
            end = header
            while end + 1 < len(data) and (data[end] != 0xFF or data[end + 1] in (0, *range(0xD0, 0xD8))):
                end += 1
            parts += [(place, min(header, len(data))), (header, end)]
            place = end
            continue
        if data[place + 1] == 0xD9:
            break
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        parts.append((place, min(end, len(data))))
        place = end
    return [(a, b) for a, b in parts if a < b]


def _jpeg_fields(data: bytes) -> list[Field]:
    fields = []
    for start, end in _jpeg_parts(data):
        if data[start] != 0xFF:
            continue
        kind = data[start + 1]
        fields += [Field(start + 1, 1, True), Field(start + 2, 2, True)]
        if kind in (0xC0, 0xC1, 0xC2):
            fields += [Field(start + 4, 1, True), Field(start + 9, 1, True)]
            fields += [Field(start + 5, 2, True), Field(start + 7, 2, True)] * 3
        if kind not in (0xE1, 0xE2):
            fields += [Field(k, 1, True) for k in range(start + 4, min(end, start + 24, len(data)))]
    return [field for field in fields if field.place + field.size <= len(data)]


def _segment(marker: int, body: bytes) -> bytes:
    body = body[:65533]
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _jpeg_crafted(rng: np.random.Generator) -> bytes:
    made = (
        lambda: _segment(0xE1, b"Exif\0\0" + exif(rng)),
        lambda: _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _filler(rng, _some(rng))),
        lambda: _segment(0xE2, b"ICC_PROFILE\0" + rng.bytes(2) + _filler(rng, 300)),
        lambda: _segment(0xE2, b"MPF\0" + exif(rng)),
        lambda: _segment(0xED, b"Photoshop 3.0\0" + b"8BIM" + rng.bytes(2) + b"\0\0" + rng.bytes(30)),
        lambda: _segment(0xEE, b"Adobe" + rng.bytes(7)),
        lambda: _segment(0xE0, b"JFIF\0" + rng.bytes(9)),
        lambda: _segment(0xFE, _filler(rng, _some(rng))),
        lambda: _segment(0xDD, rng.bytes(2)),
        lambda: _segment(0xDB, _filler(rng, 130)),
        lambda: _segment(0xC4, _filler(rng, 100)),
        lambda: _segment(0xC2, struct.pack(">BHHB", 8, *rng.integers(0, 90, 2).tolist(), 1) + b"\1\x11\0"),
        lambda: _segment(0xDA, b"\1\1\0\0\x3f\0") + rng.bytes(20).replace(b"\xff", b"\xff\0"),
        lambda: b"\xff" * int(rng.integers(1, 50)),
        lambda: b"\xff\xd8",
        lambda: b"\xff\xd9",
    )
    return made[int(rng.integers(len(made)))]()


def _gif_parts(data: bytes) -> list[Part]:
    if len(data) < 13:
        return []
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    parts = []
    while place < len(data) and data[place] in (0x21, 0x2C):
        start = place
        if data[place] == 0x21:
            place += 2
        else:
            if place + 10 > len(data):
                break
            flags = data[place + 9]
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
        while place < len(data) and data[place]:
            place += data[place] + 1
        place += 1
        parts.append((start, min(place, len(data))))
    return parts


def _gif_fields(data: bytes) -> list[Field]:
    fields = [Field(6, 2, False), Field(8, 2, False)] * 2 + [Field(10, 1, False), Field(11, 1, False)]
    for start, _ in _gif_parts(data):
        if data[start] == 0x2C:
            fields += [Field(start + k, 2, False) for k in (1, 3, 5, 7)] * 2
            table = 3 << (data[start + 9] & 7) + 1 if data[start + 9] & 0x80 else 0
            fields += [Field(start + 9, 1, False), Field(start + 10 + table, 1, False)]
        else:
            fields += [Field(start + k, 1, False) for k in (1, 2, 3, 6)]
    return [field for field in fields if field.place + field.size <= len(data)]


def _gif_crafted(rng: np.random.Generator) -> bytes:
    kind = int(rng.choice((0xF9, 0xFE, 0xFF, 0x01, 0x77)))
    block = b"\x21" + bytes([kind])
    for _ in range(int(rng.integers(0, 4))):
        piece = rng.bytes(int(rng.integers(0, 256)))
        block += bytes([len(piece)]) + piece
    if rng.random() < 0.2:
        block += (b"\1" + rng.bytes(1)) * _some(rng)
    return block + (b"\0" if rng.random() < 0.9 else b"")


def _bmp_parts(data: bytes) -> list[Part]:
    offset = int.from_bytes(data[10:14], "little")
    size = 14 + int.from_bytes(data[14:18], "little")
    marks = sorted({14, min(size, len(data)), min(offset, len(data)), len(data)})
    return list(itertools.pairwise(marks))


def _bmp_fields(data: bytes) -> list[Field]:
    sizes = {2: 4, 10: 4, 14: 4, 18: 4, 22: 4, 26: 2, 28: 2, 30: 4, 34: 4, 46: 4, 50: 4, 54: 4, 58: 4, 62: 4, 66: 4}
    weight = {18: 3, 22: 3, 28: 2, 30: 2, 14: 2}
    return [
        Field(place, size, False)
        for place, size in sizes.items()
        if place + size <= len(data)
        for _ in range(weight.get(place, 1))
    ]


def _bmp_crafted(rng: np.random.Generator) -> bytes:
    # escapes of the run-length code: end of line, end of picture, jump, literals
    return b"".join(
        b"\0" + bytes([int(rng.choice((0, 1, 2, 3, 255)))]) + rng.bytes(int(rng.integers(0, 4)))
        for _ in range(int(rng.integers(1, 6)))
    )


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the tags of a TIFF's first page lie."""

    start: int
    count: int
    big: bool
    wide: bool

    @property
    def entry(self) -> int:
        return 20 if self.wide else 12

    @property
    def head(self) -> int:
        return 8 if self.wide else 2


def _directory(data: bytes) -> _Directory | None:
    if len(data) < 16:
        return None
    big, wide = data[:2] == b"MM", data[2:4] in (b"+\0", b"\0+")
    order = "big" if big else "little"
    start = int.from_bytes(data[8:16] if wide else data[4:8], order)  # type: ignore[arg-type]
    head = 8 if wide else 2
    if not 8 <= start <= len(data) - head:
        return None
    count = int.from_bytes(data[start : start + head], order)  # type: ignore[arg-type]
    room = (len(data) - start - head) // (20 if wide else 12)
    return _Directory(start, min(count, room, 100), big, wide)


def _tiff_parts(data: bytes) -> list[Part]:
    ifd = _directory(data)
    if ifd is None:
        return []
    first = ifd.start + ifd.head
    return [(first + k * ifd.entry, first + (k + 1) * ifd.entry) for k in range(ifd.count)]


def _tiff_fields(data: bytes) -> list[Field]:
    ifd = _directory(data)
    fields = [Field(4, 4, data[:2] == b"MM")]
    if ifd is None:
        return fields
    fields.append(Field(ifd.start, 2, ifd.big))
    long = 8 if ifd.wide else 4
    for start, _ in _tiff_parts(data):
        fields += [Field(start, 2, ifd.big), Field(start + 2, 2, ifd.big), Field(start + 4, long, ifd.big)]
        value = start + 4 + long
        fields += [Field(value, long, ifd.big), Field(value, 2, ifd.big), Field(value, 2, ifd.big)]
    fields.append(Field(ifd.start + ifd.head + ifd.count * ifd.entry, long, ifd.big))
    return [field for field in fields if field.place + field.size <= len(data)]


def _tiff_crafted(rng: np.random.Generator) -> bytes:
    tags = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 301, 317, 320, 322, 323, 324, 325,
            330, 338, 339, 347, 529, 530, 532, 34675, 34665)  # fmt: skip
    order = "<" if rng.random() < 0.7 else ">"
    many, value = (int(v) for v in rng.choice((0, 1, 2, 3, 4, 8, 16, 32, 60, 5, 7, 34925, 50000, 0xFFFFFFFF), 2))
    return struct.pack(order + "HHII", int(rng.choice(tags)), int(rng.choice((1, 3, 4, 5, 7, 16))), many, value)


def _riff_parts(data: bytes) -> list[Part]:
    parts, place = [], 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + size + (size & 1)
        if end > len(data):
            break
        parts.append((place, end))
        place = end
    return parts


def _riff_fields(data: bytes) -> list[Field]:
    fields = [Field(4, 4, False)]
    for start, end in _riff_parts(data):
        fields.append(Field(start + 4, 4, False))
        kind, body = data[start : start + 4], start + 8
        if kind == b"VP8X":
            fields += [Field(body, 1, False), Field(body + 4, 2, False), Field(body + 7, 2, False)] * 2
            fields += [Field(body + 6, 1, False), Field(body + 9, 1, False)]
        elif kind == b"VP8 ":
            fields += [Field(body, 1, False), Field(body + 6, 2, False), Field(body + 8, 2, False)] * 2
        elif kind == b"VP8L":
            fields += [Field(body + 1, 4, False)] * 3
        elif kind == b"ANMF":
            fields += [Field(body + k, 2, False) for k in (0, 3, 6, 9, 12, 20)]
        elif end - start > 8:
            fields.append(Field(body, 1, False))
    return [field for field in fields if field.place + field.size <= len(data)]


def _riff_crafted(rng: np.random.Generator) -> bytes:
    bodies = {
        b"EXIF": exif(rng),
        b"ICCP": _filler(rng, _some(rng)),
        b"XMP ": _filler(rng, _some(rng)),
        b"ALPH": rng.bytes(1) + _filler(rng, 90),
        b"ANIM": rng.bytes(6),
        b"ANMF": rng.bytes(16) + _filler(rng, 60),
        b"VP8X": bytes([int(rng.integers(0, 64)), 0, 0, 0]) + rng.bytes(6),
        b"VP8 ": _filler(rng, 60),
        b"VP8L": b"/" + _filler(rng, 60),
        b"none": _filler(rng, _some(rng)),
    }
    kind = sorted(bodies)[int(rng.integers(len(bodies)))]
    body = bodies[kind]
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def _riff_mended(data: bytes) -> bytes:
    return data[:4] + struct.pack("<I", max(0, len(data) - 8) & 0xFFFFFFFF) + data[8:] if len(data) > 8 else data


def _box_parts(data: bytes) -> list[Part]:
    return [(start, end) for start, end, _ in _boxes(data, 0, len(data), 0)]


_CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0, b"iinf": 6, b"iref": 4, b"moov": 0, b"grpl": 0}
"""Boxes that hold boxes, and the bytes before the first."""


def _boxes(data: bytes, place: int, stop: int, depth: int) -> Iterator[tuple[int, int, bytes]]:
    while place + 8 <= stop:
        size = int.from_bytes(data[place : place + 4], "big")
        end = stop if size == 0 else place + size
        if 0 < size < 8 or end > stop:
            return
        kind = data[place + 4 : place + 8]
        yield place, end, kind
        if kind in _CONTAINERS and depth < 4:
            yield from _boxes(data, place + 8 + _CONTAINERS[kind], end, depth + 1)
        place = end


def _box_fields(data: bytes) -> list[Field]:
    fields = []
    for start, end, kind in _boxes(data, 0, len(data), 0):
        fields.append(Field(start, 4, True))
        if kind == b"ispe":
            fields += [Field(start + 12, 4, True), Field(start + 16, 4, True)] * 4
        elif kind not in (b"mdat", *_CONTAINERS):
            fields += [Field(k, 1, True) for k in range(start + 8, min(end, start + 40))]
            fields += [Field(k, 4, True) for k in range(start + 8, min(end - 3, start + 40), 4)]
    return [field for field in fields if field.place + field.size <= len(data)]


def _box_crafted(rng: np.random.Generator) -> bytes:
    kinds = (b"free", b"Exif", b"irot", b"imir", b"clap", b"ispe", b"grid", b"iovl", b"colr", b"auxC", b"pixi", b"meta")
    body = _filler(rng, 80)
    return struct.pack(">I", len(body) + 8) + kinds[int(rng.integers(len(kinds)))] + body


def _text_parts(data: bytes) -> list[Part]:
    """The words of a header: a PPM has nothing else."""
    parts, place = [], 0
    head = data[:60]
    for word in head.split():
        start = head.index(word, place)
        place = start + len(word)
        parts.append((start, place))
        if len(parts) == 5:
            break
    return parts


def _text_crafted(rng: np.random.Generator) -> bytes:
    words = (b"0", b"1", b"-1", b"65535", b"65536", b"99999999", b"1e9", b"2 2", b"#\n", b"9" * 40, b"\xb2", b"P6", b"1.5",
             b"0x10", b"300000 2", b"2 300000", b"0000007", b"inf", b"nan", b"-0.0")  # fmt: skip
    return words[int(rng.integers(len(words)))] + b" "


def _no_fields(data: bytes) -> list[Field]:
    return []


FORMS: dict[str, Form] = {
    "png": Form(_png_parts, _png_fields, _png_crafted, _png_mended),
    "jpeg": Form(_jpeg_parts, _jpeg_fields, _jpeg_crafted, unchanged),
    "gif": Form(_gif_parts, _gif_fields, _gif_crafted, unchanged),
    "bmp": Form(_bmp_parts, _bmp_fields, _bmp_crafted, unchanged),
    "tiff": Form(_tiff_parts, _tiff_fields, _tiff_crafted, unchanged),
    "webp": Form(_riff_parts, _riff_fields, _riff_crafted, _riff_mended),
    "heif": Form(_box_parts, _box_fields, _box_crafted, unchanged),
    "ppm": Form(_text_parts, _no_fields, _text_crafted, unchanged),
}
"""By the form of a `fuzz.seeds.Seed`; others have no structure here."""
