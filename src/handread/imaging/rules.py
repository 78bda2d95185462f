"""Ruled lines, squared paper and the edges of form boxes: found by their length, removed around the ink."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.imaging.shrink import shrunk_to

if TYPE_CHECKING:
    from handread.types import InkImage

    Mask = npt.NDArray[np.uint8]

LEVEL = 90
"""Ink from which a pixel counts as drawn, for decisions about shape."""

_SEARCH_SIDE = 640
"""Longer side in pixels at which rules are looked for in larger pictures."""

_SMALL = (24, 64)
"""Longer sides in pixels of pictures in which a pen's stroke is thicker than the edge of a box, though thin in
pixels; in smaller ones the blurred edge is as thick as the stroke."""

_GAP = 2
"""Pixels of paper on either side that a line bridges."""

_DOTS, _MOST_MARKS = 4, 40
"""Marks in a row that are a dotted line, and marks in a picture from which it is no longer looked for one."""

_DOTTED_SIDE = 480
"""Longer side in pixels at which dotted lines are looked for."""

_RIM = 0.16
"""Depth of the band along the rim where box edges lie, as a fraction of the picture's side."""


def remove_rules(ink: InkImage) -> InkImage:
    """Take out straight lines that cross the picture or run along its rim; what crosses them stays.

    A pixel of such a line goes where the line is alone: where the run of ink across it is no thicker than the
    line. A tightly cut character (a T whose bar fills the top rim, an L, a lone 1) is not taken for a box.
    """
    if min(ink.shape) < 12:
        return ink
    if max(ink.shape) > _SEARCH_SIDE:
        return _remove_at_search_size(ink)
    mask = (ink > LEVEL).astype(np.uint8)
    lines = _horizontal(mask)
    lines |= _horizontal(np.ascontiguousarray(mask.T)).T
    if not lines.any():
        return ink
    rest = mask & ~lines
    if _is_tight_character(mask, rest):
        return ink
    near = np.ones((3, 3), np.uint8)
    # a line's soft skirt goes with it, but not the skirt of ink that stays
    gone = (cv2.dilate(lines, near) > 0) & ((cv2.dilate(rest, near) == 0) | (lines > 0))
    cleaned = ink.copy()
    cleaned[gone] = 0
    return cleaned


def _remove_at_search_size(ink: InkImage) -> InkImage:
    """Look for rules in a smaller copy, then take out of the large picture what went out of the small one."""
    factor = max(ink.shape) / _SEARCH_SIDE
    size = (max(12, round(ink.shape[1] / factor)), max(12, round(ink.shape[0] / factor)))
    small = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # a hairline fades in the mean; twice its weight keeps it over the level of ink
    small = np.asarray(cv2.convertScaleAbs(small, alpha=2.0), dtype=np.uint8)
    gone = (small > 0) & (remove_rules(small) == 0)
    if not gone.any():
        return ink
    large = cv2.resize(gone.astype(np.uint8), (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_NEAREST)
    cleaned = ink.copy()
    cleaned[large > 0] = 0
    return cleaned


def _is_tight_character(mask: Mask, rest: Mask) -> bool:
    """True when the lines are the character's own strokes, which a tight cut has brought to the rim.

    Then nothing substantial is left between them, or what is left reaches the opposite rim.
    """
    height, width = mask.shape
    edges = [bool(mask[0].any()), bool(mask[-1].any()), bool(mask[:, 0].any()), bool(mask[:, -1].any())]
    if not all(edges) or max(height, width) > 400:
        return False
    _, labels, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=8)
    heavy = int((stats[1:, cv2.CC_STAT_AREA] > 0.15 * max(int(rest.sum()), 1)).sum())
    if heavy > 2 or int(rest.sum()) < 0.25 * int(mask.sum()):
        return False  # several characters stand on the rule, or nothing does
    # where two edges cross, a spot of each corner stays: corners do not count
    large = stats[:, cv2.CC_STAT_AREA] > 0.05 * int(rest.sum())
    large[0] = False
    _, _, w, h = cv2.boundingRect(large[labels].astype(np.uint8)[1:-1, 1:-1])
    return bool(w >= 0.86 * width or h >= 0.86 * height)


def _horizontal(mask: Mask) -> Mask:
    """Pixels (0 or 1) of horizontal rules, where nothing crosses them."""
    height, width = mask.shape
    found = np.zeros_like(mask)
    # rows are joined in pairs so that a slightly slanted line stays whole
    # closing joins what ends near the rim to the rim: in a small picture that would be a character's own stroke
    gap = _GAP if max(height, width) < _SMALL[1] else 0
    framed = cv2.copyMakeBorder(mask, 0, 0, gap, gap, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(cv2.dilate(framed, np.ones((3, 1), np.uint8)), cv2.MORPH_CLOSE, np.ones((1, 5), np.uint8))
    closed = np.ascontiguousarray(closed[:, gap : gap + width])
    runs = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((1, max(9, int(width * 0.2))), np.uint8))
    if not runs.any():
        return found
    count, labels, stats, _ = cv2.connectedComponentsWithStats(runs, connectivity=8)
    for index in range(1, count):
        x, y, w, h = (int(v) for v in stats[index][:4])
        if not _spans(x, y, w, h, height, width):
            continue
        top, bottom = max(0, y - 2), min(height, y + h + 2)
        window = mask[top:bottom, x : x + w]
        rule = cv2.dilate((labels[top:bottom, x : x + w] == index).astype(np.uint8), np.ones((5, 1), np.uint8))
        thickness = _thickness(window & rule)
        if thickness > _thickest(height, width):
            continue
        found[top:bottom, x : x + w] |= (
            window & rule & _thin(mask, x, top, w, bottom - top, limit=round(1.3 * thickness + 1))
        )
    return found


