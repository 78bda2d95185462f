"""How fast the recipes of the five notebooks train: Handread beside Keras and PyTorch, the same networks, in one run.

    python -m benchmarks.run training --folder FOLDER [--turns 5] [--recipe mnist-adam] [--steps N]

Keras and PyTorch are in the environment of `python -m benchmarks.run peers`, in the same FOLDER. Each library is a
process of its own with two threads (benchmarks/peers/trainer.py); after a part that compiles and is not counted, all
train an epoch of the same digits by turns, and the median of the turns counts. Network, batch size, optimizer and
learning rate are the recipe's. Handread does besides what else its recipe asks for: it averages the weights, for
example. PyTorch runs the loop of its tutorials, eager, in single precision; Keras is `model.fit`. Where there are
several ways to the same, the fastest of each library is taken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

FILE = RESULTS / "training.csv"
PAGE = ROOT / "docs" / "performance.md"
COLUMNS = ("recipe", "augment", "peer", "way", "peer_rate", "numbers", "rate", "ratio", "floor", "batch", "n", "turns",
           "machine", "versions")  # fmt: skip
"""`peer_rate` and `rate`, Handread's, in images a second; `n` images a turn."""

STEPS = {"chars74k-224": 4, "kaggle-rmsprop": 40, "mnist-adam": 60, "kaggle-batchnorm": 60, "kaggle-compact": 120}
"""Recipe -> steps of a turn: some seconds."""
PEERS = {"Keras": "keras", "PyTorch": "torch"}
NUMBERS = {"single": 1.0, "bfloat16": 2.0}
"""Numbers that Handread computes in -> how many times faster than each peer is asked for."""
AUGMENTS = {"none": "none", "own": "each its own"}
OFFERED = {"none": ("Keras", "PyTorch"), "own": ("Keras",)}
"""Which peers have an augmentation in their box."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how much."""

    folder: Path
    turns: int = 5
    recipes: tuple[str, ...] = tuple(STEPS)
    steps: int = 0
    """At most so many a turn; 0: as many as `STEPS` says."""
    threads: int = THREADS


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison; rates in images a second."""

    recipe: str
    augment: str
    peer: str
    way: str
    peer_rate: float
    numbers: str
    rate: float
    batch: int
    n: int
    turns: int


def measure(plan: Plan, say: peers.Say) -> list[Row]:
    """One row a comparison; `say` hears of each."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    python = peers.install(plan.folder, say)
    found: list[Found] = []
    for recipe in plan.recipes:
        for one in measured(plan, recipe, python, say):
            say(f"{one.recipe:17} {one.augment:5} {one.peer:8} {one.peer_rate:10.1f}  Handread, {one.numbers:9} "
                f"{one.rate:10.1f} {one.rate / one.peer_rate:6.2f} x")  # fmt: skip
            found.append(one)
    machine, versions = peers.described(python)
    return rows(found, machine, f"torch {version('torch')}; {versions}")


def measured(plan: Plan, recipe: str, python: Path, say: peers.Say) -> list[Found]:
    """The comparisons of a recipe."""
    from handread.training.config import load_recipe

    config = load_recipe(ROOT / "recipes" / f"{recipe}.toml")
    steps = min(STEPS[recipe], plan.steps or STEPS[recipe])
    count = steps * config.batch_size
    data = drawn(plan.folder / f"train-{count}.npz", count)
    asked: dict[str, Any] = {
        "recipe": recipe, "batch": config.batch_size, "optimizer": config.optimizer, "rate": config.learning_rate,
        "rho": config.rho, "count": count,
    }  # fmt: skip
    workers: dict[str, peers.Worker] = {}
    ways: dict[str, str] = {}
    try:
        for name, library in PEERS.items():
            try:
                workers[name] = peers.trainer(python, library, plan.threads, data)
            except peers.WorkerError as error:
                say(f"{name} does not start ({error}): its rows are left out")
        for numbers in NUMBERS:
            workers[numbers] = peers.trainer(Path(sys.executable), "handread", plan.threads, data)
        actions = {}
        for augment, offered in OFFERED.items():
            for name in (*offered, *NUMBERS):
                if name in workers:
                    what = asked | {"augment": augment, "bf16": name == "bfloat16"}
                    actions[f"{name} {augment}"] = _asking(workers[name], f"{name} {augment}", what, ways)
        for name, action in dict(actions).items():  # compile, choose the way, warm up
            try:
                action()
            except peers.WorkerError as error:
                say(f"{name} fails ({error}): left out")
                del actions[name]
        rates = peers.alternate(actions, plan.turns, say)
    finally:
        for worker in workers.values():
            worker.close()
    return [
        Found(recipe, augment, peer, ways[f"{peer} {augment}"], rates[f"{peer} {augment}"], numbers,
              rates[f"{numbers} {augment}"], config.batch_size, count, plan.turns)
        for augment, offered in OFFERED.items()
        for peer in offered if f"{peer} {augment}" in rates
        for numbers in NUMBERS if f"{numbers} {augment}" in rates
    ]  # fmt: skip


