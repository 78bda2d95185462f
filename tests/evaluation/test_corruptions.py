"""Every corruption keeps the contract; some of them by exact facts."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from handread.errors import DataError, UnknownNameError
from handread.evaluation import mnist_c, paper
from handread.evaluation.corruption import CORRUPTIONS, STRENGTHS, corruption
from handread.imaging.ink import is_bright_on_dark

Images = npt.NDArray[np.uint8]
NAMES = (*mnist_c.NAMES, *paper.NAMES)


def inked(count: int = 12, shape: tuple[int, int] = (28, 28)) -> Images:
    """Ink images of a ring with a bar through it, each of its own width and place."""
    images = np.zeros((count, *shape), np.uint8)
    height, width = shape
    for place, image in enumerate(images):
        middle = (width // 2 + place % 3 - 1, height // 2)
        cv2.ellipse(image, middle, (width // 5 + place % 2, height // 3), 0, 0, 360, 255, 2)
        cv2.line(image, (width // 3, height // 2), (2 * width // 3, height // 2 - 3), 200, 2)
    return images


def test_all_are_registered_once() -> None:
    assert sorted(NAMES) == list(CORRUPTIONS)
    assert len(mnist_c.NAMES) == 15
    assert {CORRUPTIONS[name].kind for name in mnist_c.NAMES} == {"mnist-c"}
    assert {CORRUPTIONS[name].kind for name in paper.NAMES} == {"paper"}
    with pytest.raises(ValueError, match="'fog' is registered already"):
        corruption("fog", "paper", light_on_dark=False, plain=paper.plain)(mnist_c.fog)
    with pytest.raises(UnknownNameError, match="did you mean zigzag"):
        CORRUPTIONS["zigzak"]


@pytest.mark.parametrize("name", NAMES)
def test_a_corruption_keeps_the_contract(name: str) -> None:
    one = CORRUPTIONS[name]
    images = inked(4)
    before = images.copy()
    worse = one(images, 4, seed=3)
    assert (worse.dtype, worse.ndim, len(worse)) == (np.uint8, 3, 4)
    assert np.array_equal(worse, one(images, 4, seed=3))
    assert np.array_equal(worse, one(images, 4, seed=4)) == (name in ("scale", "brightness", "stripe"))
    assert np.array_equal(images, before)
    assert one.says.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_each_strength_changes_more_than_the_one_before(name: str) -> None:
    blobs = np.zeros((6, 28, 28), np.uint8)
    for place, blob in enumerate(blobs):
        cv2.ellipse(blob, (13 + place % 3, 14), (5 + place % 2, 9), 0, 0, 360, 255, -1)
    plain = CORRUPTIONS[name](blobs, 0, seed=3).astype(np.float64)
    changes = []
    for strength in STRENGTHS:
        worse = CORRUPTIONS[name](blobs, strength, seed=3)
        back = [cv2.resize(picture, plain.shape[2:0:-1], interpolation=cv2.INTER_LINEAR) for picture in worse]
        changes.append(float(np.abs(np.stack(back) - plain).mean()))
    assert changes == sorted(set(changes))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(32, 32), (40, 20)])
def test_pictures_of_other_sizes_and_single_ones(name: str, shape: tuple[int, int]) -> None:
    worse = CORRUPTIONS[name](inked(1, shape), 3)
    assert len(worse) == 1
    assert worse.any()
    if CORRUPTIONS[name].kind == "mnist-c":
        assert worse.shape[1:] == shape


@pytest.mark.parametrize("name", [name for name in NAMES if name != "stripe"])  # which has both on purpose
def test_light_on_dark_is_as_declared_and_found_by_itself(name: str) -> None:
    one = CORRUPTIONS[name]
    assert [is_bright_on_dark(picture) for picture in one(inked(6), 3, seed=1)] == [one.light_on_dark] * 6


@pytest.mark.parametrize("name", NAMES)
def test_strength_0(name: str) -> None:
    images = inked(3)
    plain = CORRUPTIONS[name](images, 0, seed=5)
    if CORRUPTIONS[name].kind == "mnist-c":
        assert np.array_equal(plain, images)
        assert plain is not images
    else:
        assert plain.shape == (3, paper.SIDE, paper.SIDE)
        assert float(np.median(plain)) > 200  # paper
        assert int(plain.min()) < 90  # ink


@pytest.mark.parametrize(
    ("images", "strength", "phrase"),
    [
        (np.zeros((2, 28, 28), np.float32), 3, "float32 of shape"),
        (np.zeros((28, 28), np.uint8), 3, r"uint8 of shape \(28, 28\)"),
        (np.zeros((0, 28, 28), np.uint8), 3, r"\(0, 28, 28\)"),
        (np.zeros((1, 28, 28), np.uint8), 6, r"strength 6 of fog is outside 0\.\.5"),
        (np.zeros((1, 28, 28), np.uint8), -1, "strength -1"),
    ],
)
def test_what_cannot_be_corrupted(images: Images, strength: int, phrase: str) -> None:
    with pytest.raises(DataError, match=phrase):
        CORRUPTIONS["fog"](images, strength)


def test_impulses_are_as_many_as_said_and_both_ways() -> None:
    grey = np.full((40, 28, 28), 100, np.uint8)
    noisy = CORRUPTIONS["impulse-noise"](grey, 3)
    salt, pepper = float((noisy == 255).mean()), float((noisy == 0).mean())
    assert salt == pytest.approx(0.085, abs=0.01)
    assert pepper == pytest.approx(0.085, abs=0.01)
    assert ((noisy == 100) | (noisy == 0) | (noisy == 255)).all()


def test_shot_noise_leaves_the_dark_dark_and_keeps_the_mean() -> None:
    grey = np.zeros((40, 28, 28), np.uint8)
    grey[:, 14:] = 64
    noisy = CORRUPTIONS["shot-noise"](grey, 3)
    assert not noisy[:, :14].any()
    assert float(noisy[:, 14:].mean()) == pytest.approx(64, abs=2)
    assert set(np.unique(noisy).tolist()) <= {0, 85, 170, 255}  # thirds


def test_the_outer_quarters_are_turned() -> None:
    images = inked(2)
    striped = CORRUPTIONS["stripe"](images, 3)
    assert np.array_equal(striped[:, :, 7:21], images[:, :, 7:21])
    assert np.array_equal(striped[:, :, :7], 255 - images[:, :, :7])
    assert np.array_equal(striped[:, :, 21:], 255 - images[:, :, 21:])


def test_brightness_adds_a_share_of_white() -> None:
    grey = np.array([[[0, 100, 200]]], np.uint8)
    assert CORRUPTIONS["brightness"](grey, 4).tolist() == [[[153, 253, 255]]]


def test_the_maps_move_a_point_as_far_as_they_say() -> None:
    spot = np.zeros((20, 28, 28), np.uint8)
    spot[:, 4:6, 13:15] = 255  # 9 pixels above the middle, 13.5

    def place(name: str) -> npt.NDArray[np.float64]:
        seen = CORRUPTIONS[name](spot, 3).astype(np.float64)
        rows, columns = np.mgrid[:28, :28] - 13.5
        weight = seen.sum(axis=(1, 2))
        return np.stack([(seen * rows).sum((1, 2)) / weight, (seen * columns).sum((1, 2)) / weight], axis=1)

    assert place("scale") == pytest.approx(np.tile([-6.3, 0], (20, 1)), abs=0.1)
    turned = place("rotate")
    assert np.abs(turned) == pytest.approx(np.tile([9 * np.cos(0.4), 9 * np.sin(0.4)], (20, 1)), abs=0.1)
    assert {-1, 1} == set(np.sign(turned[:, 1]).tolist())
    slanted = place("shear")
    assert slanted[:, 0] == pytest.approx(np.full(20, -9), abs=0.1)
    assert np.abs(slanted[:, 1]) == pytest.approx(np.full(20, 9 * np.tan(0.4)), abs=0.1)
    moved = place("translate")
    assert {(row, column) for row, column in np.rint(moved).tolist()} == {(-12, -3), (-12, 3), (-6, -3), (-6, 3)}


def test_edges_are_hollow() -> None:
    block = np.zeros((1, 28, 28), np.uint8)
    block[:, 8:20, 8:20] = 255
    edges = CORRUPTIONS["canny-edges"](block, 3)[0]
    assert set(np.unique(edges).tolist()) == {0, 255}
    assert not edges[11:17, 11:17].any()
    assert edges[14].astype(bool).sum() == 2


def test_a_dotted_line_has_dots_two_columns_wide() -> None:
    drawn = CORRUPTIONS["dotted-line"](np.zeros((5, 28, 28), np.uint8), 3)
    columns = drawn.max(axis=1) > 0
    assert columns.tolist() == [[column // 2 % 2 == 1 for column in range(28)]] * 5


def test_a_thin_pen_is_as_wide_as_said() -> None:
    images = inked(4)
    dark = {
        strength: float((CORRUPTIONS["thin-pen"](images, strength) < 128).mean(axis=(1, 2)).mean())
        for strength in (1, 3, 5)
    }
    assert dark[1] > dark[3] > dark[5] > 0
    middle = paper._middle_lines(np.pad(np.ones((1, 9, 30), bool), ((0, 0), (4, 4), (4, 4))))
    assert middle.sum(axis=1).max() == 1  # one pixel in each column
    assert middle[0, 8].sum() > 15


def test_what_is_pushed_aside_stays_whole() -> None:
    images = inked(8)
    moved = CORRUPTIONS["off-centre"](images, 5)
    plain = CORRUPTIONS["off-centre"](images, 0)
    assert (moved < 128).sum(axis=(1, 2)) == pytest.approx((plain < 128).sum(axis=(1, 2)), rel=0.06)
    assert (moved[:, [0, -1]] > 128).all()
    assert (moved[:, :, [0, -1]] > 128).all()


def test_low_resolution_is_a_small_picture() -> None:
    assert [CORRUPTIONS["low-resolution"](inked(1), k).shape[1:] for k in STRENGTHS] == [
        (32, 32), (24, 24), (18, 18), (14, 14), (11, 11),
    ]  # fmt: skip
