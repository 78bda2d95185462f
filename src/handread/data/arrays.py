"""What every array form needs: one polarity, one pixel range, and the alphabet that bare numbers mean."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from handread.alphabet import NAMED, Alphabet
from handread.data.mapped import blocks_of
from handread.errors import AlphabetError, DataError


def as_ink(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring a whole set, uint8 (N, H, W), to ink: bright strokes on dark paper, full range 0..255.

    Sets stored as 0/1 or 0..16 are stretched by their common maximum. The set as a whole is inverted when the
    median pixel of all image borders is above 127: one image may touch its border, most of a set does not.
    """
    if not images.size:
        return images
    highest = max(int(block.max()) for block in blocks_of(images))
    if 0 < highest < 32:
        images = np.round(images * np.float32(255 / highest)).astype(np.uint8)
    # The median from a histogram: no sort of a few million pixels.
    below_or_at = np.cumsum(sum(_borders(block) for block in blocks_of(images)))
    median = int(np.searchsorted(below_or_at, (int(below_or_at[-1]) + 1) // 2))
    return 255 - images if median > 127 else images


def _borders(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """How many border pixels, corners twice, have each of the 256 values."""
    sides = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
    return np.bincount(np.concatenate([side.ravel() for side in sides]), minlength=256).astype(np.int64)


def alphabet_of_numbers(name: str, labels: npt.NDArray[np.int64]) -> Alphabet:
    """The alphabet that bare class numbers mean: digits when all are below 10, alphanumeric below 62.

    Raises `DataError` for negative numbers, for 62 or more, and where the numbers are exactly those of a
    letters-only or merged set: read as alphanumeric, every letter would silently be wrong.
    """
    lowest, highest = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if lowest < 0 or highest >= 62:
        raise DataError(
            f"{name}: label {lowest if lowest < 0 else highest} is outside 0..61 (digits, capitals, small "
            "letters); store the set as NPZ with `characters` naming its classes in order"
        )
    if (lowest, highest) in _NOT_ALPHANUMERIC and len(np.unique(labels)) == highest - lowest + 1:
        raise DataError(
            f"{name}: labels {lowest}..{highest} are probably not the first classes of 0-9A-Za-z but "
            f"{_NOT_ALPHANUMERIC[lowest, highest]}; write the characters themselves as labels, or store the "
            "set as NPZ with `characters` naming its classes in order"
        )
    return Alphabet.of("digits" if highest < 10 else "alphanumeric")


_NOT_ALPHANUMERIC = {
    (0, 25): "the letters A-Z",
    (1, 26): "the letters A-Z",
    (0, 46): "EMNIST's merged classes",
}


def alphabet_of_labels(labels: Iterable[str]) -> Alphabet:
    """The smallest of digits and alphanumeric that holds these characters, else exactly they, sorted.

    Raises `DataError` where they are no alphabet: more than `alphabet.LARGEST`, or one that none can see.
    """
    used = sorted(set(labels))
    for name in ("digits", "alphanumeric"):
        if set(used) <= set(NAMED[name]):
            return Alphabet.of(name)
    try:
        return Alphabet.of(tuple(used))
    except AlphabetError as error:
        raise DataError(f"the labels are no alphabet: {error}") from None


def alphabet_of_characters(name: str, characters: str) -> Alphabet:
    """The alphabet that a file spells out; `DataError` when it is empty or repeats a character."""
    try:
        return Alphabet.of(tuple(characters))
    except AlphabetError as error:
        raise DataError(f"{name}: its `characters` are no alphabet: {error}") from None
