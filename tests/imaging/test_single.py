"""One picture, one character: where it stands, what belongs to it, and when there is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.glyph import normalise
from handread.imaging.single import isolate, main_ink, single_character
from handread.types import Box


def page(*blocks: tuple[int, int, int, int], shape: tuple[int, int] = (100, 100)) -> npt.NDArray[np.uint8]:
    """Ink image with full blocks (top, left, height, width)."""
    ink = np.zeros(shape, dtype=np.uint8)
    for top, left, height, width in blocks:
        ink[top : top + height, left : left + width] = 255
    return ink


@pytest.mark.parametrize("paper", ["plain", "ruled", "squared", "boxes"])
@pytest.mark.parametrize("character", "5aRj")
def test_the_box_is_where_the_character_was_drawn(character: str, paper: str) -> None:
    drawn = draw_text(
        character, height_px=70, pen=Pen(width_px=6), paper=Paper(kind=paper), rng=np.random.default_rng(4)
    )  # type: ignore[arg-type]
    ((_, box),) = drawn.boxes
    single = single_character(drawn.image)
    assert not single.empty
    for found, true in zip(
        (single.box.x, single.box.y, single.box.right, single.box.bottom),
        (box.x, box.y, box.right, box.bottom),
        strict=True,
    ):
        assert abs(found - true) <= 5
    height = drawn.image.shape[0]
    assert single.cue.dtype == np.float32
    assert single.cue.tolist() == pytest.approx(
        [1, 0, box.height / height, 1 - (box.y + box.height / 2) / height], abs=0.06
    )
    assert single.glyph.shape == (32, 32)
    assert single.glyph.max() == 255


def test_boxes_are_in_source_pixels_of_large_pictures() -> None:
    gray = np.full((4800, 3600), 235, dtype=np.uint8)
    gray[1200:3600, 1500:1800] = 20
    single = single_character(gray)
    assert single.box.x == pytest.approx(1500, abs=8)
    assert single.box.y == pytest.approx(1200, abs=8)
    assert single.box.width == pytest.approx(300, abs=12)
    assert single.box.height == pytest.approx(2400, abs=12)


def test_an_empty_picture_says_so() -> None:
    single = single_character(np.full((30, 40), 240, dtype=np.uint8))
    assert single.empty
    assert single.box == Box(0, 0, 40, 30)
    assert not single.glyph.any()
    assert not single.cue.any()


def test_a_speck_is_no_character() -> None:
    gray = np.full((60, 60), 240, dtype=np.uint8)
    gray[30:32, 30:32] = 20
    assert single_character(gray).empty


def test_the_glyph_is_the_one_normalisation_of_the_box() -> None:
    gray = np.full((60, 50), 255, dtype=np.uint8)
    gray[10:50, 20:28] = 0
    single = single_character(gray)
    assert single.box == Box(20, 10, 8, 40)
    assert np.array_equal(single.glyph, normalise([np.full((40, 8), 255, dtype=np.uint8)])[0, 0])


def test_the_dot_of_an_i_and_a_broken_stroke_belong() -> None:
    dotted = page((40, 46, 40, 7), (22, 46, 7, 7))
    assert np.array_equal(main_ink(dotted), dotted)
    broken = page((20, 46, 25, 7), (50, 46, 30, 7))
    assert np.array_equal(main_ink(broken), broken)


def test_specks_below_and_neighbours_at_the_rim_do_not_belong() -> None:
    body = page((25, 40, 45, 10))
    assert np.array_equal(main_ink(np.maximum(body, page((80, 44, 5, 5)))), body)
    assert np.array_equal(main_ink(np.maximum(body, page((30, 0, 8, 4)))), body)


def test_the_middle_counts() -> None:
    middle, side = page((30, 45, 40, 8)), page((30, 0, 40, 9))
    kept = main_ink(np.maximum(middle, side))
    assert kept[50, 48] == 255


def test_large_pictures_are_decided_on_smaller_copies() -> None:
    body = page((300, 450, 600, 120), shape=(1200, 1000))
    assert np.array_equal(isolate(np.maximum(body, page((0, 30, 40, 300), shape=(1200, 1000)))), body)
    hairline = page((300, 450, 600, 2), shape=(1200, 1000))
    assert isolate(hairline)[600, 450] == 255
