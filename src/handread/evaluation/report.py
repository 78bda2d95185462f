"""evaluate: a reader against labelled characters, and the report that says how well it did."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.data.images import LabelledImages
from handread.errors import DataError, ModelError, shown
from handread.evaluation import metrics
from handread.evaluation.leak import Leak, SeenList, find_leak
from handread.evaluation.stress_report import Samples, StressReport
from handread.machine import versions

if TYPE_CHECKING:
    from handread.types import Progress

FORMAT = 4
"""Report format that this version writes; a file with a higher number is refused. Format 1 had no `items`, no
`digest`, no `reliability` and no `classes`, format 2 no `stress`, format 3 no `skipped` and no `leak`; they are read
with what they have."""

COVERAGES = (1.0, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Points of the refusal curve."""

WHOLE = 10_000
"""Probabilities of single items are kept as whole numbers of ten-thousandths: short, and exact enough."""

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
class Items:
    """What became of each item, in the order of the data; what a paired comparison needs."""

    labels: tuple[int, ...]
    """N class indices into the report's alphabet: what it is."""
    read: tuple[int, ...]
    """N class indices: what it was read as."""
    confidence: tuple[int, ...]
    """N probabilities of the answer, in ten-thousandths."""
    label_probability: tuple[int, ...]
    """N probabilities of the label, in ten-thousandths."""
    files: tuple[str, ...] = ()
    """N names of pictures below their common folder; empty for data that was no pictures."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The items whose confidence lies in one of 15 equal parts of 0..1."""

    count: int
    confidence: float
    """Mean confidence of the items; the part's middle where there are none."""
    accuracy: float | None
    """Fraction right; None where there are none."""


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
    digest: str = ""
    """SHA-256 of images and labels, the same whatever the model: only reports of equal digest can be compared."""
    reliability: tuple[ReliabilityBin, ...] = field(default=(), repr=False)
    classes: tuple[metrics.ClassFigures, ...] = field(default=(), repr=False)
    """Precision, recall and F1 of each class."""
    items: Items | None = field(default=None, repr=False)
    stress: StressReport | None = field(default=None, repr=False)
    """What worse pictures cost, where that was measured too (`handread.evaluation.stress`)."""
    skipped: int = 0
    """Pictures that could not be read and were left out, where that was asked for; not among `n`."""
    leak: Leak | None = field(default=None, repr=False)
    """Whether the items were trained on (`handread.evaluation.leak`)."""

    def confused_pairs(self) -> list[tuple[int, int, int]]:
        """(true, read, count) of every pair of different classes that occurs, most frequent first."""
        cells = ((true, read, held) for true, row in enumerate(self.confusion) for read, held in enumerate(row))
        found = [(true, read, held) for true, read, held in cells if held and true != read]
        return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))

    def to_json(self) -> str:
        """The report as one JSON object; `from_json` gives an equal report back."""
        plain = {"format": FORMAT, **dataclasses.asdict(dataclasses.replace(self, stress=None))}
        plain["stress"] = None if self.stress is None else self.stress.to_plain()
        return json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> EvaluationReport:
        """Read a report; raises `DataError` when it is damaged, foreign, or from a newer format."""
        try:
            raw = json.loads(text)
            return _checked(raw)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"the report is not JSON ({error}); evaluate again") from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise DataError(f"the report is damaged: {error}; evaluate again") from None

    def save(self, path: str | Path) -> None:
        """Write the report whole or not at all; `path` ends in .json. Raises `DataError` otherwise."""
        target = Path(path)
        if target.suffix.lower() != ".json":
            raise DataError(f"a report is saved as JSON, {target.name!r} ends otherwise; name it .json")
        write_atomic(target, (self.to_json() + "\n").encode())


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """A report together with what it was made from, for pages that show pictures."""

    report: EvaluationReport
    data: LabelledImages
    """The items, labels counted in the alphabet that could be answered."""
    probabilities: npt.NDArray[np.float32]
    """float32 (N, K), calibrated."""
    accepted: npt.NDArray[np.bool_]
    """bool (N,)"""
    samples: Samples | None = None
    """Pictures of the stress test, where there was one."""


def evaluate(reader: Scorer, data: LabelledImages, *, alphabet: Alphabet | str | None = None) -> EvaluationReport:
    """Score every item of `data` and compare with its label.

    `alphabet` is what the reader may answer, by default all that it knows; labels are matched by character.
    Raises `DataError` when the data is empty or holds a character outside the alphabet, `AlphabetError` when
    the reader has never seen one of the alphabet, and `ModelError` when it does not answer every item.
    """
    return examine(reader, data, alphabet=alphabet).report


