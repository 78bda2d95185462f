"""Pages: the recogniser's judgement decides which pieces make one character."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from handread.alphabet import Alphabet
from handread.decode import Scores
from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.ink import extract_ink
from handread.imaging.segment import Piece, TextLine, segment
from handread.layout import Spot, find_characters
from handread.types import Box

DIGITS = Alphabet.of("digits")
Sure = Callable[[npt.NDArray[np.uint8]], float]


def scorer(sure: Sure) -> Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32]], Scores]:
    """Judges each glyph with the probability that `sure` gives it; the rest is spread over the other digits."""

    def score(glyphs: npt.NDArray[np.uint8], cues: npt.NDArray[np.float32]) -> Scores:
        assert glyphs.shape[1:] == (1, 32, 32)
        assert cues.shape == (len(glyphs), 4)
        confidence = np.array([sure(glyph[0]) for glyph in glyphs], dtype=np.float32)
        table = np.repeat(((1 - confidence) / 9)[:, None], 10, axis=1)
        table[:, 7] = confidence
        ones = np.ones(len(glyphs), dtype=np.float32)
        # what is no character says so in both ways that a network has
        ink = np.where(confidence > 0.5, ones, 0.02)
        return Scores(DIGITS, table, ink, ones, np.log(confidence), confidence > 0.5, ("",) * len(ones))

    return score


def columns(glyph: npt.NDArray[np.uint8]) -> int:
    return int((glyph > 128).any(axis=0).sum())


def piece(x: int, width: int, *, y: int = 10, height: int = 40, joined: bool = False) -> Piece:
    return Piece(Box(x, y, width, height), np.full((height, width), 255, dtype=np.uint8), joined_left=joined)


def line(*pieces: Piece, height: float = 40) -> TextLine:
    return TextLine(pieces, height, 0.0)


def ways(spots: list[Spot]) -> list[tuple[int, int]]:
    return [(spot.box.x, spot.box.right) for spot in spots]


HALVES = line(piece(10, 13), piece(23, 13, joined=True))
"""26 columns of ink cut in the middle."""


def test_halves_are_joined_where_the_whole_is_sure() -> None:
    (spot,) = find_characters([HALVES], scorer(lambda g: 0.99 if columns(g) > 12 else 0.3))
    assert spot.box == Box(10, 10, 26, 40)
    assert spot.glyph.shape == (1, 32, 32)
    assert (spot.glyph[0, 16, 9:23] == 255).all()  # no seam


def test_halves_are_parted_where_each_is_sure() -> None:
    spots = find_characters([HALVES], scorer(lambda g: 0.999 if columns(g) <= 12 else 0.1))
    assert ways(spots) == [(10, 23), (23, 36)]


def test_what_is_no_character_at_all_does_not_hide_its_neighbours() -> None:
    spots = find_characters(
        [line(piece(10, 9), piece(60, 40), piece(140, 9))], scorer(lambda g: 0.99 if columns(g) < 10 else 0.05)
    )
    found = ways(spots)
    assert (10, 19) in found
    assert (140, 149) in found


def test_far_pieces_are_never_joined() -> None:
    spots = find_characters([line(piece(10, 13), piece(40, 13))], scorer(lambda g: 0.99 if columns(g) > 12 else 0.4))
    assert ways(spots) in ([(10, 23), (40, 53)], [])


def test_dots_and_dashes_are_punctuation() -> None:
    marks = (piece(60, 6, y=44, height=6), piece(90, 24, y=28, height=5))
    spots = find_characters([line(piece(10, 20), *marks, piece(140, 20))], scorer(lambda _: 0.9))
    assert ways(spots) == [(10, 30), (140, 160)]


def test_spaces_and_newlines_stand_before() -> None:
    row = [piece(10 + 28 * k, 20) for k in range(3)] + [piece(150 + 28 * k, 20) for k in range(3)]
    second = [replace(p, box=replace(p.box, y=80)) for p in row[:2]]
    spots = find_characters([line(*row), line(*second)], scorer(lambda _: 0.99))
    assert [spot.before for spot in spots] == ["", "", "", " ", "", "", "\n", ""]
    assert [spot.box.y for spot in spots] == [10] * 6 + [80] * 2


def test_evenly_wide_gaps_are_no_spaces() -> None:
    row = [piece(10 + 50 * k, 20) for k in range(6)]  # the boxes of a form
    assert [spot.before for spot in find_characters([line(*row)], scorer(lambda _: 0.99))] == [""] * 6


def test_the_line_tells_size_and_place() -> None:
    tall, small = piece(10, 20), piece(40, 20, y=30, height=20)
    first, second = find_characters([line(tall, small, piece(70, 20))], scorer(lambda _: 0.99))[:2]
    assert first.cue.tolist() == pytest.approx([0, 1, 1, 0.5])
    assert second.cue.tolist() == pytest.approx([0, 1, 0.5, 0.25])
    (alone,) = find_characters([line(tall)], scorer(lambda _: 0.99))
    assert not alone.cue.any()


def test_a_skewed_line_is_levelled_for_the_cues() -> None:
    row = TextLine(tuple(piece(10 + 40 * k, 20, y=10 + 4 * k) for k in range(4)), 40, 0.1)
    for spot in find_characters([row], scorer(lambda _: 0.99)):
        assert spot.cue.tolist() == pytest.approx([0, 1, 1, 0.5], abs=1e-5)


@pytest.mark.parametrize("lines", [[], [line(piece(10, 5, height=5))]])
def test_nothing_to_read_never_asks_the_recogniser(lines: list[TextLine]) -> None:
    def never(glyphs: npt.NDArray[np.uint8], cues: npt.NDArray[np.float32]) -> Scores:
        raise AssertionError("asked")

    assert find_characters(lines, never) == []


def test_a_drawn_page_gives_its_characters_in_order() -> None:
    drawn = draw_text(
        "1407\n25", height_px=60, pen=Pen(width_px=5, jitter=0.01), paper=Paper(), rng=np.random.default_rng(4)
    )
    spots = find_characters(segment(extract_ink(drawn.image)), scorer(lambda _: 0.9))
    assert len(spots) == 6
    for spot, (_, true) in zip(spots, drawn.boxes, strict=True):
        assert abs(spot.box.x - true.x) <= 5
        assert abs(spot.box.right - true.right) <= 5
    assert [spot.before for spot in spots].count("\n") == 1
    assert spots[4].before == "\n"
