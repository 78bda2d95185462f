"""Smaller copies of pictures: to decide what needs no detail, and to keep no more than is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from handread.types import UInt8Array


def shrunk_to(image: UInt8Array, side: int, *, least: int = 3) -> UInt8Array:
    """`image`, uint8 (H, W), with its longer side at most `side` pixels: each pixel the mean of what it covers.

    What is made smaller keeps at least `least` pixels both ways; the same array where nothing is to be done.
    """
    factor = max(image.shape) / side
    if factor <= 1:
        return image
    size = (max(least, round(image.shape[1] / factor)), max(least, round(image.shape[0] / factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
