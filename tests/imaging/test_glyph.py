"""The one normalisation: size, place, stroke width and level, the same for every way in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from handread.data.load import load_data
from handread.errors import ImageError
from handread.frame import DEFAULT_FRAME, MNIST_FRAME, Frame
from handread.imaging import glyph
from handread.imaging.draw import Paper, Pen, draw_character, draw_text
from handread.imaging.glyph import SIZE, THINNEST, bounds_of_all, ink_bounds, normalise, stroke_width
from handread.imaging.single import single_character


def block(height: int, width: int, *, frame: tuple[int, int] = (200, 200), at: tuple[int, int] = (20, 30)):
    image = np.zeros(frame, dtype=np.uint8)
    image[at[0] : at[0] + height, at[1] : at[1] + width] = 255
    return image


def drawn(character: str, height: float = 60, width: float = 5) -> npt.NDArray[np.uint8]:
    return draw_character(character, height_px=height, pen=Pen(width_px=width), rng=np.random.default_rng(3))


@pytest.mark.parametrize("size", [(5, 5), (13, 26), (26, 13), (52, 26), (104, 104), (150, 75), (60, 120)])
def test_the_longer_side_is_26_centred_with_its_aspect(size: tuple[int, int]) -> None:
    glyph = normalise([block(*size)])[0, 0]
    assert glyph.shape == (SIZE, SIZE)
    top, bottom, left, right = ink_bounds(glyph) or (0, 0, 0, 0)
    scale = DEFAULT_FRAME.ink / max(size)
    blurred = max(1, 0.4 * scale)  # enlarging softens the rim
    assert bottom - top == pytest.approx(size[0] * scale, abs=blurred)
    assert right - left == pytest.approx(size[1] * scale, abs=blurred)
    assert top + bottom == pytest.approx(SIZE, abs=1)
    assert left + right == pytest.approx(SIZE, abs=1)
    assert glyph[SIZE // 2, SIZE // 2] == 255


def test_a_block_of_the_right_size_is_only_moved() -> None:
    glyph = normalise([block(26, 10, frame=(28, 28), at=(1, 5))])[0, 0]
    expected = np.zeros((32, 32), dtype=np.uint8)
    expected[3:29, 11:21] = 255
    assert np.array_equal(glyph, expected)


def test_place_and_size_in_the_frame_do_not_matter() -> None:
    ink = drawn("R")
    moved = np.pad(ink, ((40, 3), (0, 90)))
    assert np.array_equal(normalise([ink]), normalise([moved]))
    large = np.repeat(np.repeat(ink, 3, axis=0), 3, axis=1)
    a, b = normalise([ink])[0, 0] > 128, normalise([large])[0, 0] > 128
    assert (a & b).sum() / (a | b).sum() > 0.75


def test_an_empty_image_gives_an_empty_input() -> None:
    assert not normalise([np.zeros((28, 28), dtype=np.uint8)]).any()
    assert not normalise([np.full((28, 28), 7, dtype=np.uint8)]).any()  # not even a trace of ink
    assert not normalise([np.zeros((0, 5), dtype=np.uint8)]).any()
    assert normalise([]).shape == (0, 1, 32, 32)
    assert normalise(np.zeros((0, 28, 28), dtype=np.uint8)).shape == (0, 1, 32, 32)


def test_one_pixel_is_a_character_too() -> None:
    assert normalise([block(1, 1)])[0, 0].max() == 255


@pytest.mark.parametrize("height", [60, 120, 400])
def test_thin_strokes_are_thickened_to_what_survives_scaling(height: int) -> None:
    thin = normalise([drawn("H", height=height, width=1)])[0, 0]
    assert thin.max() == 255
    assert stroke_width(thin) == pytest.approx(THINNEST * DEFAULT_FRAME.ink, abs=0.8)


def test_thick_strokes_are_left_alone() -> None:
    ink = drawn("H", height=60, width=9)
    assert stroke_width(normalise([ink])[0, 0]) == pytest.approx(
        stroke_width(ink) * DEFAULT_FRAME.ink / max(ink.shape), abs=1
    )


@pytest.mark.parametrize("darkness", [0.35, 0.6, 1.0])
def test_full_ink_reads_255_whatever_the_pen(darkness: float) -> None:
    ink = np.round(drawn("8", width=7).astype(np.float64) * darkness).astype(np.uint8)
    glyph = normalise([ink])[0, 0]
    assert np.percentile(glyph[glyph > 96], 80) >= 250


@pytest.mark.parametrize("character", "8RgiM1")
def test_its_own_output_comes_out_nearly_as_it_went_in(character: str) -> None:
    once = normalise([drawn(character)])
    twice = normalise(once[:, 0])
    assert np.abs(once.astype(int) - twice).mean() < 6


def test_a_batch_equals_its_images_one_by_one() -> None:
    images = np.stack([np.pad(block(9 + k, 20 - k, frame=(28, 28), at=(k % 5, 2)), 0) for k in range(8)])
    batch = normalise(images)
    assert batch.shape == (8, 1, 32, 32)
    assert batch.dtype == np.uint8
    for image, placed in zip(images, batch, strict=True):
        assert np.array_equal(normalise([image])[0], placed)
    assert np.array_equal(normalise(list(images)), batch)


def test_images_are_not_changed() -> None:
    image = drawn("g", height=300, width=2)
    before = image.copy()
    normalise([image])
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "image", [np.zeros((28, 28)), np.zeros((28, 28, 3), np.uint8), np.zeros(28, np.uint8), np.zeros((2, 2), bool)]
)
def test_another_dtype_or_rank_is_refused(image: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"uint8 of shape \(H, W\), got"):
        normalise([image])


def test_ink_bounds_are_half_open() -> None:
    assert ink_bounds(block(3, 4)) == (20, 23, 30, 34)
    assert ink_bounds(np.zeros((9, 9), dtype=np.uint8)) is None


@pytest.mark.parametrize("width", [2, 6, 12])
def test_stroke_width_of_a_bar(width: int) -> None:
    assert stroke_width(block(150, width)) == pytest.approx(width * 4 / np.pi, rel=0.1)
    assert stroke_width(np.zeros((9, 9), dtype=np.uint8)) == 0


def test_training_and_prediction_see_the_same_bits(tmp_path: Path) -> None:
    names = "3aQ"
    for place, name in enumerate(names):
        folder = tmp_path / name
        folder.mkdir()
        paper = Paper(kind="ruled", noise=3, shadow=0.2)
        picture = draw_text(name, height_px=50, pen=Pen(), paper=paper, rng=np.random.default_rng(place)).image
        Image.fromarray(picture).save(folder / "one.jpg", quality=80)
    data = load_data(tmp_path)
    assert data.normalised
    assert data.files is not None
    assert data.cues is not None
    for image, cue, file in zip(data.images, data.cues, data.files, strict=True):
        single = single_character(file)
        assert np.array_equal(image, single.glyph)
        assert np.array_equal(cue, single.cue)


def test_a_centre_of_mass_stands_in_the_middle_as_in_mnist() -> None:
    ink = np.zeros((60, 60), np.uint8)
    ink[10:50, 20:26] = 255
    ink[44:50, 20:40] = 255  # an L: its mass lies lower and further left than the middle of its box
    glyph = normalise([ink], MNIST_FRAME)[0, 0].astype(float)
    assert glyph.shape == (28, 28)
    rows, columns = np.mgrid[:28, :28] + 0.5
    assert (glyph * rows).sum() / glyph.sum() == pytest.approx(14.5, abs=0.5)  # moved by whole pixels
    assert (glyph * columns).sum() / glyph.sum() == pytest.approx(14.5, abs=0.5)  # moved by whole pixels
    top, bottom, left, right = ink_bounds(glyph.astype(np.uint8)) or (0, 0, 0, 0)
    assert bottom - top in (20, 21)
    assert right - left in (10, 11)


def test_ink_as_mnist_has_it_is_left_as_it_is() -> None:
    digit = np.zeros((28, 28), np.uint8)
    digit[4:14, 11:18] = 200
    digit[14:24, 11:18] = 255  # its centre of mass falls on pixel (14, 14)
    assert np.array_equal(normalise(digit[None], MNIST_FRAME)[0, 0], digit)


def test_ink_heavy_at_one_end_stays_inside() -> None:
    ink = np.zeros((100, 100), np.uint8)
    ink[0:8, 0:90] = 255
    ink[8:100, 0:2] = 60
    for frame in (Frame(28, 28, 26, "mass"), Frame(20, 40, 20, "mass")):
        _, _, left, right = ink_bounds(normalise([ink], frame)[0, 0]) or (0, 0, 0, 0)
        assert right - left == pytest.approx(frame.ink, abs=1)


def test_a_window_keeps_size_and_place() -> None:
    picture = np.zeros((900, 1200), np.uint8)
    picture[300:500, 400:600] = 255
    frame = Frame(224, 224, 182, window=(100 / 900, 200 / 1200, 800 / 900, 900 / 1200))
    top, bottom, left, right = ink_bounds(normalise([picture], frame)[0, 0]) or (0, 0, 0, 0)
    # (300 - 100) * .32, (500 - 100) * .32, (400 - 200) * .32, (600 - 200) * .32
    assert (top, bottom, left, right) == (64, 128, 64, 128)


def test_a_window_widens_before_it_loses_ink() -> None:
    picture = np.zeros((900, 1200), np.uint8)
    picture[0:200, 1000:1200] = 255
    frame = Frame(224, 224, 182, window=(100 / 900, 200 / 1200, 800 / 900, 900 / 1200))
    glyph = normalise([picture], frame)[0, 0]
    bounds = ink_bounds(glyph) or (0, 0, 0, 0)
    assert (bounds[1] - bounds[0], bounds[3] - bounds[2]) == (45, 45)  # 200 pixels of a view 1,000 wide


@pytest.mark.parametrize("frame", [DEFAULT_FRAME, MNIST_FRAME, Frame(28, 20, 18, "mass"), Frame(40, 64, 40)], ids=str)
def test_many_small_images_are_laid_out_as_each_alone(frame: Frame) -> None:
    """Bit for bit: faint and empty ones, specks and full frames, and ones too large to be placed together."""
    rng = np.random.default_rng(8)
    for side in ((9, 30), (28, 28), (2 * frame.ink, 2 * frame.ink)):
        levels = rng.integers(0, 256, (60, 1, 1)) * (rng.random((60, 1, 1)) < 0.9)
        images = (rng.random((60, *side)) ** rng.integers(1, 60, (60, 1, 1)) * levels).astype(np.uint8)
        images[:6] = 0
        images[:6, 3:8, 5:9] = np.array([7, 8, 30, 100, 244, 245])[:, None, None]
        alone = np.concatenate([normalise(image[None], frame) for image in images])
        assert np.array_equal(normalise(images, frame), alone)
        assert np.array_equal(normalise(list(images), frame), alone)
        assert alone.any(axis=(1, 2, 3)).sum() > 40


def test_bounds_of_many_are_those_of_each() -> None:
    rng = np.random.default_rng(2)
    images = np.where(rng.random((50, 12, 17)) < 0.01, rng.integers(0, 256, (50, 12, 17)), 0).astype(np.uint8)
    inked, bounds = bounds_of_all(images)
    each = [ink_bounds(image) for image in images]
    assert inked.tolist() == [found is not None for found in each]
    assert [tuple(found) for found in bounds.T[inked].tolist()] == [found for found in each if found]
    assert 5 < inked.sum() < 50


def test_pieces_of_many_images_are_laid_out_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(2).integers(0, 256, (23, 28, 28), np.uint8)
    whole = normalise(images)
    monkeypatch.setattr(glyph, "_AT_MOST", 9)
    assert np.array_equal(normalise(images), whole)
