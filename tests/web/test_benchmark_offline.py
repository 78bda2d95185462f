"""The comparison of the page with the package tells differences apart and draws equal pictures from equal seeds."""

from __future__ import annotations

import copy
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

ROW: dict[str, Any] = {
    "text": "7",
    "error": None,
    "characters": [{"box": [1, 2, 3, 4], "accepted": True, "reason": "", "confidence": 0.9}],
}


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("box", [1, 2, 3, 5], "boxes"), ("accepted", False, "refusals"), ("reason", "no ink", "refusals"),
        ("confidence", 0.8, "confidence"), ("confidence", 0.901, ""),
    ],
)  # fmt: skip
def test_a_difference_has_a_name(name: str, value: object, what: str) -> None:
    from benchmarks.offline import difference

    other = copy.deepcopy(ROW)
    other["characters"][0][name] = value
    assert difference(ROW, other) == what
    assert difference(ROW, {**other, "text": "1"}) == "text"
    assert difference(ROW, {"error": "x is damaged"}) == "error"
    assert difference({"error": "here"}, {"error": "there"}) == ""


@pytest.mark.parametrize("name", ["drawn_texts", "drawn_characters", "drawn_strokes"])
def test_equal_seeds_draw_equal_cases(name: str) -> None:
    from benchmarks import offline

    one, other = (list(islice(getattr(offline, name)(np.random.default_rng(3)), 3)) for _ in range(2))
    assert one == other
    assert one[0] != one[1]
    assert all(bool(case.content) != bool(case.strokes) for case in one)


def test_the_table_of_the_page_is_that_of_the_results() -> None:
    from benchmarks import offline
    from benchmarks.results import read_csv

    page = offline.PAGE.read_text(encoding="utf-8")
    assert f"<!-- offline -->\n{offline.table(read_csv(offline.FILE))}\n<!-- /offline -->" in page
