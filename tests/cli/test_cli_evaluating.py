from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handread.card import ModelCard
from handread.data.load import load_data
from handread.evaluation import leak
from handread.evaluation.leak import seen_list
from handread.runtime.session import read_card

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]

KEYS = {
    "model", "data", "n", "accuracy", "interval95", "top2", "top3", "case_insensitive", "merged", "nll",
    "ece", "refused", "seconds", "confusion", "alphabet",
}  # fmt: skip


@pytest.fixture
def tiny_card(tiny_bytes: bytes) -> ModelCard:
    return read_card(tiny_bytes)


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Path:
    """Class folders: two 0, two 1, one 7 that is drawn as a 1, and an A that is drawn as a 0."""
    for label, shape, count in (("0", "0", 2), ("1", "1", 2), ("7", "1", 1), ("A", "0", 1)):
        home = tmp_path / "set" / label
        home.mkdir(parents=True)
        for i in range(count):
            draw(shape).save(home / f"{i}.png")
    return tmp_path / "set"


def test_the_report_is_printed_and_written(handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out.json"
    outcome = handread("evaluate", tiny_model, "--data", folder, "--json", out)
    assert outcome.code == 0, outcome.err
    report = json.loads(out.read_text())
    assert set(report) >= KEYS
    assert (report["n"], report["model"]) == (6, "tiny")
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert np.sum(report["confusion"]) == 6
    assert "accuracy           66.67 %" in outcome.out
    assert "7 read as 1 (1), A read as 0 (1)" in outcome.out


def test_an_alphabet_leaves_out_the_others_aloud(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    out = tmp_path / "out.json"
    outcome = handread("evaluate", tiny_model, "--data", folder, "--alphabet", "digits", "--json", out)
    assert outcome.code == 0, outcome.err
    assert "left out 1 of 6 items outside the alphabet" in outcome.err
    report = json.loads(out.read_text())
    assert (report["n"], report["alphabet"], report["accuracy"]) == (5, "0123456789", 0.8)


def test_a_broken_picture_stops_it_unless_told_otherwise(handread: Handread, folder: Path, tiny_model: Path) -> None:
    (folder / "0" / "broken.png").write_text("no picture")
    outcome = handread("evaluate", tiny_model, "--data", folder)
    assert (outcome.code, outcome.out) == (2, "")
    assert "broken.png" in outcome.err
    outcome = handread("evaluate", tiny_model, "--data", folder, "--skip-broken")
    assert outcome.code == 0
    assert "broken.png" in outcome.err
    assert ": 6 characters" in outcome.out


@pytest.fixture
def run(
    folder: Path,
    tmp_path: Path,
    build_model: Callable[..., Path],
    tiny_card: ModelCard,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Path:
    """A run folder of the tiny network, trained, as its list says, on all of the folder but what lies in A."""
    if "few" in request.node.name:
        monkeypatch.setattr(leak, "SAMPLE", 1)
    items = load_data(folder)
    listed = seen_list(items.restricted("017").images)
    (tmp_path / "run").mkdir()
    listed.save(tmp_path / "run" / "seen.npz")
    build_model(card=replace(tiny_card, seen=listed.sketch())).rename(tmp_path / "run" / "model.onnx")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("place", "known"), [("run", "list"), ("run/model.onnx", "list"), ("alone.onnx", "list"), ("few.onnx", "sample")]
)
def test_what_was_trained_on_is_warned_of(
    handread: Handread, folder: Path, run: Path, tmp_path: Path, place: str, known: str
) -> None:
    """By its run, by its card that holds all of so few, and by a card's sample of one."""
    model = tmp_path / place
    if not model.exists():
        (run / "model.onnx").rename(model)
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    outcome = handread("evaluate", model, "--data", folder, "--json", out, "--report", page)
    assert outcome.code == 0, outcome.err
    (warned,) = [line for line in outcome.err.splitlines() if "trained on" in line]
    assert warned.startswith("handread: 6 of 6 items (100 %) were" if known == "list" else "handread: about 100 %")
    assert warned.endswith("measure it on a test part or on other writers")
    found = json.loads(out.read_text())["leak"]
    assert (found["known"], found["trained_on"], found["n"]) == (known, 5, 6)
    assert len(found["items"]) == (6 if known == "list" else 3)
    assert html.escape(warned.removeprefix("handread: ").capitalize()[:40]) in page.read_text()


def test_the_training_part_that_is_asked_for_is_no_surprise(
    handread: Handread, folder: Path, run: Path, tmp_path: Path
) -> None:
    (tmp_path / "parts").mkdir()
    folder.rename(tmp_path / "parts" / "train")
    outcome = handread("evaluate", run, "--data", tmp_path / "parts", "--split", "train", "--json", tmp_path / "o.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads((tmp_path / "o.json").read_text())["leak"]["same"]["found"] == 6


def test_a_model_that_does_not_tell_warns_of_nothing(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    outcome = handread("evaluate", tiny_model, "--data", folder, "--json", tmp_path / "out.json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads((tmp_path / "out.json").read_text())["leak"]
    assert (found["known"], found["same"], found["items"]) == ("unknown", None, [])


def test_a_damaged_list_is_named(handread: Handread, folder: Path, run: Path) -> None:
    (run / "seen.npz").write_bytes(b"none")
    outcome = handread("evaluate", run, "--data", folder)
    assert (outcome.code, outcome.out) == (2, "")
    assert "seen.npz is no list of what a run trained on" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--data", "missing-folder"], "missing-folder"),
        (["--data", "SET", "--alphabet", "01-"], "never seen '-'"),
        (["--data", "SET", "--alphabet", "xyz"], "no items"),
        (["--data", "SET", "--split", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_sentence(
    handread: Handread, folder: Path, tiny_model: Path, arguments: list[str], reason: str
) -> None:
    outcome = handread("evaluate", tiny_model, *(folder if a == "SET" else a for a in arguments))
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err.splitlines()[-1]


def test_data_must_be_named(handread: Handread, tiny_model: Path) -> None:
    outcome = handread("evaluate", tiny_model)
    assert outcome.code == 2
    assert "--data" in outcome.err


def test_worse_pictures_are_measured_too(handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    arguments = ("--stress", "--count", "3", "--alphabet", "digits", "--json", out, "--report", page)
    outcome = handread("evaluate", tiny_model, "--data", folder, *arguments)
    assert outcome.code == 0, outcome.err
    found = json.loads(out.read_text())["stress"]
    assert (found["n"], len(found["rows"])) == (3, 30)
    assert {row["strength"] for row in found["rows"]} == {0, 3}
    assert set(found["means"]) == {"mnist-c", "paper"}
    assert "MNIST-C's fifteen, strength 3" in outcome.out
    assert "\nzigzag " in outcome.out
    assert "When pictures become worse" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--count", "3"], "are for --stress"),
        (["--strengths", "3"], "are for --stress"),
        (["--stress", "--strengths", "3,6"], "'6' is no strength"),
        (["--stress", "--strengths", ""], "'' is no strength"),
        (["--stress", "--count", "0"], "0 is not in the range"),
    ],
)
def test_wrong_options_of_the_stress_test(
    handread: Handread, folder: Path, tiny_model: Path, arguments: list[str], reason: str
) -> None:
    outcome = handread("evaluate", tiny_model, "--data", folder, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err


def test_several_strengths_stand_side_by_side() -> None:
    from handread.cli.stressing import stress_table
    from handread.evaluation.stress_report import Row, StressReport

    rows = [Row("clean", "mnist-c", 0, 8, 0, 0)]
    rows += [Row("fog", "mnist-c", level, 8, level, 0) for level in (1, 3)]
    shown = stress_table(StressReport(8, 0, tuple(rows))).splitlines()
    assert shown[2].split() == ["clean", "0.00", "%", "(0.00", "to", "32.44)"]
    assert shown[-2].split() == ["fog", "12.50", "%", "37.50", "%"]
    assert shown[-1].split() == ["mean", "12.50", "%", "37.50", "%"]
