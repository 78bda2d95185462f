"""Strokes to pictures: where they were drawn, as wide as the pen."""

from __future__ import annotations

import numpy as np
import pytest

from handread.web.drawing import draw_canvas
from handread.web.schemas import Point


def line(*places: tuple[float, float], pressure: float | None = None) -> list[Point]:
    return [Point(x=x, y=y, pressure=pressure) for x, y in places]


def test_a_stroke_stands_where_it_was_drawn() -> None:
    canvas = draw_canvas([line((20, 30), (80, 30))], width=100, height=60, pen=6)
    ink = 255 - canvas.gray.astype(int)
    assert canvas.gray.shape == (60, 100)
    assert canvas.scale == 1
    rows, columns = np.flatnonzero(ink.sum(1) > 0), np.flatnonzero(ink.sum(0) > 0)
    assert abs(rows.mean() + 0.5 - 30) < 0.6
    assert abs(columns.mean() + 0.5 - 50) < 0.6
    assert 5 <= (ink[:, 50] / 255).sum() <= 7


def test_a_large_canvas_is_drawn_smaller() -> None:
    canvas = draw_canvas([line((600, 600), (1800, 600))], width=2400, height=1200, pen=20)
    assert canvas.gray.shape == (600, 1200)
    assert canvas.scale == 2
    assert canvas.gray[300, 600] == 0


def test_pressure_makes_the_stroke_wider() -> None:
    widths = []
    for pressure in (0.1, None, 0.9):
        canvas = draw_canvas([line((10, 30), (90, 30), pressure=pressure)], width=100, height=60, pen=10)
        widths.append(((255 - canvas.gray[:, 50].astype(int)) / 255).sum())
    assert widths == sorted(widths)
    assert widths[0] < 0.8 * widths[1]
    assert 9 <= widths[1] <= 11


def test_a_tap_is_a_dot_and_an_empty_stroke_nothing() -> None:
    assert draw_canvas([line((20, 20))], width=40, height=40, pen=8).gray[20, 20] == 0
    assert draw_canvas([[], []], width=40, height=40, pen=8).gray.min() == 255


@pytest.mark.parametrize("place", [(-100_000.0, 5.0), (100_000.0, 100_000.0)])
def test_what_lies_outside_changes_nothing_inside(place: tuple[float, float]) -> None:
    assert draw_canvas([line(place)], width=40, height=40, pen=8).gray.min() == 255
