"""Training beside Keras and PyTorch: the ways that are tried, the turns, the table; with libraries that sleep."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
ASKED = {"recipe": "mnist-adam", "batch": 4, "optimizer": "adam", "rate": 0.003, "rho": 0.9, "count": 20}


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    from benchmarks.training import drawn

    path = drawn(tmp_path / "digits.npz", 20)
    with np.load(path) as file:
        assert file["images"].shape == (20, 28, 28)
        assert file["labels"].tolist() == [*range(10), *range(10)]
    return path


def networks() -> ModuleType:
    """The module of the peers' networks, which stands in no package."""
    spec = importlib.util.spec_from_file_location("peer_networks", ROOT / "benchmarks/peers/networks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what their annotations mean
    spec.loader.exec_module(module)
    return module


def test_the_fastest_way_is_taken_and_an_error_is_an_answer(data: Path) -> None:
    from benchmarks.peers import WorkerError, trainer

    with trainer(Path(sys.executable), "fake", 1, data) as worker:
        told = worker.ask(**ASKED)
        assert told["way"] == "fast"
        assert told["seconds"] >= 20 * 0.0002
        assert told["rate"] == pytest.approx(20 / told["seconds"])
        with pytest.raises(WorkerError, match="no such thing"):
            worker.ask(**ASKED, augment="generator")
        with pytest.raises(WorkerError, match="Fake has nothing for 'own'"):
            worker.ask(**ASKED, augment="own")
        with pytest.raises(WorkerError, match="21 images were asked for, there are 20"):
            worker.ask(**ASKED | {"count": 21})


def test_handread_trains_by_its_own_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks/peers"))
    trainer = importlib.import_module("trainer")
    digits, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    library = trainer.Handread(1, digits, labels)
    told = library.epoch(trainer.Asked(**ASKED, augment="own", bf16=True))
    assert told["way"] == "Trainer.fit"
    assert told["rate"] == pytest.approx(20 / told["seconds"])
    with pytest.raises(ValueError, match="21 images were asked for, there are 20"):
        library.epoch(trainer.Asked(**ASKED | {"count": 21}))


@pytest.mark.parametrize("name", networks().NOTEBOOKS)
def test_the_peers_networks_are_those_of_the_recipes(name: str) -> None:
    torch = pytest.importorskip("torch")
    from handread.alphabet import Alphabet
    from handread.networks.build import build_network
    from handread.training.config import load_recipe

    peer, notebook = networks(), networks().NOTEBOOKS[name]
    config = load_recipe(ROOT / "recipes" / f"{name}.toml")
    with torch.device("meta"):
        theirs = peer.torch_network(name, torch)
        ours = build_network(config.network, len(Alphabet.of(config.alphabet)))
    shapes = [tuple(one.shape) for one in theirs.parameters()]
    assert shapes == [tuple(one.shape) for one in ours.parameters()]
    assert (notebook.side, notebook.side) == ours.frame.shape
    running = sum(one.numel() for key, one in theirs.named_buffers() if key.endswith(("_mean", "_var")))
    assert sum(one.numel() for one in theirs.parameters()) + running == notebook.parameters


def test_every_recipe_is_measured_with_its_own_options(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import peers, training
    from benchmarks.results import write_csv

    asked: list[tuple[str, dict[str, Any]]] = []
    rates = {"keras": 100.0, "torch": 80.0, "handread": 150.0}

    class Fake:
        def __init__(self, python: Path, name: str, threads: int, data: Path) -> None:
            self.name = name
            self.closed = False
            workers.append(self)

        def ask(self, **what: Any) -> dict[str, Any]:
            asked.append((self.name, what))
            rate = rates[self.name] * (2 if what["bf16"] else 1) / (1 if what["augment"] == "none" else 2)
            return {"seconds": 1.0, "rate": rate, "way": f"{self.name}'s"}

        def close(self) -> None:
            self.closed = True

    workers: list[Fake] = []
    monkeypatch.setattr(peers, "trainer", Fake)
    monkeypatch.setattr(training, "drawn", lambda path, count: data)
    plan = training.Plan(tmp_path, turns=2, recipes=("kaggle-rmsprop",), steps=3)
    found = training.measured(plan, "kaggle-rmsprop", Path("python"), lambda text: None)
    assert all(worker.closed for worker in workers)
    assert [worker.name for worker in workers] == ["keras", "torch", "handread", "handread"]
    first = asked[0][1]
    assert (first["batch"], first["optimizer"], first["rho"], first["count"]) == (86, "rmsprop", 0.9, 258)
    assert len(asked) == 7 * (1 + 2)
    assert not [what for name, what in asked if name == "torch" and what["augment"] == "own"]
    assert [(one.augment, one.peer, one.numbers, one.peer_rate, one.rate) for one in found] == [
        ("none", "Keras", "single", 100, 150), ("none", "Keras", "bfloat16", 100, 300),
        ("none", "PyTorch", "single", 80, 150), ("none", "PyTorch", "bfloat16", 80, 300),
        ("own", "Keras", "single", 50, 75), ("own", "Keras", "bfloat16", 50, 150),
    ]  # fmt: skip
    rows = training.rows(found, "a machine", "Python 3")
    assert all(tuple(row) == training.COLUMNS for row in rows)
    lines = training.table(rows).splitlines()
    assert lines[2] == "| `kaggle-rmsprop` | none | 86 | 100 | 80.0 | 150 | 300 | 1.50 x | 3.00 x |"
    assert lines[3] == "| `kaggle-rmsprop` | each its own | 86 | 50.0 |  | 75.0 | 150 | 1.50 x | 3.00 x |"
    assert lines[-1].startswith("Images a second, two threads; medians of 2 turns of each by turns.")
    monkeypatch.setattr(training, "FILE", tmp_path / "training.csv")
    other = [row | {"recipe": "mnist-adam"} for row in rows]
    write_csv(training.FILE, [row | {"rate": "1.0"} for row in rows] + other)
    assert training.merged(rows) == [*rows, *other]


def test_recipes_steps_and_networks_are_the_same_five() -> None:
    from benchmarks import notebooks, training

    assert set(training.STEPS) == set(networks().NOTEBOOKS) == set(notebooks.REPORTED)
