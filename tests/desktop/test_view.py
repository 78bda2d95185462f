"""Where a picture lies on the screen."""

from __future__ import annotations

import pytest

from handread.desktop.view import LARGEST, View, clamped, nudged, overlap
from handread.types import Box


def test_a_picture_is_fitted_into_the_middle() -> None:
    view = View.fitting((1000, 500), (520, 420), margin=10)
    assert view == View(0.5, 10.0, 85.0)
    assert view.to_screen(Box(0, 0, 1000, 500)) == (10.0, 85.0, 510.0, 335.0)


def test_small_pictures_are_enlarged_but_not_without_end() -> None:
    assert View.fitting((28, 28), (2000, 2000)).scale == pytest.approx(900 / 28)
    assert View.fitting((600, 600), (9000, 9000)).scale == 2.0


def test_zooming_keeps_what_is_below_the_pointer() -> None:
    view = View(0.5, 10.0, 20.0)
    before = view.to_picture(200, 100)
    nearer = view.zoomed(3, 200, 100, smallest=0.5)
    assert nearer.scale == 1.5
    assert nearer.to_picture(200, 100) == pytest.approx(before)
    assert view.zoomed(0.1, 0, 0, smallest=0.5) == view
    assert view.zoomed(1e6, 0, 0, smallest=0.5).scale == LARGEST


def test_a_drag_gives_a_box_whatever_its_direction() -> None:
    view = View(2.0, 100.0, 50.0)
    assert view.dragged((140, 90), (120, 70), (300, 300)) == Box(10, 10, 10, 10)
    assert view.dragged((0, 0), (120, 70), (300, 300)) == Box(0, 0, 10, 10)
    assert view.dragged((0, 0), (50, 40), (300, 300)) is None


def test_only_what_is_seen_is_visible() -> None:
    assert View(2.0, -100.0, 0.0).visible((300, 40), (200, 200)) == Box(50, 0, 100, 40)
    assert View(2.0, 500.0, 0.0).visible((300, 40), (200, 200)) is None


def test_edges_are_kept_inside() -> None:
    assert clamped(-5, -5, 400, 20, (100, 50)) == Box(0, 0, 100, 20)
    assert clamped(100, 0, 120, 20, (100, 50)) is None


def test_the_arrow_keys_move_and_resize_a_crop_within_the_picture() -> None:
    size = (200, 100)
    crop = nudged(None, size)
    assert crop == Box(50, 25, 100, 50)
    assert nudged(crop, size, move=(1, -1)) == Box(60, 20, 100, 50)
    assert nudged(crop, size, grow=(-1, 1)) == Box(50, 25, 90, 55)
    for _ in range(30):
        crop = nudged(crop, size, move=(1, 1), grow=(0, -1))
    assert crop == Box(100, 95, 100, 5)
    for _ in range(30):
        crop = nudged(crop, size, grow=(1, 1))
    assert (crop.right, crop.bottom) == size


def test_overlap_is_the_share_that_two_boxes_have_in_common() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(0, 0, 10, 10)) == 1.0
    assert overlap(Box(0, 0, 10, 10), Box(5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap(Box(0, 0, 10, 10), Box(10, 0, 10, 10)) == 0.0
