"""MNIST's speed run: wall seconds from the digits in memory to a network that reads 99.0 to 99.7 % of the test file.

    python -m benchmarks.run speedrun --data FOLDER [--seeds 10] [--mark 99.4 ...] [--runs RUNS] [--peers PEERS]
    python -m benchmarks.run speedrun --data FOLDER --held-out [--set epochs=2 ...]

Each mark has a recipe of its own, recipes/speedrun-990.toml and its like. Every seed is a fresh process with two
threads. It loads what it computes with, reads MNIST's training file into memory as the file has it, and starts the
clock: laying out, building the network, whatever is compiled at a first call, augmentation, every epoch, averaging the
weights. The clock stops when the finished network stands; then the test file is read, once. A mark counts as reached
when the mean over at least ten seeds is at it.

With --held-out 50,000 of the training file are trained on and its last 10,000 judged, by which recipes are chosen;
nothing is written. With --runs what a seed came to is kept in RUNS, and is not done again while its recipe, its
device, its processor and PyTorch stay as they are. With --peers the network `kaggle-batchnorm` is trained by Keras, as
its notebook trains it, between the seeds (PEERS is the FOLDER of `python -m benchmarks.run peers`): whole epochs are
timed, and their median is multiplied by the notebook's number of epochs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import notebooks, peers
from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv, replace

FILE = RESULTS / "speedrun.csv"
BESIDE = RESULTS / "speedrun_keras.csv"
PAGE = ROOT / "docs" / "performance.md"
COLUMNS = ("mark", "seeds", "mean_accuracy", "sd", "seconds_median", "device", "recipe", "reached", "minimum", "maximum",
           "seconds_least", "seconds_most", "floor_seconds", "n", "parameters", "epochs", "peak_mb", "machine",
           "versions")  # fmt: skip
"""`mean_accuracy`, `sd`, `minimum` and `maximum` in percent of `n` test digits; `peak_mb` the most memory of all seeds
up to the end of the clock."""
BESIDE_COLUMNS = ("peer", "way", "epochs", "images", "batch", "epoch_seconds", "epochs_timed", "seconds", "accuracy", "mark",
                  "mean_accuracy", "reached", "ours", "ratio", "floor", "recipe", "machine", "versions")  # fmt: skip
"""`seconds` are `epochs` times `epoch_seconds`; `ours` the seconds to `mark`, the first at which the digits are read
at least as well as by the peer's network, `accuracy` in percent."""

FLOORS = {"99.0": 3, "99.4": 20, "99.5": 40, "99.6": 100, "99.7": 240}
"""Mark in percent -> seconds that are asked for on two cores."""
ENOUGH = 10
"""Seeds without which no mean counts."""
THREADS = 2
HELD_OUT = Fraction(1, 6)
"""Of the training file, its end: 10,000 of 60,000."""

NOTEBOOK = "kaggle-batchnorm"
NOTEBOOK_BATCH, NOTEBOOK_RATE = 64, 0.001
NOTEBOOK_SHARE = Fraction(9, 10)
"""The rest of Kaggle's file is held out."""
TURNS = 3
"""Whole epochs of Keras, spread over the seeds."""
RATIO = 10
"""How many times fewer seconds are asked for."""

