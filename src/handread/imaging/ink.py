"""Grey picture to ink: shadow, texture, noise and polarity dealt with, rules and box edges removed.

The paper's brightness is estimated by a grey closing (strokes are narrower than its window and vanish, the
edge of a shadow is not and stays), each pixel is compared with the paper under it as a ratio, so that the
same stroke weighs the same in light and in shade, and the ratio is cut where Otsu's criterion separates ink
from what the paper shows (Otsu 1979, A Threshold Selection Method from Gray-Level Histograms).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.imaging import rules

if TYPE_CHECKING:
    from handread.types import GrayImage, InkImage, UInt8Array

FAINTEST = 14
"""Ink that darkens its paper by less than this many 255ths is taken for no ink at all."""

_CLEAN, _TEXTURED = 0.3, 0.55
"""Fraction of Otsu's threshold at which ink begins: on clean paper the faint parts of a stroke are kept."""

_THIN_FROM = 60
"""Shorter side in pixels from which strokes are told from paper by being thin: in smaller pictures they are not."""

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
    if remove_rules and ink.any():
        ink = rules.remove_rules(ink)
    return ink


def is_bright_on_dark(gray: GrayImage) -> bool:
    """True when the strokes are brighter than what they stand on.

    Ink covers the smaller part of a picture, so once the light is taken out, the side of the median that reaches
    further is the ink's. The light is fitted twice, as a slope and as a bowl; where the two disagree, or neither
    side clearly reaches further, the side whose thin structures stand out is the ink's: strokes are thin.
    """
    small = _shrink(gray, _PAPER_SIDE)
    tiny = _shrink(small, 96)
    sloped = _reaches_further(_level(tiny, bowl=False))
    if sloped is not None and (min(gray.shape) < _THIN_FROM or sloped == _reaches_further(_level(tiny, bowl=True))):
        return sloped
    if min(gray.shape) >= _THIN_FROM:
        for window in (3, 5, 7, 11, 17, 25):  # the narrowest at which one side stands out
            bright, dark = _thin(small, window)
            if max(bright, dark) > FAINTEST and max(bright, dark) > 1.5 * min(bright, dark):
                return bright > dark
    bright, dark = _thin(small, max(3, min(small.shape) // 5 | 1))
    return bright > dark * 1.1


def _reaches_further(level: npt.NDArray[np.float64]) -> bool | None:
    """True when the bright side of the median clearly reaches further, False when the dark one does."""
    values = level.ravel()
    low, middle, high = (_quantile(values, share) for share in (0.01, 0.5, 0.99))
    dark, bright = middle - low, high - middle
    return bright > dark if max(dark, bright) > 2.2 * min(dark, bright) else None


def _thin(small: UInt8Array, window: int) -> tuple[float, float]:
    """How far bright and dark structures narrower than `window` pixels stand out, among the clearest in 66 pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (window, window))
    bright = cv2.morphologyEx(small, cv2.MORPH_TOPHAT, kernel)
    dark = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, kernel)
    return float(np.percentile(bright, 98.5)), float(np.percentile(dark, 98.5))


def _level(small: UInt8Array, *, bowl: bool) -> npt.NDArray[np.float64]:
    """The picture less the plane, or the `bowl` of second degree, that fits its paper best: light falls off."""
    terms = _terms(*small.shape, bowl)
    values = small.ravel().astype(np.float64)
    plane = np.full(values.shape, _quantile(values, 0.5))
    for _ in range(3):
        # only the nearest pixels count: the ink of a tightly cut L would tilt the plane
        off = np.abs(values - plane)
        near = off <= _quantile(off, 0.6)
        some = terms[near]
        plane = terms @ np.linalg.lstsq(some.T @ some, some.T @ values[near], rcond=None)[0]
    return np.asarray((values - plane).reshape(small.shape))


@lru_cache(maxsize=16)
def _terms(height: int, width: int, bowl: bool) -> npt.NDArray[np.float64]:
    """float64 (height * width, 3 or 6): what the light may be made of, read-only."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shapes = [np.ones((height, width)), x, y, *((x * x, y * y, x * y) if bowl else ())]
    terms = np.stack([shape.ravel() for shape in shapes], axis=1)
    terms.flags.writeable = False
    return terms


def _quantile(values: npt.NDArray[np.float64], share: float) -> float:
    """What ``np.quantile(values, share)`` gives, in a third of its time: it counts for single characters."""
    place = share * (len(values) - 1)
    low = int(place)
    some = np.partition(values, (low, min(low + 1, len(values) - 1)))
    first, second = float(some[low]), float(some[min(low + 1, len(values) - 1)])
    part = place - low
    return first + (second - first) * part if part < 0.5 else second - (second - first) * (1 - part)


def _shrink(gray: GrayImage, side: int) -> UInt8Array:
    factor = max(gray.shape) / side
    if factor <= 1:
        return gray
    size = (max(3, round(gray.shape[1] / factor)), max(3, round(gray.shape[0] / factor)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _darkness(gray: GrayImage) -> UInt8Array:
    """How much darker than its paper each pixel is, in 255ths of the paper's brightness."""
    small = _shrink(gray, _PAPER_SIDE)
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
