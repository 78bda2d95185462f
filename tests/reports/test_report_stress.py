"""The part of an evaluation's page about worse pictures."""

from __future__ import annotations

import numpy as np

from handread.evaluation.stress_report import Row, Samples, StressReport
from handread.reports.page import escape
from handread.reports.stress import stress_section


def report(*levels: int) -> StressReport:
    rows = [Row("clean", "mnist-c", 0, 8, 0, 0), Row("plain paper", "paper", 0, 8, 1, 0)]
    rows += [Row(name, "paper", level, 8, level, 1) for name in ("fold", "jpeg") for level in levels]
    return StressReport(8, 0, tuple(rows))


def samples(found: StressReport) -> Samples:
    pictures = tuple((np.full((30, 20), 200, np.uint8),) * 2 for _ in found.rows)
    return Samples(("1", "<"), pictures, tuple(("1", "") for _ in found.rows))


def test_no_stress_test_no_section() -> None:
    assert stress_section(None, None) is None


def test_one_strength_with_interval_pictures_and_mean() -> None:
    found = report(3)
    text = escape(stress_section(found, samples(found)))
    assert "12.50\N{NO-BREAK SPACE}% of them are read wrongly" in text
    assert text.count("<tr>") == 4  # head, two rows, mean: the list that was not measured has no table
    assert "MNIST-C</span>" not in text
    assert text.count("37.50\N{NO-BREAK SPACE}%") == 3
    assert text.count('class="photo bad"') == 2
    assert text.count('alt="&lt;, no ink found"') == 2
    assert text.count('alt="1 read as 1"') == 2


def test_several_strengths_have_a_column_each() -> None:
    text = escape(stress_section(report(1, 5), None))
    assert "strength 1</th>" in text
    assert "strength 5</th>" in text
    assert "62.50\N{NO-BREAK SPACE}%" in text
    assert "<img" not in text
