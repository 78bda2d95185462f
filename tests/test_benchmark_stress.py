"""The benchmark of worse pictures: its rows, what it keeps of earlier ones, its table."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def mnist(folder: Path) -> Path:
    """Six test images as IDX files: upright bars labelled 1."""
    images = np.zeros((6, 28, 28), np.uint8)
    images[:, 4:24, 13:16] = 255
    home = folder / "mnist"
    home.mkdir()
    head = struct.pack(">IIII", 0x803, 6, 28, 28)
    (home / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    (home / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">II", 0x801, 6) + bytes([1] * 6)))
    return folder


def test_rows_and_table(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import stress

    monkeypatch.setattr(stress, "FILE", tmp_path / "stress.csv")
    rows = stress.measure(mnist(tmp_path), str(tiny_model), 4, [3], lambda text: None)
    assert len(rows) == 30
    assert all(tuple(row) == stress.COLUMNS for row in rows)
    assert [row["corruption"] for row in rows[:3]] == ["clean", "plain paper", "shot-noise"]
    assert {row["n"] for row in rows} == {"4"}
    shown = stress.table(rows).splitlines()
    assert shown[0] == "| corruption | errors, strength 3 | 95 % interval |"
    assert len([line for line in shown if line.startswith("|")]) == 2 + 30 + 2
    assert "n = 4 test images of MNIST" in shown[-1]


def row(name: str, kind: str, strength: int, value: float, weights: str = "w") -> dict[str, str]:
    counts = {"n": "10", "errors": str(round(10 * value)), "no_ink": "0"}
    shares = {"value": str(value), "low": "0", "high": "1", "seed": "0", "weights": weights}
    return {"corruption": name, "kind": kind, "strength": str(strength), **counts, **shares}


def test_other_strengths_of_the_same_weights_stay() -> None:
    from benchmarks import stress

    old = [row("fog", "mnist-c", 1, 0.1), row("fog", "mnist-c", 3, 0.9), row("fold", "paper", 1, 0.2, "other")]
    new = [row("clean", "mnist-c", 0, 0), row("fog", "mnist-c", 3, 0.4), row("fold", "paper", 3, 0.1)]
    rows = stress.merged(new, old)
    assert [(r["corruption"], r["strength"], r["value"]) for r in rows] == [
        ("clean", "0", "0"), ("fog", "1", "0.1"), ("fog", "3", "0.4"), ("fold", "3", "0.1"),
    ]  # fmt: skip


def test_several_strengths_get_a_column_each_and_means() -> None:
    from benchmarks import stress

    rows = [row("clean", "mnist-c", 0, 0)]
    for name, kind, values in (
        ("fog", "mnist-c", (0.1, 0.3)),
        ("stripe", "mnist-c", (0, 0.5)),
        ("fold", "paper", (0, 0)),
    ):
        rows += [row(name, kind, level, value) for level, value in zip((1, 3), values, strict=True)]
    lines = stress.table(rows).splitlines()
    assert lines[0] == "| corruption | errors, strength 3 | 95 % interval | strength 1 |"
    assert lines[2].startswith("| *clean* | 0.00 % |")
    assert "| fog | 30.00 % | 0.00 % to 100.00 % | 10.00 % |" in lines
    assert "| **mean of MNIST-C's fifteen** | **40.00 %** |  | **5.00 %** |" in lines


def test_the_page_shows_the_file() -> None:
    from benchmarks import stress
    from benchmarks.results import read_csv

    page = stress.PAGE.read_text(encoding="utf-8")
    assert f"<!-- stress -->\n{stress.table(read_csv(stress.FILE)).strip()}\n<!-- /stress -->" in page
