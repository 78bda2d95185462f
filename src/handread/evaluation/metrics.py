"""Figures of merit as pure functions on arrays: labels and predictions int64 (N,), probabilities (N, K).

Fractions are 0..1. Every function takes N >= 1 items and raises `DataError` for none, or for arrays that do
not belong together: a figure over an empty set, or over other items than it says, is worse than no figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.errors import DataError

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

CASE_GROUPS: tuple[str, ...] = tuple(c + c.upper() for c in "abcdefghijklmnopqrstuvwxyz")
"""Characters that are one when case does not count."""

MERGED_GROUPS: tuple[str, ...] = (*(c + c.upper() for c in "cijklmopsuvwxyz"), "0oO", "1lI")
"""Characters that isolated handwriting does not tell apart: the pairs that EMNIST ByMerge joins (Cohen et al.
2017, arXiv 1702.05373, after NIST Special Database 19), and zero and one with the letters drawn alike. Two
characters count as the same when one group holds both; not transitive: ``L`` read as ``1`` is wrong."""


def accuracy(labels: Labels, predicted: Labels) -> float:
    """Fraction of items read as labelled."""
    _same_length(labels, predicted)
    return float(np.mean(labels == predicted))


def wilson_interval(correct: int, count: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion, `correct` of `count` (Wilson 1927, JASA 22, 209-212).

    Stays inside 0..1 and keeps its coverage near 0 and 1, where good accuracies live.
    """
    if not 0 <= correct <= count or count < 1:
        raise DataError(f"{correct} right of {count} is no proportion; expected 0 <= right <= count, count >= 1")
    if not 0 < confidence < 1:
        raise DataError(f"confidence is {confidence}, expected a number between 0 and 1, such as 0.95")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = correct / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    # At the ends the exact value is 0 or 1; rounding must not say otherwise.
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == count else min(1.0, centre + half)
    return low, high


def top_k(labels: Labels, probabilities: Floats, k: int) -> float:
    """Fraction of items whose label is among the `k` most probable classes; 1 for an alphabet of at most k.

    Of equally probable classes the lower index goes first, as in `argmax`, so that top 1 is the accuracy.
    """
    if k < 1:
        raise DataError(f"top {k} asks for no candidate; choose at least 1")
    _same_length(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels][:, None]
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    rank = (probabilities > own).sum(axis=1) + ((probabilities == own) & before).sum(axis=1)
    return float(np.mean(rank < k))


def grouped_accuracy(labels: Labels, predicted: Labels, alphabet: Alphabet, groups: tuple[str, ...]) -> float:
    """Fraction of items read as labelled or as another character of a group that holds the label.

    Groups are used as far as `alphabet` reaches: among digits alone it is the plain accuracy.
    """
    _same_length(labels, predicted)
    same = np.eye(len(alphabet), dtype=np.bool_)
    for group in groups:
        places = [alphabet.index(c) for c in group if c in alphabet]
        same[np.ix_(places, places)] = True
    return float(np.mean(same[labels, predicted]))


def case_insensitive(labels: Labels, predicted: Labels, alphabet: Alphabet) -> float:
    """Fraction of items read as labelled when ``a`` and ``A`` are the same."""
    return grouped_accuracy(labels, predicted, alphabet, CASE_GROUPS)


def merged(labels: Labels, predicted: Labels, alphabet: Alphabet) -> float:
    """Fraction of items read as labelled when the undecidable ones (`MERGED_GROUPS`) are the same."""
    return grouped_accuracy(labels, predicted, alphabet, MERGED_GROUPS)


def negative_log_likelihood(labels: Labels, probabilities: Floats) -> float:
    """Mean of -ln p(label) in nats; a probability of 0 counts as 1e-12."""
    _same_length(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(own, 1e-12)).mean())


def expected_calibration_error(labels: Labels, probabilities: Floats, *, bins: int = 15) -> float:
    """Gap between confidence and accuracy, averaged over equal-width bins of confidence by their items.

    Naeini, Cooper, Hauskrecht 2015 (AAAI); with 15 bins as in Guo et al. 2017 (arXiv 1706.04599).
    """
    _same_length(labels, probabilities)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    # Bins are open below and closed above: (0, 1/15], ... (14/15, 1].
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """Counts int64 (classes, classes): row the true class, column the class read."""
    _same_length(labels, predicted)
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What refusing the least confident items brings, one point for each confidence that occurs."""

    coverage: npt.NDArray[np.float64]
    """Fraction of items answered, ascending to 1."""
    risk: npt.NDArray[np.float64]
    """Fraction of wrong ones among those."""

    def at(self, coverage: float) -> float:
        """Risk at the smallest coverage on the curve that is at least `coverage`."""
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(self.risk[min(place, len(self.risk) - 1)])


def risk_coverage(correct: npt.NDArray[np.bool_], confidence: Floats) -> RiskCoverage:
    """Risk-coverage curve of a reader that refuses below a confidence (El-Yaniv and Wiener 2010, JMLR 11).

    `correct` is bool (N,). Items of equal confidence are answered or refused together.
    """
    _same_length(correct, confidence)
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last_of_its_kind = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    answered = last_of_its_kind + 1
    wrong = np.cumsum(~correct[order])[last_of_its_kind]
    return RiskCoverage(answered / len(correct), wrong / answered)


def auroc(positive: Floats, negative: Floats) -> float:
    """Probability that a positive's score is above a negative's, ties half (Hanley and McNeil 1982).

    Area under the ROC curve, from ranks: 0.5 tells nothing, 1 tells them apart.
    """
    if not len(positive) or not len(negative):
        raise DataError(f"{len(positive)} positives and {len(negative)} negatives; both are needed to compare")
    below = np.sort(negative)
    wins = np.searchsorted(below, positive, side="left") + np.searchsorted(below, positive, side="right")
    return float(wins.sum() / (2 * len(positive) * len(negative)))


def _same_length(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    if len(first) != len(second):
        raise DataError(f"{len(first)} items against {len(second)}; they must be the same items")
    if not len(first):
        raise DataError("there are no items to measure; give at least one")
