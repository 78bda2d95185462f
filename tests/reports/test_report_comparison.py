"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handread.evaluation.compare import ClassChange, Comparison, Disagreement
from handread.reports import comparison as module
from handread.reports.comparison import comparison_page, p_value, points

Check = Callable[[str], Any]


def compared(**changes: Any) -> Comparison:
    found: dict[str, Any] = {
        "first": "<old>", "second": "new", "data": "<set>", "n": 100, "both_right": 80, "only_first": 1,
        "only_second": 2, "both_wrong": 17, "difference": 0.01, "interval95": (-0.025, 0.045), "p_value": 1.0,
        "classes": (ClassChange("<", 50, 40, 41), ClassChange("b", 50, 41, 41)),
        "disagreements": (
            Disagreement(3, "<b>/1.png", "<", "<", "b", 0.9, 0.6),
            Disagreement(7, "", "<", "b", "<", 0.5, 0.75),
            Disagreement(9, "", "b", "<", "b", 0.5, 0.75),
        ),
    }  # fmt: skip
    return Comparison(**found | changes)


def test_the_page_tells_the_difference_and_the_items(check: Check) -> None:
    found = check(comparison_page(compared()))
    assert "<old> and new" in found.text
    assert "+1.00 points" in found.text
    assert "the difference may be chance" in found.text
    assert "<b>/ 1.png < < 90 % b 60 %" in found.text
    assert "item 7" in found.text
    assert "1 class did not" in found.text
    assert "−2.50 to +4.50 points" in found.text


def test_long_lists_are_cut_aloud(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    monkeypatch.setattr(module, "SHOWN", 1)
    found = check(comparison_page(compared()))
    assert "2 items, in the order of the data; the first 1 are shown" in found.text
    assert "item 9" not in found.text


def test_only_a_clear_difference_takes_a_colour() -> None:
    def colour(text: str) -> str:
        return text.split('<p class="big')[1].split('"')[0].strip()

    assert colour(comparison_page(compared())) == "open"
    assert colour(comparison_page(compared(p_value=0.01))) == ""
    assert colour(comparison_page(compared(p_value=0.01, difference=-0.01))) == "bad"


def test_no_difference_at_all(check: Check) -> None:
    same = compared(only_first=0, only_second=0, both_right=83, difference=0.0, disagreements=(), classes=())
    found = check(comparison_page(same))
    assert "there is no difference to see" in found.text


def test_signs_and_small_p() -> None:
    assert (points(-0.0048), points(0.1, 1), points(0.0), points(-1e-9)) == ("−0.48", "+10.0", "0.00", "0.00")
    assert (p_value(0.0312), p_value(1e-9)) == ("0.031", "below 0.001")
