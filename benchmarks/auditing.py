"""How many wrong labels an audit finds: labels are made wrong on purpose, at random and plausibly, and searched for.

    python -m benchmarks.auditing --data FOLDER

FOLDER holds `mnist`, `emnist/validation.npz` and `photos/validation`, as far as they are there. A plausible error goes
to the class that a classifier of small grey pictures holds most likely beside the label, and strikes the more likely
the likelier that is; the audit uses no such pictures. Prints one line a set and kind: the share found among the first
n suspects, n being the number of wrong labels made, and among the first 2n.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.evaluation.audit import audit
from handread.evaluation.crossvalidation import out_of_fold
from handread.recognizer import Recognizer

SETS = (("mnist", "train", 10_000), ("emnist/validation.npz", None, None), ("photos/validation", None, None))
SHARE = 0.01
SEEDS = 5
_SIDE = 8


def spoiled(data: LabelledImages, *, plausible: bool, seed: int) -> tuple[LabelledImages, npt.NDArray[np.int64]]:
    """The set with one label in a hundred wrong, and which."""
    random = np.random.default_rng(seed)
    count, classes = max(1, round(SHARE * len(data))), len(data.alphabet)
    labels = data.labels.copy()
    if plausible:
        grey = _small(data)
        scores = out_of_fold(grey, data.labels, classes, seed=1000)
        powers = np.exp(8 * scores)
        powers /= powers.sum(axis=1, keepdims=True)
        powers[np.arange(len(data)), data.labels] = 0
        chance = powers.max(axis=1).astype(np.float64) + 1e-3
        chosen = random.choice(len(data), count, replace=False, p=chance / chance.sum())
        labels[chosen] = powers[chosen].argmax(axis=1)
    else:
        chosen = random.choice(len(data), count, replace=False)
        labels[chosen] = (labels[chosen] + random.integers(1, classes, count)) % classes
    return dataclasses.replace(data, labels=labels), chosen.astype(np.int64)


def _small(data: LabelledImages) -> npt.NDArray[np.float32]:
    inputs = data.as_input().images
    step = inputs.shape[1] // _SIDE
    blocks = inputs.reshape(len(inputs), _SIDE, step, _SIDE, step)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(len(inputs), -1) / 255, dtype=np.float32)


def found(reader: Recognizer, data: LabelledImages, *, plausible: bool, seed: int) -> tuple[float, float]:
    """Shares of the wrong labels among the first n and the first 2n suspects."""
    wrong, places = spoiled(data, plausible=plausible, seed=seed)
    order = audit(reader, wrong, seed=seed, look_alikes=True).order
    n = len(places)
    return float(np.isin(places, order[:n]).mean()), float(np.isin(places, order[: 2 * n]).mean())


def main() -> None:
    """Measure what is there, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    arguments = parser.parse_args()
    reader = Recognizer()
    for name, split, most in SETS:
        if not (arguments.data / name).exists():
            continue
        data = load_data(arguments.data / name, split=split)
        if most is not None:
            data = data.take(np.sort(np.random.default_rng(0).permutation(len(data))[:most]))
        for plausible in (False, True):
            shares = np.array([found(reader, data, plausible=plausible, seed=s) for s in range(arguments.seeds)])
            first, twice = (
                f"{100 * m:.1f} +- {100 * d:.1f} %" for m, d in zip(shares.mean(0), shares.std(0), strict=True)
            )
            kind = "plausible" if plausible else "random"
            print(
                f"{name}: {len(data):,} items, {round(SHARE * len(data))} {kind} errors: {first}, {twice}", flush=True
            )


if __name__ == "__main__":
    main()
