"""Refusal as pure functions: a threshold that keeps what is true, what of the foreign passes it, what is left wrong.

Scores are float (N,), larger where the reader is surer; minus infinity stands for "refused whatever the threshold".
Fractions are 0..1. Area under the curve, the risk-coverage curve and reliability over equally wide bins are in
`handread.evaluation.metrics`. `DataError` for no items, as there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.errors import DataError
from handread.evaluation.metrics import Reliability, auroc, risk_coverage, wilson_interval

if TYPE_CHECKING:
    from handread.types import Labels, Reals


def threshold_keeping(true: Reals, share: float) -> float:
    """The largest threshold at or above which at least `share` (above 0, at most 1) of the true items lie."""
    _some(true, "true items")
    if not 0 < share <= 1:
        raise DataError(f"a share of {share} of the true items cannot be kept; choose one above 0 and at most 1")
    # rounded, for 0.95 of 20 items is 19, whatever binary fractions make of it
    needed = math.ceil(round(share * len(true), 9))
    return float(np.sort(true)[len(true) - needed])


def share_accepted(scores: Reals, threshold: float) -> float:
    """Fraction of items at or above the threshold; those of minus infinity never are."""
    _some(scores, "items")
    return float(np.mean((scores >= threshold) & (scores > -np.inf)))


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a score tells foreign items from true ones."""

    n: int
    """Foreign items."""
    threshold: float
    """Keeps the share of true items that was asked for."""
    accepted: int
    """Foreign items that pass it."""
    auroc: float
    """Probability that a true item's score is above a foreign one's, ties half."""

    @property
    def share(self) -> float:
        """Fraction of the foreign items that pass."""
        return self.accepted / self.n

    @property
    def interval95(self) -> tuple[float, float]:
        """Wilson interval of `share`."""
        return wilson_interval(self.accepted, self.n)


def separation(true: Reals, foreign: Reals, *, keep: float = 0.95) -> Separation:
    """At the threshold that keeps the share `keep` of the true items, what of the foreign ones passes."""
    threshold = threshold_keeping(true, keep)
    passed = round(share_accepted(foreign, threshold) * len(foreign))
    return Separation(len(foreign), threshold, passed, auroc(true, foreign))


@dataclass(frozen=True, slots=True)
class Left:
    """What a reader that refuses its least sure items answers."""

    answered: int
    wrong: int

    @property
    def risk(self) -> float:
        """Fraction of the answered that is wrong."""
        return self.wrong / self.answered


def left_after_refusing(correct: npt.NDArray[np.bool_], confidence: Reals, share: float) -> Left:
    """What is answered, and wrong, when at most the fraction `share` (0 to below 1) is refused, the least sure first.

    Items of equal confidence are answered or refused together, so that less may be refused than was allowed.
    """
    if not 0 <= share < 1:
        raise DataError(f"refusing a share of {share} leaves nothing to measure; choose one from 0 to below 1")
    curve = risk_coverage(correct, confidence)
    place = int(np.searchsorted(curve.coverage, 1 - share - 1e-12))
    answered = round(float(curve.coverage[place]) * len(correct))
    return Left(answered, round(float(curve.risk[place]) * answered))


def equal_mass_reliability(labels: Labels, probabilities: Reals, *, bins: int = 15) -> Reliability:
    """As `metrics.reliability`, over bins that hold equally many items each (Nguyen and O'Connor 2015, EMNLP).

    Where nearly all items are nearly sure, equally wide bins put them all in one; these do not. Bins differ by one item
    at most, and items of equal confidence are shared out in the order in which they stand.
    """
    if len(labels) != len(probabilities):
        raise DataError(f"{len(labels)} items against {len(probabilities)}; they must be the same items")
    _some(labels, "items")
    if bins < 1:
        raise DataError(f"{bins} bins of confidence hold nothing; choose at least 1")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return Reliability(
        np.array([len(part) for part in parts], dtype=np.int64),
        np.array([confidence[part].mean() for part in parts]),
        np.array([right[part].mean() for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class ByChance:
    """The calibration error that a perfectly calibrated reader shows on so many items, by the chance of the draw."""

    mean: float
    highest95: float
    """19 of 20 draws stay at or below it."""


def calibration_error_by_chance(confidence: Reals, *, bins: int = 15, draws: int = 200, seed: int = 0) -> ByChance:
    """Expected calibration error over equally wide bins where each item is right with just its confidence's chance.

    A binned calibration error is never 0 on a finite set: what a reader shows beyond this is its own.
    """
    _some(confidence, "items")
    rng = np.random.default_rng(seed)
    sure = confidence.astype(np.float64)
    place = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    promised = np.bincount(place, weights=sure, minlength=bins)
    found = np.empty(draws)
    for draw in range(draws):
        kept = np.bincount(place, weights=rng.random(len(sure)) < sure, minlength=bins)
        found[draw] = np.abs(promised - kept).sum() / len(sure)
    return ByChance(float(found.mean()), float(np.quantile(found, 0.95)))


def _some(items: npt.NDArray[Any], what: str) -> None:
    if not len(items):
        raise DataError(f"there are no {what} to measure; give at least one")
    if items.dtype.kind == "f" and np.isnan(items).any():
        raise DataError(f"a score of the {what} is no number; every item must be scored")
