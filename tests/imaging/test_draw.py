"""The renderer: what it draws, where, always the same, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from handread.alphabet import NAMED
from handread.errors import AlphabetError, ConfigError, ImageError
from handread.imaging.draw import Paper, Pen, draw_character, draw_skeleton, draw_strokes, draw_text
from handread.imaging.strokes import CHARACTERS, SKELETONS, compile_skeleton, variants

STILL = Pen(width_px=4, jitter=0, wobble=0, pressure=0, darkness=1, kind="felt")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_every_class_and_the_separators_have_skeletons() -> None:
    assert set(CHARACTERS) == set(NAMED["alphanumeric"]) | set(".,-+=:/")


@pytest.mark.parametrize("character", NAMED["alphanumeric"])
def test_people_differ(character: str) -> None:
    assert len(set(SKELETONS[character])) >= 3


@pytest.mark.parametrize("character", CHARACTERS)
def test_skeletons_keep_to_the_frame(character: str) -> None:
    for skeleton in variants(character):
        path = skeleton.basis @ skeleton.controls
        low, high = path[:, 1].min(), path[:, 1].max()
        assert low >= -42
        assert high <= 108
        if character in NAMED["digits"] + NAMED["upper"]:
            # only capital Q may hang its tail below the line
            assert low >= (-18 if character == "Q" else -7)
            assert high >= 92
        if character in "acemnorsuvwxz":
            assert low >= -3
            assert high <= 58
        if character in "gjpqy":
            assert low <= -17


def test_the_path_passes_through_the_points_and_stays_straight_between_two() -> None:
    skeleton = compile_skeleton("0,0 30,40! 60,0; 10,10 10,90", 6.0)
    path = skeleton.basis @ skeleton.controls
    assert all(np.abs(path - point).sum(1).min() < 1e-9 for point in skeleton.controls)
    assert path[skeleton.point_stroke == 1][:, 0] == pytest.approx(10)
    assert np.allclose(skeleton.basis.sum(1), 1)  # moving all points moves the path as much


@pytest.mark.parametrize("text", ["1,2", "1 2; 3,4 5,6"])
def test_a_malformed_skeleton_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"point|inhomogeneous"):
        compile_skeleton(text)


@pytest.mark.parametrize("kind", ["ballpoint", "pencil", "felt"])
@pytest.mark.parametrize("character", ["8", "g", "M", "."])
def test_a_character_is_ink_cut_to_itself(character: str, kind: Any) -> None:
    ink = draw_character(character, height_px=40, pen=Pen(kind=kind), rng=rng())
    assert ink.dtype == np.uint8
    assert ink.ndim == 2
    assert ink.max() > 128
    rim = np.concatenate([ink[:2].ravel(), ink[-2:].ravel(), ink[:, :2].ravel(), ink[:, -2:].ravel()])
    assert not rim.any()
    assert ink[2].any()
    assert ink[-3].any()
    assert ink[:, 2].any()
    assert ink[:, -3].any()


def test_height_and_width_are_as_asked() -> None:
    bar = draw_skeleton("10,100 10,0", height_px=100, pen=STILL, rng=rng())
    solid = bar > 128
    assert solid.any(1).sum() == pytest.approx(100 + 4, abs=2)  # round ends reach half a width further
    assert np.median(solid.sum(1)[20:80]) == pytest.approx(4, abs=0.6)


def test_slant_leans_the_top_to_the_right() -> None:
    pen = Pen(width_px=3, jitter=0, wobble=0, slant=20)
    ink = draw_skeleton("0,0 0,100", height_px=100, pen=pen, rng=rng()) > 128
    top, foot = (np.flatnonzero(ink[row]).mean() for row in (8, -9))
    assert top - foot == pytest.approx(np.tan(np.radians(20)) * (ink.shape[0] - 17), abs=2)


def test_equal_seeds_draw_equal_pictures() -> None:
    def draw(seed: int) -> Any:
        paper = Paper(kind="squared", texture=3, shadow=0.3, noise=2, jpeg=70, blur=0.5)
        return draw_text("4a\nB 7", height_px=24, pen=Pen(kind="pencil"), paper=paper, rng=rng(seed))

    first, again, other = draw(7), draw(7), draw(8)
    assert np.array_equal(first.image, again.image)
    assert first.boxes == again.boxes
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("kind", ["plain", "ruled", "squared", "boxes"])
@pytest.mark.parametrize("tone", [240, 40])
def test_text_stands_in_its_boxes_in_reading_order(kind: Any, tone: int) -> None:
    drawn = draw_text("Ag 1\n.5", height_px=40, pen=STILL, paper=Paper(kind=kind, tone=tone), rng=rng(3))
    assert drawn.image.dtype == np.uint8
    assert [character for character, _ in drawn.boxes] == ["A", "g", "1", ".", "5"]
    height, width = drawn.image.shape
    for _, box in drawn.boxes:
        assert box.width >= 1
        assert box.height >= 1
        assert 0 <= box.x < box.right <= width
        assert 0 <= box.y < box.bottom <= height
        window = drawn.image[box.y : box.bottom, box.x : box.right].astype(int)
        assert np.abs(window - tone).max() > 120
    boxes = [box for _, box in drawn.boxes]
    assert boxes[0].x < boxes[1].x < boxes[2].x
    assert boxes[3].x < boxes[4].x
    assert boxes[4].y > boxes[0].bottom  # the second line
    assert boxes[1].bottom > boxes[0].bottom  # the g hangs below the A
    blank = drawn.image.copy()
    for box in boxes:
        blank[max(0, box.y - 3) : box.bottom + 3, max(0, box.x - 3) : box.right + 3] = tone
    assert np.abs(blank.astype(int) - tone).max() <= 70  # no ink outside the boxes, at most printed lines


def test_one_hand_writes_a_character_one_way() -> None:
    drawn = draw_text("7777", height_px=40, pen=STILL, paper=Paper(), rng=rng(1))
    heights = [box.height for _, box in drawn.boxes]
    assert max(heights) - min(heights) < 8


def test_a_coloured_pen_makes_a_colour_picture() -> None:
    drawn = draw_text("8", height_px=40, pen=Pen(width_px=6, colour=(20, 40, 200)), paper=Paper(), rng=rng())
    assert drawn.image.shape[2] == 3
    red, _, blue = drawn.image.reshape(-1, 3)[drawn.image.sum(2).argmin()]
    assert blue > red + 80


def test_shadow_darkens_towards_its_angle() -> None:
    paper = Paper(tone=200, shadow=0.5, shadow_angle=0)
    image = draw_text("1", height_px=30, pen=STILL, paper=paper, rng=rng()).image
    assert image[0, 0] > 180
    assert image[0, -1] < 120


def test_recorded_strokes_are_centred_at_one_scale() -> None:
    ink = draw_strokes([[(100, 100), (100, 300)], [(100, 200), (200, 200)]], size=80, width_px=4)
    assert ink.shape == (80, 80)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    assert rows[0] + rows[-1] == pytest.approx(79, abs=2)
    assert columns[0] + columns[-1] == pytest.approx(79, abs=2)
    assert len(rows) == pytest.approx(60 + 4, abs=3)
    assert len(columns) == pytest.approx(30 + 4, abs=3)


@pytest.mark.parametrize("strokes", [[[(5, 5)]], [[(5, 5), (5, 5)]], [[(0, 0), (9, 9)], [], [(3, 3)]]])
def test_recorded_dots_leave_ink(strokes: Any) -> None:
    assert draw_strokes(strokes, size=32, width_px=3).max() == 255


@pytest.mark.parametrize(
    ("strokes", "words"),
    [
        ([], "no stroke"),
        ([[]], "no stroke"),
        ([[1, 2, 3]], r"shape \(3,\)"),
        ([[(1, 2), (float("nan"), 3)]], "not a finite number"),
        ([[(1, 2), (float("inf"), 3)]], "not a finite number"),
        ([["a", "b"]], "not a list of numbers"),
        ([[(1, 2), (3,)]], "not a list of numbers"),
    ],
)
def test_bad_strokes_are_refused(strokes: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        draw_strokes(strokes, size=32, width_px=3)


@pytest.mark.parametrize("character", ["é", "", "ab", "%"])
def test_an_unknown_character_is_refused(character: str) -> None:
    with pytest.raises(AlphabetError, match="cannot be drawn"):
        draw_character(character, height_px=40, pen=Pen(), rng=rng())


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_text_is_refused(text: str) -> None:
    with pytest.raises(ImageError, match="no character"):
        draw_text(text, height_px=40, pen=Pen(), paper=Paper(), rng=rng())


@pytest.mark.parametrize(
    "option",
    [
        {"width_px": 0}, {"width_px": float("nan")}, {"pressure": 1.5}, {"slant": 80}, {"jitter": -0.1},
        {"wobble": 1}, {"darkness": 0}, {"kind": "brush"},
    ],
)  # fmt: skip
def test_a_pen_out_of_range_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(option))):
        Pen(**option)


@pytest.mark.parametrize(
    "option",
    [
        {"kind": "silk"}, {"tone": 300}, {"texture": -1}, {"shadow": 1}, {"noise": 99}, {"jpeg": 0}, {"blur": 50},
    ],
)  # fmt: skip
def test_paper_out_of_range_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(option))):
        Paper(**option)


@pytest.mark.parametrize("height", [3, 0, -5, float("nan"), 1e9])
def test_a_height_out_of_range_is_refused(height: float) -> None:
    with pytest.raises(ConfigError, match="height_px"):
        draw_character("a", height_px=height, pen=Pen(), rng=rng())
