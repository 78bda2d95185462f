"""What the recipes of the five notebooks come to, on the same kind of data as the notebooks had.

    python -m benchmarks.run notebooks --data FOLDER --runs RUNS [--recipe NAME ...] [--seeds N]

The digit recipes train on 42,000 of MNIST's 60,000 training images (Kaggle's Digit Recognizer has as many), chosen
anew by each seed, and are measured once, finished, on MNIST's 10,000 test images. `chars74k-224` trains on
chars74k/train and is measured on chars74k/validation, other writers. FOLDER holds mnist/ (the four IDX files) and
chars74k/. Runs are kept in RUNS, interrupted ones go on, finished ones are not repeated.
"""

from __future__ import annotations

import csv
import json
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np

from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

FILE = RESULTS / "notebooks.csv"
PAGE = ROOT / "docs" / "notebooks.md"
KAGGLE = 42_000
REPORTED = {
    "chars74k-224": "62",
    "kaggle-rmsprop": "99.66 to 99.67",
    "mnist-adam": "99.0",
    "kaggle-batchnorm": "99.66 to 99.67",
    "kaggle-compact": "98.86",
}
"""What each notebook says it reached, in percent, on data of its own choosing."""


def measure(data: Path, runs: Path, recipes: Sequence[str], seeds: int, say: Callable[[str], None]) -> list[Row]:
    """Rows of all finished runs in RUNS, after training those of `recipes` that are missing."""
    for recipe in recipes:
        for seed in range(1, seeds + 1):
            one(data, runs, recipe, seed, say)
    return [json.loads(path.read_text()) for path in sorted(runs.glob("*/result.json"))]


def one(data: Path, runs: Path, recipe: str, seed: int, say: Callable[[str], None]) -> None:
    """Train and measure one recipe with one seed, unless that is done."""
    from handread import evaluate, load_data
    from handread.recognizer import Recognizer
    from handread.training.run import train_recipe
    from handread.training.watcher import Watcher

    run = runs / f"{recipe}-{seed}"
    if (run / "result.json").exists():
        return
    large = recipe.startswith("chars74k")
    training = data / "chars74k" / "train" if large else sample(data / "mnist", runs / f"kaggle-{seed}.npz", seed)
    file = ROOT / "recipes" / f"{recipe}.toml"
    watcher = Watcher(epoch=lambda epoch: say(f"{recipe} seed {seed} epoch {epoch.epoch} {epoch.accuracy}"))
    model = train_recipe(file, str(training), run, [f"seed={seed}"], resume=True, watcher=watcher)
    assert model is not None
    reader = Recognizer(model)
    place, split = (data / "chars74k" / "validation", None) if large else (data / "mnist", "test")
    tested = evaluate(reader, load_data(place, split=split, frame=reader.card.frame))
    with (run / "history.csv").open(newline="") as history:
        epochs = list(csv.DictReader(history))
    held_out = next(iter(reader.card.scores.values()))
    row = {
        "recipe": recipe,
        "seed": str(seed),
        "training_images": str(reader.card.data[0].count),
        "epochs": str(len(epochs)),
        "held_out_percent": f"{100 * held_out:.2f}",
        "test": "chars74k/validation" if large else "mnist/test",
        "n": str(tested.n),
        "test_percent": f"{100 * tested.accuracy:.2f}",
        "case_insensitive_percent": f"{100 * tested.case_insensitive:.2f}",
        "training_seconds": f"{sum(float(epoch['seconds']) for epoch in epochs):.0f}",
        "processors": str(os.cpu_count()),
        "machine": platform.machine(),
    }
    (run / "result.json").write_text(json.dumps(row))
    say(f"{recipe} seed {seed}: {row['test_percent']} %")


def sample(mnist: Path, out: Path, seed: int) -> Path:
    """As many of MNIST's training images as Kaggle gives, in random order."""
    from handread import load_data

    if not out.exists():
        items = load_data(mnist, split="train")
        chosen = np.random.default_rng(seed).permutation(len(items))[:KAGGLE]
        out.parent.mkdir(parents=True, exist_ok=True)
        np.savez(out, images=items.images[chosen], labels=items.labels[chosen])
    return out


def table(rows: Sequence[Row]) -> str:
    """One line a recipe: mean and standard deviation over its seeds."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["recipe"]].append(row)
    lines = []
    for recipe in REPORTED:
        group = groups.get(recipe)
        if not group:
            continue
        values = [float(row["test_percent"]) for row in group]
        spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        held = mean(float(row["held_out_percent"]) for row in group)
        minutes = mean(float(row["training_seconds"]) for row in group) / 60
        lines.append(
            [
                f"`{recipe}`",
                REPORTED[recipe],
                f"{mean(values):.2f}{spread}",
                f"{group[0]['test']}, {int(group[0]['n']):,}",
                f"{held:.2f}",
                str(len(values)),
                group[0]["epochs"],
                f"{minutes:.0f}",
            ]
        )
    header = ["recipe", "notebook, %", "here, %", "tested on, n", "held out, %", "seeds", "epochs", "minutes"]
    return markdown(header, lines, right=(1, 2, 4, 5, 6, 7))


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file with `rows` in place of those of the same recipe and seed."""
    known = {(row["recipe"], row["seed"]): row for row in (read_csv(FILE) if FILE.exists() else [])}
    known |= {(row["recipe"], row["seed"]): row for row in rows}
    return [known[key] for key in sorted(known)]
