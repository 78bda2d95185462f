"""Ink: found by itself in light and shade, on any paper, dark on light or bright on dark."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.ink import extract_ink, is_bright_on_dark
from handread.imaging.single import single_character

PEN = Pen(width_px=6)
CHARACTERS = "3A8gi1TmZ7"


def picture(text: str, paper: Paper | None = None, pen: Pen = PEN) -> npt.NDArray[np.uint8]:
    return draw_text(text, height_px=70, pen=pen, paper=paper or Paper(), rng=np.random.default_rng(len(text))).image


def overlap(found: npt.NDArray[np.uint8], clean: npt.NDArray[np.uint8]) -> float:
    a, b = found > 110, clean > 110
    return float((a & b).sum() / max(1, (a | b).sum()))


PAPERS = {
    "noise and grain": (Paper(noise=8, texture=4), PEN, 0.9),
    "shadow": (Paper(shadow=0.5, shadow_angle=20), PEN, 0.8),
    "ruled": (Paper(kind="ruled"), PEN, 0.85),
    "squared": (Paper(kind="squared"), PEN, 0.85),
    "blackboard": (Paper(tone=30), PEN, 0.95),
    "coarse jpeg": (Paper(jpeg=25), PEN, 0.85),
    "out of focus": (Paper(blur=1.5), PEN, 0.8),
    "grey paper": (Paper(tone=150), PEN, 0.95),
    "light and noise and squares": (Paper(kind="squared", shadow=0.3, noise=4, jpeg=60), PEN, 0.75),
}


@pytest.mark.parametrize("kind", PAPERS)
def test_the_character_is_the_same_on_any_paper(kind: str) -> None:
    paper, pen, least = PAPERS[kind]
    shares = [
        overlap(single_character(picture(c, paper, pen)).glyph, single_character(picture(c, pen=pen)).glyph)
        for c in CHARACTERS
    ]
    assert np.mean(shares) >= least
    assert min(shares) >= least - 0.3


@pytest.mark.parametrize("pen", [Pen(width_px=1.2), Pen(width_px=14, kind="felt"), Pen(kind="pencil", darkness=0.3)])
def test_thin_thick_and_faint_pens_are_found(pen: Pen) -> None:
    for character in CHARACTERS:
        drawn = draw_text(character, height_px=70, pen=pen, paper=Paper(noise=2), rng=np.random.default_rng(0))
        ((_, box),) = drawn.boxes
        found = single_character(drawn.image).box
        assert abs(found.x - box.x) <= 4, character
        assert abs(found.y - box.y) <= 4, character
        assert abs(found.right - box.right) <= 4, character
        assert abs(found.bottom - box.bottom) <= 4, character


@pytest.mark.parametrize("character", CHARACTERS)
def test_polarity_is_found_by_itself(character: str) -> None:
    gray = picture(character, Paper(noise=4))
    assert not is_bright_on_dark(gray)
    assert is_bright_on_dark(255 - gray)
    assert np.array_equal(extract_ink(gray), extract_ink(255 - gray))


def test_full_ink_is_full_and_paper_is_nothing() -> None:
    gray = picture("8")
    ink = extract_ink(gray)
    assert ink.shape == gray.shape
    assert ink.dtype == np.uint8
    assert (ink[gray == 245] == 0).all()
    assert ink.max() == 255
    assert np.median(ink[gray < 60]) >= 230


def test_the_same_stroke_weighs_the_same_in_the_dark() -> None:
    gray = picture("H")
    assert overlap(extract_ink((gray * 0.3).astype(np.uint8)), extract_ink(gray)) > 0.97


@pytest.mark.parametrize("light", [0.5, 0.7])
def test_a_hard_shadow_is_not_ink(light: float) -> None:
    gray = picture("8")
    shaded = gray.copy()
    middle = gray.shape[1] // 2
    shaded[:, middle:] = (gray[:, middle:] * light).astype(np.uint8)
    assert overlap(single_character(shaded).glyph, single_character(gray).glyph) > 0.85


@pytest.mark.parametrize("shape", [(28, 28), (60, 90), (600, 400)])
@pytest.mark.parametrize("grain", [0, 1, 3])
@pytest.mark.parametrize("tone", [250, 200, 128])
def test_blank_paper_gives_no_ink(shape: tuple[int, int], grain: float, tone: int) -> None:
    paper = np.random.default_rng(1).normal(tone, grain, shape).clip(0, 255).astype(np.uint8)
    assert single_character(paper).empty


@pytest.mark.parametrize("kind", ["ruled", "squared", "boxes"])
def test_printed_paper_alone_gives_no_character(kind: str) -> None:
    drawn = draw_text(".", height_px=60, pen=PEN, paper=Paper(kind=kind), rng=np.random.default_rng(2))  # type: ignore[arg-type]
    ((_, dot),) = drawn.boxes
    ink = extract_ink(drawn.image)
    ink[dot.y - 3 : dot.bottom + 3, dot.x - 3 : dot.right + 3] = 0
    assert float((ink > 90).mean()) < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (50, 2), (3, 3)])
def test_pictures_too_small_for_ink_give_zeros(shape: tuple[int, int]) -> None:
    gray = np.full(shape, 200, dtype=np.uint8)
    gray[0, 0] = 30
    ink = extract_ink(gray)
    assert ink.shape == shape
    assert not ink.any() or min(shape) >= 3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_grey_is_no_ink(value: int) -> None:
    assert not extract_ink(np.full((40, 30), value, dtype=np.uint8)).any()


def test_rules_stay_when_asked() -> None:
    gray = picture("8")
    gray[-30:-28] = 60
    assert (extract_ink(gray, remove_rules=False)[-30:-28, :20] > 200).all()
    assert not extract_ink(gray)[-30:-28, :20].any()


def test_the_picture_is_not_changed() -> None:
    gray = picture("8", Paper(kind="squared", tone=20))
    before = gray.copy()
    extract_ink(gray)
    assert np.array_equal(gray, before)


def test_a_bowl_of_light_does_not_turn_the_polarity() -> None:
    rows = np.linspace(-1.4, 0.6, 200)[:, None]
    paper = np.repeat(135 + 70 * rows**2, 700, axis=1)
    for left in range(60, 640, 90):
        paper[60:140, left : left + 3] -= 60
        paper[100:103, left : left + 40] -= 60
    gray = np.clip(paper, 0, 255).astype(np.uint8)
    assert not is_bright_on_dark(gray)
    assert is_bright_on_dark(255 - gray)


@pytest.mark.parametrize("angle", [0, 40, 90, 200])
@pytest.mark.parametrize("light", [0.5, 0.3])
def test_a_shadow_through_the_character_does_not_turn_the_polarity(angle: float, light: float) -> None:
    picture = np.full((96, 96), 225.0)
    ring = cv2.circle(np.zeros((96, 96), np.uint8), (48, 48), 26, 1, 10)
    y, x = np.mgrid[-48:48, -48:48]
    shade = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle)) > 6
    picture[ring > 0] = 45
    gray = np.rint(picture * np.where(shade, light, 1)).astype(np.uint8)
    assert not is_bright_on_dark(gray)
    ink = extract_ink(gray)
    assert (ink[ring > 0] > 90).mean() > 0.9
    assert (ink[cv2.dilate(ring, np.ones((5, 5))) == 0] > 90).mean() < 0.06  # a sliver along the hard edge


def test_grain_alone_is_dark_on_light() -> None:
    random = np.random.default_rng(2)
    sheets = [np.clip(random.normal(200, 4, (80, 80)), 0, 255).astype(np.uint8) for _ in range(20)]
    assert not any(is_bright_on_dark(sheet) for sheet in sheets)
