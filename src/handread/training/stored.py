"""Training images that stay in their file and become network inputs when a batch asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.data.mapped import blocks_of, rows_of
from handread.frame import Frame
from handread.imaging.glyph import normalise

if TYPE_CHECKING:
    from handread.types import ModelInput

Rows = npt.NDArray[np.int64] | slice | int


class _ArrayLike:
    """What stands where an array uint8 (N, 1, height, width) is expected: it has a length, a shape and rows, and numpy
    makes the whole array of it where it must."""

    shape: tuple[int, ...]
    dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows) -> ModelInput:
        if isinstance(rows, int | np.integer):
            one: ModelInput = self._taken(np.array([rows]))[0]
            return one
        return self._taken(np.arange(len(self))[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def _taken(self, rows: npt.NDArray[np.int64]) -> ModelInput:
        raise NotImplementedError

    def content(self) -> Iterator[npt.NDArray[Any]]:
        """All that the images depend on, piece by piece, for a checksum."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class _Stored(_ArrayLike):
    ink: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    frame: Frame
    shape: tuple[int, ...]

    def _taken(self, rows: npt.NDArray[np.int64]) -> ModelInput:
        return normalise(rows_of(self.ink, self.rows[rows]), self.frame)

    def content(self) -> Iterator[npt.NDArray[Any]]:
        yield self.rows
        yield from blocks_of(self.ink)


@dataclass(frozen=True, slots=True, eq=False)
class _Joined(_ArrayLike):
    parts: tuple[ModelInput, ...]
    shape: tuple[int, ...]

    def _taken(self, rows: npt.NDArray[np.int64]) -> ModelInput:
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        first = 0
        for part in self.parts:
            own = (rows >= first) & (rows < first + len(part))
            found[own] = part[rows[own] - first]
            first += len(part)
        return found

    def content(self) -> Iterator[npt.NDArray[Any]]:
        for part in self.parts:
            yield from content(part)


def stored(ink: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64], frame: Frame) -> ModelInput:
    """The given rows of `ink`, uint8 (M, H, W), as inputs of `frame`: as an array would be, made anew each time."""
    made: Any = _Stored(ink, rows, frame, (len(rows), 1, *frame.shape))
    inputs: ModelInput = made
    return inputs


def joined(parts: Sequence[ModelInput]) -> ModelInput:
    """All rows of all parts in order, in memory unless a part is stored."""
    if len(parts) == 1:
        return parts[0]
    if not any(isinstance(part, _ArrayLike) for part in parts):
        return np.concatenate(parts)
    made: Any = _Joined(tuple(parts), (sum(map(len, parts)), *parts[0].shape[1:]))
    inputs: ModelInput = made
    return inputs


def content(images: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """All that `images` depend on, piece by piece, for a checksum; of an array its own values."""
    if isinstance(images, _ArrayLike):
        yield from images.content()
    else:
        yield images


def part_of(images: npt.NDArray[np.uint8], first: int, last: int) -> npt.NDArray[np.uint8]:
    """Rows `first` to `last` (exclusive) of `images`; what is stored stays so where they are a whole part of it."""
    if isinstance(images, _Joined):
        start = 0
        for part in images.parts:
            if (start, start + len(part)) == (first, last):
                return part
            start += len(part)
    if (first, last) == (0, len(images)):
        return images
    return images[first:last]
