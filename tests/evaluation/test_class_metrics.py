"""Precision, recall, F1, reliability and suspects against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.errors import DataError
from handread.evaluation import metrics


def guesses(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities that lean to them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    powers = np.exp(logits)
    return labels, (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_per_class_agrees_with_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    labels, probabilities = guesses(200, 5, seed)
    read = probabilities.argmax(axis=1)
    found = metrics.per_class(metrics.confusion_matrix(labels, read, 5), "abcde")
    precision, recall, f1, support = sklearn.precision_recall_fscore_support(labels, read)
    assert [row.precision for row in found] == pytest.approx(precision)
    assert [row.recall for row in found] == pytest.approx(recall)
    assert [row.f1 for row in found] == pytest.approx(f1)
    assert [row.support for row in found] == support.tolist()
    assert sum(row.read for row in found) == 200


def test_a_figure_without_meaning_is_none() -> None:
    # a is never read, b is never there, c is neither
    rows = metrics.per_class([[0, 3, 0], [0, 0, 0], [0, 0, 0]], "abc")
    assert [(r.precision, r.recall, r.f1) for r in rows] == [(None, 0, 0), (0, None, 0), (None, None, None)]


def test_a_matrix_of_another_size() -> None:
    with pytest.raises(DataError, match="2 classes"):
        metrics.per_class([[1]], "ab")


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_reliability_counts_every_item_once_and_gives_the_calibration_error(bins: int) -> None:
    labels, probabilities = guesses(300, 4)
    found = metrics.reliability(labels, probabilities, bins=bins)
    assert found.count.sum() == 300
    assert found.ece == pytest.approx(metrics.expected_calibration_error(labels, probabilities, bins=bins))
    filled = found.count > 0
    right = float((found.accuracy[filled] * found.count[filled]).sum())
    assert right == pytest.approx((probabilities.argmax(axis=1) == labels).sum())
    assert np.isnan(found.accuracy[~filled]).all()
    low, high = np.arange(bins) / bins, (np.arange(bins) + 1) / bins
    assert ((found.confidence > low - 1e-9) & (found.confidence <= high + 1e-9)).all()


def test_reliability_needs_a_bin() -> None:
    with pytest.raises(DataError, match="at least 1"):
        metrics.reliability(*guesses(3, 2), bins=0)


def test_wrongness_ranks_the_surest_errors_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.45, 0.55]], np.float32)
    found = metrics.wrongness(np.array([1, 1, 0]), probabilities)
    assert found == pytest.approx([0.8, 0.0, 0.1])


def test_suspects_are_the_labels_that_were_changed() -> None:
    random = np.random.default_rng(1)
    true = random.integers(0, 4, 400)
    probabilities = np.full((400, 4), 0.02, np.float32)
    probabilities[np.arange(400), true] = 0.94 + np.arange(400) % 7 / 1000
    labels = true.copy()
    changed = [7, 100, 250]
    labels[changed] = (true[changed] + 1) % 4
    assert sorted(metrics.label_suspects(labels, probabilities).tolist()) == changed


def test_an_unsure_error_is_no_suspect() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.4, 0.6]], np.float32)
    assert metrics.label_suspects(np.array([0, 0, 1, 0]), probabilities).tolist() == []


def test_what_ink_cannot_tell_is_no_suspect() -> None:
    alphabet = Alphabet.of("oO7")
    probabilities = np.array(
        [[0.98, 0.01, 0.01], [0.02, 0.97, 0.01], [0.96, 0.02, 0.02], [0.01, 0.01, 0.98]], np.float32
    )
    labels = np.array([0, 1, 1, 2])
    same = metrics.same_in(alphabet, ("oO",))
    assert same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    probabilities[2] = [0.99, 0.005, 0.005]
    assert metrics.label_suspects(labels, probabilities).tolist() == [2]
    assert metrics.label_suspects(labels, probabilities, same).tolist() == []