def _thickest(height: int, width: int) -> float:
    """Thickness in pixels above which a straight line is a pen's stroke.

    A small tightly cut T, L or E has straight strokes along its rim, thicker than the edge of a box of that size.
    """
    limit = max(5.0, 0.1 * height)
    small = _SMALL[0] <= max(height, width) < _SMALL[1]
    return min(limit, max(2.6, 0.1 * height)) if small else limit


def _thickness(rule: Mask) -> float:
    """Median over the columns of the ink in a rule's window, in pixels."""
    columns = rule.sum(axis=0)
    columns = columns[columns > 0]
    return float(np.median(columns)) if len(columns) else 0.0


def _spans(x: int, y: int, w: int, h: int, height: int, width: int) -> bool:
    left, right = x <= 0.02 * width + 1, x + w >= 0.98 * width - 1
    band = max(3.0, _RIM * height)
    at_rim = y + h <= band + 2 or y >= height - band - 2
    straight = h <= max(7.0, 0.12 * w)
    if at_rim:
        return straight and w >= 0.45 * width and (left or right or y <= 1 or y + h >= height - 1)
    if left and right:
        return straight
    return straight and width >= 300 and w >= 0.75 * width


def _thin(mask: Mask, x: int, y: int, w: int, h: int, *, limit: int) -> Mask:
    """1 where the vertical run of ink through a pixel of the window is no longer than `limit`."""
    top = max(0, y - limit - 1)
    bottom = min(mask.shape[0], y + h + limit + 1)
    window = mask[top:bottom, x : x + w]
    # an opening by a column of limit + 1 keeps exactly the runs that are longer
    column = np.ones((limit + 1, 1), np.uint8)
    long = cv2.morphologyEx(window, cv2.MORPH_OPEN, column, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray((window & ~long)[y - top : y - top + h], dtype=np.uint8)


def remove_dots(ink: InkImage) -> InkImage:
    """Take out dotted lines: at least four marks of one size, far smaller than the character, in a straight row.

    In a large picture they are looked for in a smaller copy first, which costs a fifth.
    """
    small = shrunk_to(ink, _DOTTED_SIDE)
    if small is not ink and remove_dots(small) is small:
        return ink
    count, labels, stats, centres = cv2.connectedComponentsWithStats((ink > LEVEL).astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.int64)
    if count <= _DOTS or count > _MOST_MARKS:
        return ink
    dots = np.flatnonzero(areas <= 0.2 * areas.max()) + 1
    gone = np.zeros(count, dtype=bool)
    while len(dots) >= _DOTS:
        row = _straight_row(centres[dots], areas[dots - 1], max(ink.shape))
        if row is None:
            break
        gone[dots[row]] = True
        dots = dots[~row]
    if not gone.any():
        return ink
    rest = cv2.dilate((~gone & (np.arange(count) > 0))[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    near = cv2.dilate(gone[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where((near > 0) & ((rest == 0) | gone[labels]), 0, ink).astype(np.uint8)


def _straight_row(
    centres: npt.NDArray[np.float64], areas: npt.NDArray[np.int64], side: int
) -> npt.NDArray[np.bool_] | None:
    """Which marks of equal size stand in the longest straight row that spans 45 % of `side` pixels; None for none."""
    best = None
    for first in range(len(centres)):
        for second in range(first + 1, len(centres)):
            along = centres[second] - centres[first]
            length = float(np.hypot(*along))
            if not length:
                continue
            off = centres - centres[first]
            place = (off @ along) / length
            aside = np.abs(off[:, 0] * along[1] - off[:, 1] * along[0]) / length
            size = float(areas[first])
            row = (aside <= 0.6 + 0.01 * side) & (areas >= 0.5 * size) & (areas <= 2 * size)
            long = row.sum() >= _DOTS and float(place[row].max() - place[row].min()) >= 0.45 * side
            if long and (best is None or row.sum() > best.sum()):
                best = row
    return best


def remove_rim(ink: InkImage) -> InkImage:
    """Take out what leans in from outside: components at the rim that stay within a band along it.

    Also what is left of a box edge, and specks of a few pixels anywhere.
    """
    height, width = ink.shape
    mask = (ink > LEVEL).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count == 1:
        return ink
    x, y, w, h, area = (stats[:, i].astype(np.int64) for i in range(5))
    band_y, band_x = max(2.0, _RIM * height), max(2.0, _RIM * width)
    near = max(1, round(0.03 * min(height, width)))
    touches = (x <= near) | (y <= near) | (x + w >= width - near) | (y + h >= height - near)
    in_band = (y + h <= band_y) | (y >= height - band_y) | (x + w <= band_x) | (x >= width - band_x)
    largest = int(area[1:].max())
    speck = (area < 4) | ((area < 7) & (area < 0.05 * largest))
    keep = ~(touches & in_band & ((area < 0.5 * largest) | (area < 0.02 * height * width))) & ~speck
    keep[0] = False
    if keep[1:].all():
        return ink
    allowed = cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(allowed > 0, ink, 0).astype(np.uint8)
