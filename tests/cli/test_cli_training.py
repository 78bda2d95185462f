from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from handread.cli import extras
from handread.errors import MissingExtraError

Handread = Callable[..., Any]


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which torch is not installed."""
    real = util.find_spec
    monkeypatch.setattr(
        extras.util, "find_spec", lambda name, package=None: None if name == "torch" else real(name, package)
    )


@pytest.mark.parametrize(
    "arguments", [["train", "r.toml", "--data", "d", "--out", "o"], ["export", "run", "--out", "m.onnx"]]
)
@pytest.mark.usefixtures("without_torch")
def test_without_torch_the_pip_line_is_told(handread: Handread, arguments: list[str]) -> None:
    outcome = handread(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith("needs the extra 'train': pip install 'handread[train]'\n")


def test_train_hands_over_what_was_typed(handread: Handread, monkeypatch: pytest.MonkeyPatch) -> None:
    training = pytest.importorskip("handread.training.run", reason="needs the extra 'train'")
    seen: list[object] = []

    def train(recipe: Path, data: str, out: Path, overrides: list[str], resume: bool, **more: object) -> Path:
        seen.extend([recipe, data, out, overrides, resume])
        return out / "model.onnx"

    monkeypatch.setattr(training, "train_recipe", train)
    outcome = handread(
        "train", "r.toml", "--data", "a,b", "--out", "run", "--set", "epochs=2", "--set", "seed=1", "--resume"
    )
    assert outcome.code == 0
    assert seen == [Path("r.toml"), "a,b", Path("run"), ["epochs=2", "seed=1"], True]
    assert "run/model.onnx is ready" in outcome.out


def test_of_several_processes_the_first_alone_speaks(handread: Handread, monkeypatch: pytest.MonkeyPatch) -> None:
    training = pytest.importorskip("handread.training.run", reason="needs the extra 'train'")
    monkeypatch.setenv("WORLD_SIZE", "2")
    order = ("train", "r.toml", "--data", "a", "--out", "run")
    for path, rank, code, said in (("m.onnx", "0", 0, "ready"), ("m.onnx", "1", 0, ""), (None, "1", 130, "")):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setattr(training, "train_recipe", lambda *order, path=path, **more: path)
        outcome = handread(*order)
        assert outcome.code == code
        assert said in outcome.out if said else outcome.out + outcome.err == ""
    outcome = handread(*order, "--find-learning-rate")
    assert outcome.code == 2
    assert "--find-learning-rate is the work of one process" in outcome.err


def test_export_hands_over_what_was_typed(handread: Handread, monkeypatch: pytest.MonkeyPatch) -> None:
    training = pytest.importorskip("handread.training.run", reason="needs the extra 'train'")
    seen: list[object] = []
    monkeypatch.setattr(training, "export_run", lambda *arguments: seen.extend(arguments))
    outcome = handread("export", "run", "--out", "m.onnx", "--int8")
    assert outcome.code == 0
    assert seen == [Path("run"), Path("m.onnx"), True]


def test_extras_come_from_the_packages_own_metadata() -> None:
    table = extras.requirements()
    assert {"numpy", "pillow", "onnxruntime", "click"} <= set(table[""])
    assert "torch" in table["train"]
    assert "all" not in table


def test_a_missing_module_names_its_extra() -> None:
    extras.require("this", "train", "sys", "json")
    with pytest.raises(MissingExtraError, match=r"this needs the extra 'web'.*handread\[web\]"):
        extras.require("this", "web", "sys", "surely_not_there")


def test_versions() -> None:
    assert extras.version_of("numpy") == sys.modules["numpy"].__version__
    assert extras.version_of("surely-not-there") is None
