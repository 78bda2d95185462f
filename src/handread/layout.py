"""Several characters in one picture: pieces of ink to characters, the recogniser choosing what belongs together.

Every run of neighbouring pieces that could be one character is a candidate. Where candidates compete, the
recogniser scores them in one batch, and dynamic programming takes the cheapest way through each line. A candidate's
cost grows with its width, so that a line of many narrow characters and one of few wide ones compete fairly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.decode import look_alikes
from handread.errors import ImageError
from handread.frame import DEFAULT_FRAME, Frame
from handread.imaging.cues import line_cue, unknown_cues
from handread.imaging.glyph import normalise
from handread.imaging.segment import Piece, TextLine
from handread.types import Box

if TYPE_CHECKING:
    from handread.decode import Scores
    from handread.types import Cues, Floats, InkImage, ModelInput

    Scorer = Callable[[ModelInput, Cues], Scores]

MOST_PIECES = 5
"""A character is made of at most this many neighbouring pieces."""
WIDEST = 1.75
"""A character is at most this many line heights wide."""
SMALL = 0.36
"""Pieces lower and narrower than this many line heights are punctuation when nothing joins them."""
SKIP_COST = 1.0
"""Cost of leaving a piece out as no character, per line height of its size."""
CUT_COST = 0.6
"""Cost of a boundary that goes through ink."""
BASE_COST = 0.8
"""Cost of every character: of two equal ways the one with fewer is taken. This and the costs around it were
chosen on the training part of a set of cheque amounts, by whole amounts read rightly."""
LOW, LOW_COST = 0.6, 4.0
"""Characters lower than this many line heights cost this much for each line height that they lack."""
WORD_GAP = 0.4
"""A gap wider than this many line heights, and clearly wider than the line's usual gaps, separates words."""
MOST_CANDIDATES = 12_000
"""Runs of pieces that are looked at on one page; a sheet written full has a third of that."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A chosen character: its pieces as one ink image, and what stands before it."""

    box: Box
    glyph: ModelInput
    """uint8 (1, height, width)"""
    cue: Cues
    """float32 (4,)"""
    before: str
    """Nothing, a space, or a newline."""
    bearable: float = math.inf
    """Cost from which on it is no character; infinite where the best path has weighed that already."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    first: int
    last: int
    """Half open range of pieces."""
    box: Box
    ink: InkImage
    alone: bool = False
    """No other candidate wants its piece."""


def find_characters(lines: Sequence[TextLine], score: Scorer, frame: Frame = DEFAULT_FRAME) -> list[Spot]:
    """The characters of a page in reading order; `score` judges network inputs, laid out as in `frame`, with cues.

    Only where there is a choice is anything scored: a piece that stands alone is a spot as it is, and whether
    it is a character at all is left to the caller, who reads every spot once more with its cue. Raises `ImageError`
    for a page with more than `MOST_CANDIDATES` places to look at.
    """
    runs = [_runs(line) for line in lines]
    places = sum(map(len, runs))
    if places > MOST_CANDIDATES:
        raise ImageError(
            f"the picture shows {places:,} marks or groups of marks that may be characters, at most "
            f"{MOST_CANDIDATES:,} are looked at; cut it into parts"
        )
    candidates = [_candidates(line, of_line) for line, of_line in zip(lines, runs, strict=True)]
    inks = [c.ink for group in candidates for c in group]
    if not inks:
        return []
    glyphs = normalise(inks, frame)
    open_ones = np.array([not c.alone for group in candidates for c in group])
    costs = np.zeros(len(inks))
    if open_ones.any():
        costs[open_ones] = _costs(score(glyphs[open_ones], unknown_cues(int(open_ones.sum()))))
    spots: list[Spot] = []
    start = 0
    for line, group in zip(lines, candidates, strict=True):
        chosen = _best_path(line, group, costs[start : start + len(group)].tolist())
        spots += _spots(line, [group[i] for i in chosen], [glyphs[start + i] for i in chosen], bool(spots))
        start += len(group)
    return spots


def _runs(line: TextLine) -> list[tuple[int, int, Box]]:
    """Every run of pieces that could be one character: first piece, the one behind its last, its box."""
    found = []
    pieces = line.pieces
    for first in range(len(pieces)):
        for last in range(first + 1, min(len(pieces), first + MOST_PIECES) + 1):
            group = pieces[first:last]
            box = _around([p.box for p in group])
            if last - first > 1 and (box.width > WIDEST * line.height or not _close(group, line.height)):
                break
            if last - first == 1 and _is_mark(group[0], line.height):
                continue
            found.append((first, last, box))
    return found


def _candidates(line: TextLine, runs: Sequence[tuple[int, int, Box]]) -> list[_Candidate]:
    """The runs with their ink."""
    wanted = Counter(piece for first, last, _ in runs for piece in range(first, last))
    return [
        _Candidate(first, last, box, _union(line.pieces[first:last], box), last - first == 1 and wanted[first] == 1)
        for first, last, box in runs
    ]


def _close(group: Sequence[Piece], height: float) -> bool:
    """True when the last piece is near enough to the one before it to belong to the same character."""
    before, last = group[-2], group[-1]
    if last.joined_left:
        return True
    return last.box.x - before.box.right < 0.08 * height


def _is_mark(piece: Piece, height: float) -> bool:
    """Dots, commas, dashes: nothing of that size is a letter or a digit."""
    box = piece.box
    if piece.joined_left:
        return False
    small = box.height < SMALL * height and box.width < SMALL * height
    flat = box.height < 0.3 * height and box.width > 1.6 * box.height
    return small or flat


def _union(group: Sequence[Piece], box: Box) -> InkImage:
    if len(group) == 1:
        return group[0].ink
    ink = np.zeros((box.height, box.width), dtype=np.uint8)
    for piece in group:
        y, x = piece.box.y - box.y, piece.box.x - box.x
        window = ink[y : y + piece.box.height, x : x + piece.box.width]
        np.maximum(window, piece.ink, out=window)
    return ink


def _around(boxes: Sequence[Box]) -> Box:
    x, y = min(b.x for b in boxes), min(b.y for b in boxes)
    return Box(x, y, max(b.right for b in boxes) - x, max(b.bottom for b in boxes) - y)


def _costs(scores: Scores) -> npt.NDArray[np.float64]:
    """Negative logarithm of the probability that the ink is a character, of the alphabet, and this one."""
    parts = (_sureness(scores), 0.75), (scores.ink, 0.5), (scores.mass, 0.25)
    logarithm = sum(weight * np.log(np.maximum(values.astype(np.float64), 1e-8)) for values, weight in parts)
    return np.asarray(np.minimum(-logarithm, 9.2), dtype=np.float64)


def _sureness(scores: Scores) -> Floats:
    """Probability of the best character or one that looks like it: o or O or 0, it is one character."""
    alike = _alike(scores.alphabet)
    return np.asarray((scores.probabilities * alike[scores.labels]).sum(axis=1))


@lru_cache(maxsize=16)
def _alike(alphabet: Alphabet) -> npt.NDArray[np.bool_]:
    """bool (K, K): row's and column's character look alike, or are the same."""
    return np.array([look_alikes(alphabet, Alphabet.of(c)) for c in alphabet])


def _best_path(line: TextLine, candidates: Sequence[_Candidate], costs: Sequence[float]) -> list[int]:
    """Indices of the candidates on the cheapest way from the line's first piece to its last."""
    count = len(line.pieces)
    best = [0.0] + [float("inf")] * count
    step: list[tuple[int, int]] = [(0, -1)] * (count + 1)
    ending: list[list[int]] = [[] for _ in range(count + 1)]
    for index, candidate in enumerate(candidates):
        ending[candidate.last].append(index)
    for end in range(1, count + 1):
        piece = line.pieces[end - 1]
        skip = 0.0 if _is_mark(piece, line.height) else BASE_COST + SKIP_COST * _size(piece.box, line.height)
        best[end], step[end] = best[end - 1] + skip, (end - 1, -1)
        for index in ending[end]:
            candidate = candidates[index]
            cut = candidate.first > 0 and line.pieces[candidate.first].joined_left
            own = costs[index] * _weight(candidate.box, line.height) + _low_cost(candidate.box, line.height)
            total = best[candidate.first] + own + CUT_COST * cut + BASE_COST
            if total < best[end]:
                best[end], step[end] = total, (candidate.first, index)
    chosen = []
    end = count
    while end > 0:
        end, index = step[end]
        if index >= 0:
            chosen.append(index)
    return chosen[::-1]


