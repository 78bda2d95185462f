"""Thresholds, what passes them and what is left wrong, against values counted by hand and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve

from handread.errors import DataError
from handread.evaluation.metrics import expected_calibration_error
from handread.evaluation.refusal import (
    calibration_error_by_chance,
    equal_mass_reliability,
    left_after_refusing,
    separation,
    share_accepted,
    threshold_keeping,
)


@pytest.mark.parametrize(
    ("share", "threshold"), [(0.95, 1.0), (1, 0.0), (0.9, 2.0), (0.901, 1.0), (0.05, 19.0), (0.001, 19.0)]
)
def test_a_threshold_keeps_at_least_the_share(share: float, threshold: float) -> None:
    scores = np.random.default_rng(0).permutation(20).astype(np.float64)
    assert threshold_keeping(scores, share) == threshold
    assert (scores >= threshold).mean() >= share


def test_tied_items_are_kept_together() -> None:
    assert threshold_keeping(np.array([1.0, 2, 2, 2, 3]), 0.5) == 2


def test_what_has_no_ink_is_never_accepted() -> None:
    scores = np.array([-np.inf, -np.inf, 0.5, 1.5])
    assert share_accepted(scores, 1.0) == 0.25
    assert share_accepted(scores, 0.5) == 0.5
    assert share_accepted(scores, -np.inf) == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_separation_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # rounded, so that there are ties between the two kinds and within each
    true, foreign = np.round(rng.normal(2, 1, 300), 1), np.round(rng.normal(0, 1.5, 170), 1)
    truth, scores = np.repeat([1, 0], [300, 170]), np.concatenate([true, foreign])
    found = separation(true, foreign, keep=0.9)
    assert found.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
    accepted, kept, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    first = int(np.argmax(kept >= 0.9))
    assert found.threshold == thresholds[first]
    assert found.accepted == round(accepted[first] * 170)
    assert found.share == pytest.approx(accepted[first])
    low, high = found.interval95
    assert low < found.share < high


def test_what_is_left_after_refusing() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    correct = np.array([True, True, False, True, True, True, True, True, True, False])
    none, tenth, third = (left_after_refusing(correct, confidence, share) for share in (0, 0.1, 0.35))
    assert (none.answered, none.wrong) == (10, 2)
    assert (tenth.answered, tenth.wrong) == (9, 1)
    assert (third.answered, third.wrong) == (7, 1)
    assert third.risk == pytest.approx(1 / 7)


def test_equally_sure_items_are_refused_together_or_not_at_all() -> None:
    left = left_after_refusing(np.array([True, True, False, False]), np.array([0.9, 0.8, 0.5, 0.5]), 0.25)
    assert (left.answered, left.wrong) == (4, 2)


def test_equal_mass_bins_are_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1, 600)
    right = rng.random(600) < confidence**2
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    found = equal_mass_reliability(np.where(right, 0, 1), probabilities, bins=6)
    accuracy, mean = calibration_curve(right, confidence, n_bins=6, strategy="quantile")
    assert found.count.tolist() == [100] * 6
    np.testing.assert_allclose(found.accuracy, accuracy)
    np.testing.assert_allclose(found.confidence, mean)
    assert found.ece == pytest.approx(np.abs(accuracy - mean).mean())


def test_fewer_items_than_bins_are_bins_of_their_own() -> None:
    found = equal_mass_reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), bins=15)
    assert found.count.tolist() == [1, 1]
    assert found.accuracy.tolist() == [0, 1]
    assert found.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.6)


def test_a_perfect_reader_has_a_calibration_error_that_shrinks_with_the_items() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, 400)
    few, many = calibration_error_by_chance(confidence), calibration_error_by_chance(np.tile(confidence, 25))
    assert 0 < few.mean < few.highest95
    assert many.mean == pytest.approx(few.mean / 5, rel=0.15)
    right = rng.random(400) < confidence
    shown = expected_calibration_error(np.where(right, 0, 1), np.stack([confidence, 1 - confidence], axis=1))
    assert shown <= few.highest95


def test_whoever_is_always_sure_and_right_shows_no_error() -> None:
    assert calibration_error_by_chance(np.ones(10)).highest95 == 0


NOTHING = np.zeros(0)
SOME = np.ones(3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: threshold_keeping(NOTHING, 0.5), "no true items"),
        (lambda: threshold_keeping(SOME, 0), "share of 0 of"),
        (lambda: threshold_keeping(SOME, 1.5), "share of 1.5 of"),
        (lambda: threshold_keeping(np.array([1, np.nan]), 0.5), "is no number"),
        (lambda: share_accepted(NOTHING, 0), "no items"),
        (lambda: separation(SOME, NOTHING), "no items"),
        (lambda: left_after_refusing(SOME > 0, SOME, 1), "leaves nothing"),
        (lambda: left_after_refusing(SOME > 0, NOTHING, 0.5), "3 items against 0"),
        (lambda: equal_mass_reliability(np.zeros(2, np.int64), np.ones((3, 1))), "2 items against 3"),
        (lambda: equal_mass_reliability(np.zeros(1, np.int64), np.ones((1, 1)), bins=0), "0 bins"),
        (lambda: calibration_error_by_chance(NOTHING), "no items"),
    ],
)
def test_what_cannot_be_measured_is_refused(call: object, words: str) -> None:
    assert callable(call)
    with pytest.raises(DataError, match=words):
        call()
