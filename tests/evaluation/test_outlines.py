"""Shapes as gradient histograms."""

from __future__ import annotations

import numpy as np
import pytest

from handread.errors import DataError
from handread.evaluation.outlines import CELLS, DIRECTIONS, LENGTH, gradient_features


def bar(*, upright: bool, side: int = 32) -> np.ndarray:
    image = np.zeros((1, side, side), np.uint8)
    middle = slice(side // 2 - 2, side // 2 + 2)
    if upright:
        image[0, 4:-4, middle] = 255
    else:
        image[0, middle, 4:-4] = 255
    return image


def by_direction(image: np.ndarray) -> np.ndarray:
    return gradient_features(image).reshape(DIRECTIONS, CELLS * CELLS).sum(axis=1)


def test_every_row_has_length_one_whatever_the_darkness() -> None:
    features = gradient_features(np.concatenate([bar(upright=True), bar(upright=True) // 4]))
    assert features.shape == (2, LENGTH)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(features[0], features[1], atol=0.02)


def test_an_upright_bar_has_its_gradients_across_and_a_level_one_down() -> None:
    upright, level = by_direction(bar(upright=True)), by_direction(bar(upright=False))
    assert {int(k) for k in np.argsort(-upright)[:2]} == {0, 4}
    assert {int(k) for k in np.argsort(-level)[:2]} == {2, 6}


def test_a_turned_image_has_turned_features() -> None:
    image = np.random.default_rng(3).integers(0, 256, (1, 32, 32)).astype(np.uint8)
    there = gradient_features(image).reshape(DIRECTIONS, CELLS, CELLS)
    turned = gradient_features(np.ascontiguousarray(image[:, ::-1, ::-1])).reshape(DIRECTIONS, CELLS, CELLS)
    np.testing.assert_allclose(np.roll(there, 4, axis=0)[:, ::-1, ::-1], turned, atol=1e-5)


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (40, 33)])
def test_any_size_of_at_least_the_cells(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    assert gradient_features(images).shape == (3, LENGTH)


def test_no_ink_is_no_shape_and_batches_do_not_matter() -> None:
    images = np.random.default_rng(0).integers(0, 256, (600, 8, 8)).astype(np.uint8)
    images[599] = 0
    features = gradient_features(images)
    assert not features[599].any()
    np.testing.assert_array_equal(features[590:], gradient_features(images[590:]))


@pytest.mark.parametrize(
    "images", [np.zeros((1, 7, 32), np.uint8), np.zeros((32, 32), np.uint8), np.zeros((1, 32, 32), np.float32)]
)
def test_others_are_refused(images: np.ndarray) -> None:
    with pytest.raises(DataError, match="at least 8 x 8"):
        gradient_features(images)
