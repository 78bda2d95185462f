from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handread.runtime import store

Handread = Callable[..., Any]


@pytest.fixture
def shelf(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny network as if it were shipped, under the name "handread"."""
    shutil.copy(tiny_model, tmp_path / "handread.onnx")
    record = {"handread.onnx": store.checksum(tiny_model.read_bytes())}
    (tmp_path / store.CHECKSUMS).write_text(json.dumps(record))
    monkeypatch.setattr(store, "WEIGHTS", tmp_path)
    return tmp_path


def test_the_list_names_every_model(handread: Handread, shelf: Path) -> None:
    outcome = handread("models")
    assert outcome.code == 0
    name, version, classes, alphabet, *_ = outcome.out.splitlines()[1].split()
    assert (name, version, classes, alphabet) == ("handread", "1", "62", "alphanumeric")


def test_the_list_as_json(handread: Handread, shelf: Path) -> None:
    (row,) = json.loads(handread("models", "--json").out)
    assert row["name"] == "handread"
    assert row["bytes"] == (shelf / "handread.onnx").stat().st_size
    assert row["card"]["name"] == "tiny"


def test_a_card_in_full(handread: Handread, shelf: Path) -> None:
    out = handread("models", "handread").out
    for part in ("tiny", "[network]", "accuracy on nothing: 0.5", "4 images, CC0-1.0, tests/conftest.py"):
        assert part in out


def test_the_card_of_a_file(handread: Handread, tiny_model: Path) -> None:
    card = json.loads(handread("models", tiny_model, "--json").out)
    assert card["accept_above"] == 0.5
    assert card["data"][0]["count"] == 4


def test_an_unknown_name(handread: Handread, shelf: Path) -> None:
    outcome = handread("models", "handred")
    assert (outcome.code, outcome.out) == (2, "")
    assert "did you mean handread?" in outcome.err


def test_no_models(handread: Handread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WEIGHTS", tmp_path)
    assert handread("models").out == "No models are shipped with this Handread.\n"
    assert json.loads(handread("models", "--json").out) == []


def test_the_doctor_is_content(handread: Handread, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handread.cli.doctor.drawn_seven", _tiny_seven)
    outcome = handread("doctor", "--json")
    report = json.loads(outcome.out)
    checks = {check["name"]: check for check in report["checks"]}
    assert [c for c in report["checks"] if c["ok"] is False] == []
    assert (outcome.code, report["ok"]) == (0, True)
    assert {"numpy", "onnxruntime", "pillow", "extra train", "extra web", "processor"} <= set(checks)
    assert checks["model handread"]["value"].startswith("62 classes")
    assert checks["self-test"]["value"].startswith("a drawn 7 was read as 7")
    assert "ms" in checks["one read"]["value"]


def _tiny_seven() -> object:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (96, 128), 235)
    ImageDraw.Draw(picture).line([(22, 28), (76, 28), (44, 104)], fill=30, width=8, joint="curve")
    return picture


def test_the_doctor_prints_for_people(handread: Handread, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handread.cli.doctor.drawn_seven", _tiny_seven)
    outcome = handread("doctor")
    assert outcome.code == 0
    assert outcome.out.endswith("Everything works.\n")


def test_the_doctor_finds_a_damaged_model(handread: Handread, shelf: Path) -> None:
    (shelf / "handread.onnx").write_bytes(b"damaged")
    outcome = handread("doctor", "--json")
    report = json.loads(outcome.out)
    assert (outcome.code, report["ok"]) == (1, False)
    broken = {check["name"]: check["value"] for check in report["checks"] if check["ok"] is False}
    assert set(broken) == {"model handread", "self-test", "one read"}
    assert "is damaged" in broken["model handread"]


def test_the_doctor_misses_the_models(handread: Handread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WEIGHTS", tmp_path)
    outcome = handread("doctor")
    assert outcome.code == 1
    assert "none is shipped" in outcome.out
    assert "broken, see above" in outcome.out


def test_the_doctor_names_a_missing_dependency(
    handread: Handread, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"": ("numpy", "surely-not-there"), "web": ("surely-not-there",)}
    monkeypatch.setattr("handread.cli.doctor.requirements", lambda: dict(table))
    outcome = handread("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(outcome.out)["checks"]}
    assert outcome.code == 1
    assert checks["surely-not-there"]["value"] == "missing: pip install surely-not-there"
    assert checks["extra web"]["value"] == "not installed (pip install 'handread[web]')"
