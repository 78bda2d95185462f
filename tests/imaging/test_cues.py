"""Size-and-position cues: exact values, and what bounds them."""

from __future__ import annotations

import numpy as np
import pytest

from handread.imaging.cues import CUES, line_cue, picture_cue, unknown_cues
from handread.types import Box


def test_nothing_known_is_zeros() -> None:
    cues = unknown_cues(3)
    assert cues.shape == (3, CUES)
    assert cues.dtype == np.float32
    assert not cues.any()


def test_a_picture_tells_size_and_place() -> None:
    cue = picture_cue(Box(5, 10, 7, 40), 100)
    assert cue.dtype == np.float32
    assert cue.tolist() == pytest.approx([1, 0, 0.4, 0.6])
    assert picture_cue(Box(5, 30, 7, 40), 100).tolist() == pytest.approx([1, 0, 0.4, 0.5])
    assert picture_cue(Box(0, 0, 9, 50), 50).tolist() == [1, 0, 1, 0.5]


def test_a_small_character_in_a_corner_is_held_within_what_photographs_show() -> None:
    assert picture_cue(Box(0, 0, 3, 5), 100).tolist() == pytest.approx([1, 0, 0.3, 0.6])
    assert picture_cue(Box(0, 95, 3, 5), 100).tolist() == pytest.approx([1, 0, 0.3, 0.35])


def test_a_line_tells_size_and_place() -> None:
    assert line_cue(20, 60, line_top=20, line_bottom=60).tolist() == [0, 1, 1, 0.5]
    assert line_cue(40, 60, line_top=20, line_bottom=60).tolist() == [0, 1, 0.5, 0.25]
    assert line_cue(20, 40, line_top=20, line_bottom=60).tolist() == [0, 1, 0.5, 0.75]


def test_odd_lines_stay_in_bounds() -> None:
    high = line_cue(-500, 900, line_top=20, line_bottom=60)
    low = line_cue(900, 950, line_top=20, line_bottom=60)
    flat = line_cue(5, 5, line_top=5, line_bottom=5)
    for cue in (high, low, flat):
        assert np.isfinite(cue).all()
        assert 0 <= cue[2] <= 1.5
        assert -0.5 <= cue[3] <= 1.5
