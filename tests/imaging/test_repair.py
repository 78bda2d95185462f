"""Small pictures: noise of single pixels and turned sides are undone, whole ones stay as they are."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from handread.imaging.repair import one_ground, repaired, without_noise

Picture = npt.NDArray[np.uint8]


def two() -> Picture:
    """A 2 in bright strokes on black, 28 x 28."""
    picture = np.zeros((28, 28), np.uint8)
    points = np.array([[8, 9], [10, 6], [15, 5], [18, 8], [17, 12], [8, 22], [19, 22]], np.int32)
    cv2.polylines(picture, [points], False, 255, 2, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize("turned", [False, True])
def test_salt_and_pepper_go_and_the_stroke_stays(turned: bool) -> None:
    clean = two()
    noisy = clean.copy()
    noisy[1:28:4, 1:28:4] = 255
    noisy[3:28:4, 3:28:4] = 0
    if turned:
        clean, noisy = 255 - clean, 255 - noisy
    back = without_noise(noisy)
    assert float(np.abs(noisy.astype(int) - clean).mean()) > 12
    assert float(np.abs(back.astype(int) - clean).mean()) < 4
    ground = (clean == clean[0, 0]) & (cv2.dilate((clean != clean[0, 0]).astype(np.uint8), np.ones((5, 5))) == 0)
    assert (back[ground] == clean[0, 0]).all()


@pytest.mark.parametrize("left", [4, 7, 9])
@pytest.mark.parametrize("outside", [255, 0])
def test_turned_sides_are_turned_back(left: int, outside: int) -> None:
    whole = two() if outside else 255 - two()
    striped = whole.copy()
    striped[:, :left] = 255 - whole[:, :left]
    striped[:, 28 - left :] = 255 - whole[:, 28 - left :]
    assert np.array_equal(one_ground(striped), whole)
    assert np.array_equal(repaired(striped), whole)


def shape(name: str) -> Picture:
    picture = np.full((40, 30), 255, np.uint8)
    if name in ("H", "N", "L"):
        picture[:, :6] = 0
    if name == "H":
        picture[:, -6:] = 0
        picture[17:22] = 0
    if name == "L":
        picture[-6:] = 0
    if name == "frame":
        picture[:2], picture[-2:], picture[:, :2], picture[:, -2:] = 0, 0, 0, 0
    if name == "shadow":
        picture[:, 15:] = 90
    if name == "half":
        picture[:, :8] = 0
    return picture


@pytest.mark.parametrize("name", ["H", "L", "frame", "shadow", "half"])
def test_tight_letters_frames_and_shadows_are_no_turned_sides(name: str) -> None:
    picture = shape(name)
    assert one_ground(picture) is picture


@pytest.mark.parametrize("seed", range(3))
def test_whole_pictures_stay(seed: int) -> None:
    picture = two()
    assert repaired(picture) is picture
    random = np.random.default_rng(seed)
    paper = np.clip(random.normal(200, 6, (60, 60)), 0, 255).astype(np.uint8)
    assert repaired(paper) is paper


@pytest.mark.parametrize("size", [(300, 28), (5, 40)])
def test_large_and_tiny_pictures_are_left_alone(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), size)
    assert repaired(picture) is picture


def test_the_picture_is_not_changed() -> None:
    noisy = two()
    noisy[1:28:4, 1:28:4] = 255
    before = noisy.copy()
    repaired(noisy)
    assert np.array_equal(noisy, before)
