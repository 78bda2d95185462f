"""The page of a training run, from the files that a run leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handread.errors import DataError
from handread.reports.run import run_page

Check = Callable[[str], Any]

CONFIG = {
    "name": "<mine>", "network": "plain-tiny", "epochs": 3, "seed": 2026, "batch_size": 65536, "bf16": True,
    "augment": {"slant": 0.1, "noise": 0.0},
    "sources": [{"data": "<train>", "count": 0, "licence": "MIT"}], "validation": [],
}  # fmt: skip
HISTORY = """epoch,loss,seconds,learning_rate,accuracy <photos>,loss <photos>
1.0,1.5,61,0.002,0.5,1.25
2.0,0.5,62,0.001,0.75,0.75
3.0,0.25,63,0.0001,0.7,0.8
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "history.csv").write_text(HISTORY)
    (tmp_path / "environment.json").write_text(json.dumps({"torch": "2.13", "code": "ab" * 32, "parameters": 2603}))
    (tmp_path / "sources.json").write_text(json.dumps([{"name": "<train>", "count": 57000, "licence": "MIT"}]))
    return tmp_path


def test_all_that_the_run_says_is_there(folder: Path, check: Check) -> None:
    found = check(run_page(folder))
    assert "right on <photos> after epoch 3; the best was 75.00 % after epoch 2." in found.text
    assert "3 of 3" in found.text
    assert "3 min" in found.text
    assert "slant 0.1" in found.text
    assert "1 option at 0: left out." in found.text
    assert "seed 2026" in found.text
    assert "batch_size 65,536" in found.text
    assert "parameters 2,603" in found.text
    assert "code abababababab… " in found.text
    assert "57,000" in found.text
    assert len(found.all("figure")) == 3  # loss, accuracy, learning rate
    assert "<photos>: epoch 2, 75.00 %" in found.text


def test_the_finished_model_is_told_where_its_evaluation_is_kept(folder: Path, check: Check) -> None:
    from handread.alphabet import Alphabet
    from handread.evaluation import metrics
    from handread.evaluation.report import EvaluationReport

    report = EvaluationReport(
        model="m", data="<photos>", alphabet="".join(Alphabet.of("ab")), n=4, correct=3, accuracy=0.75,
        interval95=metrics.wilson_interval(3, 4), top2=1.0, top3=1.0, case_insensitive=0.75, merged=0.75, nll=0.5,
        ece=0.125, refused=0.0, seconds=1.0, confusion=((2, 0), (1, 1)), refusal_curve=((1.0, 0.25),), environment={},
    )  # fmt: skip
    report.save(folder / "evaluation-photos.json")
    found = check(run_page(folder))
    assert "<photos> 4 75.00 % 30.06 % to 95.44 %" in found.text


def test_a_run_that_has_not_finished_an_epoch(folder: Path, check: Check) -> None:
    (folder / "history.csv").unlink()
    assert "No epoch is finished yet." in check(run_page(folder)).text


def test_a_folder_with_nothing_but_its_recipe(folder: Path, check: Check) -> None:
    for name in ("history.csv", "environment.json", "sources.json"):
        (folder / name).unlink()
    assert "slant" in check(run_page(folder)).text


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("config.json", None, "no training run"),
        ("config.json", "{", "not JSON"),
        ("config.json", "[]", "no JSON object"),
        ("history.csv", "loss\n1\n", "no column epoch"),
        ("history.csv", "epoch,loss\n1,low\n", "line 2"),
        ("history.csv", "epoch,loss\n1,1\n,1\n", "line 3"),
        ("evaluation.json", "{}", "evaluation.json"),
    ],
)
def test_damage_is_named(folder: Path, name: str, content: str | None, phrase: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match=phrase):
        run_page(folder)
