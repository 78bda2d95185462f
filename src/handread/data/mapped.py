"""Images that stay in their file, for sets that memory would not hold.

What is read through a mapping counts as memory of the process for as long as the mapping lasts, so rows and blocks are
read through short-lived ones; the system keeps what was read as long as it has room.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

MAP_FROM = 256 << 20
"""Bytes of images from which they are left in a file that holds them as they are."""

_ROWS = 256
"""Rows that one mapping gives: the system may bring 64 KiB around each."""
_BLOCK = 4 << 20
"""Bytes of a block."""


def mapped(path: Path, offset: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The bytes of `path` from `offset` on as a read-only array, not read yet."""
    return np.memmap(path, np.uint8, "r", offset, shape)


def is_mapped(images: npt.NDArray[np.uint8]) -> bool:
    """True for what `mapped` gave; a part of that does not know where in the file it begins."""
    return isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)


def rows_of(images: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """`images[rows]`, a copy in memory; of mapped images no more than that."""
    if not is_mapped(images):
        return images[rows]
    found = np.empty((len(rows), *images.shape[1:]), images.dtype)
    for first in range(0, len(rows), _ROWS):
        found[first : first + _ROWS] = _anew(images)[rows[first : first + _ROWS]]
    return found


def blocks_of(images: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    """`images` in pieces of some megabytes, one after the other, at least one."""
    rows = max(1, _BLOCK // max(1, images[:1].nbytes))
    for first in range(0, max(1, len(images)), rows):
        yield _anew(images)[first : first + rows]


def _anew(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if not isinstance(images, np.memmap) or images.filename is None or not is_mapped(images):
        return images
    return mapped(Path(images.filename), images.offset, images.shape)
