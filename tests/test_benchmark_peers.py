"""The comparison with others: its lines, its turns, its table; and how growth is told. With a peer that sleeps."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    np.save(tmp_path / "digits.npy", np.zeros((10, 28, 28), np.uint8))
    return [sys.executable, str(ROOT / "benchmarks/peers/worker.py"), "fake", "1", str(tmp_path / "digits.npy")]


def test_a_worker_answers_line_by_line_and_survives_an_error(command: list[str]) -> None:
    from benchmarks.peers import Worker, WorkerError

    with Worker(command) as worker:
        assert worker.ask(do="single", way="sleep", count=3)["seconds"] >= 0.001
        with pytest.raises(WorkerError, match="ZeroDivisionError"):
            worker.ask(do="single", way="fail", count=1)
        assert 0 < worker.ask(do="many", way="sleep", count=10, batch=5)["rate"] <= 10 / 0.002
        with pytest.raises(WorkerError, match="11 digits were asked for, there are 10"):
            worker.ask(do="many", way="sleep", count=11, batch=5)
        with pytest.raises(WorkerError, match="Fake has no file"):
            worker.ask(do="keep", path="x")


def test_a_worker_that_does_not_start_says_why(command: list[str]) -> None:
    from benchmarks.peers import Worker, WorkerError

    with pytest.raises(WorkerError, match="KeyError: 'nobody'"):
        Worker([*command[:2], "nobody", *command[3:]])


def test_turns_alternate_and_a_failing_one_is_left_out() -> None:
    from benchmarks.peers import WorkerError, alternate

    order: list[str] = []
    values = iter([1.0, 30.0, 2.0, 20.0, 9.0, 10.0])

    def turn(name: str) -> float:
        order.append(name)
        return next(values)

    def failing() -> float:
        order.append("c")
        raise WorkerError("no more")

    said: list[str] = []
    actions = {"a": lambda: turn("a"), "b": lambda: turn("b"), "c": failing}
    assert alternate(actions, 3, said.append) == {"a": 2.0, "b": 20.0}
    assert order == ["a", "b", "c", "a", "b", "a", "b"]
    assert said == ["c fails (no more): left out"]


@pytest.mark.parametrize(
    ("measure", "peer", "ours", "ratio"), [("single", 10, 2, 5), ("throughput", 10, 2, 0.2), ("throughput", 2, 10, 5)]
)
def test_a_ratio_says_how_many_times_better(measure: str, peer: float, ours: float, ratio: float) -> None:
    from benchmarks.peers import Found

    assert Found(measure, "x", "m", peer, ours, 1, 1).ratio == ratio


def test_every_peer_is_compared_with_every_model_and_no_model_with_another() -> None:
    from benchmarks.peers import compared

    found = compared("single", {"Keras": 8, "one": 2, "two": 4}, ("one", "two"), 5, 3)
    assert [(one.peer, one.model, one.ratio) for one in found] == [("Keras", "one", 4), ("Keras", "two", 2)]


def test_the_table_has_a_line_a_comparison() -> None:
    from benchmarks import peers

    found = [
        peers.Found("single", "PyTorch eager", "handread-int8", 2.4, 0.3, 50, 5),
        peers.Found("photo", "Tesseract", "handread-int8", 1.5, 0.75, 1, 5),
        peers.Found("limit", "the matrix multiplication's peak", "handread-int8", 200, 100, 256, 5),
    ]
    rows = peers.rows(found, "a machine", "Python 3")
    assert all(tuple(row) == peers.COLUMNS for row in rows)
    lines = peers.table(rows).splitlines()
    assert lines[2].endswith("| PyTorch eager | 2.40 ms | `handread-int8` | 0.30 ms | 8.0 x | 5 x | 50 |")
    assert "| 2.0 x | more | 1 |" in lines[3]
    assert "| 50 % of it | 40 % | 256 |" in lines[4]
    assert lines[-1] == "Medians of 5 turns of each by turns on a machine; Python 3."


def test_every_measure_has_title_unit_and_floor() -> None:
    from benchmarks import peers

    assert set(peers.TITLES) == set(peers.UNITS) == set(peers.FLOORS)
    assert set(peers.PARTS) == set(peers.MEASURES)
    assert {peer for name in ("single", "throughput") for peer in peers.FLOORS[name]} == set(peers.WAYS)
    pinned = (peers.HERE / "requirements.txt").read_text().split()
    assert all(line.count("==") == 1 for line in pinned)
    assert set(peers.FLOORS["bytes"]) <= {line.partition("==")[0] for line in pinned}


def test_new_rows_replace_those_of_their_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import peers
    from benchmarks.results import write_csv

    old = [peers.Found("cold", "Keras", "m", 8, 1, 1, 5), peers.Found("single", "PyTorch eager", "m", 9, 1, 1, 5)]
    monkeypatch.setattr(peers, "FILE", tmp_path / "peers.csv")
    write_csv(peers.FILE, peers.rows(old, "machine", "versions"))
    new = peers.rows([peers.Found("single", "PyTorch eager", "m", 4, 1, 1, 5)], "machine", "versions")
    assert [(row["measure"], row["peer_value"]) for row in peers.merged(new)] == [("single", "4"), ("cold", "8")]


@pytest.mark.parametrize(
    ("read", "share"), [("1234", 1), ("12x34", 0.75), ("", 0), ("4321", 0), ("99999999", 0), ("234", 0.75)]
)
def test_characters_are_right_less_the_edits(read: str, share: float) -> None:
    from benchmarks.peers import correct_share

    assert correct_share(read, "1234") == share


def test_growth_is_told_by_its_slope_and_its_ends() -> None:
    from benchmarks import growth

    row = {"road": "characters", "peak_mb": "90", "turns": "5", "model": "m", "machine": "a machine", "versions": "v"}
    rows = [row | {"n": str(n), "seconds": str(n * 0.001)} for n in (1, 10, 100, 1000)]
    assert growth.slope(rows) == 1
    line = growth.table(rows).splitlines()[2]
    assert line.startswith("| characters of an array | 1 to 1,000 | 1.0 ms to 1.0 s | 90 to 90 MB | 1.00 |")
    assert set(growth.REASONS) == set(growth.ROADS)
    trained = row | {"road": "images", "n": "2.5e+06", "seconds": "250", "peak_mb": "1062"}
    assert "Training holds at most: 2,500,000 images 1,062 MB, asked for at most 1,500. On a" in growth.table([trained])
    assert np.isnan(growth.slope(rows[:1]))
