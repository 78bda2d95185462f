"""Small ink images as pictures inside a page: PNG data URIs, drawn as ink on the page's own paper."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.errors import DataError
from handread.reports.page import Markup, tag

if TYPE_CHECKING:
    from handread.types import UInt8Array

LARGEST = 64
"""Longer side in pixels of a picture in a page; larger images are reduced to it."""


def png(image: UInt8Array, *, bits: int = 8) -> bytes:
    """A grey PNG of uint8 (H, W), 0 black .. 255 white, with 2 to the power of `bits` greys (8, 4, 2 or 1).

    Four bits are enough for a picture the size of a stamp, and half the bytes. Raises `DataError` for another
    dtype or rank, or an image without pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        raise DataError(f"a picture is uint8 of shape (H, W), got {image.dtype} of shape {image.shape}")
    if bits not in (1, 2, 4, 8):
        raise DataError(f"a grey PNG has 1, 2, 4 or 8 bits a pixel, not {bits}")
    height, width = image.shape
    rows = np.zeros((height, 1 + -(-width * bits // 8)), np.uint8)  # each row begins with its filter, none
    rows[:, 1:] = _packed(image, bits)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def _packed(image: UInt8Array, bits: int) -> UInt8Array:
    if bits == 8:
        return image
    each = 8 // bits
    levels = (image.astype(np.uint16) * (2**bits - 1) + 127) // 255
    padded = np.pad(levels, ((0, 0), (0, -image.shape[1] % each))).reshape(len(image), -1, each)
    weights = 2 ** (bits * np.arange(each - 1, -1, -1))
    return np.asarray((padded * weights).sum(axis=2), dtype=np.uint8)


def data_uri(image: UInt8Array, *, bits: int = 4) -> str:
    """The PNG of `image` as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png(image, bits=bits)).decode()


def thumbnail(ink: UInt8Array, *, largest: int = LARGEST) -> UInt8Array:
    """`ink` with its longer side at most `largest` pixels, each pixel the mean of those it stands for."""
    longest = max(ink.shape)
    if longest <= largest:
        return ink
    import cv2  # only where an image is large

    size = tuple(max(1, round(side * largest / longest)) for side in ink.shape[::-1])
    return np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def ink_picture(ink: UInt8Array, alt: str, *, class_: str = "shot", title: str | None = None) -> Markup:
    """An ``img`` of an ink image, uint8 (H, W), 0 paper .. 255 ink: dark ink in a light page, light in a dark one."""
    small = thumbnail(ink)
    return tag(
        "img", src=data_uri(255 - small), alt=alt, class_=class_, title=title,
        width=small.shape[1], height=small.shape[0],
    )  # fmt: skip


def grey_picture(values: npt.NDArray[np.float64], alt: str) -> Markup:
    """An enlarged ``img`` of a map of numbers (H, W), 0 paper .. 1 ink."""
    ink = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return tag(
        "img", src=data_uri(255 - ink, bits=8), alt=alt, class_="shot wide",
        width=ink.shape[1], height=ink.shape[0],
    )  # fmt: skip


def contact_sheet(images: Sequence[UInt8Array], *, columns: int, side: int = 40, gap: int = 4) -> UInt8Array:
    """One ink image of many, uint8, `columns` in a row, each centred in a square of `side` pixels."""
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * (side + gap) - gap, columns * (side + gap) - gap), np.uint8)
    for place, image in enumerate(images):
        small = thumbnail(image, largest=side)
        times = max(1, side // max(small.shape))  # 8 x 8 pixels at their own size are specks
        small = small.repeat(times, axis=0).repeat(times, axis=1)
        row, column = divmod(place, columns)
        top = row * (side + gap) + (side - small.shape[0]) // 2
        left = column * (side + gap) + (side - small.shape[1]) // 2
        sheet[top : top + small.shape[0], left : left + small.shape[1]] = small
    return sheet
