"""The smallest network for MNIST: recipes/mnist-tiny.toml, several seeds, in floats and in 8 bits.

    python -m benchmarks.run mnist-tiny --data FOLDER --runs RUNS [--seeds 5]

FOLDER holds MNIST's four files. Runs are kept in RUNS, interrupted ones go on, finished ones are not repeated; the test
file is read once for each finished model.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev

from benchmarks.mnist_accuracy import accuracies
from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "mnist_tiny.csv"
PAGE = ROOT / "docs" / "accuracy.md"
COLUMNS = ("kind", "seed", "accuracy", "corrected_accuracy", "parameters", "bytes", "machine")
KINDS = {"float": "in floats", "int8": "in 8 bits"}
SAMPLED = 600
"""Hashes of each kind in the card of the 8-bit files."""
RECIPE = ROOT / "recipes" / "mnist-tiny.toml"


def measure(data: Path, runs: Path, seeds: int, say: Callable[[str], None]) -> list[Row]:
    """Two rows a seed, after training what is missing."""
    from handread.training.run import train_recipe
    from handread.training.watcher import Watcher

    watcher = Watcher(epoch=lambda epoch: say(f"epoch {epoch.epoch}, loss {epoch.loss:.4f}, {epoch.seconds:.0f} s"))
    rows: list[Row] = []
    for seed in range(1, seeds + 1):
        run = runs / f"mnist-tiny-{seed}"
        kept = run / "result.json"
        if not kept.exists():
            if not (run / "model.onnx").exists():
                train_recipe(RECIPE, str(data), run, [f"seed={seed}"], resume=True, watcher=watcher)
            kept.write_text(json.dumps(judged(run, seed, data)))
        rows += json.loads(kept.read_text())
    return rows


def judged(run: Path, seed: int, data: Path) -> list[Row]:
    """Both forms of a finished run on the test file."""
    from handread import load_data
    from handread.data.atomic import write_atomic
    from handread.recognizer import Recognizer
    from handread.training.run import export_run
    from handread.training.seen import lists_of, with_seen

    small = export_run(run, run / "int8.onnx", int8=True)
    seen = lists_of([run])
    # a card's usual sample of what was seen would be larger than this network
    write_atomic(small, with_seen(small.read_bytes(), seen.sketch(SAMPLED) if seen else None))
    test = load_data(data, split="test")
    parameters = json.loads((run / "architecture.json").read_text())["parameters"]
    rows: list[Row] = []
    for kind, file in (("float", run / "model.onnx"), ("int8", small)):
        official, corrected = accuracies(test.labels, Recognizer(file).classify(test.images)[0])
        values = (kind, str(seed), f"{official:.2f}", f"{corrected:.4f}", str(parameters), str(file.stat().st_size),
                  f"{platform.machine()}, {os.cpu_count()} cores")  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table(rows: Sequence[Row]) -> str:
    """One line a form: mean, spread and ends over its seeds."""
    lines = []
    for kind, said in KINDS.items():
        group = [row for row in rows if row["kind"] == kind]
        line = [
            said,
            f"{int(group[0]['parameters']):,}",
            f"{max(int(row['bytes']) for row in group):,}",
            str(len(group)),
        ]
        for column in ("accuracy", "corrected_accuracy"):
            values = [float(row[column]) for row in group]
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            line += [f"{mean(values):.3f}{spread}", f"{min(values):.2f} to {max(values):.2f}"]
        lines.append(line)
    header = ["", "parameters", "bytes", "n", "official labels, %", "least to most", "corrected, %", "least to most"]
    return markdown(header, lines, right=range(1, len(header)))
