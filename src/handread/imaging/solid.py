"""Ink wider than any stroke: where the estimate of the paper has taken the middle of a blot for paper in the shade."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from handread.imaging.rules import LEVEL
from handread.imaging.shrink import shrunk_to

if TYPE_CHECKING:
    from handread.types import GrayImage, InkImage

_SIDE = 300
"""Longer side in pixels at which holes are looked for."""
_LEAST = 16
"""Area in pixels from which a hole counts."""
_AS_DARK = 0.35
"""Part of the way from the ink around a hole to the brightest of its surroundings up to which the hole is ink too."""


def filled(ink: InkImage, gray: GrayImage) -> InkImage:
    """`ink`, uint8 (H, W), with those holes filled that are as dark as the ink around them in `gray`, dark on light.

    The hole of a 0 shows paper and stays, the middle of a filled disc does not. The same array where nothing is filled.
    """
    small = shrunk_to(ink, _SIDE)
    inked = small > LEVEL
    height, width = small.shape
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~inked).astype(np.uint8), connectivity=8)
    x, y, w, h, area = stats.T
    enclosed = (area >= _LEAST) & (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    candidates = [hole for hole in np.flatnonzero(enclosed).tolist() if hole]
    if not candidates:
        return ink
    holes = np.zeros(count, dtype=np.uint8)
    shade = shrunk_to(gray, _SIDE)
    for hole in candidates:
        x, y, w, h, _ = stats[hole].tolist()
        room = 3 + max(w, h) // 4
        box = (slice(max(0, y - room), y + h + room), slice(max(0, x - room), x + w + room))
        around = shade[box]
        dark = float(around[inked[box]].mean())
        inside = float(shade[labels == hole].mean())
        bright = float(np.quantile(around, 0.9, method="lower"))
        holes[hole] = inside - dark < _AS_DARK * (bright - dark)
    if not holes.any():
        return ink
    grown = cv2.dilate(holes[labels], np.ones((3, 3), np.uint8))
    full = cv2.resize(grown, (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.maximum(ink, 255 * full), dtype=np.uint8)
