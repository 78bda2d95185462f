"""MNIST's test file: what networks trained on MNIST alone reach on it, with its official and its corrected labels.

Ten of the test labels were overturned, three images called neither of two digits and two left undecided by five people
each (Northcutt, Athalye, Mueller 2021, Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks,
arXiv 2103.14749; votes: github.com/cleanlab/label-errors, mturk/mnist_mturk.json).

    python -m benchmarks.run mnist-accuracy --data FOLDER --runs RUNS [--seeds 5] [--distil] [--set KEY=VALUE]

FOLDER holds MNIST's four files. The members of recipes/mnist-ensemble.toml are the single networks: they are
recipes/mnist-single.toml but for their seed. Runs are kept in RUNS, interrupted ones go on, finished ones are not
repeated; the test file is read once for each finished model. With --set network=residual-digits and another RUNS the
network of one branch is measured; what the results hold of networks of other sizes stays.
"""

from __future__ import annotations

import csv
import json
import os
import platform
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FILE = RESULTS / "mnist_accuracy.csv"
PAGE = ROOT / "docs" / "accuracy.md"
COLUMNS = ("kind", "seed", "accuracy", "corrected_accuracy", "parameters", "seconds", "machine")
"""`accuracy` and `corrected_accuracy` in percent; `parameters` of all networks together; `seconds` of training."""

KINDS = {"single": "one network", "ensemble": "ensemble", "distilled": "one network taught by the ensemble"}


@dataclass(frozen=True, slots=True)
class Votes:
    """What five people said of a test image that was shown to them with two digits to choose from."""

    label: int
    """The official label."""
    other: int
    """The digit set against it."""
    for_label: int
    for_other: int
    neither: int

    @property
    def verdict(self) -> str:
        """``label``, ``other``, ``neither``, or ``split`` where none has a majority of the five."""
        for name, count in (("label", self.for_label), ("other", self.for_other), ("neither", self.neither)):
            if count >= 3:
                return name
        return "split"

    def __str__(self) -> str:
        """For people: ``9, by 5 of 5 (label 8)``, ``neither, by 3 of 5``, ``split: 4 by 2, 9 by 2``."""
        verdict = self.verdict
        if verdict == "split":
            return f"split: {self.label} by {self.for_label}, {self.other} by {self.for_other}"
        said = {"label": (str(self.label), self.for_label), "other": (str(self.other), self.for_other)}
        digit, count = said.get(verdict, ("neither", self.neither))
        return f"{digit}, by {count} of 5"


VOTES: dict[int, Votes] = {
    449: Votes(3, 5, 4, 1, 0),
    717: Votes(0, 6, 4, 0, 1),
    740: Votes(4, 9, 4, 1, 0),
    947: Votes(8, 9, 0, 5, 0),
    1226: Votes(7, 2, 4, 1, 0),
    1232: Votes(9, 4, 3, 2, 0),
    1393: Votes(5, 3, 3, 0, 2),
    1621: Votes(0, 6, 2, 3, 0),
    1681: Votes(3, 7, 4, 1, 0),
    1901: Votes(9, 4, 2, 3, 0),
    2035: Votes(5, 3, 3, 2, 0),
    2130: Votes(4, 9, 2, 2, 1),
    2293: Votes(9, 0, 4, 1, 0),
    2380: Votes(9, 9, 4, 0, 1),  # shown with nothing set against the label, as are 2454 and 2836
    2454: Votes(6, 6, 4, 0, 1),
    2462: Votes(2, 0, 0, 4, 1),
    2597: Votes(5, 3, 0, 4, 1),
    2654: Votes(6, 1, 0, 2, 3),
    2836: Votes(4, 4, 4, 0, 1),
    3422: Votes(6, 0, 3, 2, 0),
    3520: Votes(6, 4, 2, 0, 3),
    3558: Votes(5, 0, 1, 4, 0),
    3869: Votes(9, 4, 4, 1, 0),
    4007: Votes(7, 9, 4, 0, 1),
    4201: Votes(1, 7, 3, 2, 0),
    4497: Votes(8, 7, 4, 1, 0),
    4823: Votes(9, 4, 3, 2, 0),
    4874: Votes(9, 0, 4, 0, 1),
    4956: Votes(8, 4, 3, 0, 2),
    5937: Votes(5, 3, 1, 3, 1),
    5955: Votes(3, 8, 4, 1, 0),
    6572: Votes(1, 7, 4, 0, 1),
    6576: Votes(7, 1, 4, 1, 0),
    6651: Votes(0, 6, 0, 5, 0),
    6783: Votes(1, 6, 2, 3, 0),
    8527: Votes(4, 9, 2, 2, 1),
    9009: Votes(7, 2, 4, 1, 0),
    9664: Votes(2, 7, 3, 2, 0),
    9679: Votes(6, 3, 2, 0, 3),
    9729: Votes(5, 6, 2, 3, 0),
}
"""Place in the test file -> votes, where the five did not all confirm the label."""

