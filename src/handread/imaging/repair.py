"""Damage of small pictures, undone before their ink is looked for: single wrong pixels, and sides turned inside out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from handread.types import GrayImage

_LARGEST = 128
"""Longer side in pixels up to which pictures are repaired: in larger ones a wrong pixel is no part of a stroke."""

_APART = 60
"""Grey levels from which a pixel differs from its neighbour."""
_NOISY = 0.01
"""Fraction of pixels unlike all their neighbours from which a picture is noisy; strokes have none."""

_JUMP = 150
"""Grey levels between the two sides of a seam."""


def repaired(gray: GrayImage) -> GrayImage:
    """The picture, uint8 (H, W), with both kinds of damage undone; the same array where there is none."""
    if max(gray.shape) > _LARGEST or min(gray.shape) < 8:
        return gray
    return without_noise(one_ground(gray))


def without_noise(gray: GrayImage) -> GrayImage:
    """Where many pixels are alone, pixels unlike most of their neighbours become the median of these.

    On the ground a pixel goes that is unlike 6 of its 8 neighbours. In a stroke two pixels wide a missing pixel is
    unlike 5 only, so that many suffice on the other side of the picture's mean.
    """
    around = _neighbours(gray)
    off = gray.astype(np.int16) - around
    bright = (off > _APART).sum(axis=0, dtype=np.uint8)
    dark = (off < -_APART).sum(axis=0, dtype=np.uint8)
    if float(((bright == 8) | (dark == 8)).mean()) < _NOISY:
        return gray
    on_dark = bright.sum() >= dark.sum()
    least_bright, least_dark = (6, 5) if on_dark else (5, 6)
    wrong = (bright >= least_bright) | (dark >= least_dark)
    around.sort(axis=0)
    middle = (around[3].astype(np.uint16) + around[4]) // 2
    return np.where(wrong, middle, gray).astype(np.uint8)


def _neighbours(gray: GrayImage) -> npt.NDArray[np.uint8]:
    """The 8 neighbours of each pixel, uint8 (8, H, W); the rim repeats itself."""
    height, width = gray.shape
    framed = cv2.copyMakeBorder(gray, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    places = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    return np.stack([framed[y : y + height, x : x + width] for y, x in places])


def one_ground(gray: GrayImage) -> GrayImage:
    """Where light and dark change places in a band along the left and along the right side, the bands are turned back.

    Such a seam is straight and upright, the grey jumps there in the first, the last and most rows, and the values left
    and right of it make up white: no stroke and no shadow does that on both sides of something as high as a character.
    """
    width = gray.shape[1]
    values = gray.astype(np.int16)
    steps = values[:, 1:] - values[:, :-1]
    sums = values[:, 1:] + values[:, :-1]
    seams = (np.abs(steps) >= _JUMP).mean(axis=0) >= 0.5
    seams &= (np.abs(sums - 255) < 255 - _JUMP).mean(axis=0) >= 0.5
    rim = np.sign(steps[[0, -1]])
    seams &= (np.abs(steps[[0, -1]]) >= _JUMP).all(axis=0) & (rim[0] == rim[1])
    places = np.flatnonzero(seams) + 1
    if len(places) != 2 or rim[0, places[0] - 1] == rim[0, places[1] - 1]:
        return gray
    left, right = (int(place) for place in places)
    if left > 0.4 * width or right < 0.6 * width:
        return gray
    inside = values[:, left:right]
    ink = np.abs(inside - np.median(inside)) > _JUMP / 2
    if ink.any(axis=1).mean() < 0.4:
        return gray
    turned = 255 - gray
    turned[:, left:right] = gray[:, left:right]
    return turned
