"""What must hold of every figure whatever the data: order, names and scale do not count, and others' values agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as theirs

from handread.alphabet import Alphabet
from handread.decode import probabilities as softmax
from handread.evaluation import metrics, refusal
from handread.evaluation.compare import mcnemar, paired_interval

SEEDS = range(6)
LETTERS = Alphabet.of("0oO1lIcCxX5S")
CLASSES = len(LETTERS)


@dataclass(frozen=True)
class Case:
    """A reader's answers on random items: some classes rare or absent, some confidences tied."""

    labels: np.ndarray
    logits: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        return softmax(self.logits)

    @property
    def read(self) -> np.ndarray:
        return self.shares.argmax(axis=1)


def case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(40, 400))
    labels = rng.choice(CLASSES, count, p=rng.dirichlet(np.full(CLASSES, 0.5)))
    logits = rng.normal(0, 1.5, (count, CLASSES)) + rng.uniform(0, 4) * np.eye(CLASSES)[labels]
    return Case(labels.astype(np.int64), np.round(logits * 4).astype(np.float32) / 4)


def figures(c: Case, alphabet: Alphabet = LETTERS) -> dict[str, float]:
    """Every figure that is a mean over items."""
    right, sure = c.read == c.labels, c.shares.max(axis=1)
    curve = metrics.risk_coverage(right, sure)
    return {
        "accuracy": metrics.accuracy(c.labels, c.read),
        **{f"top {k}": metrics.top_k(c.labels, c.shares, k) for k in (1, 2, 3, 7)},
        "case": metrics.case_insensitive(c.labels, c.read, alphabet),
        "merged": metrics.merged(c.labels, c.read, alphabet),
        "nll": metrics.negative_log_likelihood(c.labels, c.shares),
        "ece": metrics.expected_calibration_error(c.labels, c.shares),
        "wrongness": float(metrics.wrongness(c.labels, c.shares).mean()),
        "risk": float(curve.risk.mean()),
        "half": curve.at(0.5),
        "refused": refusal.left_after_refusing(right, sure, 0.3).risk,
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_items_does_not_count(seed: int) -> None:
    c = case(seed)
    order = np.random.default_rng(seed).permutation(len(c.labels))
    moved = Case(c.labels[order], c.logits[order])
    assert figures(moved) == pytest.approx(figures(c), abs=1e-9)
    same = [metrics.confusion_matrix(each.labels, each.read, CLASSES) for each in (c, moved)]
    assert np.array_equal(*same)
    suspects = [metrics.label_suspects(each.labels, each.shares) for each in (c, moved)]
    assert set(order[suspects[1]].tolist()) == set(suspects[0].tolist())


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_the_classes_does_not_count(seed: int) -> None:
    """Without ties, where the lower class goes first and must."""
    rng = np.random.default_rng(seed)
    c = case(seed)
    c = Case(c.labels, (c.logits + rng.uniform(0, 0.01, c.logits.shape)).astype(np.float32))
    places = rng.permutation(CLASSES)  # class k is called places[k] now
    logits = np.empty_like(c.logits)
    logits[:, places] = c.logits
    named = Case(places[c.labels], logits)
    renamed = Alphabet.of([LETTERS[int(k)] for k in np.argsort(places)])
    assert figures(named, renamed) == pytest.approx(figures(c), abs=1e-6)
    before, after = (metrics.confusion_matrix(each.labels, each.read, CLASSES) for each in (c, named))
    assert np.array_equal(after[np.ix_(places, places)], before)


@pytest.mark.parametrize("seed", SEEDS)
def test_how_large_logits_are_says_nothing_of_what_is_right(seed: int) -> None:
    c = case(seed)
    figure = figures(c)
    for scale, shift in ((0.25, 0), (3.0, 0), (1.0, 7.5)):
        other = figures(Case(c.labels, (c.logits * scale + shift).astype(np.float32)))
        for name in ("accuracy", "top 1", "case", "merged") + (("top 2", "top 3", "top 7") if scale <= 1 else ()):
            assert other[name] == figure[name], (name, scale)
    colder, warmer = (metrics.negative_log_likelihood(c.labels, softmax(c.logits, temperature=t)) for t in (1e-3, 1e3))
    assert warmer == pytest.approx(math.log(CLASSES), abs=0.02)
    assert colder > warmer or figure["accuracy"] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_order_of_scores_counts_for_what_separates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, foreign = np.round(rng.normal(1, 1, 90), 1), np.round(rng.normal(0, 1, 70), 1)
    right = rng.random(160) < 0.7
    scores = np.concatenate([true, foreign])
    curve, found = metrics.risk_coverage(right, scores), refusal.separation(true, foreign, keep=0.9)
    rising: list[Callable[[np.ndarray], np.ndarray]] = [np.exp, lambda x: 3 * x - 11, lambda x: x**3, np.arctan]
    for change in rising:
        other = metrics.risk_coverage(right, change(scores))
        assert np.array_equal(other.coverage, curve.coverage)
        assert np.array_equal(other.risk, curve.risk)
        changed = refusal.separation(change(true), change(foreign), keep=0.9)
        assert (changed.auroc, changed.accepted) == (found.auroc, found.accepted)
        assert changed.threshold == change(np.array([found.threshold]))[0]
    assert metrics.auroc(-true, -foreign) == pytest.approx(1 - found.auroc, abs=1e-12)
    assert metrics.auroc(foreign, true) == pytest.approx(1 - found.auroc, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_scikit_learn_says_the_same(seed: int) -> None:
    c = case(seed)
    shares = c.shares.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    every = list(range(CLASSES))
    assert metrics.accuracy(c.labels, c.read) == theirs.accuracy_score(c.labels, c.read)
    confusion = metrics.confusion_matrix(c.labels, c.read, CLASSES)
    assert np.array_equal(confusion, theirs.confusion_matrix(c.labels, c.read, labels=every))
    assert metrics.negative_log_likelihood(c.labels, shares) == pytest.approx(
        theirs.log_loss(c.labels, shares, labels=every), rel=1e-6
    )
    # without ties: of equals, scikit-learn takes the higher class first, we the lower, as argmax does
    jitter = c.logits + np.random.default_rng(seed).uniform(0, 0.01, c.logits.shape)
    for k in (1, 2, 5):
        expected = theirs.top_k_accuracy_score(c.labels, jitter, k=k, labels=every)
        assert metrics.top_k(c.labels, jitter, k) == pytest.approx(expected, abs=1e-12)
    rows = metrics.per_class(confusion, "".join(LETTERS))
    expected = theirs.precision_recall_fscore_support(c.labels, c.read, labels=every, zero_division=np.nan)
    for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        ours = [getattr(row, name) for row in rows]
        assert [math.nan if value is None else value for value in ours] == pytest.approx(values.tolist(), nan_ok=True)
    there = [row.f1 for row in rows if row.f1 is not None]
    macro = theirs.f1_score(c.labels, c.read, average="macro")
    assert np.mean(there) == pytest.approx(macro, abs=1e-12)
    right, sure = c.read == c.labels, shares.max(axis=1)
    if right.any() and not right.all():
        area = theirs.roc_auc_score(right, sure)
        assert metrics.auroc(sure[right], sure[~right]) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_figures_agree_with_each_other(seed: int) -> None:
    c = case(seed)
    figure, confusion = figures(c), metrics.confusion_matrix(c.labels, c.read, CLASSES)
    assert confusion.sum() == len(c.labels)
    assert np.trace(confusion) / len(c.labels) == figure["accuracy"] == figure["top 1"]
    tops = [metrics.top_k(c.labels, c.shares, k) for k in range(1, CLASSES + 1)]
    assert all(low <= high for low, high in itertools.pairwise(tops))
    assert tops[-1] == 1
    assert figure["accuracy"] <= min(figure["case"], figure["merged"])
    assert all(0 <= figure[name] <= 1 for name in figure if name != "nll")
    rows = metrics.per_class(confusion, "".join(LETTERS))
    assert sum(row.support for row in rows) == sum(row.read for row in rows) == len(c.labels)
    found = metrics.reliability(c.labels, c.shares)
    assert found.count.sum() == len(c.labels)
    filled = found.count > 0
    assert (found.count[filled] * found.accuracy[filled]).sum() / len(c.labels) == pytest.approx(figure["accuracy"])
    assert metrics.expected_calibration_error(c.labels, c.shares, bins=1) == pytest.approx(
        abs(c.shares.max(axis=1).mean() - figure["accuracy"]), abs=1e-6
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ends_of_the_risk_coverage_curve(seed: int) -> None:
    c = case(seed)
    right, sure = c.read == c.labels, c.shares.max(axis=1)
    curve = metrics.risk_coverage(right, sure)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == curve.at(1.0) == pytest.approx(1 - metrics.accuracy(c.labels, c.read))
    surest = sure == sure.max()
    assert curve.coverage[0] == surest.mean()
    assert curve.risk[0] == curve.at(0.0) == (~right[surest]).mean()
    assert (np.diff(curve.coverage) > 0).all()
    assert len(curve.coverage) == len(np.unique(sure))
    for share in (0.0, 0.25, 0.6):
        left = refusal.left_after_refusing(right, sure, share)
        assert left.answered >= (1 - share) * len(right) - 1e-9
        answered = np.argsort(-sure, kind="stable")[: left.answered]
        assert left.wrong == (~right[answered]).sum()
    # a reader that is right just where it is sure refuses only errors
    perfect = metrics.risk_coverage(right, right.astype(np.float64))
    assert perfect.at(right.mean()) == (0 if right.any() else 1)


def test_calibration_errors_counted_by_hand() -> None:
    """Bins (0, .5] and (.5, 1]: three items at .5, one right; five at .8 or 1, all but one right."""
    sure = np.array([0.5, 0.5, 0.5, 0.8, 0.8, 1.0, 1.0, 1.0])
    right = np.array([1, 0, 0, 1, 0, 1, 1, 1])
    shares, labels = np.stack([sure, 1 - sure], axis=1), 1 - right
    found = metrics.reliability(labels, shares, bins=2)
    assert found.count.tolist() == [3, 5]
    assert found.confidence == pytest.approx([0.5, 4.6 / 5])
    assert found.accuracy == pytest.approx([1 / 3, 4 / 5])
    assert found.ece == pytest.approx((3 * (1 / 2 - 1 / 3) + 5 * (4.6 / 5 - 4 / 5)) / 8)
    equal = refusal.equal_mass_reliability(labels, shares, bins=4)
    assert equal.count.tolist() == [2, 2, 2, 2]
    assert equal.confidence == pytest.approx([0.5, 0.65, 0.9, 1.0])
    assert equal.accuracy == pytest.approx([0.5, 0.5, 0.5, 1.0])


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_wilsons_interval_is_scipys(confidence: float) -> None:
    for correct, count in ((0, 1), (1, 1), (0, 9), (9, 9), (3, 7), (60, 61), (9_973, 10_000), (1, 10**6)):
        expected = binomtest(correct, count).proportion_ci(confidence, method="wilson")
        found = metrics.wilson_interval(correct, count, confidence=confidence)
        assert found == pytest.approx((expected.low, expected.high), abs=1e-9)
        mirrored = metrics.wilson_interval(count - correct, count, confidence=confidence)
        assert mirrored == pytest.approx((1 - found[1], 1 - found[0]), abs=1e-12)
        assert found[0] <= correct / count <= found[1]


def test_wilsons_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    for rate in (0.5, 0.9, 0.99):
        hits = rng.binomial(200, rate, 1500)
        inside = [low <= rate <= high for low, high in (metrics.wilson_interval(int(h), 200) for h in hits)]
        assert 0.92 < np.mean(inside) < 0.985


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (5, 0), (3, 8), (10, 10), (40, 61), (0, 300)])
def test_mcnemars_p_is_the_two_sided_binomial_test(only_first: int, only_second: int) -> None:
    total = only_first + only_second
    expected = binomtest(only_first, total).pvalue if total else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(only_first, only_second) == mcnemar(only_second, only_first)


def test_mcnemars_p_is_right_as_often_as_it_says() -> None:
    """Of two equally good readers, counted over all outcomes: p is at most a in no more than the share a of cases."""
    total = 25
    chances = [Fraction(math.comb(total, k), 2**total) for k in range(total + 1)]
    assert sum(chances) == 1
    for level in (0.01, 0.05, 0.2):
        assert sum(c for k, c in enumerate(chances) if mcnemar(k, total - k) <= level) <= level


def test_the_paired_interval_turns_round_and_holds_the_difference() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        first, second, n = int(rng.integers(0, 30)), int(rng.integers(0, 30)), int(rng.integers(60, 500))
        low, high = paired_interval(first, second, n)
        assert paired_interval(second, first, n) == pytest.approx((-high, -low), abs=1e-12)
        assert -1 <= low <= (second - first) / n <= high <= 1
        wide = paired_interval(first, second, n, confidence=0.99)
        assert wide[0] <= low
        assert wide[1] >= high
