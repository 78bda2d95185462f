"""Large attacks: whole pictures at the limits of size, files that grow when decoded, and pages that are nothing but marks.

They cost a second each, so that one case in a thousand is one of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from fuzz.forms import FORMS, chunk
from fuzz.seeds import encoded, rle_bmp
from handread.imaging.limits import MAX_PIXELS

SIDE = int(MAX_PIXELS**0.5)
"""A square picture of this side is just let in."""

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel of PNG's colour types."""


def striped_png(width: int, height: int, *, depth: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    """Vertical stripes, packed a thousandfold: what a small file may promise and keep."""
    samples = _SAMPLES[colour]
    pattern = (np.arange(width) // 16 % 2 * 255).astype(np.uint8)
    row = (np.packbits(pattern > 0) if depth == 1 else np.repeat(pattern, samples * depth // 8)).tobytes()
    if interlace:  # seven small pictures: rows of zeros are right for all of them
        row = b"\0" * (len(row) + 8)
    packer = zlib.compressobj(1)
    rows = (b"\0" + row) * max(1, min(height, 64))
    body = b"".join(packer.compress(rows) for _ in range(-(-height // 64))) + packer.flush()
    extra = chunk(b"PLTE", bytes(range(256)) * 3) + chunk(b"tRNS", b"\x80") if colour == 3 else b""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def striped_tiff(width: int, height: int, *, bits: int, samples: int, kind: int, photometric: int) -> bytes:
    """The same as TIFF in one strip; `kind` is 1 for whole numbers, 3 for floats."""
    pattern = (np.arange(width) // 16 % 2 * 200).astype({8: np.uint8, 16: np.uint16, 32: np.int32}[bits])
    row = np.repeat(pattern.astype(np.float32) if kind == 3 else pattern, samples).tobytes()
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row * 64) for _ in range(-(-height // 64))) + packer.flush()
    many = struct.pack(f"<{samples}H", *[bits] * samples)
    offset = 8 + len(many) * (samples > 2)
    values = [(256, 4, 1, width), (257, 4, 1, height)]
    values += [(258, 3, samples, 8 if samples > 2 else bits | bits << 16 if samples == 2 else bits)]
    values += [(259, 3, 1, 8), (262, 3, 1, photometric), (273, 4, 1, offset), (277, 3, 1, samples), (278, 4, 1, height)]
    values += [(279, 4, 1, len(body))]
    if samples in (2, 4) and photometric < 5:
        values.append((338, 3, 1, 2))
    values.append((339, 3, 1, kind))
    directory = struct.pack("<H", len(values)) + b"".join(struct.pack("<HHII", *entry) for entry in values) + b"\0" * 4
    begin = struct.pack("<2sHI", b"II", 42, offset + len(body))
    return begin + (many if samples > 2 else b"") + body + directory


def many_strips(count: int) -> bytes:
    """A TIFF with a strip a row and a table of strips as long as is asked for."""
    values = [(256, 4, 1, 8), (257, 4, 1, 60_000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    values += [(273, 4, count, 8), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, count, 8)]
    directory = struct.pack("<H", len(values)) + b"".join(struct.pack("<HHII", *entry) for entry in values) + b"\0" * 4
    table = struct.pack("<I", 8) * count
    return struct.pack("<2sHI", b"II", 42, 8 + len(table)) + table + directory


def many_scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan is there so many times: each goes over the whole picture."""
    whole = encoded(Image.new("L", (side, side), 200), "JPEG", progressive=True, quality=50)
    parts = FORMS["jpeg"].parts(whole)
    start, end = parts[-2][0], parts[-1][1]
    return whole[:end] + whole[start:end] * count + whole[end:]


def flooded_png(count: int) -> bytes:
    """So many empty chunks before the pixels."""
    whole = striped_png(40, 40)
    place = whole.index(b"IDAT") - 4
    return whole[:place] + chunk(b"prVt", b"") * count + whole[place:]


def flooded_jpeg(count: int) -> bytes:
    """So many empty segments before the pixels."""
    whole = encoded(Image.new("L", (40, 40), 200), "JPEG")
    return whole[:2] + b"\xff\xe7\x00\x02" * count + whole[2:]


def flooded_gif(count: int) -> bytes:
    """A remark in so many pieces before the pixels."""
    whole = encoded(Image.new("L", (40, 40), 200), "GIF")
    place = FORMS["gif"].parts(whole)[-1][0]
    return whole[:place] + b"\x21\xfe" + b"\x01x" * count + b"\0" + whole[place:]


def plain_numbers(kind: int, side: int) -> bytes:
    """A PNM of written numbers."""
    return b"P%d\n%d %d\n" % (kind, side, side) + (b"" if kind == 1 else b"255\n") + b"7 " * side * side


def jumping_bmp(width: int, height: int, jumps: int) -> bytes:
    """A run-length coded BMP that jumps down 255 lines at a time, over and over."""
    whole = rle_bmp(np.zeros((1, 4), np.uint8))
    head = bytearray(whole[: 14 + 40 + 1024])
    head[18:26] = struct.pack("<ii", width, height)
    return bytes(head) + b"\x00\x02\x00\xff" * jumps


def tag_bomb(size: int, tags: int) -> bytes:
    """A TIFF block of `size` bytes with so many tags, each of which claims all of the bytes."""
    entries = b"".join(struct.pack("<HHII", 700 + number, 7, size, 0) for number in range(tags))
    block = struct.pack("<2sHIH", b"II", 42, 8, tags) + entries + b"\0" * 4
    return block + b"\0" * (size - len(block))


def tagged_png(size: int, tags: int) -> bytes:
    """A PNG with such a block as its Exif."""
    whole = striped_png(40, 40)
    place = whole.index(b"IDAT") - 4
    return whole[:place] + chunk(b"eXIf", tag_bomb(size, tags)) + whole[place:]


def tagged_jpeg(blocks: int) -> bytes:
    """A JPEG with such a block, in several segments that are joined."""
    whole = encoded(Image.new("L", (40, 40), 200), "JPEG")
    size = 65_000
    block = tag_bomb(size * blocks, min(60_000, size * blocks // 12 - 2))
    parts = (b"Exif\0\0" + block[k * size : (k + 1) * size] for k in range(blocks))
    return whole[:2] + b"".join(struct.pack(">BBH", 255, 225, len(part) + 2) + part for part in parts) + whole[2:]


def commented_pnm(kind: int, count: int) -> bytes:
    """A PNM of written numbers with so many remarks among them."""
    return b"P%d\n9 9\n" % kind + (b"" if kind == 1 else b"255\n") + b"#\n" * count + b"1 " * 81


def _square(side: int, value: int) -> Image.Image:
    image = Image.new("L", (side, side), 240)
    image.paste(value, (side // 3, side // 4, side // 2, side // 4 * 3))
    return image


GIANTS: dict[str, Callable[[np.random.Generator], Any]] = {
    "png grey": lambda rng: striped_png(SIDE, SIDE),
    "png colour": lambda rng: striped_png(SIDE, SIDE, colour=2),
    "png transparent": lambda rng: striped_png(SIDE, SIDE, colour=6),
    "png grey and alpha": lambda rng: striped_png(SIDE, SIDE, colour=4),
    "png palette": lambda rng: striped_png(SIDE, SIDE, colour=3),
    "png bits": lambda rng: striped_png(SIDE, SIDE, depth=1),
    "png deep": lambda rng: striped_png(SIDE, SIDE, depth=16),
    "png deep colour": lambda rng: striped_png(SIDE, SIDE, depth=16, colour=2),
    "png interlaced": lambda rng: striped_png(SIDE, SIDE, interlace=1),
    "png wide": lambda rng: striped_png(60_000, 1 + int(rng.integers(3))),
    "png high": lambda rng: striped_png(1 + int(rng.integers(3)), 60_000),
    "png too wide": lambda rng: striped_png(MAX_PIXELS, 1),
    "png bomb": lambda rng: striped_png(20_000, 20_000),
    "png flood": lambda rng: flooded_png(1_000_000),
    "tiff grey": lambda rng: striped_tiff(SIDE, SIDE, bits=8, samples=1, kind=1, photometric=1),
    "tiff deep": lambda rng: striped_tiff(SIDE, SIDE, bits=16, samples=1, kind=1, photometric=1),
    "tiff whole": lambda rng: striped_tiff(SIDE, SIDE, bits=32, samples=1, kind=1, photometric=1),
    "tiff float": lambda rng: striped_tiff(SIDE, SIDE, bits=32, samples=1, kind=3, photometric=1),
    "tiff colour": lambda rng: striped_tiff(SIDE, SIDE, bits=8, samples=3, kind=1, photometric=2),
    "tiff transparent": lambda rng: striped_tiff(SIDE, SIDE, bits=8, samples=4, kind=1, photometric=2),
    "tiff inks": lambda rng: striped_tiff(SIDE, SIDE, bits=8, samples=4, kind=1, photometric=5),
    "tiff strips": lambda rng: many_strips(1_000_000),
    "jpeg grey": lambda rng: encoded(_square(SIDE, 30), "JPEG"),
    "jpeg progressive": lambda rng: encoded(_square(SIDE, 30), "JPEG", progressive=True),
    "jpeg scans": lambda rng: many_scans(SIDE, 300),
    "jpeg small scans": lambda rng: many_scans(64, 5000),
    "jpeg flood": lambda rng: flooded_jpeg(1_000_000),
    "gif": lambda rng: encoded(_square(SIDE, 30), "GIF"),
    "gif flood": lambda rng: flooded_gif(2_000_000),
    "bmp": lambda rng: encoded(_square(SIDE, 30), "BMP"),
    "bmp runs": lambda rng: rle_bmp(rng.integers(0, 255, (2000, 2000)).astype(np.uint8)),
    "bmp lines": lambda rng: jumping_bmp(SIDE, SIDE, 0) + b"\x01\x01\0\0" * SIDE,
    "bmp jumps": lambda rng: jumping_bmp(8_000_000, 10, 5),
    "ppm grey": lambda rng: encoded(_square(SIDE, 30), "PPM"),
    "ppm plain grey": lambda rng: plain_numbers(2, 3000),
    "ppm plain bits": lambda rng: plain_numbers(1, 3000),
    "ppm comments": lambda rng: commented_pnm(2, 400_000),
    "ppm header": lambda rng: b"P5\n" + b"#" * 20_000_000 + b"\n9 9 255\n" + b"1" * 81,
    "ppm scaled": lambda rng: b"P5\n3000 3000 100\n" + b"1" * 9_000_000,
    "png tags": lambda rng: tagged_png(10_000_000, 60_000),
    "jpeg tags": lambda rng: tagged_jpeg(4),
    "jpeg rubbish": lambda rng: b"\xff\xd8\xff\xe0\0\2" + b"x" * 20_000_000,
    "tiff tags": lambda rng: tag_bomb(10_000_000, 60_000),
    "webp": lambda rng: encoded(_square(SIDE, 30).convert("RGB"), "WEBP", lossless=True, method=0, quality=0),
    "heap": lambda rng: b"\x89PNG\r\n\x1a\n" + b"\0" * 300_000_000,
    "array": lambda rng: np.broadcast_to(np.uint8(7), (SIDE, SIDE)),
    "array deep": lambda rng: np.broadcast_to(np.uint16(700), (SIDE, SIDE)),
    "array float": lambda rng: np.broadcast_to(np.float64(0.5), (SIDE, SIDE)),
    "array float colour": lambda rng: np.broadcast_to(np.float32(0.5), (SIDE, SIDE, 3)),
    "array transparent": lambda rng: np.broadcast_to(np.uint8(7), (SIDE, SIDE, 4)),
    "array deep colour": lambda rng: np.broadcast_to(np.uint16(700), (SIDE, SIDE, 4)),
}
"""Name -> what makes it."""

PAGE = 2400
"""Side in pixels of the pages of marks: the working size, on which lines are looked for."""


def page(rng: np.random.Generator) -> tuple[npt.NDArray[np.uint8], str]:
    """A page that is crowded with marks of one sort, uint8 (H, W), and which."""
    name = list(_PAGES)[int(rng.integers(len(_PAGES)))]
    return _PAGES[name](rng), name


def _paper() -> npt.NDArray[np.uint8]:
    return np.full((PAGE, PAGE), 240, np.uint8)


def _specks(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    paper = _paper()
    height, width = rng.integers(2, 14, 2).tolist()
    for x, y in rng.integers(0, PAGE - 20, (int(rng.choice((5000, 20_000, 100_000))), 2)).tolist():
        paper[y : y + height, x : x + width] = 20
    return paper


def _checkers(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    place = np.arange(PAGE) // int(rng.integers(1, 50)) % 2
    return np.where(place[:, None] ^ place[None], 20, 240).astype(np.uint8)


def _spiral(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    paper, gap = _paper(), int(rng.integers(6, 60))
    turn = np.arange(0, np.pi * PAGE / gap, 0.01)
    points = PAGE / 2 + (turn * gap / (2 * np.pi))[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    cv2.polylines(paper, [points.astype(np.int32)], False, 20, int(rng.integers(1, 5)))
    return paper


def _grid(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Rows of equal marks, of any size and distance: the marks of a page that is full."""
    paper = _paper()
    height, width = (int(v) for v in rng.integers(4, (60, 160)))
    down, across = (int(v) for v in rng.integers(3, 24, 2))
    drift = int(rng.integers(0, 6))
    for y in range(16, PAGE - height - 16, height + down):
        for number, x in enumerate(range(16, PAGE - width - 16, width + across)):
            top = y + (number % 3) * drift
            paper[top : top + height, x : x + width] = 20
            if height > 12 and width > 12:
                paper[top + 4 : top + height - 4, x + 4 : x + width - 4] = 240
    return paper


def _waves(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Long lines up and down, which may be many characters that touch."""
    paper = _paper()
    height, width, period = int(rng.integers(12, 60)), int(rng.integers(30, 2300)), int(rng.integers(5, 60))
    along = np.arange(width)
    wave = height / 2 + (height / 2 - 3) * np.sin(along * 2 * np.pi / period)
    for y in range(16, PAGE - height - 16, height + int(rng.integers(4, 20))):
        for x in range(16, PAGE - width - 16, width + int(rng.integers(4, 30))):
            cv2.polylines(paper, [np.stack([x + along, y + wave], axis=1).astype(np.int32)], False, 20, 2)
    return paper


def _bars(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Characters in fragments that lie over one another, to be joined again."""
    paper = _paper()
    height, width, gap = int(rng.integers(2, 20)), int(rng.integers(6, 60)), int(rng.integers(2, 8))
    for y in range(16, PAGE - height - 16, height + gap):
        for x in range(16, PAGE - width - 16, width + int(rng.integers(3, 9))):
            paper[y : y + height, x : x + width] = 20
    return paper


def _noise(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    coarse = int(rng.integers(1, 40))
    small = rng.integers(0, 256, (PAGE // coarse, PAGE // coarse)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (PAGE, PAGE), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _scribbles(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    paper, size = _paper(), int(rng.integers(8, 90))
    for _ in range(int(rng.choice((300, 2000, 6000)))):
        points = rng.integers(0, size, (int(rng.integers(2, 7)), 2)) + rng.integers(10, PAGE - size - 10, 2)
        cv2.polylines(paper, [points.astype(np.int32)], False, 20, int(rng.integers(1, 4)))
    return paper


_PAGES: dict[str, Callable[[np.random.Generator], npt.NDArray[np.uint8]]] = {
    "specks": _specks,
    "checkers": _checkers,
    "spiral": _spiral,
    "grid": _grid,
    "waves": _waves,
    "bars": _bars,
    "noise": _noise,
    "scribbles": _scribbles,
}
