"""What a picture's file may ask for, looked up in its bytes before a decoder sees them.

Pillow parses the heads of files in Python, block by block, and believes most of what stands there: a megabyte of
empty blocks, of tags that all point to the same bytes, or of scans over an empty page would keep it busy for minutes
or fill the memory. No picture that anyone takes comes near these limits.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from handread.errors import ImageError

MAX_PIXELS = 80_000_000
"""A picture whose header claims more is refused before it is decoded."""

MAX_SIDE = 65_535
"""Longest side in pixels: the most that JPEG knows."""

MAX_BYTES = 256_000_000
"""Largest file; 80 megapixels of plain colour have 240."""

WIDE_PIXELS = 50_000_000
"""Limit for WebP and HEIC, whose decoders hold four copies of the picture at a time."""

WRITTEN_PIXELS = 1_000_000
"""Limit for run-length coded BMP and for PGM and PPM with numbers written out or scaled, which Pillow decodes in
Python, a microsecond a number."""

MOST_BLOCKS = 100_000
"""Chunks of a PNG, segments of a JPEG with the bytes between them."""

MOST_REMARKS = 5_000
"""Blocks of a GIF before its first picture; Pillow joins them one by one."""

MOST_STRIPS = 65_536
"""Strips or tiles of a TIFF."""

MOST_SCANS, MOST_SCANNED = 64, 1_000_000_000
"""Scans of a JPEG, and pixels of all its scans together: each goes over the whole picture; ten are usual."""

TAG_BYTES = 64_000_000
"""What the tags of an Exif block may hold together, were each as long as the block; what those of a TIFF may hold
beyond its length."""

_EXIF_BLOCKS = 16
"""Exif segments of a JPEG; Pillow joins them one by one."""

_COMMENTS, _HEADER = 1_000, 65_536
"""Comments of a PGM or PPM, and bytes within which its header must end."""

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a TIFF tag's value by its type."""
_STRIPS = (273, 324)


def check_bytes(size: int, name: str) -> None:
    """Raise `ImageError` for a file of more than `MAX_BYTES`."""
    if size > MAX_BYTES:
        raise ImageError(
            f"{name} is too large (more than {MAX_BYTES:,} bytes); save it as JPEG or PNG, or scale it down first"
        )


def check_head(data: bytes, name: str) -> None:
    """Raise `ImageError` where a file, by what stands before its pixels, would cost more than any picture does."""
    if data.startswith(b"\x89PNG"):
        _at_most(_png_chunks(data), MOST_BLOCKS, "blocks", name)
    elif data.startswith(b"\xff\xd8"):
        _check_jpeg(data, name)
    elif data.startswith(b"GIF8"):
        _at_most(_gif_blocks(data), MOST_REMARKS, "blocks before its picture", name)
    elif data[:2] in _ORDERS:
        _check_tiff(data, name)
    elif re.match(rb"P[1-6fFy]", data):
        _check_pnm(data, name)


def check_size(image: Any, data: bytes, name: str, max_pixels: int) -> None:
    """Raise `ImageError` where an image that Pillow has opened, but not decoded, is too large for its form."""
    width, height = image.size
    pixels, shown = width * height, f"{width} x {height} = {width * height:,} pixels"
    if pixels > max_pixels:
        raise ImageError(too_large(name, shown, max_pixels))
    if image.format in ("WEBP", "HEIF") and pixels > WIDE_PIXELS:
        form = "WebP" if image.format == "WEBP" else "HEIC"
        raise ImageError(f"{name} is too large for {form} ({shown}, at most {WIDE_PIXELS:,}); save it as JPEG or PNG")
    if pixels > WRITTEN_PIXELS and any(tile[0] in ("bmp_rle", "ppm", "ppm_plain") for tile in image.tile):
        raise ImageError(
            f"{name} is too large for numbers written out or coded as runs ({shown}, at most {WRITTEN_PIXELS:,}); "
            "save it as PNG"
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"{name} is too long ({width} x {height} pixels, at most {MAX_SIDE:,} a side); cut it up")
    if image.format in ("JPEG", "MPO"):
        # inside coded data a byte of 255 is always followed by 0, so that this can only count too many
        scans = data.count(b"\xff\xda")
        if scans > MOST_SCANS or scans * pixels > MOST_SCANNED:
            raise ImageError(f"{name} goes over its {shown} in {scans:,} scans, ten are usual; save the picture again")


