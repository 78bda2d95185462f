"""audit: which labels of a set are likely wrong, the most suspicious first.

Two witnesses who do not know each other are heard. The reader gives its calibrated probabilities; it never saw the
set's labels. A light classifier judges each item by the shapes of the others and *their* labels, by
cross-validation, as confident learning does (Northcutt, Jiang, Chuang 2021, JAIR 70), so that it knows the set's own
habits and alphabet. Both opinions are multiplied, each raised to the power with which the product tells the set's
labels best; a witness who knows little weighs little. Where the reader does not know the set's alphabet, the light
classifier is given the reader's probabilities as features beside the shapes and decides alone.

An item's rank is its margin: how much more probable another character is than its label. Characters that look alike
are taken as one there, so that the undecidable does not hide the wrong.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.errors import DataError
from handread.evaluation import metrics
from handread.evaluation.crossvalidation import FOLDS, REPEATS, out_of_fold
from handread.evaluation.outlines import gradient_features

if TYPE_CHECKING:
    from handread.data.images import LabelledImages
    from handread.evaluation.report import Scorer
    from handread.types import Progress

Logs = npt.NDArray[np.float32]

FEWEST = 10
"""Fewest items of which each can be held against the others."""
NOISE = 0.02
"""Share of the labels that the choice of the weights expects to be wrong."""
COLUMNS = ("rank", "item", "file", "label", "suggested", "label_probability", "suggested_probability", "margin")

_TINY = 1e-6
_READ = 2048
_SAMPLE = 20_000
"""Most items by which the weights are chosen."""
_COARSE = ((0.0, 0.25, 0.5, 1.0, 2.0), (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0))
_STEPS = (2**0.5, 2**0.25, 2**0.125)


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item whose label may be wrong."""

    rank: int
    """From 1, the most suspicious."""
    item: int
    """Its place in the set, from 0."""
    file: str
    """The picture it came from; "" for an item of an array."""
    label: str
    suggested: str
    """The most probable other character."""
    label_probability: float
    suggested_probability: float
    margin: float
    """ln of the probability of the label and its look-alikes over the suggestion's: below 0 where that is more probable."""


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """All items of a set, ranked by how likely their labels are wrong."""

    data: LabelledImages
    model: str
    reader_weight: float | None
    """Power of the reader's probabilities in the product; None where it does not know the alphabet."""
    shape_weight: float
    """Factor of the cross-validated scores before the softmax."""
    doubted: int
    """Items of which another character is more probable than the label."""
    order: npt.NDArray[np.int64]
    """int64 (N,), items, the most suspicious first."""
    margin: npt.NDArray[np.float64]
    """float64 (N,), of each item."""
    probabilities: npt.NDArray[np.float32]
    """float32 (N, K) over the characters of `alphabet`."""
    alphabet: Alphabet
    """The characters that occur in the set."""
    suggestions: npt.NDArray[np.int64]
    """int64 (N,), the most probable other class of `alphabet`."""

    def __len__(self) -> int:
        return len(self.order)

    def suspects(self, top: int = 100) -> list[Suspect]:
        """The `top` most suspicious items."""
        characters = self.data.characters()
        found = []
        for rank, item in enumerate(self.order[:top].tolist(), start=1):
            row, best = self.probabilities[item], int(self.suggestions[item])
            found.append(
                Suspect(
                    rank=rank,
                    item=item,
                    file=self.data.files[item] if self.data.files else "",
                    label=characters[item],
                    suggested=self.alphabet[best],
                    label_probability=float(row[self.alphabet.index(characters[item])]),
                    suggested_probability=float(row[best]),
                    margin=float(self.margin[item]),
                )
            )
        return found