Say = Callable[[str], None]
Seed = dict[str, Any]
"""What one seed came to; see `run`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    data: Path
    """The folder of MNIST's four files, or one with ``mnist`` in it."""
    seeds: int = ENOUGH
    marks: tuple[str, ...] = tuple(FLOORS)
    device: str = "cpu"
    held_out: bool = False
    overrides: tuple[str, ...] = ()
    """Options put in place of the recipe's, ``key=value``; for choosing recipes alone."""
    runs: Path | None = None
    peers: Path | None = None

    @property
    def mnist(self) -> Path:
        """Where the four files are."""
        below = self.data / "mnist"
        return below if below.is_dir() else self.data

    def recipe(self, mark: str) -> Path:
        """The recipe of a mark."""
        return ROOT / "recipes" / f"speedrun-{mark.replace('.', '')}.toml"


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows for the two files."""

    rows: list[Row]
    beside: list[Row]


def measure(plan: Plan, say: Say) -> Measured:
    """Every mark with every seed, by turns; `say` hears of each."""
    marks = [mark for mark in plan.marks if plan.recipe(mark).exists()]
    for mark in plan.marks:
        if mark not in marks:
            say(f"there is no recipes/{plan.recipe(mark).name}: {mark} % is left out")
    if not marks:
        raise SystemExit("there is nothing to run")
    found: dict[str, list[Seed]] = {mark: [] for mark in marks}
    with _kept_in(plan) as runs:
        for seed in range(1, plan.seeds + 1):
            for mark in marks:
                one = run(plan, mark, seed, runs)
                found[mark].append(one)
                say(_said(mark, one))
            if seed in _between(plan.seeds):
                keras_epoch(plan, runs, seed, say)
        epochs = [json.loads(path.read_text()) for path in sorted(runs.glob("keras-*.json"))]
    rows = [summary(mark, seeds) for mark, seeds in found.items() if seeds]
    return Measured(rows, beside(rows, epochs, read_csv(notebooks.FILE)) if epochs else [])


@contextlib.contextmanager
def _kept_in(plan: Plan) -> Iterator[Path]:
    """The folder of what is done; one that goes again where nothing is to be kept."""
    with tempfile.TemporaryDirectory() as passing:
        runs = plan.runs if plan.runs and not plan.held_out else Path(passing)
        runs.mkdir(parents=True, exist_ok=True)
        yield runs


def _between(seeds: int) -> set[int]:
    """Seeds after which Keras has its turn: the first, the middle one, the last."""
    return {1 + round(place * (seeds - 1) / (TURNS - 1)) for place in range(TURNS)}


def _said(mark: str, one: Seed) -> str:
    return (f"{mark} seed {one['seed']:2}: {one['accuracy']:.2f} % of {one['n']:,} after {one['seconds']:.2f} s, "
            f"{one['peak_mb']:.0f} MB (beside the clock: loading {one['loading']:.1f} s, "
            f"reading what is judged {one['judging']:.1f} s)")  # fmt: skip


def run(plan: Plan, mark: str, seed: int, runs: Path) -> Seed:
    """One seed in a process of its own, or what `runs` holds of it."""
    recipe = plan.recipe(mark)
    path = runs / f"{recipe.stem}-{plan.device}-{seed}.json"
    same = {
        "recipe": recipe.name,
        "digest": hashlib.sha256(recipe.read_bytes()).hexdigest(),
        "seed": seed,
        "device": plan.device,
        "processor": _processor(),
        "torch": version("torch"),
    }
    if path.exists():
        kept: Seed = json.loads(path.read_text())
        if same.items() <= kept.items():
            return kept
    asked = {
        "recipe": str(recipe), "data": str(plan.mnist), "seed": seed, "held_out": plan.held_out,
        "overrides": plan.overrides, "threads": THREADS if plan.device == "cpu" else 0,
    }  # fmt: skip
    environment = dict(os.environ)
    if plan.device == "cpu":
        limits = {name: str(THREADS) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        environment |= limits | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmarks.speedrun", json.dumps(asked)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{recipe.name} with seed {seed} failed: {(done.stderr.strip() or 'no word')[-2000:]}")
    found: Seed = json.loads(done.stdout.splitlines()[-1]) | same
    if found["kind"] != plan.device:
        raise SystemExit(f"--device {plan.device} was asked for, and PyTorch finds no such device here")
    replace(path, json.dumps(found))
    return found


def _processor() -> str:
    from handread.machine import processor

    return processor()


def in_child(asked: dict[str, Any]) -> Seed:
    """One run, here and now: in a fresh process the clock then holds all that the first run needs."""
    started = time.perf_counter()
    import resource

    import numpy as np
    import torch
    import torch._dynamo  # the first optimizer of a process loads it, and it takes longer than the shortest run's epoch

    import handread
    from handread import load_data
    from handread.frame import MNIST_FRAME
    from handread.machine import cores
    from handread.networks.base import parameter_count
    from handread.training.config import load_recipe
    from handread.training.loop import Trainer, has_bf16
    from handread.training.sources import characters_of

    overrides = [f"seed={asked['seed']}", f"threads={asked['threads']}", *asked["overrides"]]
    config = load_recipe(Path(asked["recipe"]), overrides)
    items = load_data(Path(asked["data"]), split="train")
    # MNIST's makers laid their files into this frame: they are taken as they stand
    items = dataclasses.replace(items, frame=MNIST_FRAME)
    judged = None
    if asked["held_out"]:
        first = len(items) - round(len(items) * HELD_OUT)
        judged = items.take(np.arange(first, len(items)))
        items = items.take(np.arange(first))

    clock = time.perf_counter()
    trainer = Trainer(config)
    training = characters_of(items, trainer.alphabet, trainer.network.frame)
    repeat = config.sources[0].repeat if config.sources else 1.0
    training = dataclasses.replace(training, repeats=training.repeats * np.float32(repeat))
    trainer.fit(training, {})
    if trainer.device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - clock

    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    after = time.perf_counter()
    if judged is None:
        judged = dataclasses.replace(load_data(Path(asked["data"]), split="test"), frame=MNIST_FRAME)
    accuracy, _ = trainer.judge(characters_of(judged, trainer.alphabet, trainer.network.frame))
    gpu = trainer.device.type == "cuda"
    return {
        "right": round(accuracy * len(judged)),
        "n": len(judged),
        "accuracy": 100 * accuracy,
        "seconds": seconds,
        "loading": clock - started,
        "judging": time.perf_counter() - after,
        "peak_mb": peak_mb,
        "epochs": round(trainer.epochs_done * repeat, 2),  # times that each digit was seen
        "images": len(items),
        "parameters": parameter_count(trainer.network),
        "kind": trainer.device.type,
        "machine": torch.cuda.get_device_name() if gpu else f"{_processor()}, {cores()} cores",
        "threads": torch.get_num_threads(),
        "bfloat16": config.bf16 and has_bf16(trainer.device),
        "handread": handread.__version__,
    }


def summary(mark: str, seeds: Sequence[Seed]) -> Row:
    """The row of a mark."""
    first = seeds[0]
    shares = [one["accuracy"] for one in seeds]
    seconds = [one["seconds"] for one in seeds]
    mean = Fraction(100 * sum(one["right"] for one in seeds), sum(one["n"] for one in seeds))
    reached = mean >= Fraction(mark) and len(seeds) >= ENOUGH
    numbers = "bfloat16" if first["bfloat16"] else "single precision"
    threads = f", {first['threads']} threads" if first["kind"] == "cpu" else ""
    values = (
        mark, str(len(seeds)), f"{float(mean):.4f}", f"{statistics.stdev(shares):.4f}" if len(seeds) > 1 else "",
        f"{statistics.median(seconds):.2f}", first["kind"], first["recipe"], "yes" if reached else "no",
        f"{min(shares):.2f}", f"{max(shares):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}", f"{FLOORS[mark]}",
        str(first["n"]), str(first["parameters"]), str(first["epochs"]),
        f"{max(one['peak_mb'] for one in seeds):.0f}", first["machine"] + threads,
        f"handread {first['handread']}, torch {first['torch']}, {numbers}",
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file, those of the same mark and device replaced by these."""
    known = {(row["device"], row["mark"]): row for row in (read_csv(FILE) if FILE.exists() else [])}
    known |= {(row["device"], row["mark"]): row for row in rows}
    return [known[key] for key in sorted(known)]