def _size(box: Box, height: float) -> float:
    return max(box.width, box.height) / height


def _weight(box: Box, height: float) -> float:
    return max(box.width / height, 0.35 * box.height / height, 0.2)


def _low_cost(box: Box, height: float) -> float:
    return LOW_COST * max(0.0, LOW - box.height / height)


def _bearable(candidate: _Candidate, height: float) -> float:
    """The cost at which reading a piece comes as dear as leaving it out."""
    box = candidate.box
    return (SKIP_COST * _size(box, height) - _low_cost(box, height)) / _weight(box, height)


def _spots(line: TextLine, chosen: list[_Candidate], glyphs: list[ModelInput], follows: bool) -> list[Spot]:
    spots = []
    gaps = [b.box.x - a.box.right for a, b in pairwise(chosen)]
    wide = _word_gap(gaps, line.height)
    for index, candidate in enumerate(chosen):
        before = "\n" if index == 0 and follows else ""
        if index and gaps[index - 1] > wide:
            before = " "
        bearable = _bearable(candidate, line.height) if candidate.alone else math.inf
        spots.append(Spot(candidate.box, glyphs[index], _cue(line, chosen, index), before, bearable))
    return spots


def are_characters(spots: Sequence[Spot], scores: Scores) -> list[bool]:
    """Which of the spots, once scored with their cues, are worth a place in the text: no blots, no slashes."""
    return [cost <= spot.bearable for spot, cost in zip(spots, _costs(scores).tolist(), strict=True)]


def _word_gap(gaps: list[int], height: float) -> float:
    """Columns from which a gap parts words: characters in the boxes of a form stand far apart all the same."""
    if len(gaps) < 2:
        return 1.2 * height
    usual = float(np.median(sorted(gaps)[: len(gaps) // 2 + 1]))
    return max(WORD_GAP * height, 1.8 * usual + 0.1 * height)


def _cue(line: TextLine, chosen: list[_Candidate], index: int) -> Cues:
    """Size and place of one character among its neighbours, freed of the line's skew."""
    near = chosen[max(0, index - 3) : index + 4]
    if len(near) < 2:
        return np.zeros_like(unknown_cues(1)[0])

    def level(c: _Candidate, row: int) -> float:
        return row - line.skew * (c.box.x + c.box.width / 2)

    own = chosen[index]
    return line_cue(
        level(own, own.box.y),
        level(own, own.box.bottom),
        line_top=min(level(c, c.box.y) for c in near),
        line_bottom=max(level(c, c.box.bottom) for c in near),
    )