def audit(
    reader: Scorer,
    data: LabelledImages,
    *,
    look_alikes: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Audit:
    """Rank the items of `data` by how likely their labels are wrong.

    Characters that ink does not tell apart (``o`` and ``0``, ``c`` and ``C``: `metrics.MERGED_GROUPS` and the cases)
    are not suspected of each other unless `look_alikes` says so, and never where `case_known` is False. `seed` draws
    folds and random features. `progress` is called with steps done and their total. Raises `DataError` for fewer
    than ten items or only one character.
    """
    alphabet = _occurring(data)
    counted = data.relabelled(alphabet)
    known = all(character in Alphabet.of(reader.card.alphabet) for character in alphabet)
    steps = _Steps(progress, -(-len(data) // _READ) + FOLDS * REPEATS)
    features = gradient_features(data.as_input().images if data.frame is None else data.images)
    said = _opinion(reader, data, alphabet if known else None, steps)
    if not known:
        features = np.hstack([features, _as_features(said)])
    opinion = said if known else None
    scores = out_of_fold(features, counted.labels, len(alphabet), seed=seed, progress=lambda done, total: steps.more())
    weights = _weights(opinion, scores, counted.labels)
    probabilities = _pooled(opinion, scores, weights)
    margin, suggestions = _margins(probabilities, _equals(counted, alphabet, look_alikes=look_alikes))
    return Audit(
        data=data,
        model=reader.card.name,
        reader_weight=weights[0] if known else None,
        shape_weight=weights[1],
        doubted=int((margin < 0).sum()),
        order=np.argsort(margin, kind="stable").astype(np.int64),
        margin=margin,
        probabilities=probabilities,
        alphabet=alphabet,
        suggestions=suggestions,
    )


def _opinion(reader: Scorer, data: LabelledImages, alphabet: Alphabet | None, steps: _Steps) -> Logs:
    """Logarithms of the reader's probabilities, float32 (N, K)."""
    parts = []
    for start in range(0, len(data), _READ):
        rows = slice(start, start + _READ)
        cues = None if data.cues is None else data.cues[rows]
        scored = reader.score(data.images[rows], cues=cues, normalised=data.normalised, alphabet=alphabet)
        parts.append(scored.probabilities)
        steps.more()
    return np.asarray(np.log(np.maximum(np.concatenate(parts), _TINY)), dtype=np.float32)


def _as_features(logs: Logs) -> Logs:
    # Centred, and as long as the features of the shape on average.
    centred = logs - logs.mean(axis=0)
    return np.asarray(centred / max(_TINY, float(np.sqrt((centred**2).sum(axis=1).mean()))), dtype=np.float32)


def suspects_csv(suspects: list[Suspect]) -> bytes:
    """The table of `COLUMNS` as UTF-8 CSV; an item counts from 0."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for s in suspects:
        shares = (f"{s.label_probability:.6f}", f"{s.suggested_probability:.6f}", f"{s.margin:.4f}")
        table.writerow((s.rank, s.item, s.file, s.label, s.suggested, *shares))
    # A file name that is no text must not stop the list.
    return text.getvalue().encode("utf-8", "backslashreplace")


@dataclass(slots=True)
class _Steps:
    progress: Progress | None
    total: int
    done: int = 0

    def more(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)


def _occurring(data: LabelledImages) -> Alphabet:
    if len(data) < FEWEST:
        raise DataError(f"{data.name} holds {len(data)} items; an audit holds items against each other, give {FEWEST}")
    used = np.unique(data.labels).tolist()
    if len(used) < 2:
        raise DataError(f"{data.name} holds only {data.alphabet[used[0]]!r}; no label can be told from another")
    return Alphabet.of(tuple(data.alphabet[k] for k in used))


def _pooled(
    opinion: Logs | None, scores: npt.NDArray[np.float32], weights: tuple[float, float]
) -> npt.NDArray[np.float32]:
    exponent = weights[1] * scores.astype(np.float64)
    if opinion is not None:
        exponent += weights[0] * opinion
    powers = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def _weights(
    opinion: Logs | None, scores: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]
) -> tuple[float, float]:
    """The powers with which the product tells the labels best, each label being wrong with probability `NOISE`.

    Without that provision the few wrong labels, which both witnesses deny, would make both look unsure.
    """
    if len(labels) > _SAMPLE:
        chosen = np.random.default_rng(0).choice(len(labels), _SAMPLE, replace=False)
        opinion, scores, labels = None if opinion is None else opinion[chosen], scores[chosen], labels[chosen]
    items, classes = np.arange(len(labels)), scores.shape[1]

    def loss(weights: tuple[float, float]) -> float:
        own = _pooled(opinion, scores, weights)[items, labels].astype(np.float64)
        return float(-np.log((1 - NOISE) * own + NOISE / classes).mean())

    firsts = _COARSE[0] if opinion is not None else (0.0,)
    best = min(((a, b) for a in firsts for b in _COARSE[1]), key=loss)
    for step in _STEPS:
        a, b = best
        near = {(a * x, b * y) for x in (1 / step, 1.0, step) for y in (1 / step, 1.0, step)}
        best = min(sorted(near), key=loss)
    return best


def _equals(data: LabelledImages, alphabet: Alphabet, *, look_alikes: bool) -> npt.NDArray[np.bool_]:
    """bool (N, K): classes that would be no other label of the item."""
    groups = () if look_alikes else (*metrics.MERGED_GROUPS, *metrics.CASE_GROUPS)
    equal = metrics.same_in(alphabet, groups)[data.labels]
    if data.case_known is not None:
        unknown = np.flatnonzero(~data.case_known)
        equal[unknown] |= metrics.same_in(alphabet, metrics.CASE_GROUPS)[data.labels[unknown]]
    return equal


def _margins(
    probabilities: npt.NDArray[np.float32], equal: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    own = np.where(equal, probabilities, 0).sum(axis=1, dtype=np.float64)
    others = np.where(equal, -1, probabilities)
    best = others.argmax(axis=1).astype(np.int64)
    rival = np.maximum(others[np.arange(len(best)), best], 0).astype(np.float64)
    return np.log(own + _TINY) - np.log(rival + _TINY), best
