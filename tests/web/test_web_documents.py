"""docs/serving.md and the Containerfile say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from handread.web.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def test_every_code_of_a_problem_is_explained() -> None:
    codes = set()
    for path in (ROOT / "src" / "handread" / "web").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        codes |= set(re.findall(r'(?:ProblemError|_tell|document)\(\s*(?:\d+),\s*"([\w-]+)"', text))
    assert len(codes) > 15
    assert [code for code in sorted(codes - {"bug"}) if f"`{code}`" not in PAGE] == []


def test_every_figure_is_explained() -> None:
    names = {family.name for family in Metrics().registry.collect()}
    assert [name for name in names if f"`{name}" not in PAGE] == []


def test_the_container_copies_what_is_there_and_starts_what_exists() -> None:
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert copied
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert '"/opt/handread/bin/handread", "serve"' in text
    assert re.search(r"^USER handread$", text, re.MULTILINE)


def test_the_table_of_the_load_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import serving
    from benchmarks.results import read_csv

    rows = read_csv(serving.FILE)
    assert [row["measure"] for row in rows] == list(serving.TITLES)
    assert f"<!-- load -->\n{serving.table(rows).strip()}\n<!-- /load -->" in PAGE
