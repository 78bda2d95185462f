"""Grey picture to ink: shadow, texture, noise and polarity dealt with, rules and box edges removed.

The paper's brightness is estimated by a grey closing (strokes are narrower than its window and vanish, the
edge of a shadow is not and stays), each pixel is compared with the paper under it as a ratio, so that the
same stroke weighs the same in light and in shade, and the ratio is cut where Otsu's criterion separates ink
from what the paper shows (Otsu 1979, A Threshold Selection Method from Gray-Level Histograms).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.imaging import rules
from handread.imaging.shrink import shrunk_to
from handread.imaging.solid import filled

if TYPE_CHECKING:
    from handread.types import GrayImage, InkImage, UInt8Array

FAINTEST = 14
"""Ink that darkens its paper by less than this many 255ths is taken for no ink at all."""

_CLEAN, _TEXTURED = 0.3, 0.55
"""Fraction of Otsu's threshold at which ink begins: on clean paper the faint parts of a stroke are kept."""

_POLARITY_SIDE = 160
"""Longer side in pixels at which it is decided whether ink is darker or brighter than paper."""

_STEPS = np.log(np.arange(256) + 48.0)
"""float64 (256,): brightness as the eye has it, equal ratios as equal steps, and noise in the dark no more than that."""

_LEAST = 1e-3
"""Mean square from which bright structures are ink: the grain and the dirt of blank form cells stay below 0.0009,
chalk, fog and dim screens above 0.0028."""

_PAPER_SIDE = 300
"""Longer side in pixels at which the paper is estimated: it has no detail that would need more."""


def extract_ink(gray: GrayImage, *, remove_rules: bool = True) -> InkImage:
    """Ink of a grey picture: uint8 (H, W), 0 paper .. 255 full ink.

    `gray` is uint8 (H, W), dark on light or light on dark, found out by itself. With `remove_rules`, ruled
    lines, squared paper and box edges are taken out. A picture without ink gives zeros.
    """
    if min(gray.shape) < 3 or int(gray.min()) == int(gray.max()):
        return np.zeros_like(gray)
    if is_bright_on_dark(gray):
        gray = 255 - gray
    darkness = _darkness(gray)
    ink = _cut(darkness)
    if ink.any():
        ink = filled(ink, gray)
    if remove_rules and ink.any():
        ink = rules.remove_rules(ink)
    return ink


def is_bright_on_dark(gray: GrayImage) -> bool:
    """True when the strokes are brighter than what they stand on.

    Around any place most pixels show paper, so the median of a wide neighbourhood is the paper: in light, in shade and
    on both sides of a shadow's edge. Ink departs from it, always to the same side; the side to which more departs, in
    squares of the brightness ratio, is the ink's. The rim does not count: a median there sees one side only. Where
    hardly anything departs, as on a blank sheet, it is taken for dark on light.
    """
    small = shrunk_to(gray, _POLARITY_SIDE)
    window = max(3, round(min(small.shape) * 0.5)) | 1
    pad = window // 2
    framed = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REFLECT)
    paper = np.asarray(cv2.medianBlur(framed, window)[pad:-pad, pad:-pad], dtype=np.uint8)
    rim = pad // 2
    inner = (slice(rim, -rim or None), slice(rim, -rim or None))
    off = _STEPS[small[inner]] - _STEPS[paper[inner]]
    squares = off * off
    bright, dark = float(squares[off > 0].sum()), float(squares[off < 0].sum())
    return bright > dark and bright > _LEAST * off.size


def _darkness(gray: GrayImage) -> UInt8Array:
    """How much darker than its paper each pixel is, in 255ths of the paper's brightness."""
    small = shrunk_to(gray, _PAPER_SIDE)
    small = cv2.medianBlur(small, 3)
    window = max(5, round(min(min(small.shape) * 0.45, max(small.shape) * 0.25))) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (window, window))
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REFLECT)
    paper = cv2.blur(paper, (window // 4 * 2 + 1, window // 4 * 2 + 1))
    if paper.shape != gray.shape:
        paper = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    paper = cv2.max(paper, 24)  # a ratio over black would only be noise
    return np.asarray(cv2.subtract(255, cv2.divide(gray, paper, scale=255)), dtype=np.uint8)


def _cut(darkness: UInt8Array) -> InkImage:
    """Map darkness to ink: paper and its noise to 0, the pen's own darkness to 255."""
    histogram = cv2.calcHist([darkness], [0], None, [256], [0, 256]).reshape(-1).astype(np.float64)
    paper, spread = _paper_level(histogram)
    floor = max(paper + 3.5 * spread, paper + 6.0)
    threshold = _otsu(histogram, int(min(floor, 250)))
    above = histogram[int(threshold) :]
    if not above.sum():
        return np.zeros_like(darkness)
    full = int(threshold) + int(np.searchsorted(np.cumsum(above), 0.6 * above.sum()))
    if full - paper < FAINTEST or full - paper < 4.5 * spread:
        return np.zeros_like(darkness)
    share = _TEXTURED if _is_textured(darkness, floor, threshold) else _CLEAN
    start = min(max(floor * 0.8, share * threshold), full - 2)
    table = np.clip((np.arange(256) - start) * (255.0 / (full - start)), 0, 255).round().astype(np.uint8)
    return np.asarray(cv2.LUT(darkness, table), dtype=np.uint8)


def _is_textured(darkness: UInt8Array, floor: float, threshold: float) -> bool:
    """True when marks weaker than ink lie away from any ink: the print of a cheque, squares, stains."""
    weak = (darkness > floor) & (cv2.dilate((darkness > threshold).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
    return float(weak.mean()) > 0.01


def _paper_level(histogram: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Median and robust spread (a standard deviation) of the paper's own darkness."""
    share = np.cumsum(histogram) / histogram.sum()
    middle = float(np.searchsorted(share, 0.40))
    low = float(np.searchsorted(share, 0.08))
    return middle, max((middle - low) / 1.15, 0.7)  # 8 % to 40 % of the pixels spans 1.15 sigma


def _otsu(histogram: npt.NDArray[np.float64], first: int) -> float:
    """Otsu's threshold over the whole range, but never below `first`."""
    levels = np.arange(256, dtype=np.float64)
    weight = np.cumsum(histogram)
    total = weight[-1]
    mass = np.cumsum(histogram * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * weight / total - mass) ** 2 / (weight * (total - weight))
    between[~np.isfinite(between)] = -1
    return float(max(int(between.argmax()) + 1, first))
