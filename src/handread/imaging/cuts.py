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
        if len(rows):
            along = np.floor(columns + leans[:, None] * rows + 0.5).astype(np.int64)  # halves to even would favour 0.5
            along -= along.min(axis=1, keepdims=True)
            width = int(along.max()) + 1
            along += width * np.arange(len(leans))[:, None]
            sums = np.bincount(along.reshape(-1), minlength=width * len(leans)).reshape(len(leans), width)
            score += (sums.astype(np.float64) ** 2).sum(axis=1)
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
    top[columns[::-1]] = rows[::-1]  # rows ascend, and the last one written stays
    bottom[columns] = rows
    kernel = max(3, round(0.06 * height)) | 1
    crossed, span = _smooth(crossed, kernel), _smooth(np.maximum(bottom - top + 1, 0), kernel)
    pen = max(2.0, _quartile(crossed))
    apart = max(3, round(0.16 * height))
    limit = max(2.2 * pen, 0.30 * height)
    reach = max(4, round(0.55 * height))
    inner = np.arange(apart, width - apart)
    near = np.ones((1, apart // 2 * 2 + 1), np.uint8)
    least, lowest = (cv2.erode(values[None], near)[0, inner] for values in (crossed, span))
    far = np.ones((1, reach), np.uint8)
    left = cv2.dilate(span[None], far, anchor=(reach - 1, 0))[0, inner - 1]
    right = cv2.dilate(span[None], far, anchor=(0, 0))[0, inner + 1]
    sides = np.minimum(left, right)
    crossed, span = crossed[inner], span[inner]
    thin = (crossed <= least) & (crossed <= limit)
    waisted = (span <= lowest) & (span < WAIST * sides)
    candidates = [*zip((crossed[thin] / limit).tolist(), inner[thin].tolist(), strict=True)]
    candidates += zip((span[waisted] / sides[waisted]).tolist(), inner[waisted].tolist(), strict=True)
    chosen: list[int] = []
    for _, x in sorted(candidates):
        if all(abs(x - other) >= apart for other in chosen):
            chosen.append(x)
        if len(chosen) >= MOST_PARTS:
            break
    return [start + x + 0.25 for x in sorted(chosen)]


def _smooth(values: npt.NDArray[np.float64], kernel: int) -> npt.NDArray[np.float64]:
    rim = np.ones(kernel // 2)
    padded = np.concatenate([rim * values[0], values, rim * values[-1]])
    return np.asarray(np.convolve(padded, np.ones(kernel) / kernel, mode="valid"))


def _quartile(values: npt.NDArray[np.float64]) -> float:
    """As np.percentile(values, 25), which takes ten times as long for so few."""
    ordered = np.sort(values)
    place = 0.25 * (len(values) - 1)
    low = int(place)
    a, b, share = float(ordered[low]), float(ordered[min(low + 1, len(values) - 1)]), place - low
    return a + (b - a) * share if share < 0.5 else b - (b - a) * (1 - share)