def table(rows: Sequence[Row]) -> str:
    """One line a mark and device, with machines and versions below."""
    lines = []
    for row in rows:
        spread = f" ± {float(row['sd']):.3f}" if row["sd"] else ""
        asked = row["floor_seconds"] if row["device"] == "cpu" else ""
        lines.append(
            [row["mark"], _verdict(row), f"{float(row['mean_accuracy']):.3f}{spread}",
             f"{row['minimum']} to {row['maximum']}", row["seeds"], _seconds(row["seconds_median"]),
             f"{_seconds(row['seconds_least'])} to {_seconds(row['seconds_most'])}", asked, row["device"],
             f"{int(row['parameters']):,}", row["epochs"], f"`{row['recipe']}`"]
        )  # fmt: skip
    header = ["mark, %", "reached", "mean, %", "least to most", "seeds", "seconds", "least to most", "asked for", "device",
              "parameters", "times seen", "recipe"]  # fmt: skip
    notes = dict.fromkeys(f"{row['device']}: {row['machine']}; {row['versions']}" for row in rows)
    held = max(int(row["peak_mb"]) for row in rows)
    return (
        markdown(header, lines, right=(0, 2, 3, 4, 5, 6, 7, 9, 10))
        + f"\n\n{'; '.join(notes)}. No process held more than {held} MB."
    )


def _verdict(row: Row) -> str:
    """Whether the mark is reached, and what it lacks.

    >>> _verdict({"reached": "no", "mark": "99.4", "mean_accuracy": "99.3880", "seeds": "3"})
    'no, short by 0.012; 3 seeds of 10'
    """
    if row["reached"] == "yes":
        return "yes"
    missing = float(row["mark"]) - float(row["mean_accuracy"])
    lacks = [f"short by {missing:.3f}"] if missing > 0 else []
    lacks += [f"{row['seeds']} seeds of {ENOUGH}"] if int(row["seeds"]) < ENOUGH else []
    return "no, " + "; ".join(lacks)


