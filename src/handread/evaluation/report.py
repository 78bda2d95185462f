"""evaluate: a reader against labelled characters, and the report that says how well it did."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.data.images import LabelledImages
from handread.errors import DataError, ModelError
from handread.evaluation import metrics

FORMAT = 1
"""Report format that this version writes; a file with a higher number is refused."""

COVERAGES = (1.0, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Points of the refusal curve."""

_BATCH = 2048


class Scored(Protocol):
    """What a reader says of N characters; `handread.decode.Scores` is one."""

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """float32 (N, K), calibrated, over the alphabet asked for."""

    @property
    def accepted(self) -> npt.NDArray[np.bool_]:
        """bool (N,)."""


class Scorer(Protocol):
    """A reader that can be evaluated; `handread.Recognizer` is one."""

    @property
    def card(self) -> ModelCard:
        """Says the model's name and alphabet."""

    def score(
        self,
        images: npt.NDArray[np.uint8],
        *,
        cues: npt.NDArray[np.float32] | None = None,
        normalised: bool = False,
        alphabet: Alphabet | None = None,
    ) -> Scored:
        """Probabilities and acceptance of ink images, uint8 (N, H, W)."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """How well a model reads a data set; fractions are 0..1."""

    model: str
    data: str
    alphabet: str
    """The characters that could be answered, in class order."""
    n: int
    """Number of items, all of the set."""
    correct: int
    accuracy: float
    """Read as labelled; every item counts, refused or not."""
    interval95: tuple[float, float]
    """Wilson interval of `accuracy`."""
    top2: float
    top3: float
    case_insensitive: float
    merged: float
    """Right when undecidable characters (`metrics.MERGED_GROUPS`) are the same."""
    nll: float
    """Nats."""
    ece: float
    """15 equal-width bins."""
    refused: float
    """Fraction of items that the model would not accept."""
    seconds: float
    """Time of scoring alone, without loading the data."""
    confusion: tuple[tuple[int, ...], ...] = field(repr=False)
    """Counts; row the true class, column the class read."""
    refusal_curve: tuple[tuple[float, float], ...] = field(repr=False)
    """(fraction answered, fraction wrong among those), refusing the least confident first."""
    environment: dict[str, str] = field(repr=False)

    def to_json(self) -> str:
        """The report as one JSON object; `from_json` gives an equal report back."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> EvaluationReport:
        """Read a report; raises `DataError` when it is damaged, foreign, or from a newer format."""
        try:
            raw = json.loads(text)
            return _checked(raw)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"the report is not JSON ({error}); evaluate again") from None
        except (TypeError, ValueError, KeyError) as error:
            raise DataError(f"the report is damaged: {error}; evaluate again") from None

    def save(self, path: str | Path) -> None:
        """Write the report whole or not at all; `path` ends in .json. Raises `DataError` otherwise."""
        target = Path(path)
        if target.suffix.lower() != ".json":
            raise DataError(f"a report is saved as JSON, {target.name!r} ends otherwise; name it .json")
        write_atomic(target, (self.to_json() + "\n").encode())


