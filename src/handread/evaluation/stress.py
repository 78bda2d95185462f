"""stress: how much a reader loses when its pictures become worse, kind by kind and strength by strength.

Every picture takes the whole road of ``handread read --one``, imaging included; one without ink is an error. Nothing
in `handread.training` or `handread.data` imports this: a stick to measure with must not be learnt from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from handread.data.images import LabelledImages
from handread.errors import DataError, ModelError
from handread.evaluation import mnist_c, paper
from handread.evaluation.corruption import CORRUPTIONS, STRENGTHS
from handread.evaluation.stress_report import KINDS, QUOTED, Kind, Row, Samples, StressReport

if TYPE_CHECKING:
    import numpy.typing as npt

    from handread.types import Progress, Reading, UInt8Array

CLEAN, PLAIN = "clean", "plain paper"
"""Names of the two rows without a corruption: the arrays themselves, and written on plain paper."""

_BATCH = 250

Reads: TypeAlias = "Callable[[Sequence[UInt8Array]], Sequence[Reading]]"
"""Reads pictures uint8 (H, W) that hold one character each, as `handread.Recognizer.read_many` does with `one`."""


def chosen(data: LabelledImages, count: int | None, *, seed: int = 0) -> LabelledImages:
    """`count` items drawn by `seed`, in the order of the data; all where `count` is None or no less than there are."""
    if count is None or count >= len(data):
        return data
    if count < 1:
        raise DataError(f"a stress test of {count} items measures nothing; give at least 1")
    return data.take(np.sort(np.random.default_rng(seed).permutation(len(data))[:count]))


def steps(strengths: Iterable[int], names: Iterable[str] | None = None) -> tuple[tuple[str, Kind, int], ...]:
    """(name, kind, strength) of every row, in the order of a report; raises `DataError` or `UnknownNameError`."""
    wanted = sorted(set(strengths))
    outside = [level for level in wanted if level not in STRENGTHS]
    if outside or not wanted:
        raise DataError(f"strengths are among 1 to 5, got {', '.join(map(str, outside)) or 'none'}")
    entries = [CORRUPTIONS[name] for name in (CORRUPTIONS if names is None else names)]
    entries.sort(key=lambda entry: (KINDS.index(entry.kind), _ORDER.index(entry.name)))
    told = [(entry.name, entry.kind, level) for entry in entries for level in wanted]
    return ((CLEAN, "mnist-c", 0), (PLAIN, "paper", 0), *told)


_ORDER = (*mnist_c.NAMES, *paper.NAMES)
"""As they are listed in the papers and the documentation, not by the alphabet."""


def stress(
    read: Reads,
    data: LabelledImages,
    *,
    strengths: Iterable[int] = (QUOTED,),
    names: Iterable[str] | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> tuple[StressReport, Samples]:
    """Read every item of `data` under every corruption (or those of `names`) at every strength, and count errors.

    `progress` is called with the pictures read and their total. The samples are the first item of each of the first
    eight characters. Raises `DataError` for data without items, `UnknownNameError` for a corruption that is not there.
    """
    todo = steps(strengths, names)
    if not len(data):
        raise DataError(f"{data.name} holds no items; there is nothing to corrupt")
    labels = data.characters()
    shown = _first_of_each(labels)
    rows: list[Row] = []
    pictures: list[tuple[UInt8Array, ...]] = []
    texts: list[tuple[str, ...]] = []
    for place, (name, kind, level) in enumerate(todo):
        got: list[str] = []
        kept: dict[int, UInt8Array] = {}
        for part in _batches(len(data)):
            worse = _corrupted(data.images[part], name, level, seed=seed + part.start)
            got += _read(read, worse)
            kept |= {item: worse[item - part.start].copy() for item in shown if part.start <= item < part.stop}
            progress(place * len(data) + part.stop, len(todo) * len(data))
        wrong = sum(text != label for text, label in zip(got, labels, strict=True))
        rows.append(Row(name, kind, level, len(labels), wrong, got.count("")))
        pictures.append(tuple(kept[item] for item in shown))
        texts.append(tuple(got[item] for item in shown))
    samples = Samples(tuple(labels[item] for item in shown), tuple(pictures), tuple(texts))
    return StressReport(len(labels), seed, tuple(rows)), samples


def _corrupted(images: npt.NDArray[np.uint8], name: str, level: int, *, seed: int) -> UInt8Array:
    if name == CLEAN:
        return images
    if name == PLAIN:
        return paper.plain(images, np.random.default_rng(seed))
    return CORRUPTIONS[name](images, level, seed=seed)


def _read(read: Reads, pictures: UInt8Array) -> list[str]:
    readings = read(list(pictures))
    if len(readings) != len(pictures):
        raise ModelError(f"{len(readings)} readings came back for {len(pictures)} pictures; each must be answered")
    return [reading.characters[0].text if reading.characters else "" for reading in readings]


def _first_of_each(labels: list[str], most: int = 8) -> list[int]:
    first: dict[str, int] = {}
    for item, label in enumerate(labels):
        first.setdefault(label, item)
    return [first[label] for label in sorted(first)[:most]]


def _batches(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))
