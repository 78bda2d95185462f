"""What scikit-learn's classic classifiers come to on MNIST, beside the networks of the notebooks.

    python -m benchmarks.run baselines --data FOLDER [--recipe NAME ...]

Each learns from 42,000 of MNIST's 60,000 training images (Kaggle's Digit Recognizer has as many) chosen with seed 1,
less the twentieth that is held out, and is measured once, as the finished file, on MNIST's 10,000 test images; the
support vector machine learns from 20,000 of them, for its time grows with the square. FOLDER holds mnist/ (the four
IDX files). Time is that of the processor, all cores together, so that a busy machine does not change it much.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

FILE = RESULTS / "baselines.csv"
RECIPES = ("baseline-logistic", "baseline-knn", "baseline-forest", "baseline-svm")
KAGGLE = 42_000
FEWER = {"baseline-svm": 20_000}
"""Recipes that learn from fewer images."""


def measure(data: Path, recipes: Sequence[str], say: Callable[[str], None]) -> list[Row]:
    """One row a recipe."""
    rows = []
    for recipe in recipes:
        rows.append(one(data, recipe))
        say("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    return rows


def one(data: Path, recipe: str) -> Row:
    """Fit one recipe and measure its file."""
    from handread import evaluate, load_data
    from handread.recognizer import Recognizer
    from handread.training.baseline import FRAME, train_baseline
    from handread.training.config import SourceConfig, load_recipe
    from handread.training.sources import prepare
    from handread.training.watcher import Watcher

    config = load_recipe(ROOT / "recipes" / f"{recipe}.toml")
    source = SourceConfig(data="mnist", split="train", count=KAGGLE, held_out_fraction=0.05)
    options = replace(config.baseline, training_images=FEWER.get(recipe, 0))
    config = replace(config, sources=(source,), baseline=options)
    prepared = prepare(config, str(data), frame=FRAME)
    heard: list[tuple[int, float]] = []
    watcher = Watcher(begin=lambda _, images, __: heard.append((images, time.process_time())))
    with tempfile.TemporaryDirectory() as folder:
        model = train_baseline(config, prepared, f"{recipe}.toml", Path(folder), watcher)
        images, start = heard[0]
        seconds = time.process_time() - start
        reader = Recognizer(model)
        megabytes = model.stat().st_size / 1e6
    tested = evaluate(reader, load_data(data / "mnist", split="test", frame=FRAME))
    held_out = next(iter(reader.card.scores.values()))
    low, high = tested.interval95
    return {
        "recipe": recipe,
        "seed": str(config.seed),
        "training_images": str(images),
        "held_out_percent": f"{100 * held_out:.2f}",
        "test": "mnist/test",
        "n": str(tested.n),
        "test_percent": f"{100 * tested.accuracy:.2f}",
        "low_percent": f"{100 * low:.2f}",
        "high_percent": f"{100 * high:.2f}",
        "processor_seconds": f"{seconds:.0f}",
        "megabytes": f"{megabytes:.1f}",
        "reading_ms": f"{1000 * tested.seconds / tested.n:.2f}",
        "machine": platform.machine(),
    }


def table(rows: Sequence[Row]) -> str:
    """One line a recipe."""
    lines = [
        [f"`{row['recipe']}`", f"{int(row['training_images']):,}", row["test_percent"],
         f"{row['low_percent']} to {row['high_percent']}", row["processor_seconds"], row["megabytes"],
         row["reading_ms"]]
        for row in rows
    ]  # fmt: skip
    header = ["recipe", "images learnt", "right, %", "95 % interval", "processor seconds", "file, MB", "ms an image"]
    return markdown(header, lines, right=(1, 2, 4, 5, 6))


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file with `rows` in place of those of the same recipe."""
    known = {row["recipe"]: row for row in (read_csv(FILE) if FILE.exists() else [])}
    known |= {row["recipe"]: row for row in rows}
    return [known[recipe] for recipe in RECIPES if recipe in known]
