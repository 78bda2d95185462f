"""Strokes of a mouse, a finger or a pen to a picture, at the place where they were drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from handread.types import GrayImage
    from handread.web.schemas import Point

LONGEST_SIDE = 1200
"""Pixels; larger canvases are drawn smaller."""

_SHIFT = 4
"""Bits behind the point in OpenCV's coordinates."""

_EVEN = 0.5
"""Pressure of a pointer that knows none; the width is then the pen's own."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A drawing as a picture and the way back to the canvas."""

    gray: GrayImage
    """uint8 (H, W), black on white."""
    scale: float
    """Pixels of the canvas for one of the picture, at least 1."""


def draw_canvas(strokes: Sequence[Sequence[Point]], *, width: float, height: float, pen: float) -> Canvas:
    """A canvas of `width` x `height` pixels with its strokes, antialiased.

    Where a point has a pressure, the stroke is `pen` pixels wide at 0.5, 0.6 of it at 0 and 1.4 at 1.
    """
    scale = max(1.0, max(width, height) / LONGEST_SIDE)
    shape = max(1, round(height / scale)), max(1, round(width / scale))
    enlarge = 4 if shape[0] * shape[1] <= 40_000 else 2
    ink = np.zeros((shape[0] * enlarge, shape[1] * enlarge), np.uint8)
    for stroke in strokes:
        if stroke:
            _draw(ink, stroke, enlarge / scale, pen)
    small = cv2.resize(ink, shape[::-1], interpolation=cv2.INTER_AREA)
    return Canvas(np.asarray(255 - small, dtype=np.uint8), scale)


def _draw(ink: npt.NDArray[np.uint8], stroke: Sequence[Point], factor: float, pen: float) -> None:
    places = np.array([(p.x, p.y) for p in stroke], dtype=np.float64) * factor - 0.5
    # far outside it would only overflow OpenCV's fixed-point numbers
    places = np.clip(places, -30_000, 30_000)
    fixed = np.round(places * (1 << _SHIFT)).astype(np.int32)
    pressure = np.array([p.pressure or _EVEN for p in stroke])
    wide = np.maximum(np.round(pen * (0.6 + 0.8 * pressure) * factor), 1).astype(int)
    if len(stroke) == 1:
        fixed, wide = np.repeat(fixed, 2, axis=0), np.repeat(wide, 2)
    thick = np.maximum(wide[:-1], wide[1:])
    # one call draws as far as the width stays
    edges = [0, *(np.flatnonzero(np.diff(thick)) + 1).tolist(), len(thick)]
    for first, last in itertools.pairwise(edges):
        cv2.polylines(ink, [fixed[first : last + 1]], False, 255, int(thick[first]), cv2.LINE_8, _SHIFT)
