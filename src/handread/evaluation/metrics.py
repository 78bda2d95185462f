"""Figures of merit as pure functions on arrays: labels and predictions int64 (N,), probabilities (N, K).

Fractions are 0..1. Every function takes N >= 1 items and raises `DataError` for none, or for arrays that do
not belong together: a figure over an empty set, or over other items than it says, is worse than no figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.errors import DataError

if TYPE_CHECKING:
    from handread.types import Labels, Reals


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


def top_k(labels: Labels, probabilities: Reals, k: int) -> float:
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
    return float(np.mean(same_in(alphabet, groups)[labels, predicted]))


def same_in(alphabet: Alphabet, groups: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """bool (K, K): two classes of `alphabet` are one character, or one of the groups holds both."""
    same = np.eye(len(alphabet), dtype=np.bool_)
    for group in groups:
        places = [alphabet.index(c) for c in group if c in alphabet]
        same[np.ix_(places, places)] = True
    return same


def case_insensitive(labels: Labels, predicted: Labels, alphabet: Alphabet) -> float:
    """Fraction of items read as labelled when ``a`` and ``A`` are the same."""
    return grouped_accuracy(labels, predicted, alphabet, CASE_GROUPS)


def merged(labels: Labels, predicted: Labels, alphabet: Alphabet) -> float:
    """Fraction of items read as labelled when the undecidable ones (`MERGED_GROUPS`) are the same."""
    return grouped_accuracy(labels, predicted, alphabet, MERGED_GROUPS)


def negative_log_likelihood(labels: Labels, probabilities: Reals) -> float:
    """Mean of -ln p(label) in nats; a probability of 0 counts as 1e-12."""
    _same_length(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(own, 1e-12)).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Confidence against accuracy, over equal-width bins of confidence: (0, 1/B], ... ((B-1)/B, 1]."""

    count: npt.NDArray[np.int64]
    """int64 (B,), items in each bin."""
    confidence: npt.NDArray[np.float64]
    """float64 (B,), their mean confidence; the bin's middle where it is empty."""
    accuracy: npt.NDArray[np.float64]
    """float64 (B,), fraction of them that is right; NaN where the bin is empty."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the gap of each bin, weighted by its items."""
        filled = self.count > 0
        gap = np.abs(self.confidence[filled] - self.accuracy[filled])
        return float((gap * self.count[filled]).sum() / self.count.sum())


def reliability(labels: Labels, probabilities: Reals, *, bins: int = 15) -> Reliability:
    """How often the reader is right where it is sure by so much (reliability diagram, DeGroot and Fienberg 1983)."""
    _same_length(labels, probabilities)
    if bins < 1:
        raise DataError(f"{bins} bins of confidence hold nothing; choose at least 1")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, weights=confidence, minlength=bins) / count
        share = np.bincount(place, weights=right, minlength=bins) / count
    middle = (np.arange(bins) + 0.5) / bins
    return Reliability(count.astype(np.int64), np.where(count > 0, mean, middle), share)


def expected_calibration_error(labels: Labels, probabilities: Reals, *, bins: int = 15) -> float:
    """Gap between confidence and accuracy, averaged over equal-width bins of confidence by their items.

    Naeini, Cooper, Hauskrecht 2015 (AAAI); with 15 bins as in Guo et al. 2017 (arXiv 1706.04599).
    """
    return reliability(labels, probabilities, bins=bins).ece


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """Counts int64 (classes, classes): row the true class, column the class read."""
    _same_length(labels, predicted)
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How one class fares; a figure that has no meaning (nothing to divide by) is None."""

    character: str
    support: int
    """Items of this class."""
    read: int
    """Items read as this class."""
    precision: float | None
    """Fraction right among those read as this class; None when none was."""
    recall: float | None
    """Fraction read as labelled among those of this class; None when there are none."""
    f1: float | None
    """Harmonic mean of both: 2 right / (support + read); None when the class is neither there nor read."""


def per_class(confusion: npt.ArrayLike, characters: str) -> tuple[ClassFigures, ...]:
    """Precision, recall and F1 (van Rijsbergen 1979) of every class, from counts (K, K), rows true, columns read."""
    counts = np.asarray(confusion, dtype=np.int64)
    if counts.shape != (len(characters), len(characters)):
        raise DataError(f"a matrix of shape {counts.shape} does not count {len(characters)} classes")
    right = np.diag(counts).tolist()
    support, read = counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist()
    return tuple(
        ClassFigures(
            character=characters[k],
            support=support[k],
            read=read[k],
            precision=right[k] / read[k] if read[k] else None,
            recall=right[k] / support[k] if support[k] else None,
            f1=2 * right[k] / (support[k] + read[k]) if support[k] + read[k] else None,
        )
        for k in range(len(characters))
    )


def wrongness(labels: Labels, probabilities: Reals) -> npt.NDArray[np.float64]:
    """float64 (N,): probability of the answer given less the probability of the label; 0 where it is right.

    The larger, the surer the reader was of what is wrong: by it the worst errors are ranked.
    """
    _same_length(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.asarray(probabilities.max(axis=1).astype(np.float64) - own, dtype=np.float64)


def label_suspects(labels: Labels, probabilities: Reals, same: npt.NDArray[np.bool_] | None = None) -> Labels:
    """Places of items whose label looks wrong, the most suspect first, int64 (S,).

    Confident learning (Northcutt, Jiang, Chuang 2021, JAIR 70): an item is suspect when another class reaches
    the confidence that this reader usually has in that class (its mean over the items so labelled), and its own
    label does not. Ranked by normalised margin. `same`, bool (K, K), names classes that the ink does not tell
    apart: between them nothing is suspect.
    """
    _same_length(labels, probabilities)
    classes = probabilities.shape[1]
    items = np.arange(len(labels))
    own = probabilities[items, labels].astype(np.float64)
    count = np.bincount(labels, minlength=classes)
    usual = np.full(classes, np.inf)  # a class without items sets no standard
    np.divide(np.bincount(labels, weights=own, minlength=classes), count, out=usual, where=count > 0)
    reached = np.where(probabilities >= usual, probabilities, 0.0)
    best = reached.argmax(axis=1)
    suspect = (reached[items, best] > 0) & (best != labels) & (probabilities.argmax(axis=1) != labels)
    if same is not None:
        suspect &= ~same[labels, best]
    found = np.flatnonzero(suspect)
    order = np.argsort(own[found] - probabilities[found].max(axis=1), kind="stable")
    return np.asarray(found[order], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RiskCoverage:
    """What refusing the least confident items brings, one point for each confidence that occurs."""

    coverage: npt.NDArray[np.float64]
    """float64 (P,), fraction of items answered, ascending to 1."""
    risk: npt.NDArray[np.float64]
    """float64 (P,), fraction of wrong ones among those."""

    def at(self, coverage: float) -> float:
        """Risk at the smallest coverage on the curve that is at least `coverage`."""
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(self.risk[min(place, len(self.risk) - 1)])


def risk_coverage(correct: npt.NDArray[np.bool_], confidence: Reals) -> RiskCoverage:
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


def auroc(positive: Reals, negative: Reals) -> float:
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
