"""Calibration: a known temperature is found again, thresholds let pass what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.training.calibrate import KEPT, KEPT_SURE, MOST_INK, Judged, calibrate, fit_temperature

FIVE = Alphabet.of("abcde")


def judged(count: int, temperature: float, *, classes: int = 5, seed: int = 0, none: float | None = None) -> Judged:
    """Labels drawn from the very probabilities that logits divided by `temperature` give."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    powers = np.exp(logits)
    cumulated = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)
    labels = (rng.random((count, 1)) > cumulated).sum(axis=1).clip(0, classes - 1)
    if none is not None:
        logits = np.concatenate([logits, np.full((count, 1), none)], axis=1)
    return Judged((logits * temperature).astype(np.float32), labels.astype(np.int64))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.7, 3.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    assert fit_temperature([judged(20_000, temperature)], 5) == pytest.approx(temperature, rel=0.04)


def test_every_source_weighs_the_same() -> None:
    large, small = judged(20_000, 1.0), judged(2_000, 3.0, seed=1)
    alone = fit_temperature([large], 5)
    both = fit_temperature([large, small], 5)
    assert both > 1.3 * alone
    assert both == pytest.approx(fit_temperature([small, large], 5), rel=1e-6)


def test_the_temperature_stays_within_reason() -> None:
    right = Judged(np.eye(3, dtype=np.float32).repeat(5, axis=0), np.arange(3).repeat(5))
    wrong = Judged(50 * right.logits, (right.labels + 1) % 3)
    assert fit_temperature([right], 3) == pytest.approx(0.25, rel=0.01)
    assert fit_temperature([wrong], 3) == pytest.approx(4, rel=0.01)


def test_the_no_character_output_does_not_disturb_the_temperature() -> None:
    assert fit_temperature([judged(5_000, 2.0, none=9.0)], 5) == fit_temperature([judged(5_000, 2.0)], 5)


def test_thresholds_let_pass_what_they_promise() -> None:
    part = judged(4_000, 1.0, none=2.5)
    found = calibrate({"a": part}, FIVE, has_none=True)
    powers = np.exp(part.logits / found.temperature)
    every = powers / powers.sum(axis=1, keepdims=True)
    ink = 1 - every[:, -1]
    characters = powers[:, :5] / powers[:, :5].sum(axis=1, keepdims=True)
    assert (ink >= found.ink_above).mean() == pytest.approx(KEPT, abs=0.003)
    assert (characters.max(axis=1) >= found.accept_above).mean() == pytest.approx(KEPT_SURE, abs=0.003)


def test_thresholds_have_a_largest_value() -> None:
    sure = Judged(20 * np.eye(5, 6, dtype=np.float32), np.arange(5))
    found = calibrate({"a": sure}, FIVE, has_none=True)
    assert found.accept_above == 0.5
    assert found.ink_above == MOST_INK


def test_the_temperature_is_that_of_sources_with_most_classes() -> None:
    rng = np.random.default_rng(1)
    few = Judged(rng.normal(0, 1, (500, 5)).astype(np.float32), np.zeros(500, np.int64))  # one class, at random
    whole = judged(4_000, 2.0)
    both = calibrate({"few": few, "whole": whole}, FIVE, has_none=False)
    assert both.temperature == calibrate({"whole": whole}, FIVE, has_none=False).temperature


def test_without_a_no_character_output_ink_is_not_judged() -> None:
    assert calibrate({"a": judged(100, 1.0)}, FIVE, has_none=False).ink_above == 0


def test_the_alphabet_threshold_is_passed_by_the_alphabets_own() -> None:
    known = Alphabet.of("alphanumeric")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 62, 4000)
    logits = rng.normal(0, 1, (4000, 62)).astype(np.float32)
    logits[np.arange(4000), labels] += 6
    found = calibrate({"a": Judged(logits, labels)}, known, has_none=False)
    assert 0 < found.alphabet_above <= 0.5


def test_an_alphabet_that_has_no_other_needs_no_threshold() -> None:
    assert calibrate({"a": judged(100, 1.0)}, FIVE, has_none=False).alphabet_above == 0
