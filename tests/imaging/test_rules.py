"""Ruled lines and box edges go, the strokes that cross them and tightly cut characters stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.draw import Pen, draw_character
from handread.imaging.rules import LEVEL, remove_dots, remove_rim, remove_rules
from handread.imaging.single import single_character


def character(name: str, height: int, seed: int, margin: int = 0) -> npt.NDArray[np.uint8]:
    """Ink cut to its very bounds, with `margin` pixels of paper around it."""
    pen = Pen(width_px=height / 10)
    ink = draw_character(name, height_px=height, pen=pen, rng=np.random.default_rng(seed))[2:-2, 2:-2]
    return np.pad(ink, margin)


def overlap(found: npt.NDArray[np.uint8], clean: npt.NDArray[np.uint8]) -> float:
    a, b = found > LEVEL, clean > LEVEL
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("height", [28, 46, 60, 200])
@pytest.mark.parametrize("name", list("TLEZ7HFIDU"))
def test_a_tightly_cut_character_keeps_its_strokes(name: str, height: int) -> None:
    shares = [overlap(remove_rules(character(name, height, seed)), character(name, height, seed)) for seed in range(3)]
    assert min(shares) > 0.55  # one bar may pass for an edge
    assert np.mean(shares) > 0.65


@pytest.mark.parametrize("height", [28, 60, 200])
@pytest.mark.parametrize("name", list("TLEZ71H"))
def test_a_tightly_cut_picture_gives_its_character(name: str, height: int) -> None:
    margin = round(0.25 * height) if name == "1" else 0  # a cut that leaves a 1 no paper leaves no way to tell
    for seed in range(3):
        ink = character(name, height, seed, margin)
        gray = (255 - 0.85 * ink).astype(np.uint8)
        bounds = single_character(gray).box
        assert bounds.height >= 0.8 * (ink.shape[0] - 2 * margin)


def test_a_line_through_a_character_goes_and_the_character_stays() -> None:
    ink = np.zeros((100, 200), dtype=np.uint8)
    ink[20:80, 95:101] = 255
    ink[60:62] = 200
    cleaned = remove_rules(ink)
    assert not cleaned[60:62, :90].any()
    assert not cleaned[60:62, 106:].any()
    assert (cleaned[20:80, 95:101] >= 200).all()


def test_a_slanted_line_goes_too() -> None:
    ink = np.zeros((120, 300), dtype=np.uint8)
    for column in range(300):
        ink[70 + column // 60 : 72 + column // 60, column] = 220
    ink[20:60, 100:108] = 255
    cleaned = remove_rules(ink)
    assert (cleaned[65:] > LEVEL).sum() < 10
    assert (cleaned[20:60, 100:108] == 255).all()


def test_the_edges_of_a_box_go() -> None:
    ink = np.zeros((90, 80), dtype=np.uint8)
    ink[2:4] = ink[-4:-2] = 230
    ink[:, 1:3] = ink[:, -3:-1] = 230
    ink[25:65, 35:42] = 255
    cleaned = remove_rules(ink)
    assert (cleaned[25:65, 35:42] == 255).all()
    cleaned[25:65, 35:42] = 0
    assert (cleaned > LEVEL).sum() <= 16  # a spot of each corner,
    assert not remove_rim(cleaned).any()  # which is a speck


def test_a_thick_bar_is_a_stroke() -> None:
    ink = np.zeros((60, 60), dtype=np.uint8)
    ink[20:32] = 255
    assert np.array_equal(remove_rules(ink), ink)


def test_rules_go_from_large_pictures_as_from_small() -> None:
    ink = np.zeros((900, 1400), dtype=np.uint8)
    ink[600:604] = 200
    ink[200:560, 400:430] = 255
    cleaned = remove_rules(ink)
    assert (cleaned[596:608] > LEVEL).sum() == 0
    assert (cleaned[200:560, 400:430] == 255).all()


def test_ink_without_lines_is_returned_as_it_is() -> None:
    ink = character("S", 60, 1, margin=20)
    assert np.array_equal(remove_rules(ink), ink)
    tiny = np.full((8, 40), 255, dtype=np.uint8)
    assert np.array_equal(remove_rules(tiny), tiny)


def test_the_rim_loses_what_leans_in_and_specks() -> None:
    ink = np.zeros((100, 100), dtype=np.uint8)
    ink[30:75, 45:53] = 255
    body = ink.copy()
    ink[0:4, 20:60] = 255  # a neighbour's foot
    ink[60, 10] = 255  # a speck
    assert np.array_equal(remove_rim(ink), body)
    assert np.array_equal(remove_rim(body), body)
    assert not remove_rim(np.zeros((40, 40), dtype=np.uint8)).any()


def test_a_character_that_touches_the_rim_stays() -> None:
    ink = character("8", 60, 0)
    assert overlap(remove_rim(ink), ink) == 1


def stroke_with_dots(*dots: tuple[int, int], size: int = 2) -> npt.NDArray[np.uint8]:
    ink = np.zeros((40, 40), np.uint8)
    ink[6:34, 18:23] = 255
    for x, y in dots:
        ink[y : y + size, x : x + size] = 255
    return ink


ROW = tuple((x, 12 + x // 3) for x in range(1, 39, 5) if not 14 < x < 25)


def test_a_dotted_line_is_taken_out_and_the_stroke_stays() -> None:
    assert len(ROW) == 6
    assert np.array_equal(remove_dots(stroke_with_dots(*ROW)), stroke_with_dots())


def test_two_dotted_lines_are_taken_out() -> None:
    both = (*ROW, *((x, 36 - x // 3) for x, _ in ROW))
    assert np.array_equal(remove_dots(stroke_with_dots(*both)), stroke_with_dots())


@pytest.mark.parametrize(
    "dots",
    [ROW[:3], ((2, 2), (9, 30), (30, 5), (34, 30), (8, 16)), ((27, 4), (31, 4), (35, 4), (37, 4)), ()],
    ids=["three", "strewn", "short", "none"],
)
def test_other_marks_are_left(dots: tuple[tuple[int, int], ...]) -> None:
    ink = stroke_with_dots(*dots)
    assert remove_dots(ink) is ink


def test_marks_of_a_strokes_size_are_no_dots() -> None:
    bars = np.zeros((40, 60), np.uint8)
    bars[5:35, 4:56:10] = 255
    assert remove_dots(bars) is bars


def test_a_small_pictures_stroke_that_ends_near_the_rim_is_no_rule() -> None:
    ink = np.zeros((18, 18), np.uint8)
    ink[2:16, 8:10] = 255
    assert remove_rules(ink) is ink
