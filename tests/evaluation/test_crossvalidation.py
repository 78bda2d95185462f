"""Judging each item by the others."""

from __future__ import annotations

import numpy as np
import pytest

from handread.errors import DataError
from handread.evaluation.crossvalidation import FOLDS, REPEATS, out_of_fold, stratified_folds


def clusters(each: int = 8, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of points, far apart."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), each)
    features = np.eye(3)[labels] * 4 + random.normal(0, 0.3, (len(labels), 3))
    return features.astype(np.float32), labels.astype(np.int64)


def test_items_are_told_by_their_neighbours() -> None:
    features, labels = clusters()
    scores = out_of_fold(features, labels, 3)
    assert scores.shape == (24, 3)
    assert scores.dtype == np.float32
    assert scores.argmax(axis=1).tolist() == labels.tolist()


def test_no_item_is_judged_by_its_own_label() -> None:
    features, labels = clusters()
    wrong = labels.copy()
    wrong[3] = 2
    assert out_of_fold(features, wrong, 3)[3].argmax() == 0


def test_the_same_seed_gives_the_same_scores_and_another_does_not() -> None:
    features, labels = clusters(5)
    first = out_of_fold(features, labels, 3, seed=1)
    np.testing.assert_array_equal(first, out_of_fold(features, labels, 3, seed=1))
    assert (first != out_of_fold(features, labels, 3, seed=2)).any()


def test_an_item_alone_in_its_class_is_not_held_against_it() -> None:
    features, labels = clusters()
    labels[5] = 3
    scores = out_of_fold(features, labels, 4)
    assert scores[5, 3] == scores[5].max()


def test_equal_images_are_no_trouble() -> None:
    features, labels = np.ones((12, 5), np.float32), np.arange(12) % 2
    assert np.isfinite(out_of_fold(features, labels, 2)).all()


def test_folds_deal_every_class_out_evenly() -> None:
    labels = np.array([0] * 25 + [1] * 13 + [2] * 2)
    fold = stratified_folds(labels, 5, np.random.default_rng(0))
    counts = np.array([np.bincount(fold[labels == k], minlength=5) for k in range(3)])
    assert counts[0].tolist() == [5] * 5
    assert sorted(counts[1].tolist()) == [2, 2, 3, 3, 3]
    assert counts[2].max() == 1
    assert np.bincount(fold).tolist() == [8] * 5


def test_progress_counts_every_fold() -> None:
    told: list[tuple[int, int]] = []
    out_of_fold(*clusters(5), 3, progress=lambda done, total: told.append((done, total)))
    assert told == [(k, FOLDS * REPEATS) for k in range(1, FOLDS * REPEATS + 1)]


def test_a_single_item_is_refused() -> None:
    with pytest.raises(DataError, match="1 items"):
        out_of_fold(np.zeros((1, 3), np.float32), np.zeros(1, np.int64), 1)
