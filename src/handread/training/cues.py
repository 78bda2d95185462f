"""Cues for training: jittered from real pictures, invented from typography for size-normalised data.

MNIST and EMNIST have lost where a character stood on its line. Writing has rules for that: digits, capitals
and ascenders reach the cap height, x-height letters stand between the baseline and 0.5 to 0.75 of it,
descenders hang below. Lines of random characters after these rules give each character the cue that
`handread.imaging.cues.line_cue` would measure in such a line.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet

if TYPE_CHECKING:
    from handread.types import Floats, Random

_NEIGHBOURS = 6
"""Most other characters in an invented line."""


class CueSampler:
    """Draws a cue for every image of a batch, anew each epoch."""

    def __init__(self, alphabet: Alphabet) -> None:
        extents = np.array([_extent(c) for c in alphabet] + [(0.0, 0.0, 1.0)], dtype=np.float32)
        self._low, self._x_part, self._high = extents.T
        self._kind = np.array([_kind(c) for c in alphabet] + [0])
        self._members = [np.flatnonzero(self._kind[:-1] == k) for k in range(3)]

    def sample(
        self,
        labels: npt.NDArray[np.int64],
        cues: Floats,
        pictures: npt.NDArray[np.bool_],
        ambiguous: npt.NDArray[np.bool_],
        rng: Random,
    ) -> Floats:
        """float32 (N, 4): the picture's own cue, an invented line's, or none.

        `ambiguous` marks labels of unknown case: a line invented for the wrong case would be a lie, they get none.
        What is no character is shown with the cues of characters of the same batch, so that no cue, and no lack of
        one, gives it away.
        """
        count = len(labels)
        chance = rng.random(count)
        own = chance < np.where(pictures, 0.8, 0.25)
        in_line = ~own & ~ambiguous & (chance > np.where(pictures, 0.9, 0.6))
        drawn = cues[:, :2].sum(axis=1) > 0
        result = np.zeros((count, 4), dtype=np.float32)
        result[own] = self._jitter(cues[own], rng)
        none = labels == len(self._low) - 1
        lines = in_line & ~none
        result[lines] = self._line(labels[lines], rng)
        result[~drawn & own] = 0
        if none.any():
            characters = np.flatnonzero(~none)
            result[none] = result[rng.choice(characters, int(none.sum()))] if len(characters) else 0
        return result

    def _jitter(self, cues: Floats, rng: Random) -> Floats:
        """Pictures are cut in many ways: vary the frame's size and its place."""
        scale = np.exp(rng.normal(0, 0.12, len(cues)))
        moved = cues.copy()
        moved[:, 2] = np.clip(cues[:, 2] * scale, 0, 1)
        moved[:, 3] = np.clip(cues[:, 3] + rng.normal(0, 0.05, len(cues)), 0, 1)
        return moved

    def _line(self, labels: npt.NDArray[np.int64], rng: Random) -> Floats:
        count = len(labels)
        x_height = rng.uniform(0.48, 0.78, (count, 1)).astype(np.float32)
        classes = np.concatenate([labels[:, None], self._neighbours(labels, rng)], axis=1)  # (n, 1 + neighbours)
        high = np.where(self._x_part[classes] > 0, x_height * self._x_part[classes], self._high[classes])
        low = self._low[classes]
        wobble = 0.06
        high = high + rng.normal(0, wobble, classes.shape)
        low = low + rng.normal(0, wobble, classes.shape)
        there = np.arange(1 + _NEIGHBOURS)[None, :] <= rng.integers(1, _NEIGHBOURS + 1, (count, 1))
        top = np.where(there, high, -np.inf).max(axis=1)
        bottom = np.where(there, low, np.inf).min(axis=1)
        span = np.maximum(top - bottom, 1e-3)
        result = np.zeros((count, 4), dtype=np.float32)
        result[:, 1] = 1
        result[:, 2] = (high[:, 0] - low[:, 0]) / span
        result[:, 3] = ((high[:, 0] + low[:, 0]) / 2 - bottom) / span
        return result

    def _neighbours(self, labels: npt.NDArray[np.int64], rng: Random) -> npt.NDArray[np.int64]:
        """Characters that stand in one line with each label: numbers, words, capitals, mixed."""
        count = len(labels)
        kind = self._kind[labels]
        shape = rng.random(count)
        others = np.empty((count, _NEIGHBOURS), dtype=np.int64)
        group = np.repeat(kind[:, None], _NEIGHBOURS, axis=1)
        mixed = shape > 0.75
        group[mixed] = rng.integers(0, 3, (int(mixed.sum()), _NEIGHBOURS))
        # a capital often leads a word of small letters, and small letters often follow a capital
        leads = (kind == 1) & (shape < 0.35)
        group[leads] = 2
        follows = (kind == 2) & (shape < 0.4)
        group[follows, 0] = 1
        for index, members in enumerate(self._members):
            if not len(members):
                group[group == index] = int(np.argmax([len(m) for m in self._members]))
        for index, members in enumerate(self._members):
            chosen = group == index
            if chosen.any():
                others[chosen] = rng.choice(members, int(chosen.sum()))
        return others


def _kind(character: str) -> int:
    if character in string.ascii_uppercase:
        return 1
    return 2 if character in string.ascii_lowercase else 0


def _extent(character: str) -> tuple[float, float, float]:
    """Bottom, multiple of the x-height that is the top (0: none), top in cap heights."""
    if character in "gpqy":
        return (-0.35, 1.0, 0.0)
    if character == "j":
        return (-0.35, 0.0, 0.95)
    if character in "acemnorsuvwxz":
        return (0.0, 1.0, 0.0)
    if character == "i":
        return (0.0, 0.0, 0.92)
    if character == "t":
        return (0.0, 0.0, 0.88)
    if character == "f":
        return (-0.08, 0.0, 1.0)
    return (0.0, 0.0, 1.0)
