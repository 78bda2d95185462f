"""Segmentation: what belongs to one character stays together, lines and order are as written."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.ink import extract_ink
from handread.imaging.segment import Piece, TextLine, segment
from handread.types import Box

STILL = Pen(width_px=6, jitter=0.01, wobble=0)


def page(*blocks: tuple[int, int, int, int], shape: tuple[int, int] = (120, 400)) -> npt.NDArray[np.uint8]:
    """Ink image with full blocks (top, left, height, width)."""
    ink = np.zeros(shape, dtype=np.uint8)
    for top, left, height, width in blocks:
        ink[top : top + height, left : left + width] = 255
    return ink


def spans(line: TextLine) -> list[tuple[int, int]]:
    return [(piece.box.x, piece.box.right) for piece in line.pieces]


def covers(box: Box, true: Box, slack: int = 5) -> bool:
    return (
        abs(box.x - true.x) <= slack
        and abs(box.y - true.y) <= slack
        and abs(box.right - true.right) <= slack
        and abs(box.bottom - true.bottom) <= slack
    )


def pasted(pieces: tuple[Piece, ...], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Where any of the pieces has ink."""
    total = np.zeros(shape, dtype=np.bool_)
    for piece in pieces:
        total[piece.box.y : piece.box.bottom, piece.box.x : piece.box.right] |= piece.ink > 90
    return total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("text", ["i", "j", "1i1", "Aj"])
def test_dots_stay_with_their_letter(text: str, seed: int) -> None:
    drawn = draw_text(text, height_px=60, pen=STILL, paper=Paper(), rng=np.random.default_rng(seed))
    (line,) = segment(extract_ink(drawn.image))
    dotted = next(box for character, box in drawn.boxes if character in "ij")
    assert any(covers(piece.box, dotted) for piece in line.pieces)


def test_a_broken_stroke_is_one_piece() -> None:
    (line,) = segment(page((20, 40, 60, 10), (20, 100, 27, 10), (51, 100, 29, 10), (20, 160, 60, 10)))
    assert [piece.box.height for piece in line.pieces] == [62, 62, 62]


def test_equals_and_colon_are_one_piece_each() -> None:
    figures = ((20, 20, 60, 10), (20, 150, 60, 10))
    equals = ((40, 70, 6, 30), (58, 70, 6, 30))
    (line,) = segment(page(*figures, *equals))
    assert spans(line) == [(19, 31), (69, 101), (149, 161)]
    colon = ((35, 85, 9, 9), (62, 85, 9, 9))
    (line,) = segment(page(*figures, *colon))
    assert spans(line) == [(19, 31), (84, 95), (149, 161)]


def test_a_full_stop_does_not_join_what_it_follows() -> None:
    (line,) = segment(page((20, 20, 60, 20), (72, 46, 8, 8), (20, 80, 60, 20)))
    assert len(line.pieces) == 3


def touching(left_right: str, seed: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Two digits moved two columns into each other, and the column where the first ends."""
    drawn = draw_text(left_right, height_px=60, pen=STILL, paper=Paper(), rng=np.random.default_rng(seed))
    (_, first), (_, second) = drawn.boxes
    ink = extract_ink(drawn.image)
    joined = np.zeros_like(ink)
    joined[:, : first.right] = ink[:, : first.right]
    tail = ink[:, second.x :]
    window = joined[:, first.right - 2 : first.right - 2 + tail.shape[1]]
    np.maximum(window, tail, out=window)
    return joined, first.right - 1


@pytest.mark.parametrize("left_right", ["00", "38", "56", "94", "62"])
def test_touching_digits_are_cut_where_they_touch(left_right: str) -> None:
    best = []
    for seed in range(4):
        joined, end = touching(left_right, seed)
        first = joined > 90
        first[:, end:] = False
        (line,) = segment(joined)
        lefts = [pasted(line.pieces[:count], joined.shape) for count in range(1, len(line.pieces))]
        best.append(max(float((left & first).sum() / (left | first).sum()) for left in lefts))
        assert pasted(line.pieces, joined.shape)[joined > 90].mean() > 0.99  # no ink is lost
    assert np.mean(best) > 0.85
    assert min(best) > 0.65


def test_a_cut_says_so_and_the_parts_hold_all_ink() -> None:
    bridge = page((20, 20, 60, 30), (45, 50, 5, 20), (20, 70, 60, 30))
    (line,) = segment(bridge)
    assert not line.pieces[0].joined_left
    assert all(piece.joined_left for piece in line.pieces[1:])
    assert np.array_equal(pasted(line.pieces, bridge.shape), bridge > 0)


def test_a_piece_holds_its_own_ink_only() -> None:
    inner = page((40, 60, 20, 20), shape=(120, 200))
    ring = page((20, 30, 80, 90), shape=(120, 200))
    ring[26:94, 36:114] = 0
    lines = segment(np.maximum(ring, inner))
    pieces = [piece for line in lines for piece in line.pieces]
    for piece in pieces:
        assert piece.ink.shape == (piece.box.height, piece.box.width)
        assert piece.ink.dtype == np.uint8


@pytest.mark.parametrize("paper", ["plain", "ruled"])
def test_two_lines_come_in_order(paper: str) -> None:
    drawn = draw_text("147\n58", height_px=50, pen=STILL, paper=Paper(kind=paper), rng=np.random.default_rng(1))  # type: ignore[arg-type]
    lines = segment(extract_ink(drawn.image))
    assert len(lines) == 2
    assert max(p.box.y for p in lines[0].pieces) < min(p.box.bottom for p in lines[1].pieces)
    for line, text in zip(lines, ("147", "58"), strict=True):
        assert len(line.pieces) >= len(text)
        middles = [piece.box.x + piece.box.width / 2 for piece in line.pieces]
        assert middles == sorted(middles)
        assert line.height == pytest.approx(50, rel=0.3)


def test_a_rising_line_stays_one_line_and_knows_its_skew() -> None:
    steps = [(70 - 6 * k, 20 + 50 * k, 40, 12) for k in range(8)]
    (line,) = segment(page(*steps, shape=(140, 440)))
    assert len(line.pieces) == 8
    assert line.skew == pytest.approx(-6 / 50, abs=0.01)


def test_a_comma_goes_to_its_own_line() -> None:
    upper = ((10, 20, 40, 10), (10, 60, 40, 10), (45, 80, 12, 6))
    lower = ((80, 20, 40, 10), (80, 60, 40, 10))
    lines = segment(page(*upper, *lower, shape=(140, 200)))
    assert [len(line.pieces) for line in lines] == [3, 2]


@pytest.mark.parametrize(
    "ink",
    [
        np.zeros((50, 50), np.uint8),
        np.full((50, 50), 60, np.uint8),
        page((20, 20, 2, 2)),
        np.zeros((1, 1), np.uint8),
    ],
    ids=["nothing", "faint", "a speck", "one pixel"],
)
def test_where_there_is_no_text_there_are_no_lines(ink: npt.NDArray[np.uint8]) -> None:
    assert segment(ink) == ()


def test_texture_does_not_hang() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.random((600, 800)) > 0.9).astype(np.uint8) * 255
    for line in segment(noise):
        assert line.pieces


def test_specks_and_remains_of_rules_are_left_out() -> None:
    figures = ((20, 20, 60, 10), (20, 60, 60, 10), (20, 150, 60, 10))
    (line,) = segment(page(*figures, (100, 0, 2, 390), (8, 100, 3, 3)))
    assert spans(line) == [(19, 31), (59, 71), (149, 161)]
