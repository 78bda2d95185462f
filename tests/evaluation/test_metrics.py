"""Metrics against values worked out by hand, and their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.errors import DataError
from handread.evaluation import metrics

CHARACTERS = Alphabet.of("alphanumeric")


def read(pairs: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions from pairs such as "aA 0O": true, then read."""
    true, seen = zip(*pairs.split(), strict=True)
    return np.array([CHARACTERS.index(c) for c in true]), np.array([CHARACTERS.index(c) for c in seen])


def test_accuracy() -> None:
    assert metrics.accuracy(*read("aa bb cd 11")) == 0.75


@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        # Values of R's prop.test(correct, count, correct = FALSE) or of the closed form at the ends.
        (9, 10, 0.59585, 0.98212),
        (50, 100, 0.40383, 0.59617),
        (0, 10, 0.0, 0.27753),
        (10, 10, 0.72247, 1.0),
    ],
)
def test_wilson_interval(correct: int, count: int, low: float, high: float) -> None:
    assert metrics.wilson_interval(correct, count) == pytest.approx((low, high), abs=1e-5)


def test_wilson_interval_narrows_and_stays_inside() -> None:
    small, large = metrics.wilson_interval(9, 10), metrics.wilson_interval(9000, 10000)
    assert 0 <= small[0] < large[0] < 0.9 < large[1] < small[1] <= 1
    wide = metrics.wilson_interval(9, 10, confidence=0.99)
    assert wide[0] < small[0]


@pytest.mark.parametrize(("correct", "count"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_interval_of_no_proportion(correct: int, count: int) -> None:
    with pytest.raises(DataError):
        metrics.wilson_interval(correct, count)


def test_top_k() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])
    labels = np.array([0, 1, 2])
    assert metrics.top_k(labels, probabilities, 1) == pytest.approx(1 / 3)
    assert metrics.top_k(labels, probabilities, 2) == pytest.approx(2 / 3)
    assert metrics.top_k(labels, probabilities, 3) == 1
    assert metrics.top_k(labels, probabilities, 9) == 1


def test_top_1_is_the_accuracy_also_with_ties() -> None:
    probabilities = np.full((4, 4), 0.25)
    labels = np.arange(4)
    assert metrics.top_k(labels, probabilities, 1) == metrics.accuracy(labels, probabilities.argmax(axis=1))
    assert metrics.top_k(labels, probabilities, 3) == 0.75


@pytest.mark.parametrize(
    ("pairs", "insensitive", "merged"),
    [
        ("aA", 1, 0),  # two shapes: ByMerge keeps them apart
        ("cC", 1, 1),
        ("fF", 1, 0),
        ("0O", 0, 1),
        ("o0", 0, 1),
        ("oO", 1, 1),
        ("1l", 0, 1),
        ("I1", 0, 1),
        ("lI", 0, 1),
        ("iI", 1, 1),
        ("L1", 0, 0),  # not transitive
        ("i1", 0, 0),
        ("5S", 0, 0),
        ("77", 1, 1),
    ],
)
def test_what_counts_as_the_same(pairs: str, insensitive: float, merged: float) -> None:
    labels, predicted = read(pairs)
    assert metrics.case_insensitive(labels, predicted, CHARACTERS) == insensitive
    assert metrics.merged(labels, predicted, CHARACTERS) == merged
    either = (*metrics.CASE_GROUPS, *metrics.MERGED_GROUPS)
    assert metrics.grouped_accuracy(labels, predicted, CHARACTERS, either) == max(insensitive, merged)


def test_merged_pairs_are_those_of_emnist() -> None:
    joined = {group[0] for group in metrics.MERGED_GROUPS if len(group) == 2}
    assert "".join(sorted(joined)) == "cijklmopsuvwxyz"


def test_groups_reach_as_far_as_the_alphabet() -> None:
    digits = Alphabet.of("digits")
    labels, predicted = np.array([0, 1, 5]), np.array([0, 7, 5])
    assert metrics.merged(labels, predicted, digits) == metrics.accuracy(labels, predicted)
    assert metrics.case_insensitive(labels, predicted, digits) == metrics.accuracy(labels, predicted)


def test_negative_log_likelihood() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert metrics.negative_log_likelihood(np.array([0, 0]), probabilities) == pytest.approx(1.5 * math.log(2))
    assert math.isfinite(metrics.negative_log_likelihood(np.array([1]), np.array([[1.0, 0.0]])))


def test_expected_calibration_error_by_hand() -> None:
    # Bin (.6, .667] holds two items, one right: |1.3 - 1| / 4; bin (.933, 1] two, both right: |1.95 - 2| / 4.
    probabilities = np.array([[0.65, 0.35], [0.65, 0.35], [0.95, 0.05], [1.0, 0.0]])
    labels = np.array([0, 1, 0, 0])
    expected = abs(1.3 - 1) / 4 + abs(1.95 - 2) / 4
    assert metrics.expected_calibration_error(labels, probabilities) == pytest.approx(expected)


def test_expected_calibration_error_at_the_ends() -> None:
    certain = np.array([[1.0, 0.0]] * 4)
    assert metrics.expected_calibration_error(np.array([0, 0, 0, 0]), certain) == 0
    assert metrics.expected_calibration_error(np.array([1, 1, 1, 1]), certain) == 1


def test_confusion_matrix_row_is_true_column_is_read() -> None:
    matrix = metrics.confusion_matrix(np.array([0, 0, 2]), np.array([1, 1, 2]), 3)
    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_risk_coverage_answers_equals_together() -> None:
    correct = np.array([True, False, True, True])
    curve = metrics.risk_coverage(correct, np.array([0.9, 0.5, 0.5, 0.7]))
    assert curve.coverage.tolist() == [0.25, 0.5, 1.0]
    assert curve.risk.tolist() == [0, 0, 0.25]
    assert [curve.at(c) for c in (0.1, 0.5, 0.51, 1.0)] == [0, 0, 0.25, 0.25]


def test_auroc() -> None:
    assert metrics.auroc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1
    assert metrics.auroc(np.array([0.5, 0.5]), np.array([0.5])) == 0.5
    assert metrics.auroc(np.array([0.9, 0.1]), np.array([0.5, 0.1])) == 0.625
    with pytest.raises(DataError):
        metrics.auroc(np.array([]), np.array([0.5]))


@pytest.mark.parametrize("count", [0, 3])
def test_other_items_or_none_are_refused(count: int) -> None:
    labels = np.zeros(2 if count else 0, np.int64)
    predicted, probabilities = np.zeros(count, np.int64), np.full((count, 2), 0.5)
    for call in (
        lambda: metrics.accuracy(labels, predicted),
        lambda: metrics.top_k(labels, probabilities, 1),
        lambda: metrics.merged(labels, predicted, CHARACTERS),
        lambda: metrics.negative_log_likelihood(labels, probabilities),
        lambda: metrics.expected_calibration_error(labels, probabilities),
        lambda: metrics.confusion_matrix(labels, predicted, 2),
        lambda: metrics.risk_coverage(labels == 0, probabilities.max(axis=1, initial=0)),
    ):
        with pytest.raises(DataError):
            call()