def evaluate(reader: Scorer, data: LabelledImages, *, alphabet: Alphabet | str | None = None) -> EvaluationReport:
    """Score every item of `data` and compare with its label.

    `alphabet` is what the reader may answer, by default all that it knows; labels are matched by character.
    Raises `DataError` when the data is empty or holds a character outside the alphabet, `AlphabetError` when
    the reader has never seen one of the alphabet, and `ModelError` when it does not answer every item.
    """
    wanted = Alphabet.of(reader.card.alphabet if alphabet is None else alphabet)
    if not len(data):
        raise DataError(f"{data.name} holds no items; there is nothing to evaluate")
    labels = data.relabelled(wanted).labels
    start = time.perf_counter()
    probabilities, accepted = _score(reader, data, wanted)
    seconds = time.perf_counter() - start
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    right = predicted == labels
    correct = int(right.sum())
    curve = metrics.risk_coverage(right, probabilities.max(axis=1))
    confusion = metrics.confusion_matrix(labels, predicted, len(wanted))
    return EvaluationReport(
        model=reader.card.name,
        data=data.name,
        alphabet="".join(wanted),
        n=len(labels),
        correct=correct,
        accuracy=metrics.accuracy(labels, predicted),
        interval95=metrics.wilson_interval(correct, len(labels)),
        top2=metrics.top_k(labels, probabilities, 2),
        top3=metrics.top_k(labels, probabilities, 3),
        case_insensitive=metrics.case_insensitive(labels, predicted, wanted),
        merged=metrics.merged(labels, predicted, wanted),
        nll=metrics.negative_log_likelihood(labels, probabilities),
        ece=metrics.expected_calibration_error(labels, probabilities),
        refused=float(np.mean(~accepted)),
        seconds=seconds,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        refusal_curve=tuple((coverage, curve.at(coverage)) for coverage in COVERAGES),
        environment=environment(),
    )


def environment() -> dict[str, str]:
    """What a figure's speed and last digits may depend on: versions and the kind of machine."""
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": str(os.cpu_count() or 1),
    }
    for package in ("handread", "numpy", "onnxruntime", "opencv-python-headless"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _score(
    reader: Scorer, data: LabelledImages, alphabet: Alphabet
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    scored = [
        reader.score(
            data.images[rows],
            cues=None if data.cues is None else data.cues[rows],
            normalised=data.normalised,
            alphabet=alphabet,
        )
        for rows in _batches(len(data))
    ]
    probabilities = np.concatenate([s.probabilities for s in scored])
    accepted = np.concatenate([s.accepted for s in scored])
    # A last batch dropped on the way would flatter or hurt every figure without a trace.
    if probabilities.shape != (len(data), len(alphabet)) or accepted.shape != (len(data),):
        raise ModelError(
            f"{reader.card.name} answered {probabilities.shape} probabilities and {len(accepted)} decisions "
            f"for {len(data)} items of {len(alphabet)} classes; every item must be answered"
        )
    if not np.isfinite(probabilities).all():
        raise ModelError(f"{reader.card.name} gave probabilities that are no numbers; export it again")
    return probabilities, accepted


def _batches(count: int) -> Iterator[slice]:
    return (slice(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH))


def _checked(raw: Any) -> EvaluationReport:
    if not isinstance(raw, dict):
        raise TypeError(f"it is a {type(raw).__name__}, not an object")
    version = raw.get("format")
    if not isinstance(version, int) or isinstance(version, bool):
        raise ValueError(f"format {version!r} is no Handread report")
    if version > FORMAT:
        raise DataError(
            f"the report has format {version}, this Handread understands up to {FORMAT}: "
            "upgrade with pip install --upgrade handread"
        )
    names = {f.name for f in dataclasses.fields(EvaluationReport)}
    odd = sorted(names.symmetric_difference(set(raw) - {"format"}))
    if odd:
        raise ValueError(f"field {odd[0]!r} is {'missing' if odd[0] in names else 'unknown'}")
    low, high = raw["interval95"]
    size = len(raw["alphabet"])
    confusion = tuple(tuple(int(count) for count in row) for row in raw["confusion"])
    if [len(row) for row in confusion] != [size] * size or sum(map(sum, confusion)) != raw["n"]:
        raise ValueError(f"its confusion matrix does not count {raw['n']} items of {size} classes")
    fractions = ("accuracy", "top2", "top3", "case_insensitive", "merged", "ece", "refused")
    for name in fractions:
        if not 0 <= raw[name] <= 1:
            raise ValueError(f"{name} is {raw[name]}, expected 0..1")
    values = {name: raw[name] for name in names}
    values.update(
        interval95=(float(low), float(high)),
        confusion=confusion,
        refusal_curve=tuple((float(coverage), float(risk)) for coverage, risk in raw["refusal_curve"]),
        environment=dict(raw["environment"]),
    )
    return EvaluationReport(**values)
