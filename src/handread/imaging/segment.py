"""Ink of a page to lines of pieces, each piece a character or a part of one, in reading order.

Components are joined where they belong to one character (dots of i and j, broken strokes, = and :), gathered
into lines along the page's own skew, and cut where touching characters may part. Which neighbouring pieces
make one character is then decided by the recogniser (`handread.layout`), the way strings of touching digits
are read since LeCun et al. 1998 (heuristic over-segmentation).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ImageError
from handread.imaging.cuts import cut_piece, slant_of
from handread.imaging.rules import LEVEL
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import InkImage

READING_HEIGHT = 72
"""Characters higher than 1.4 times this many pixels are scaled down to it: nothing below is lost to the network."""

_SURVEY_SIDE = 640
"""Longer side in pixels at which the height of the characters is found out."""

MOST_COMPONENTS = 4000
"""A page with more marks than this is texture, not text: only the largest are looked at."""


_BESIDE = 0.15
"""Columns between a dot and its character, in line heights: what lies further apart never joins."""


MOST_PIECES = 12_000
"""Pieces of a page, characters and parts of them, beyond which it is no text."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Ink that stays together: a character or a part of one."""

    box: Box
    """In pixels of the ink image."""
    ink: InkImage
    """uint8 (box.height, box.width), with only this piece's own ink."""
    joined_left: bool = False
    """True when it was cut from the piece before it: a boundary here goes through ink."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text."""

    pieces: tuple[Piece, ...]
    """Left to right."""
    height: float
    """Typical height of its characters in pixels."""
    skew: float
    """Rows that the line descends per column to the right."""


@dataclass(slots=True)
class _Mark:
    """A component, or several that belong to one character."""

    x: int
    y: int
    right: int
    bottom: int
    area: int
    labels: list[int]

    @property
    def width(self) -> int:
        return self.right - self.x

    @property
    def height(self) -> int:
        return self.bottom - self.y

    @property
    def middle(self) -> float:
        return (self.y + self.bottom) / 2

    @property
    def centre(self) -> float:
        return (self.x + self.right) / 2

    def join(self, other: _Mark) -> None:
        self.x, self.y = min(self.x, other.x), min(self.y, other.y)
        self.right, self.bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        self.area += other.area
        self.labels += other.labels


def at_reading_size(ink: InkImage) -> tuple[InkImage, float]:
    """The ink, scaled down where its characters are much larger than reading needs, and the factor back (at least 1).

    Characters end up about `READING_HEIGHT` pixels high; smaller ones are left as they are.
    """
    factor = max(1.0, max(ink.shape) / _SURVEY_SIDE)
    small = _scaled_down(ink, factor) if factor > 1 else ink
    count, _, stats, _ = cv2.connectedComponentsWithStats((small > LEVEL).astype(np.uint8), connectivity=8)
    marks = _marks(stats, count, small.shape)
    if not marks:
        return ink, 1.0
    shrink = _typical_height(marks) * factor / READING_HEIGHT
    return (_scaled_down(ink, shrink), shrink) if shrink > 1.4 else (ink, 1.0)


def _scaled_down(ink: InkImage, factor: float) -> InkImage:
    size = (max(1, round(ink.shape[1] / factor)), max(1, round(ink.shape[0] / factor)))
    # a hairline fades in the mean; half its weight back keeps it over the level of ink
    return np.asarray(cv2.convertScaleAbs(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), alpha=1.5), np.uint8)


def segment(ink: InkImage) -> tuple[TextLine, ...]:
    """Lines of pieces from an ink image uint8 (H, W), 0 paper .. 255 ink; empty where there is no text.

    Raises `ImageError` where more than `MOST_PIECES` come out.
    """
    mask = (ink > LEVEL).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    marks = _marks(stats, count, ink.shape)
    if not marks:
        return ()
    typical = _typical_height(marks)
    marks = [m for m in marks if not _is_debris(m, typical, ink.shape)]
    body = [m for m in marks if m.height >= 0.4 * typical]
    if not body:
        return ()
    skew = _skew(body, typical)
    lines = _lines(body, typical, skew)
    _place_small(lines, [m for m in marks if m.height < 0.4 * typical], skew)
    lines.sort(key=lambda line: float(np.median([m.middle - skew * m.centre for m in line])))
    found, pieces = [], 0
    for line in lines:
        found.append(_text_line(line, labels, ink, skew))
        pieces += len(found[-1].pieces)
        if pieces > MOST_PIECES:
            raise ImageError(
                f"the picture falls into more than {MOST_PIECES:,} pieces, a full page has a third of that; "
                "cut it into parts"
            )
    return tuple(found)


