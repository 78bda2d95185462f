"""Cuts: where touching characters part, along the slant of the hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.cuts import MOST_PARTS, cut_piece, slant_of
from handread.imaging.draw import Pen, draw_character


def bars(count: int, *, height: int = 60, width: int = 26, bridge: int = 4, gap: int = 14) -> npt.NDArray[np.uint8]:
    """Solid characters joined by thin bridges at half height."""
    ink = np.zeros((height, count * width + (count - 1) * gap), dtype=np.uint8)
    ink[height // 2 : height // 2 + bridge] = 255
    for k in range(count):
        ink[:, k * (width + gap) : k * (width + gap) + width] = 255
    return ink


def leaning(lean: float, *, rows: int = 40, width: int = 5) -> npt.NDArray[np.uint8]:
    ink = np.zeros((rows, rows + 30), dtype=np.uint8)
    for row in range(rows):
        left = round(lean * (rows - 1 - row)) + 5
        ink[row, left : left + width] = 255
    return ink


@pytest.mark.parametrize("count", [2, 3])
def test_thin_bridges_are_cut(count: int) -> None:
    parts = cut_piece(bars(count), 60, 0.0)
    assert len(parts) >= count
    lefts = [left for left, _, _ in parts]
    assert lefts == sorted(lefts)
    for k in range(1, count):
        bridge_left, bridge_right = k * 40 - 14, k * 40
        assert any(bridge_left <= left <= bridge_right for left in lefts[1:])


def test_the_parts_make_up_the_whole() -> None:
    ink = bars(3)
    total = np.zeros_like(ink)
    for left, top, part in cut_piece(ink, 60, 0.3):
        window = total[top : top + part.shape[0], left : left + part.shape[1]]
        assert not (window & part).any()
        np.maximum(window, part, out=window)
    assert np.array_equal(total, ink)


def test_a_narrow_stroke_stays_whole() -> None:
    ink = np.full((60, 5), 255, dtype=np.uint8)
    ((left, top, part),) = cut_piece(ink, 60, 0.0)
    assert (left, top) == (0, 0)
    assert np.array_equal(part, ink)


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (3, 200)])
def test_odd_shapes_are_survived(shape: tuple[int, int]) -> None:
    parts = cut_piece(np.full(shape, 255, dtype=np.uint8), 60, 0.2)
    assert sum(int((part > 0).sum()) for _, _, part in parts) == shape[0] * shape[1]


def test_faint_ink_is_not_lost() -> None:
    ink = np.full((20, 30), 50, dtype=np.uint8)  # below the level of ink
    ((_, _, part),) = cut_piece(ink, 20, 0.0)
    assert np.array_equal(part, ink)


def test_the_number_of_parts_is_bounded() -> None:
    assert len(cut_piece(bars(40), 60, 0.0)) <= MOST_PARTS + 1


@pytest.mark.parametrize("lean", [0.0, 0.3, 0.6])
def test_slant_is_the_lean_of_the_strokes(lean: float) -> None:
    assert slant_of([leaning(lean)] * 3) == pytest.approx(lean, abs=0.01)


@pytest.mark.parametrize("degrees", [0, 10, 20])
def test_slant_of_round_digits_is_the_pens(degrees: int) -> None:
    pen = Pen(width_px=5, slant=degrees)
    for seed in range(4):
        inks = [draw_character(c, height_px=60, pen=pen, rng=np.random.default_rng(seed)) for c in "38062"]
        assert slant_of(inks) == pytest.approx(np.tan(np.radians(degrees)), abs=0.16)


def test_slant_of_nothing_is_upright() -> None:
    assert slant_of([]) == 0
    assert abs(slant_of([np.zeros((30, 20), dtype=np.uint8)])) <= 0.2