def _asking(worker: peers.Worker, name: str, what: dict[str, Any], ways: dict[str, str]) -> Callable[[], float]:
    def action() -> float:
        told = worker.ask(**what)
        ways[name] = told["way"]
        return float(told["rate"])

    return action


def drawn(path: Path, count: int) -> Path:
    """`count` digits by Handread's pen with their labels, as a file."""
    if not path.exists():
        from handread import bench

        np.savez(path, images=bench.drawn_digits(count), labels=np.arange(count) % 10)
    return path


def rows(found: Sequence[Found], machine: str, versions: str) -> list[Row]:
    """What goes into the file."""
    made: list[Row] = []
    for one in found:
        values = (
            one.recipe, one.augment, one.peer, one.way, f"{one.peer_rate:.1f}", one.numbers, f"{one.rate:.1f}",
            f"{one.rate / one.peer_rate:.3f}", f"{NUMBERS[one.numbers]:g}", str(one.batch), str(one.n), str(one.turns),
            machine, versions,
        )  # fmt: skip
        made.append(dict(zip(COLUMNS, values, strict=True)))
    return made


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file, those of the recipes in `rows` replaced by these."""
    new = {row["recipe"] for row in rows}
    kept = [row for row in (read_csv(FILE) if FILE.exists() else []) if row["recipe"] not in new]
    return sorted([*kept, *rows], key=lambda row: list(STEPS).index(row["recipe"]))


def table(rows: Sequence[Row]) -> str:
    """One line a recipe and augmentation: images a second of each, and how many times faster than the faster peer."""
    lines = []
    for recipe in STEPS:
        for augment, title in AUGMENTS.items():
            group = [row for row in rows if (row["recipe"], row["augment"]) == (recipe, augment)]
            if not group:
                continue
            beside = {row["peer"]: float(row["peer_rate"]) for row in group}
            own = {row["numbers"]: float(row["rate"]) for row in group}
            fastest = max(beside.values())
            lines.append(
                [f"`{recipe}`", title, group[0]["batch"], *(_rate(beside.get(peer)) for peer in PEERS),
                 *(_rate(own.get(numbers)) for numbers in NUMBERS),
                 *(_ratio(own.get(numbers), fastest) for numbers in NUMBERS)]
            )  # fmt: skip
    header = ["recipe", "augmentation", "batch", *PEERS, "Handread, single precision", "bfloat16", "faster than the faster",
              "in bfloat16"]  # fmt: skip
    first = rows[0]
    asked = "1 x in single precision and 2 x in bfloat16"
    return (
        markdown(header, lines, right=range(2, len(header)))
        + f"\n\nImages a second, two threads; medians of {max(int(row['turns']) for row in rows)} turns of each by turns. "
        + f"Asked for: {asked}. {first['machine']}; {first['versions']}."
    )


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:,.{0 if value >= 100 else 1}f}"


def _ratio(own: float | None, fastest: float) -> str:
    return "" if own is None else f"{own / fastest:.2f} x"
