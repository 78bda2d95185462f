"""Charts: what they say, that they stay finite, and that they hold what they were given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from handread.reports import charts
from handread.reports.charts import Series
from handread.reports.matrix import confusion_table
from handread.reports.page import Section, page

Check = Callable[[str], Any]


def numbers(text: str) -> list[float]:
    """All coordinates of a drawing."""
    found = re.findall(r' (?:x|y|x1|x2|y1|y2|cx|cy|width|height|r)="([^"]*)"', text)
    found += [value for points in re.findall(r'points="([^"]*)"', text) for value in re.split(r"[ ,]", points) if value]
    return [float(value) for value in found]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0, 10], (0, 2, 4, 6, 8, 10)),
        ([0.993, 0.999], (0.992, 0.994, 0.996, 0.998, 1.0)),
        ([5, 5], (4.4, 4.6, 4.8, 5, 5.2, 5.4, 5.6)),
        ([], (-1, -0.5, 0, 0.5, 1)),
        ([float("nan"), 1, 3], (1, 1.5, 2, 2.5, 3)),
    ],
)
def test_ticks_are_round_and_hold_the_values(values: list[float], ticks: tuple[float, ...]) -> None:
    axis = charts.axis("x", values)
    assert axis.ticks == pytest.approx(ticks)
    assert (axis.low, axis.high) == (axis.ticks[0], axis.ticks[-1])
    finite = [v for v in values if v == v]
    assert all(axis.low <= v <= axis.high for v in finite)


def test_an_axis_from_zero() -> None:
    assert charts.axis("x", [3, 4], zero=True).low == 0
    assert charts.axis("x", [0, 0], zero=True).low == 0


@pytest.mark.parametrize(("value", "text"), [(2000, "2,000"), (0.25, "0.25"), (1e-5, "1e-5"), (0, "0"), (3, "3")])
def test_numbers_as_people_write_them(value: float, text: str) -> None:
    assert charts.number(value) == text


def test_lines_tell_every_point_and_leave_out_what_is_no_number() -> None:
    series = [Series("<up>", ((1, 0.5), (2, 0.75), (3, float("nan")))), Series("down", ((1, 0.2),), bad=True)]
    x, y = charts.axis("epoch", [1, 3]), charts.axis("right", [0, 1], written=charts.share)
    text = charts.lines(series, x, y, "A < B")
    assert text.count("<circle") == 2 * 3
    assert "&lt;up&gt;: epoch 2, 75.00 %" in text
    assert "<title>A &lt; B</title>" in text
    assert "<up>" not in text
    assert all(abs(v) < 1e4 for v in numbers(text))


def test_the_reliability_diagram_leaves_out_empty_bins() -> None:
    text = charts.reliability([(0, 0.25, None), (40, 0.75, 0.5)], "says")
    assert text.count("<circle") == 1
    assert "40 items, sure by 75.0 % on average, 50.0 % of them right" in text


@pytest.mark.parametrize(
    ("value", "low", "high"), [(0.5, 0.4, 0.6), (1.0, 0.99, 1.0), (0.0, 0.0, 0.2), (1.0, 1.0, 1.0)]
)
def test_an_interval_stays_inside(value: float, low: float, high: float) -> None:
    text = charts.interval(value, low, high, "says")
    assert all(-1 <= v <= charts.WIDTH * 1.2 for v in numbers(text))


def test_columns_hold_every_class_once() -> None:
    names = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    text = charts.columns([(name, k) for k, name in enumerate(names)], "says")
    assert re.findall(r'class="name">(.)</text>', text) == names
    assert "<title>z: 61</title>" in text


@pytest.mark.parametrize(
    ("names", "lengths"),
    [
        ("0123456789", [10]),
        ("0123456789" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "abcdefghijklmnopqrstuvwxyz", [10, 26, 26]),
        ("aA1bB2cC3dD4", [12]),  # mixed up: kinds are no help
        ("<>&", [3]),
        ("", []),
    ],
)
def test_lines_of_classes(names: str, lengths: list[int]) -> None:
    assert charts.class_rows(list(names)) == lengths


def test_the_matrix_holds_counts_and_rates_and_links(check: Check) -> None:
    matrix = [[3, 1], [0, 4]]
    text = confusion_table(
        matrix, "<>", "Caption", target=lambda true, read: "c0-1" if (true, read) == (0, 1) else None
    )
    assert '<a href="#c0-1" title="&lt; read as &gt;: 1 of 4 (25.0 %)"><b>1</b><i>25.0</i></a>' in text
    assert text.count("<a ") == 1
    assert re.findall(r"<b>(\d+)</b>", text) == ["3", "1", "4"]
    check(page("t", kicker="k", head="", sections=[Section("c0-1", "x", text)], foot=""))


def test_a_matrix_of_62_classes_is_readable() -> None:
    characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    matrix = [[5 if true == read else 0 for read in range(62)] for true in range(62)]
    text = confusion_table(matrix, characters, "Caption", target=lambda true, read: None)
    assert "--cell:17px" in text  # 62 of them are as wide as a desk's page
    assert text.count('<tr class="g">') == 2  # below 9 and Z
    assert text.count('scope="row"') == text.count('scope="col"') == 62