def _seconds(text: str) -> str:
    value = float(text)
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def keras_epoch(plan: Plan, runs: Path, turn: int, say: Say) -> None:
    """One whole epoch of the notebook's training in Keras, after a part that is not counted, unless it is done."""
    path = runs / f"keras-{turn}.json"
    if plan.peers is None or plan.held_out or path.exists():
        return
    python = peers.install(plan.peers, say)
    data = notebooks.sample(plan.mnist, runs / "kaggle.npz", 1)
    images = int(notebooks.KAGGLE * NOTEBOOK_SHARE)
    try:
        with peers.trainer(python, "keras", THREADS, data) as keras:
            told = keras.ask(recipe=NOTEBOOK, batch=NOTEBOOK_BATCH, optimizer="adam", rate=NOTEBOOK_RATE, rho=0.9,
                             count=images, augment="generator")  # fmt: skip
    except peers.WorkerError as error:
        say(f"Keras does not train ({error}): it is left out")
        return
    say(f"Keras: an epoch of {images:,} digits in {told['seconds']:.1f} s, {told['way']}")
    replace(path, json.dumps(told | {"images": images, "packages": peers.packages(python, "tensorflow-cpu", "keras")}))


def beside(rows: Sequence[Row], turns: Sequence[dict[str, Any]], known: Sequence[Row]) -> list[Row]:
    """The row of Keras, from its `turns` of one epoch each and from what the notebook's recipe is `known` to come to
    (`benchmarks.notebooks`); none where the first mark at which ours reads as well is not among `rows`."""
    there = [row for row in known if row["recipe"] == NOTEBOOK]
    if not there:
        return []
    accuracy = statistics.mean(float(row["test_percent"]) for row in there)
    epochs = int(there[0]["epochs"])
    mark = next((mark for mark in FLOORS if float(mark) >= accuracy), "")
    ours = next((row for row in rows if row["mark"] == mark), None)
    if ours is None:
        return []
    an_epoch = statistics.median(turn["seconds"] for turn in turns)
    own = float(ours["seconds_median"])
    values = (
        "Keras", turns[0]["way"], str(epochs), str(turns[0]["images"]), str(NOTEBOOK_BATCH), f"{an_epoch:.2f}",
        str(len(turns)), f"{epochs * an_epoch:.1f}", f"{accuracy:.2f}", mark, ours["mean_accuracy"],
        ours["reached"], ours["seconds_median"], f"{epochs * an_epoch / own:.2f}", str(RATIO), ours["recipe"], ours["machine"],
        f"{ours['versions']}; {turns[0]['packages']}",
    )  # fmt: skip
    return [dict(zip(BESIDE_COLUMNS, values, strict=True))]


def beside_table(rows: Sequence[Row]) -> str:
    """The network of the notebook in Keras, and ours."""
    lines, notes = [], []
    for row in rows:
        lines += [
            [f"`{NOTEBOOK}` in {row['peer']}", row["epochs"], f"{float(row['epoch_seconds']):.1f}",
             _seconds(row["seconds"]), row["accuracy"], ""],
            [f"`{row['recipe']}`", "", "", _seconds(row["ours"]), f"{float(row['mean_accuracy']):.2f}",
             f"{float(row['ratio']):.1f} x; asked for {row['floor']} x"
             + ("" if row["reached"] == "yes" else f", but {row['mark']} % is not reached")],
        ]  # fmt: skip
        notes.append(
            f"{row['peer']}'s seconds are the median of {row['epochs_timed']} whole epochs of "
            f"{int(row['images']):,} digits in batches of {row['batch']} ({row['way']}), multiplied by {row['epochs']}; "
            f"{row['machine']}; {row['versions']}."
        )
    header = ["", "epochs", "seconds an epoch", "seconds", "ends at, %", "faster by"]
    return markdown(header, lines, right=(1, 2, 3, 4, 5)) + "\n\n" + " ".join(notes)


def main() -> None:
    """What a seed's process does: `python -m benchmarks.speedrun JSON`; the last line printed is what it came to."""
    from handread.errors import HandreadError

    try:
        print(json.dumps(in_child(json.loads(sys.argv[1]))))
    except HandreadError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
