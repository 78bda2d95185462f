"""evaluate --report, compare and explore from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Path:
    """Class folders: two 0, a 1, and a 7 that is drawn as a 1."""
    for label, shape, count in (("0", "0", 2), ("1", "1", 1), ("7", "1", 1)):
        home = tmp_path / "<set>" / label
        home.mkdir(parents=True)
        for i in range(count):
            draw(shape).save(home / f"{i}<script>.png")
    return tmp_path / "<set>"


def test_evaluate_writes_a_page(handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    page = tmp_path / "out.html"
    outcome = handread("evaluate", tiny_model, "--data", folder, "--report", page)
    assert outcome.code == 0, outcome.err
    text = page.read_text()
    assert "7 read as 1" in text
    assert "tiny on &lt;set&gt;" in text
    assert text.count("<script>") == 1
    assert "0&lt;script&gt;.png" in text


@pytest.mark.parametrize("command", ["evaluate", "explore", "compare"])
def test_a_report_that_is_no_page_is_refused_before_anything_is_read(
    handread: Handread, tmp_path: Path, tiny_model: Path, command: str
) -> None:
    arguments = {
        "evaluate": [tiny_model, "--data", "missing"], "explore": ["missing"], "compare": ["a.json", "b.json"]
    }  # fmt: skip
    outcome = handread(command, *arguments[command], "--report", tmp_path / "out.pdf")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith("'out.pdf' ends otherwise; name it .html\n")


def evaluated(handread: Handread, folder: Path, out: Path, model: Path, *more: str) -> Path:
    outcome = handread("evaluate", model, "--data", folder, "--json", out, *more)
    assert outcome.code == 0, outcome.err
    return out


def test_compare_two_reports(handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    wide = evaluated(handread, folder, tmp_path / "wide.json", tiny_model)
    narrow = evaluated(handread, folder, tmp_path / "narrow.json", tiny_model, "--alphabet", "07")
    refused = handread("compare", wide, narrow)
    assert refused.code == 2
    assert "not measured on the same items" in refused.err
    digits = evaluated(handread, folder, tmp_path / "digits.json", tiny_model, "--alphabet", "digits")
    page = tmp_path / "compared.html"
    outcome = handread("compare", wide, digits, "--report", page)
    assert outcome.code == 0, outcome.err
    assert "both right 3 only wide 0 only digits 0 both wrong 1" in " ".join(outcome.out.split())
    assert "there is no difference to see" in outcome.out
    assert "wide and digits" in page.read_text()
    raw = json.loads(handread("compare", wide, digits, "--json").out)
    assert (raw["both_right"], raw["both_wrong"], raw["p_value"], raw["n"]) == (3, 1, 1.0, 4)


def test_compare_names_the_items_that_only_one_reads(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    right = evaluated(handread, folder, tmp_path / "right.json", tiny_model)
    raw = json.loads(right.read_text())
    read = raw["items"]["read"]
    read[0] = 1  # the first 0 is now read as 1
    raw["confusion"][0][0] -= 1
    raw["confusion"][0][1] += 1
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(raw))
    outcome = handread("compare", right, wrong)
    assert outcome.code == 0, outcome.err
    assert "only right reads 0/0<script>.png (0, not 1)" in outcome.out


@pytest.mark.parametrize("content", [None, "", "{", '{"format": 99}', "\xff"])
def test_compare_of_something_else_is_one_sentence(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path, content: str | None
) -> None:
    good = evaluated(handread, folder, tmp_path / "good.json", tiny_model)
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_bytes(content.encode("latin-1"))
    outcome = handread("compare", good, bad)
    assert (outcome.code, outcome.out) == (2, "")
    assert "bad.json" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_explore_counts_and_names(handread: Handread, folder: Path, tmp_path: Path) -> None:
    (folder / "0" / "broken.png").write_text("no picture")
    page = tmp_path / "out.html"
    outcome = handread("explore", folder, "--report", page)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("<set>: 4 images, 3 classes\n")
    assert "size     128 x 96 (4)" in outcome.out
    assert "0 2 ████████████████" in outcome.out
    assert "1 picture cannot be read" in outcome.out
    assert "share their very image with another label" in " ".join(outcome.out.split())
    text = page.read_text()
    assert "broken.png" in text
    assert text.count("<script>") == 1


def test_explore_as_json(handread: Handread, folder: Path) -> None:
    raw = json.loads(handread("explore", folder, "--json").out)
    assert (raw["n"], raw["alphabet"], raw["counts"]) == (4, "0123456789", [2, 1, 0, 0, 0, 0, 0, 1, 0, 0])
    assert raw["conflicts"] == [[2, 3]]
    assert raw["crop"]["top"] < 30 < 100 < raw["crop"]["bottom"]


def test_explore_of_nothing(handread: Handread) -> None:
    outcome = handread("explore", "no-such-set")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no-such-set" in outcome.err
