"""Where touching characters may part: cuts along the writing's slant through little ink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.imaging.rules import LEVEL

if TYPE_CHECKING:
    from handread.types import InkImage

WAIST = 0.8
"""The outline is waisted where its height falls below this fraction of that on either side."""
MOST_PARTS = 24
"""A component is never cut into more parts than this."""


def slant_of(inks: Sequence[InkImage]) -> float:
    """Columns that upright strokes lean to the right per row upward, -0.2..0.9, over all images.

    The lean for which the columns of the sheared ink are fullest and emptiest, that is, for which the squared
    column sums are largest (after Vinciarelli and Luettin 2001, A new normalization technique).
    """
    if not inks:
        return 0.0
    leans = np.linspace(-0.2, 0.9, 12)
    score = np.zeros(len(leans))
    for ink in inks[:40]:
        small = ink if ink.shape[0] <= 40 else cv2.resize(
            ink, (max(1, round(ink.shape[1] * 40 / ink.shape[0])), 40), interpolation=cv2.INTER_AREA
        )  # fmt: skip
        rows, columns = np.nonzero(small > LEVEL)
        for index, lean in enumerate(leans):
            along = np.floor(columns + lean * rows + 0.5).astype(np.int64)  # halves to even would favour 0.5
            score[index] += float((np.bincount(along - along.min()).astype(np.float64) ** 2).sum()) if len(rows) else 0
    # upright unless another lean is clearly better
    score *= 1 - 0.06 * np.abs(leans)
    return float(leans[int(score.argmax())])


def cut_piece(ink: InkImage, height: float, slant: float) -> list[tuple[int, int, InkImage]]:
    """Parts of one component as (column offset, row offset, ink), left to right; one when nothing can be cut."""
    rows, columns = np.nonzero(ink)
    middle = ink.shape[0] / 2
    along = columns + slant * (rows - middle)  # coordinate across slanted strokes
    places = _cut_places(ink, along[ink[rows, columns] > LEVEL], rows[ink[rows, columns] > LEVEL], height)
    if not places:
        return [(0, 0, ink)]
    part_of = np.searchsorted(np.array(places), along)
    parts = []
    for index in range(len(places) + 1):
        chosen = part_of == index
        if int((ink[rows[chosen], columns[chosen]] > LEVEL).sum()) < 6:
            continue
        r, c = rows[chosen], columns[chosen]
        top, left = int(r.min()), int(c.min())
        part = np.zeros((int(r.max()) - top + 1, int(c.max()) - left + 1), dtype=np.uint8)
        part[r - top, c - left] = ink[r, c]
        parts.append((left, top, part))
    return parts or [(0, 0, ink)]


def _cut_places(
    ink: InkImage, along: npt.NDArray[np.float64], rows: npt.NDArray[np.int64], height: float
) -> list[float]:
    """Coordinates of cuts, well apart: where little ink is crossed, and where the outline is waisted.

    A thin ligature crosses little ink; two round characters that touch side by side share a wall of much ink,
    but their outline narrows there from above and below.
    """
    if not len(along):
        return []
    start = float(np.floor(along.min()))
    columns = np.round(along - start).astype(np.int64)
    width = int(columns.max()) + 1
    if width < 6:
        return []
    crossed = np.bincount(columns, minlength=width).astype(np.float64)
    top = np.full(width, ink.shape[0], dtype=np.float64)
    bottom = np.full(width, -1, dtype=np.float64)
    np.minimum.at(top, columns, rows)
    np.maximum.at(bottom, columns, rows)
    kernel = max(3, round(0.06 * height)) | 1
    crossed, span = _smooth(crossed, kernel), _smooth(np.maximum(bottom - top + 1, 0), kernel)
    pen = max(2.0, float(np.percentile(crossed, 25)))
    apart = max(3, round(0.16 * height))
    limit = max(2.2 * pen, 0.30 * height)
    reach = max(4, round(0.55 * height))
    candidates = []
    for x in range(apart, width - apart):
        near = slice(max(0, x - apart // 2), x + apart // 2 + 1)
        if crossed[x] <= crossed[near].min() and crossed[x] <= limit:
            candidates.append((crossed[x] / limit, x))
        sides = min(span[max(0, x - reach) : x].max(), span[x + 1 : x + reach + 1].max())
        if span[x] <= span[near].min() and span[x] < WAIST * sides:
            candidates.append((span[x] / sides, x))
    chosen: list[int] = []
    for _, x in sorted(candidates):
        if all(abs(x - other) >= apart for other in chosen):
            chosen.append(x)
        if len(chosen) >= MOST_PARTS:
            break
    return [start + x + 0.25 for x in sorted(chosen)]


def _smooth(values: npt.NDArray[np.float64], kernel: int) -> npt.NDArray[np.float64]:
    padded = np.pad(values, kernel // 2, mode="edge")
    return np.asarray(np.convolve(padded, np.ones(kernel) / kernel, mode="valid"))