CONFIRMED: frozenset[int] = frozenset((
    247, 259, 321, 340, 445, 582, 619, 720, 726, 810, 938, 1014, 1033, 1039, 1112, 1119, 1299, 1364, 1530, 1709, 2043,
    2109, 2135, 2182, 2406, 2447, 2896, 2921, 2927, 2939, 3060, 3073, 3206, 3503, 3597, 3767, 3778, 3850, 3906, 4176,
    4207, 4224, 4639, 4783, 4860, 4876, 4880, 4978, 5887, 6505, 6597, 6625, 7434, 7842, 8094, 8408, 9634, 9642, 9755,
    9888,
))  # fmt: skip
"""Places shown to the five whose label all of them confirmed."""

CORRECTED: dict[int, int] = {place: votes.other for place, votes in VOTES.items() if votes.verdict == "other"}
"""Place in the test file -> the digit that a majority of the five saw instead of the label."""
NEITHER: tuple[int, ...] = tuple(place for place, votes in VOTES.items() if votes.verdict == "neither")
"""Places that a majority of the five called neither digit."""
SPLIT: tuple[int, ...] = tuple(place for place, votes in VOTES.items() if votes.verdict == "split")
"""Places without a majority: the official label stands."""


def word(place: int) -> str:
    """What the five said of the test image at `place`."""
    if place in VOTES:
        return str(VOTES[place])
    return "the label, by 5 of 5" if place in CONFIRMED else "not asked"


