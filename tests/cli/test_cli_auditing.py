from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Path:
    """Class folders of six 0, six 1 and six 7, the fourth 7 being a 1."""
    for label in "017":
        home = tmp_path / "set" / label
        home.mkdir(parents=True)
        for i in range(6):
            shape = "1" if (label, i) == ("7", 3) else label
            draw(shape).rotate(2 * i - 5, fillcolor=235).save(home / f"{i}.png")
    return tmp_path / "set"


def test_the_wrong_label_is_first_in_every_form(
    handread: Handread, folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "suspects.csv", tmp_path / "page.html"
    outcome = handread(
        "data", "audit", folder, "--model", tiny_model, "--top", 3, "--out", out, "--report", page
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("set: 18 items, 3 characters; of ")
    assert lines[2].split() == ["rank", "item", "label", "suggested", "p(label)", "p(suggested)", "margin", "file"]
    assert lines[3].split()[:4] == ["1", "15", "7", "1"]
    assert lines[3].endswith("7/3.png")
    assert len(lines) == 6
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    assert (rows[0]["item"], rows[0]["file"]) == ("15", str(folder / "7" / "3.png"))
    text = page.read_text()
    assert text.count("<img ") == 3
    assert "labelled 7, perhaps 1" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["SET", "--report", "page.txt"], "name it .html"),
        (["missing"], "missing"),
        (["SET/7"], "7"),
        (["SET", "--split", "nowhere"], "nowhere"),
        (["SET", "--model", "nobody"], "nobody"),
        (["SET", "--top", "0"], "0"),
    ],
)
def test_bad_input_is_one_sentence(
    handread: Handread, folder: Path, tiny_model: Path, arguments: list[str], reason: str
) -> None:
    said = [a.replace("SET", str(folder)) for a in arguments]
    outcome = handread("data", "audit", "--model", tiny_model, *said)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err.splitlines()[-1]
