"""What a light classifier says of each item that it was not fitted on: ridge regression on random features.

The kernel is Gaussian, approached by random Fourier features (Rahimi and Recht 2007, NIPS); the targets are the
classes, the solution is closed, and every fold is left out by taking its part from the sums, so that ten folds cost
one pass over the data and ten solutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from handread.errors import DataError

if TYPE_CHECKING:
    from handread.types import Floats, Labels, Progress, Random


FOLDS = 10
REPEATS = 4
"""Times that folds and random features are drawn anew; the scores are their mean."""
WIDTH = 1500
"""Most random features; no more are drawn than twice the items."""

_RIDGE = 1e-3
"""Of the mean square of a feature."""
_BATCH = 4096
_PAIRS = 2000


def out_of_fold(
    features: Floats, labels: Labels, classes: int, *, seed: int = 0, progress: Progress | None = None
) -> Floats:
    """Scores float32 (N, classes) of items by a classifier fitted on the others; the highest is its answer.

    `features` are float32 (N, D), `labels` int64 (N,). Folds are stratified by class. Of an item that is alone in
    its class the classifier could not know the class; there the class gets the highest score of its row.
    `progress` is called with folds done and their total. Raises `DataError` for fewer than two items.
    """
    if len(features) != len(labels) or len(labels) < 2:
        raise DataError(f"{len(features)} items with {len(labels)} labels cannot be held against each other")
    scores = np.zeros((len(labels), classes), np.float32)
    total = REPEATS * FOLDS
    for repeat in range(REPEATS):
        random = np.random.default_rng([seed, repeat])
        for done, (rows, part) in enumerate(_one_pass(features, labels, classes, random), start=1):
            scores[rows] += part / REPEATS
            if progress is not None:
                progress(repeat * FOLDS + done, total)
    alone = np.flatnonzero(np.bincount(labels, minlength=classes)[labels] == 1)
    scores[alone, labels[alone]] = scores[alone].max(axis=1)
    return scores


def stratified_folds(labels: Labels, folds: int, random: Random) -> Labels:
    """The fold, 0 to folds - 1, of every item: each class is dealt out evenly, in random order."""
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    # Dealt on from class to class, so that many small classes do not all land in the first folds.
    fold[order] = np.arange(len(labels)) % folds
    return fold


@dataclass(frozen=True, slots=True, eq=False)
class _Lift:
    """Random Fourier features of a Gaussian kernel, and a constant."""

    directions: Floats
    phases: Floats

    @classmethod
    def drawn(cls, features: Floats, random: Random) -> _Lift:
        """As wide a kernel as the items lie apart: its variance is half the median of their squared distances."""
        first, second = random.integers(0, len(features), (2, _PAIRS))
        apart = ((features[first] - features[second]) ** 2).sum(axis=1)
        apart = apart[apart > 0]
        spread = float(np.median(apart)) if apart.size else 1.0
        width = min(WIDTH, 2 * len(features))
        directions = random.normal(0, np.sqrt(2 / spread), (features.shape[1], width))
        phases = random.uniform(0, 2 * np.pi, width)
        return cls(directions.astype(np.float32), phases.astype(np.float32))

    @property
    def width(self) -> int:
        """Random features and the constant."""
        return len(self.phases) + 1

    def __call__(self, features: Floats) -> Floats:
        lifted = np.ones((len(features), self.width), np.float32)
        lifted[:, :-1] = np.cos(features @ self.directions + self.phases)
        lifted[:, :-1] *= np.float32(np.sqrt(2 / (self.width - 1)))
        return lifted


def _one_pass(features: Floats, labels: Labels, classes: int, random: Random) -> Iterator[tuple[Labels, Floats]]:
    # (rows, scores float32 (rows, classes)) of every fold.
    lift = _Lift.drawn(features, random)
    fold = stratified_folds(labels, FOLDS, random)
    members = [np.flatnonzero(fold == k) for k in range(FOLDS)]
    sums = [_sums(lift, features, labels, classes, rows) for rows in members]
    gram, cross = np.zeros((lift.width, lift.width)), np.zeros((lift.width, classes))
    for own_gram, own_cross in sums:
        gram += own_gram
        cross += own_cross
    gram[np.diag_indices_from(gram)] += _RIDGE * gram.trace() / len(gram)
    for rows, (own_gram, own_cross) in zip(members, sums, strict=True):
        weights = np.linalg.solve(gram - own_gram, cross - own_cross).astype(np.float32)
        parts = [lift(features[rows[i : i + _BATCH]]) @ weights for i in range(0, len(rows), _BATCH)]
        yield rows, np.concatenate(parts) if parts else np.zeros((0, classes), np.float32)


def _sums(lift: _Lift, features: Floats, labels: Labels, classes: int, rows: Labels) -> tuple[Floats, Floats]:
    gram = np.zeros((lift.width, lift.width), np.float32)
    cross = np.zeros((lift.width, classes), np.float32)
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        lifted = lift(features[chosen])
        targets = np.full((len(chosen), classes), -1 / classes, np.float32)
        targets[np.arange(len(chosen)), labels[chosen]] += 1
        gram += lifted.T @ lifted
        cross += lifted.T @ targets
    return gram, cross