def examine(
    reader: Scorer,
    data: LabelledImages,
    *,
    alphabet: Alphabet | str | None = None,
    seen: SeenList | None = None,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """As `evaluate`, with the items and every probability; `progress` is called with items scored and their total.

    `seen` are all images that the reader was trained on, where they are known; else the sample in its card is asked
    whether the items are among them.
    """
    wanted = Alphabet.of(reader.card.alphabet if alphabet is None else alphabet)
    if not len(data):
        raise DataError(f"{data.name} holds no items; there is nothing to evaluate")
    data = data.relabelled(wanted)
    start = time.perf_counter()
    probabilities, accepted = _score(reader, data, wanted, progress)
    seconds = time.perf_counter() - start
    leak = find_leak(data, reader.card.seen if seen is None else seen, reader.card.frame)
    report = _measured(reader.card.name, data, probabilities, accepted, seconds, leak)
    return Evaluation(report, data, probabilities, accepted)


def _measured(
    model: str,
    data: LabelledImages,
    probabilities: npt.NDArray[np.float32],
    accepted: npt.NDArray[np.bool_],
    seconds: float,
    leak: Leak,
) -> EvaluationReport:
    labels, alphabet = data.labels, data.alphabet
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    right = predicted == labels
    correct = int(right.sum())
    curve = metrics.risk_coverage(right, probabilities.max(axis=1))
    confusion = metrics.confusion_matrix(labels, predicted, len(alphabet)).tolist()
    reliability = metrics.reliability(labels, probabilities)
    return EvaluationReport(
        model=model,
        data=data.name,
        alphabet="".join(alphabet),
        n=len(labels),
        correct=correct,
        accuracy=metrics.accuracy(labels, predicted),
        interval95=metrics.wilson_interval(correct, len(labels)),
        top2=metrics.top_k(labels, probabilities, 2),
        top3=metrics.top_k(labels, probabilities, 3),
        case_insensitive=metrics.case_insensitive(labels, predicted, alphabet),
        merged=metrics.merged(labels, predicted, alphabet),
        nll=metrics.negative_log_likelihood(labels, probabilities),
        ece=reliability.ece,
        refused=float(np.mean(~accepted)),
        seconds=seconds,
        confusion=tuple(tuple(row) for row in confusion),
        refusal_curve=tuple((coverage, curve.at(coverage)) for coverage in COVERAGES),
        environment=environment(),
        digest=digest_of(data),
        reliability=_bins(reliability),
        classes=metrics.per_class(confusion, "".join(alphabet)),
        items=Items(
            labels=tuple(labels.tolist()),
            read=tuple(predicted.tolist()),
            confidence=_whole(probabilities.max(axis=1)),
            label_probability=_whole(probabilities[np.arange(len(labels)), labels]),
            files=short_names(data.files),
        ),
        skipped=len(data.skipped),
        leak=leak,
    )


def _whole(shares: npt.NDArray[np.float32]) -> tuple[int, ...]:
    return tuple(np.rint(shares.astype(np.float64) * WHOLE).astype(np.int64).tolist())


def _bins(found: metrics.Reliability) -> tuple[ReliabilityBin, ...]:
    rows = zip(found.count.tolist(), found.confidence.tolist(), found.accuracy.tolist(), strict=True)
    return tuple(ReliabilityBin(count, sure, right if count else None) for count, sure, right in rows)


def digest_of(data: LabelledImages) -> str:
    """SHA-256, hexadecimal, of the images and their characters in order.

    A picture counts by the content of its file, because its input differs from network to network; where the file
    is gone (it lay in an archive), and for arrays, the array counts.
    """
    found = hashlib.sha256("".join(data.characters()).encode())
    files = data.files or ("",) * len(data)
    for file, image in zip(files, data.images, strict=True):
        found.update(_content(file) or repr(image.shape).encode() + image.tobytes())
    return found.hexdigest()


def _content(file: str) -> bytes | None:
    try:
        return hashlib.sha256(Path(file).read_bytes()).digest() if file else None
    except OSError:
        return None


def short_names(files: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names below the folder that all have in common, with forward slashes; () where there are none."""
    if not files or not any(files):
        return ()
    named = [file for file in files if file]
    try:
        common = os.path.commonpath([os.path.dirname(file) for file in named])
    except ValueError:  # some absolute, some not, or on two drives
        common = ""
    return tuple(os.path.relpath(file, common or ".").replace(os.sep, "/") if file else "" for file in files)


def environment() -> dict[str, str]:
    """What a figure's speed and last digits may depend on: versions and the kind of machine."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": str(os.cpu_count() or 1),
        **versions("handread", "numpy", "onnxruntime", "opencv-python-headless"),
    }


def _score(
    reader: Scorer, data: LabelledImages, alphabet: Alphabet, progress: Progress
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if data.normalised:
        data = data.as_input(reader.card.frame)  # or an error: inputs made for another network
    scored = []
    for rows in _batches(len(data)):
        cues = None if data.cues is None else data.cues[rows]
        part = reader.score(data.images[rows], cues=cues, normalised=data.normalised, alphabet=alphabet)
        # an answer lost or doubled, in one batch or made up for in another, would move all figures without a trace
        wanted = rows.stop - rows.start
        if part.probabilities.shape != (wanted, len(alphabet)) or part.accepted.shape != (wanted,):
            raise ModelError(
                f"{reader.card.name} answered {part.probabilities.shape} probabilities and {len(part.accepted)} "
                f"decisions for {wanted} items of {len(alphabet)} classes; every item must be answered once"
            )
        scored.append(part)
        progress(rows.stop, len(data))
    probabilities = np.concatenate([s.probabilities for s in scored])
    accepted = np.concatenate([s.accepted for s in scored])
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
        raise ValueError(f"format {shown(version)} is no Handread report")
    if version < 1:
        raise ValueError(f"format {shown(version)} is no Handread report")
    if version > FORMAT:
        raise DataError(
            f"the report has format {shown(version)}, this Handread understands up to {FORMAT}: "
            "upgrade with pip install --upgrade handread"
        )
    names = {f.name for f in dataclasses.fields(EvaluationReport)}
    if version == 1:
        raw = {"digest": "", "reliability": [], "classes": [], "items": None} | raw
    if version < 3:
        raw = {"stress": None} | raw
    if version < 4:
        raw = {"skipped": 0, "leak": None} | raw
    odd = sorted(names.symmetric_difference(set(raw) - {"format"}))
    if odd:
        raise ValueError(f"field {shown(odd[0])} is {'missing' if odd[0] in names else 'unknown'}")
    low, high = raw["interval95"]
    _check_kinds(EvaluationReport, raw)
    size = len(raw["alphabet"])
    confusion = tuple(tuple(row) for row in raw["confusion"])
    if not all(type(count) is int and count >= 0 for row in confusion for count in row):
        raise ValueError("its confusion matrix holds what is no count")
    if [len(row) for row in confusion] != [size] * size or sum(map(sum, confusion)) != raw["n"]:
        raise ValueError(f"its confusion matrix does not count {raw['n']} items of {size} classes")
    fractions = ("accuracy", "top2", "top3", "case_insensitive", "merged", "ece", "refused")
    for name in fractions:
        if not 0 <= raw[name] <= 1:
            raise ValueError(f"{name} is {shown(raw[name])}, expected 0..1")
    values = {name: raw[name] for name in names}
    values.update(
        interval95=(float(low), float(high)),
        confusion=confusion,
        refusal_curve=tuple((float(coverage), float(risk)) for coverage, risk in raw["refusal_curve"]),
        environment={str(name): str(value) for name, value in raw["environment"].items()},
        reliability=tuple(ReliabilityBin(**_check_kinds(ReliabilityBin, row)) for row in raw["reliability"]),
        classes=tuple(metrics.ClassFigures(**_check_kinds(metrics.ClassFigures, row)) for row in raw["classes"]),
        items=None if raw["items"] is None else _checked_items(raw["items"], confusion),
        stress=None if raw["stress"] is None else StressReport.from_plain(raw["stress"]),
        leak=None if raw["leak"] is None else Leak.from_plain(raw["leak"]),
    )
    return EvaluationReport(**values)


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "float | None": (int, float, type(None)),
}  # fmt: skip


def _check_kinds(kind: type[Any], raw: dict[str, Any]) -> dict[str, Any]:
    """`raw` as it is; raises `ValueError` where a value is not of the type that the field of `kind` has."""
    for spec in dataclasses.fields(kind):
        value, wanted = raw.get(spec.name), _KINDS.get(str(spec.type))
        if wanted is None or spec.name not in raw:
            continue
        if (
            isinstance(value, bool)
            or not isinstance(value, wanted)
            or (isinstance(value, float) and not math.isfinite(value))
        ):
            raise ValueError(f"{spec.name} is {shown(value)}, expected {spec.type}")
    return raw


def _checked_items(raw: dict[str, Any], confusion: tuple[tuple[int, ...], ...]) -> Items:
    items = Items(**{name: tuple(values) for name, values in raw.items()})
    n, size = sum(map(sum, confusion)), len(confusion)
    limits = {"labels": size - 1, "read": size - 1, "confidence": WHOLE, "label_probability": WHOLE}
    for name, most in limits.items():
        values = getattr(items, name)
        if len(values) != n:
            raise ValueError(f"its items have {len(values)} {name} for {n} items")
        if not all(type(value) is int and 0 <= value <= most for value in values):
            raise ValueError(f"its items have {name} outside 0..{most}")
    if items.files and (len(items.files) != n or not all(isinstance(file, str) for file in items.files)):
        raise ValueError(f"its items have {len(items.files)} files for {n} items")
    counted = metrics.confusion_matrix(np.array(items.labels), np.array(items.read), size)
    if counted.tolist() != [list(row) for row in confusion]:
        raise ValueError("its items are not those that its confusion matrix counts")
    return items
