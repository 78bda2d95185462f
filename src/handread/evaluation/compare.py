"""compare: two reports on the same items, item by item."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from handread.errors import DataError
from handread.evaluation.report import WHOLE, EvaluationReport, Items


@dataclass(frozen=True, slots=True)
class ClassChange:
    """How many items of one class each of two models reads as labelled."""

    character: str
    support: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item that one model reads as labelled and the other does not."""

    item: int
    """Its place in the data, from 0."""
    file: str
    """Its picture, where the data was pictures; else empty."""
    label: str
    first: str
    """What the first model read."""
    second: str
    first_confidence: float
    second_confidence: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same n items; differences are second less first."""

    first: str
    second: str
    data: str
    n: int
    both_right: int
    only_first: int
    """Items that only the first model reads as labelled."""
    only_second: int
    both_wrong: int
    difference: float
    """Accuracy of the second less accuracy of the first, -1..1."""
    interval95: tuple[float, float]
    """Interval of that difference, see `paired_interval`."""
    p_value: float
    """Exact two-sided McNemar test, see `mcnemar`."""
    classes: tuple[ClassChange, ...]
    disagreements: tuple[Disagreement, ...]
    """Every item that only one of them reads as labelled, in the order of the data."""

    @property
    def accuracies(self) -> tuple[float, float]:
        """Fraction read as labelled by the first and by the second, 0..1."""
        return (self.both_right + self.only_first) / self.n, (self.both_right + self.only_second) / self.n

    @property
    def verdict(self) -> str:
        """What the figures allow to say, in one sentence."""
        if not self.only_first + self.only_second:
            return "Both read the same items as labelled; there is no difference to see."
        better, worse = (self.second, self.first) if self.difference > 0 else (self.first, self.second)
        if self.p_value < 0.05:
            return f"{better} is better than {worse} on these items, by more than chance explains."
        return "These items do not show which is better: the difference may be chance."


def compare(first: EvaluationReport, second: EvaluationReport, *, names: tuple[str, str] | None = None) -> Comparison:
    """Compare two reports, paired by item; `names` are told instead of the models' own.

    Raises `DataError` when a report says nothing of single items (format 1), or when they are of other items.
    """
    ours, theirs = _items(first), _items(second)
    if first.digest != second.digest or len(ours) != len(theirs):
        raise DataError(
            f"{first.model} on {first.data} ({first.n:,} items) and {second.model} on {second.data} "
            f"({second.n:,} items) were not measured on the same items; evaluate both on the same data, split "
            "and alphabet"
        )
    labels = [first.alphabet[k] for k in ours.labels]
    read = [first.alphabet[k] for k in ours.read], [second.alphabet[k] for k in theirs.read]
    right = [[said == label for said, label in zip(side, labels, strict=True)] for side in read]
    pairs = list(zip(right[0], right[1], strict=True))
    only_first, only_second = pairs.count((True, False)), pairs.count((False, True))
    called = names or _two_names(first.model, second.model)
    files = ours.files or theirs.files or ("",) * len(labels)
    return Comparison(
        first=called[0],
        second=called[1],
        data=first.data,
        n=len(labels),
        both_right=pairs.count((True, True)),
        only_first=only_first,
        only_second=only_second,
        both_wrong=pairs.count((False, False)),
        difference=(only_second - only_first) / len(labels),
        interval95=paired_interval(only_first, only_second, len(labels)),
        p_value=mcnemar(only_first, only_second),
        classes=_changes(labels, right[0], right[1]),
        disagreements=tuple(
            Disagreement(
                item, files[item], labels[item], read[0][item], read[1][item],
                ours.confidence[item] / WHOLE, theirs.confidence[item] / 10_000,
            )
            for item, (a, b) in enumerate(pairs)
            if a != b
        ),
    )  # fmt: skip


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact McNemar test (McNemar 1947, Psychometrika 12; recommended for two systems on one
    test set by Dror et al. 2018, ACL): were both equally good, how likely would at least so uneven a split of the
    items be that only one of them gets right? 1 when there are none.
    """
    if only_first < 0 or only_second < 0:
        raise DataError(f"{only_first} and {only_second} are no counts of items; expected 0 or more of each")
    total, fewer = only_first + only_second, min(only_first, only_second)
    ways, tail = 1, 0
    for k in range(fewer + 1):
        tail += ways
        ways = ways * (total - k) // (k + 1)
    # whole numbers to the end: exact however many items there are
    return min(1.0, 2 * tail / (1 << total))


def paired_interval(only_first: int, only_second: int, n: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the difference in accuracy, second less first, of two models on the same `n` items.

    Adjusted Wald interval for paired proportions (Bonett and Price 2012, J. Educ. Behav. Stat. 37, 479-488): one
    item is added to each kind of disagreement. Stays inside -1..1.
    """
    if only_first < 0 or only_second < 0 or n < max(1, only_first + only_second):
        raise DataError(f"{only_first} and {only_second} of {n} items cannot be; give counts of the same n items")
    if not 0 < confidence < 1:
        raise DataError(f"confidence is {confidence}, expected a number between 0 and 1, such as 0.95")
    losses, gains = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    difference = gains - losses
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * math.sqrt((gains + losses - difference**2) / (n + 2))
    return max(-1.0, difference - half), min(1.0, difference + half)


def _items(report: EvaluationReport) -> Items:
    if report.items is None or not report.digest:
        raise DataError(
            f"the report of {report.model} on {report.data} says nothing of single items, an older Handread wrote it; "
            "write it again with handread evaluate --json"
        )
    return report.items


def _two_names(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first != second else (f"{first} (A)", f"{second} (B)")


def _changes(labels: list[str], first: list[bool], second: list[bool]) -> tuple[ClassChange, ...]:
    counts: dict[str, list[int]] = {}
    for label, a, b in zip(labels, first, second, strict=True):
        row = counts.setdefault(label, [0, 0, 0])
        row[0] += 1
        row[1] += a
        row[2] += b
    return tuple(ClassChange(label, *counts[label]) for label in sorted(counts))