def _marks(stats: npt.NDArray[np.int32], count: int, shape: tuple[int, ...]) -> list[_Mark]:
    areas = stats[1:count, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")[:MOST_COMPONENTS] + 1
    marks = []
    for label in order.tolist():
        x, y, w, h, area = (int(v) for v in stats[label])
        if area >= 5:
            marks.append(_Mark(x, y, x + w, y + h, area, [label]))
    return marks


def _typical_height(marks: list[_Mark]) -> float:
    """Median height of the marks, each weighted by its extent: dots and specks hardly count."""
    heights = np.array([m.height for m in marks], dtype=np.float64)
    weights = np.array([float(max(m.height, m.width)) for m in marks]) * np.array([m.height for m in marks])
    order = np.argsort(heights)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(heights[order][int(np.searchsorted(share, 0.5))])


def _is_debris(mark: _Mark, typical: float, shape: tuple[int, ...]) -> bool:
    """Specks, remains of ruled lines, and what leans in from beyond the rim."""
    if max(mark.height, mark.width) < max(3.0, 0.055 * typical) or mark.area < max(5.0, 0.0025 * typical**2):
        return True
    if mark.width > 2.5 * typical and mark.height < 0.25 * typical:
        return True
    if mark.height > 3.0 * typical and mark.width < 0.25 * typical:
        return True
    at_rim = mark.y <= 0 or mark.bottom >= shape[0] or mark.x <= 0 or mark.right >= shape[1]
    return at_rim and mark.height < 0.45 * typical


def _skew(body: list[_Mark], typical: float) -> float:
    """Median slope between neighbours on a line, in rows per column."""
    slopes = []
    ordered = sorted(body, key=lambda m: m.centre)
    for index, mark in enumerate(ordered):
        for other in ordered[index + 1 : index + 40]:
            gap = other.centre - mark.centre
            if gap > 6 * typical:
                break
            rise = other.bottom - mark.bottom
            if gap > 0.7 * typical and abs(rise) < 0.5 * typical:
                slopes.append(rise / gap)
    return float(np.clip(np.median(slopes), -0.3, 0.3)) if len(slopes) >= 3 else 0.0


def _lines(body: list[_Mark], typical: float, skew: float) -> list[list[_Mark]]:
    """Gather marks whose vertical extents, freed of the skew, overlap by half with a line's."""
    lines: list[list[_Mark]] = []
    edges: list[tuple[list[float], list[float]]] = []
    spans = np.empty((2, len(body)))  # of each line the medians of its marks' tops and bottoms
    for mark in sorted(body, key=lambda m: -m.height):
        top, bottom = mark.y - skew * mark.centre, mark.bottom - skew * mark.centre
        above, below = spans[:, : len(lines)]
        part = (np.minimum(bottom, below) - np.maximum(top, above)) / np.minimum(bottom - top, below - above)
        best = int(part.argmax()) if lines else -1
        if best < 0 or part[best] <= 0.45:
            best = len(lines)
            lines.append([])
            edges.append(([], []))
        lines[best].append(mark)
        for place, (known, edge) in enumerate(zip(edges[best], (top, bottom), strict=True)):
            insort(known, edge)
            spans[place, best] = _middle(known)
    return lines


def _middle(ordered: list[float]) -> float:
    """Median of numbers in order."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _place_small(lines: list[list[_Mark]], small: list[_Mark], skew: float) -> None:
    """Give dots, commas and broken bits to the line whose middle is nearest."""
    middles = np.array([np.median([m.middle - skew * m.centre for m in line]) for line in lines])
    heights = np.array([np.median([m.height for m in line]) for line in lines])
    for mark in small:
        distances = np.abs(mark.middle - skew * mark.centre - middles) / heights
        nearest = int(distances.argmin())
        if distances[nearest] < 1.2:
            lines[nearest].append(mark)


def _text_line(line: list[_Mark], labels: npt.NDArray[np.int32], ink: InkImage, skew: float) -> TextLine:
    tallest = max(m.height for m in line)
    height = float(np.median([m.height for m in line if m.height >= 0.4 * tallest]))
    joined = _join(sorted(line, key=lambda m: m.x), height)
    whole = [_cut_out(mark, labels, ink) for mark in joined]
    slant = slant_of([p.ink for p in whole if p.box.height > 0.5 * height])
    pieces = [part for piece in whole for part in _split(piece, height, slant)]
    pieces.sort(key=lambda p: p.box.x + p.box.width / 2)
    return TextLine(tuple(pieces), height, skew)


def _join(marks: list[_Mark], height: float) -> list[_Mark]:
    """Join marks that lie over one another: dots of i and j, the bars of =, broken strokes.

    `marks` are sorted by their left edge, and stay so. A mark that has grown is held against those before it and after
    it again; all other pairs are looked at once.
    """
    done, reach = 0, _BESIDE * height
    widest = max(m.width for m in marks)
    while done < len(marks):
        place, grown = done, False
        done += 1
        while True:
            mark = marks[place]
            first = bisect_left(marks, mark.x - reach - widest, key=lambda m: m.x) if grown else place
            other = next((k for k in range(first, place) if _one_character(marks[k], mark, height)), None)
            if other is not None:
                other, place = place, other
            else:
                stop = bisect_right(marks, mark.right + reach, key=lambda m: m.x)
                other = next((k for k in range(place + 1, stop) if _one_character(mark, marks[k], height)), None)
            if other is None:
                break
            marks[place].join(marks.pop(other))
            grown = True
            done -= other < done
            widest = max(widest, marks[place].width)
    return marks


def _one_character(a: _Mark, b: _Mark, height: float) -> bool:
    overlap = min(a.right, b.right) - max(a.x, b.x)
    if overlap <= -_BESIDE * height:
        return False
    narrow = min(a.width, b.width)
    gap = max(a.y, b.y) - min(a.bottom, b.bottom)  # rows between them, negative when they overlap
    small, large = sorted((a, b), key=lambda m: m.area)
    both = max(a.bottom, b.bottom) - min(a.y, b.y)
    if small.height < 0.35 * height and small.width < 0.5 * height:
        # a dot: it belongs to what stands under it, not to what it follows on the baseline
        above = small.bottom <= large.y + 0.35 * large.height
        if small.area**0.5 < 0.6 * large.area / max(large.height, large.width):
            return False  # finer than the pen: a speck
        if above and gap < 0.6 * height and both < 1.9 * height:
            return True
        if not above and small.middle > large.y + 0.7 * large.height and overlap < 0.9 * narrow:
            return False
    return overlap > 0.55 * narrow and gap < 0.45 * height and both < 1.7 * height


def _cut_out(mark: _Mark, labels: npt.NDArray[np.int32], ink: InkImage) -> Piece:
    y, x = max(0, mark.y - 1), max(0, mark.x - 1)
    window = labels[y : mark.bottom + 1, x : mark.right + 1]
    own = window == mark.labels[0]
    for label in mark.labels[1:]:
        own |= window == label
    soft = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    soft &= (window == 0) | own
    part = np.where(soft, ink[y : mark.bottom + 1, x : mark.right + 1], 0).astype(np.uint8)
    return Piece(Box(x, y, part.shape[1], part.shape[0]), part)


def _split(piece: Piece, height: float, slant: float) -> list[Piece]:
    """The piece, or its parts where it may be several touching characters."""
    if piece.box.width < 0.62 * height or piece.box.height < 0.4 * height:
        return [piece]
    parts = []
    for number, (dx, dy, part) in enumerate(cut_piece(piece.ink, height, slant)):
        box = Box(piece.box.x + dx, piece.box.y + dy, part.shape[1], part.shape[0])
        parts.append(Piece(box, part, joined_left=number > 0))
    return parts