def right_counts(labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> tuple[int, int, int, int]:
    """Right and n with the official labels, then right and n with the corrected ones.

    `labels` and `predicted` are int64 (10000,), in the test file's order. Corrected: the ten overturned labels are
    replaced by what the majority saw, the three images that are neither count no longer, so n is 9,997, and the two
    undecided ones keep their label. Raises ValueError for another number, or labels that are not the test file's.
    """
    if labels.shape != (10_000,) or predicted.shape != labels.shape:
        raise ValueError(f"MNIST's test file has 10,000 images, got {labels.shape} labels, {predicted.shape} answers")
    wrong = [place for place, votes in VOTES.items() if int(labels[place]) != votes.label]
    if wrong:
        raise ValueError(f"the label at {wrong[0]} is {labels[wrong[0]]}, in the test file {VOTES[wrong[0]].label}")
    right = labels == predicted
    corrected = right.copy()
    for place, digit in CORRECTED.items():
        corrected[place] = int(predicted[place]) == digit
    corrected[list(NEITHER)] = False
    return int(right.sum()), len(labels), int(corrected.sum()), len(labels) - len(NEITHER)


def accuracies(labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy in percent with the official and with the corrected labels, as `right_counts` counts."""
    right, n, corrected, left = right_counts(labels, predicted)
    return 100 * right / n, 100 * corrected / left


def measure(
    data: Path, runs: Path, seeds: int, distil: bool, overrides: Sequence[str], say: Callable[[str], None]
) -> list[Row]:
    """Rows of `seeds` single networks, of their ensemble and, with `distil`, of one network that it taught; `overrides`
    are options, ``key=value``, in place of the recipes'."""
    from handread.data.atomic import write_atomic
    from handread.training.run import train_recipe
    from handread.training.watcher import Watcher

    watcher = Watcher(epoch=lambda epoch: say(f"epoch {epoch.epoch}, loss {epoch.loss:.4f}, {epoch.seconds:.0f} s"))

    def trained(name: str, option: str) -> Path:
        recipe, out = ROOT / "recipes" / f"{name}.toml", runs / name
        model = train_recipe(recipe, str(data), out, [option, *overrides], resume=True, watcher=watcher)
        assert model is not None
        return out

    ensemble = trained("mnist-ensemble", f"members={seeds}")
    members = [ensemble / f"member-{number + 1}" for number in range(seeds)]
    rows = [_row("single", number + 1, [run], run, data) for number, run in enumerate(members)]
    rows.append(_row("ensemble", 1, members, ensemble, data))
    if distil:
        teacher = runs / f"mnist-teacher-{seeds}.onnx"
        write_atomic(teacher, without_views(members))
        pupil = trained("mnist-distilled", f'teacher="{teacher}"')
        rows.append(_row("distilled", 1, [pupil], pupil, data))
    return rows


def without_views(runs: Sequence[Path]) -> bytes:
    """The mean of finished runs' networks as a file, each asked about the picture alone: as a teacher, which is asked
    about varied pictures, five views of each would cost five times as much and say little more."""
    from handread.networks.build import build_network
    from handread.runtime.session import Session
    from handread.training.checkpoint import load_checkpoint, start_network
    from handread.training.export import onnx_bytes
    from handread.training.members import merge

    files = []
    for run in runs:
        card = Session((run / "model.onnx").read_bytes(), name=str(run), threads=1).card
        network = build_network(json.loads((run / "config.json").read_text())["network"], len(card.alphabet)).eval()
        start_network(network, load_checkpoint(run / "last.safetensors"), str(run))
        files.append(onnx_bytes(network, card))
    return merge(files, card)


def _row(kind: str, seed: int, trained: Sequence[Path], run: Path, data: Path) -> Row:
    """The model of a finished run on the test file, or what was found when it was read the first time."""
    from handread import load_data
    from handread.recognizer import Recognizer

    kept, parameters = run / "result.json", str(sum(_parameters(place) for place in trained))
    if kept.exists():
        found: Row = json.loads(kept.read_text())
        if found["parameters"] == parameters:  # an ensemble may have got more members since
            return found
    test = load_data(data, split="test")
    predicted, _ = Recognizer(run / "model.onnx").classify(test.images)
    official, corrected = accuracies(test.labels, predicted)
    row = {
        "kind": kind,
        "seed": str(seed),
        "accuracy": f"{official:.2f}",
        "corrected_accuracy": f"{corrected:.4f}",
        "parameters": parameters,
        "seconds": f"{sum(_seconds(place) for place in trained):.0f}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    kept.write_text(json.dumps(row))
    return row


def _parameters(run: Path) -> int:
    return int(json.loads((run / "architecture.json").read_text())["parameters"])


def _seconds(run: Path) -> float:
    with (run / "history.csv").open(newline="") as history:
        return sum(float(epoch["seconds"]) for epoch in csv.DictReader(history))


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file, those of the same kind and size replaced by these."""
    new = {(row["kind"], row["parameters"]) for row in rows}
    known = read_csv(FILE) if FILE.exists() else []
    kept = [row for row in known if (row["kind"], row["parameters"]) not in new]
    order = list(KINDS)
    return sorted([*kept, *rows], key=lambda row: (order.index(row["kind"]), int(row["parameters"]), int(row["seed"])))


def table(rows: Sequence[Row]) -> str:
    """One line a kind: mean, spread and ends over its runs, with official and with corrected labels.

    Rows of one kind with another number of parameters are another network, and a line of their own.
    """
    groups: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["kind"], int(row["parameters"])].append(row)
    order = list(KINDS)
    lines = []
    for (kind, parameters), group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        line = [KINDS[kind], _millions(parameters), str(len(group))]
        for column in ("accuracy", "corrected_accuracy"):
            values = [float(row[column]) for row in group]
            spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
            line += [f"{mean(values):.3f}{spread}", f"{min(values):.2f} to {max(values):.2f}"]
        line.append(_time(mean(float(row["seconds"]) for row in group)))
        lines.append(line)
    header = ["", "parameters", "n", "official labels, %", "least to most", "corrected, %", "least to most", "training"]
    return markdown(header, lines, right=range(1, len(header)))


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e6 else f"{parameters:,}"


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 5400 else f"{seconds / 60:.0f} min"