def check_array(shape: tuple[int, ...], max_pixels: int) -> None:
    """Raise `ImageError` for an array (H, W) or (H, W, C) of too many pixels."""
    if shape[0] * shape[1] > max_pixels:
        raise ImageError(too_large("the array", f"{shape[1]} x {shape[0]} pixels", max_pixels))


def too_large(name: str, size: str, max_pixels: int) -> str:
    """The sentence about a picture of too many pixels."""
    return f"{name} is too large ({size}, at most {max_pixels:,}); scale it down first"


def costly_tags(exif: bytes) -> bool:
    """True for an Exif block, with or without its name in front, whose tags could hold more than `TAG_BYTES`."""
    block = exif.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(block[:2])
    if order is None:
        return False
    start = int.from_bytes(block[4:8], order)
    return int.from_bytes(block[start : start + 2], order) * len(block) > TAG_BYTES


def _at_most(count: int, limit: int, what: str, name: str) -> None:
    if count > limit:
        raise ImageError(f"{name} has more than {limit:,} {what}, which no picture has; save the picture again")


def _png_chunks(data: bytes) -> int:
    place, count = 8, 0
    while place + 8 <= len(data) and count <= MOST_BLOCKS:
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        count += 1
    return count


def _check_jpeg(data: bytes, name: str) -> None:
    steps, place, exif = 0, 2, list[bytes]()
    while steps <= MOST_BLOCKS:
        mark = data.find(b"\xff", place)
        steps += (mark if mark >= 0 else len(data)) - place + 1
        if mark < 0 or mark + 1 >= len(data) or data[mark + 1] == 0xDA:
            break
        code = data[mark + 1]
        if code == 0xFF:
            place = mark + 1
        elif code in (0, 1) or 0xD0 <= code <= 0xD9:  # alone, without a length
            place = mark + 2
        else:
            place = mark + 2 + max(2, int.from_bytes(data[mark + 2 : mark + 4], "big"))
            if code == 0xE1 and data[mark + 4 : mark + 10] == b"Exif\0\0":
                exif.append(data[mark + 10 : place])
    _at_most(steps, MOST_BLOCKS, "segments", name)
    _at_most(len(exif), _EXIF_BLOCKS, "Exif blocks", name)
    if costly_tags(b"".join(exif)):
        raise ImageError(f"{name} has more Exif tags than any camera writes; save the picture again")


def _gif_blocks(data: bytes) -> int:
    if len(data) < 13:
        return 0
    place, count = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0), 0
    while place < len(data) and data[place] != 0x2C and count <= MOST_REMARKS:
        if data[place] != 0x21:  # passed over byte by byte
            place += 1
            count += 1
            continue
        place += 2
        while place < len(data) and data[place] and count <= MOST_REMARKS:
            place += data[place] + 1
            count += 1
        place += 1
        count += 1
    return count


def _check_tiff(data: bytes, name: str) -> None:
    order = _ORDERS[data[:2]]

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)

    wide = number(2, 2) == 43
    long, head, entry = (8, 8, 20) if wide else (4, 2, 12)
    start = number(8 if wide else 4, long)
    count = number(start, head)
    _at_most(count, 65_535, "tags", name)
    held = 0
    for place in range(start + head, min(start + head + count * entry, len(data) - entry + 1), entry):
        many = number(place + 4, long)
        size = many * _UNITS.get(number(place + 2, 2), 1)
        if number(place, 2) in _STRIPS:
            _at_most(many, MOST_STRIPS, "strips or tiles", name)
        if long < size and number(place + 4 + long, long) + size <= len(data):
            held += size
    if held > len(data) + TAG_BYTES:
        raise ImageError(f"{name} is damaged: its tags share their bytes; save the picture again")


def _check_pnm(data: bytes, name: str) -> None:
    head = re.sub(rb"#[^\r\n]*", b"", data[:_HEADER])
    if len(data) >= _HEADER and len(head.split(maxsplit=4)) < (3 if data[:2] in (b"P1", b"P4") else 4):
        raise ImageError(f"{name} is damaged: its header does not end within {_HEADER:,} bytes; save it again")
    if data[:2] in (b"P1", b"P2", b"P3"):
        _at_most(data.count(b"#"), _COMMENTS, "comments", name)
