"""Setting a part of a data set aside: stratified by class, and by writer where writers are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handread.data.images import LabelledImages
from handread.errors import DataError


def split_off(data: LabelledImages, fraction: float, seed: int) -> tuple[LabelledImages, LabelledImages]:
    """Split `data` into (rest, part), `part` holding about `fraction` of the items; both keep their order.

    Without writers each class gives its share, and the part holds round(fraction * N) items. With writers
    every known writer is wholly in one of the two (a network must be judged on hands it has not seen), chosen
    so that the classes come as near to their shares as whole writers allow. Deterministic by `seed`.
    Raises `DataError` when `fraction` is outside 0..1 or a side would be empty.
    """
    chosen = held_out(data, fraction, seed)
    return data.take(~chosen), data.take(chosen)


def held_out(data: LabelledImages, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """bool (N,): True for what `split_off` puts into the part; raises as it does."""
    _check(data, fraction)
    random = np.random.default_rng(seed)
    known = np.zeros(len(data), np.bool_) if data.writers is None else data.writers >= 0
    chosen = np.zeros(len(data), np.bool_)
    if data.writers is not None and known.any():
        chosen[known] = _whole_writers(data.writers[known], data.labels[known], fraction, random)
    chosen[~known] = _stratified(data.labels[~known], fraction, random)
    if not chosen.any() or chosen.all():
        people = "" if data.writers is None else f" by {len(np.unique(data.writers[known]))} known writers"
        raise _too_few(data, fraction, people)
    return chosen


def last(data: LabelledImages, fraction: float) -> npt.NDArray[np.bool_]:
    """bool (N,): True for the last round(fraction * N) items as they stand; raises `DataError` as `held_out` does.

    This is what Keras' ``validation_split`` does; where the data is sorted by class or writer it judges by some of them
    only.
    """
    _check(data, fraction)
    kept = len(data) - round(fraction * len(data))
    if kept in (0, len(data)):
        raise _too_few(data, fraction)
    return np.arange(len(data)) >= kept


def _check(data: LabelledImages, fraction: float) -> None:
    if not 0 < fraction < 1:
        raise DataError(f"a part of {fraction} of {data.name} cannot be split off; choose between 0 and 1")


def _too_few(data: LabelledImages, fraction: float, people: str = "") -> DataError:
    return DataError(
        f"{data.name} has {len(data)} items{people}, too few to split off {fraction}; "
        "choose another fraction or give a validation set of its own"
    )


def _stratified(labels: npt.NDArray[np.int64], fraction: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    chosen = np.zeros(len(labels), np.bool_)
    if not len(labels):
        return chosen
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # by class, shuffled within each
    counts = np.bincount(labels)
    shares = counts * fraction
    takes = np.floor(shares).astype(np.int64)
    # Largest remainders fill up to the exact total; ties go to the lower class.
    missing = round(len(labels) * fraction) - int(takes.sum())
    takes[np.argsort(takes - shares, kind="stable")[:missing]] += 1
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen[order[rank < np.repeat(takes, counts)]] = True
    return chosen


def _whole_writers(
    writers: npt.NDArray[np.int32],
    labels: npt.NDArray[np.int64],
    fraction: float,
    random: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    _, person = np.unique(writers, return_inverse=True)
    person = person.reshape(-1)
    people, classes = int(person.max()) + 1, int(labels.max()) + 1
    counts = np.bincount(person * classes + labels, minlength=people * classes).reshape(people, classes)
    missing = counts.sum(axis=0) * fraction
    taken = np.zeros(people, np.bool_)
    for candidate in random.permutation(people):
        # In random order, each writer who brings the classes nearer to their shares.
        after = missing - counts[candidate]
        if (after**2).sum() < (missing**2).sum():
            missing, taken[candidate] = after, True
    return taken[person]
