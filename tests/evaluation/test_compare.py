"""Two reports on the same items, with outcomes known in advance."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.errors import DataError
from handread.evaluation import metrics
from handread.evaluation.compare import compare, mcnemar, paired_interval
from handread.evaluation.report import EvaluationReport, Items


def report(
    read: str, *, labels: str = "aabb", model: str = "m", alphabet: str = "ab", digest: str = "d"
) -> EvaluationReport:
    """What a model that reads `read` gives."""
    classes = Alphabet.of(alphabet)
    true = np.array([classes.index(c) for c in labels])
    said = np.array([classes.index(c) for c in read])
    confusion = metrics.confusion_matrix(true, said, len(classes)).tolist()
    right = int((true == said).sum())
    return EvaluationReport(
        model=model, data="set", alphabet=alphabet, n=len(labels), correct=right, accuracy=right / len(labels),
        interval95=metrics.wilson_interval(right, len(labels)), top2=1.0, top3=1.0, case_insensitive=1.0, merged=1.0,
        nll=0.1, ece=0.1, refused=0.0, seconds=1.0, confusion=tuple(map(tuple, confusion)),
        refusal_curve=((1.0, 0.0),), environment={}, digest=digest,
        items=Items(tuple(true.tolist()), tuple(said.tolist()), (9000,) * len(true), (100,) * len(true)),
    )  # fmt: skip


def test_every_item_is_in_one_of_four_places() -> None:
    found = compare(report("abba", model="old"), report("aaaa", model="new"))
    assert (found.first, found.second, found.n) == ("old", "new", 4)
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == (1, 1, 1, 1)
    assert found.accuracies == (0.5, 0.5)
    assert found.difference == 0
    assert [(d.item, d.label, d.first, d.second) for d in found.disagreements] == [
        (1, "a", "b", "a"),
        (2, "b", "b", "a"),
    ]
    assert [(c.character, c.support, c.first, c.second) for c in found.classes] == [("a", 2, 1, 2), ("b", 2, 1, 0)]


def test_changing_sides_turns_everything_round() -> None:
    a, b = report("abaa", model="old"), report("aabb", model="new")
    there, back = compare(a, b), compare(b, a)
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first) == (0, 3)
    assert there.difference == -back.difference == 0.75
    assert there.interval95 == pytest.approx((-back.interval95[1], -back.interval95[0]))
    assert there.p_value == back.p_value == 0.25


def test_a_report_against_itself() -> None:
    found = compare(report("abba"), report("abba"))
    assert (found.difference, found.p_value, found.disagreements) == (0, 1, ())
    assert (found.first, found.second) == ("m (A)", "m (B)")
    assert "no difference to see" in found.verdict


def test_answers_are_compared_by_character_not_by_place() -> None:
    first = report("aabb", alphabet="ab")
    second = report("aabb", alphabet="zba")
    assert compare(first, second).both_right == 4


def test_a_clear_difference_is_called_one() -> None:
    labels = "a" * 40
    found = compare(report("b" * 40, labels=labels, model="old"), report("a" * 40, labels=labels, model="new"))
    assert found.verdict == "new is better than old on these items, by more than chance explains."
    assert found.p_value == pytest.approx(2 / 2**40)


@pytest.mark.parametrize(
    ("second", "phrase"),
    [
        (report("aabb", digest="other"), "not measured on the same items"),
        (report("aab", labels="aab"), "not measured on the same items"),
        (dataclasses.replace(report("aabb"), items=None), "says nothing of single items"),
        (report("aabb", digest=""), "says nothing of single items"),
    ],
    ids=["other data", "fewer items", "no items", "no digest"],
)
def test_other_items_are_refused(second: EvaluationReport, phrase: str) -> None:
    with pytest.raises(DataError, match=phrase):
        compare(report("aabb"), second)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        # Both tails of a fair coin, by hand: 2 (1 + 12 + 66) / 4096 for 10 against 2.
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (10, 2, 0.03857421875),
        (7, 7, 1.0),
        (3, 1, 0.625),
    ],
)
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p, rel=1e-6)
    assert mcnemar(only_second, only_first) == mcnemar(only_first, only_second)


def test_mcnemar_agrees_with_scipy_and_stays_exact_for_many() -> None:
    stats = pytest.importorskip("scipy.stats")
    for a, b in [(3, 9), (40, 61), (500, 612), (2000, 2100)]:
        assert mcnemar(a, b) == pytest.approx(stats.binomtest(a, a + b).pvalue, rel=1e-9)
    assert mcnemar(20_000, 0) == 0.0  # below the smallest float, and no overflow
    assert 0 < mcnemar(5000, 5600) < 1e-8


def test_the_paired_interval_by_hand_and_its_limits() -> None:
    # (only_first + 1) / (n + 2) = 4/102 and 8/102; difference 4/102
    low, high = paired_interval(3, 7, 100)
    half = 1.959964 * math.sqrt((12 / 102 - (4 / 102) ** 2) / 102)
    assert (low, high) == pytest.approx((4 / 102 - half, 4 / 102 + half), abs=1e-6)
    for a, b, n in [(0, 0, 1), (0, 5, 5), (5, 0, 5), (0, 0, 10_000), (50, 50, 100)]:
        low, high = paired_interval(a, b, n)
        assert -1 <= low <= (b - a) / n <= high <= 1
    wide, narrow = paired_interval(3, 7, 100), paired_interval(300, 700, 10_000)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_the_paired_interval_covers_what_it_promises() -> None:
    random = np.random.default_rng(0)
    n, lost, gained = 200, 0.03, 0.07
    draws = random.multinomial(n, [lost, gained, 1 - lost - gained], size=2000)
    inside = [low <= gained - lost <= high for low, high in (paired_interval(int(a), int(b), n) for a, b, _ in draws)]
    assert 0.935 < np.mean(inside) < 0.975


@pytest.mark.parametrize("counts", [(-1, 0, 5), (3, 3, 5), (0, 0, 0)])
def test_counts_that_cannot_be(counts: tuple[int, int, int]) -> None:
    with pytest.raises(DataError):
        paired_interval(*counts)
    with pytest.raises(DataError):
        mcnemar(-1, 2)
