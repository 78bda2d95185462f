"""record.json: what a run must have written down so that anybody can repeat it and compare.

Checksums are SHA-256, in hexadecimal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handread.data.atomic import write_atomic
from handread.errors import ModelError
from handread.evaluation.leak import FILE as SEEN
from handread.training.stored import content, part_of

if TYPE_CHECKING:
    from torch import Tensor

    from handread.training.sources import Prepared, TrainingSet

RECORD = "record.json"
RECIPE = "recipe.toml"
FORMAT = 1
KEPT = ("config.json", RECIPE, "environment.json", "architecture.json", "sources.json", "history.csv", "curves.png",
        SEEN, "last.safetensors", "best.safetensors", "model.onnx")  # fmt: skip
"""Files of a run folder whose checksums the record holds when the run is finished."""

_LARGEST = 16 << 20
"""Bytes of a record that is no mistake."""
_DATA = ("images", "labels", "alternatives", "cues", "pictures")
"""What of a training set is its source's; the rest is what the recipe makes of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One set of data, as the network sees it."""

    name: str
    count: int
    """Images in it."""
    sha256: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What was run, on what, and what came of it, epoch by epoch."""

    recipe: str
    """File name of the recipe; its text is `RECIPE`."""
    overrides: tuple[str, ...] = ()
    """What --set changed of it."""
    data: str = ""
    """--data as it was typed."""
    skip_broken: bool = False
    sources: tuple[Part, ...] = ()
    """What was trained on."""
    validation: tuple[Part, ...] = ()
    """What was held out."""
    start: str = ""
    """Checksum of the weights that the run began with; empty: random ones."""
    teacher: str = ""
    """Checksum of the model that taught; empty: none did."""
    weights: tuple[str, ...] = ()
    """Checksum of the averaged weights after each epoch; "" where nobody noted it."""
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    """Name -> checksum, of those of `KEPT` that the finished run has; empty while it is under way."""
    format: int = FORMAT

    def to_json(self) -> str:
        """One JSON object; `from_json` gives the equal record back."""
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """Read a record; raises `ModelError` when it is damaged or from a newer format."""
        try:
            raw = json.loads(text)
            if isinstance(raw, dict) and type(raw.get("format")) is int and raw["format"] > FORMAT:
                raise ModelError(f"the record has format {raw['format']}; upgrade Handread to verify it")
            return _checked(raw)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"the record is damaged ({error}); train the run again") from None


def _checked(raw: Any) -> RunRecord:
    if not isinstance(raw, dict):
        raise ValueError(f"it is a {type(raw).__name__}, not an object")
    kinds: dict[str, type] = {"recipe": str, "data": str, "skip_broken": bool, "start": str, "teacher": str,
                              "files": dict, "format": int}  # fmt: skip
    for name, kind in kinds.items():
        if type(raw[name]) is not kind:
            raise ValueError(f"{name} is {raw[name]!r}")
    if Path(raw["recipe"]).name != raw["recipe"] or raw["recipe"] in ("", "..") or "\0" in raw["recipe"]:
        raise ValueError(f"recipe is {raw['recipe']!r}, not the name of a file")
    strange = sorted(set(raw["files"]) - set(KEPT))
    if strange:
        raise ValueError(f"it speaks of {strange[0]!r}, which is no file of a run")
    parts = {name: tuple(Part(**row) for row in raw[name]) for name in ("sources", "validation")}
    texts = {name: tuple(raw[name]) for name in ("overrides", "weights")}
    rows = [part for several in parts.values() for part in several]
    said = [*texts["overrides"], *texts["weights"], *raw["files"].values(), *(row.name for row in rows),
            *(row.sha256 for row in rows)]  # fmt: skip
    if not all(isinstance(text, str) for text in said) or not all(type(row.count) is int for row in rows):
        raise ValueError("a name, a count or a checksum is none")
    return RunRecord(**raw | parts | texts)


def write_record(run: Path, record: RunRecord) -> None:
    """Put `record` into the run folder."""
    write_atomic(run / RECORD, record.to_json().encode())


def read_record(run: Path) -> RunRecord:
    """The record of a run folder; raises `ModelError` where there is none, or it is damaged."""
    path = run / RECORD
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} is too large for a record; train the run again")
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"{run} holds no {RECORD}, so it is no run folder, or one of an older version that noted no checksums; "
            "name the folder given to handread train as --out, or train it again"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read ({error}); check the disk") from None
    try:
        return RunRecord.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None


def seal(run: Path, record: RunRecord) -> None:
    """Write the record of a finished run: with the checksums of its files."""
    found = {name: file_digest(run / name) for name in KEPT if (run / name).exists()}
    write_record(run, dataclasses.replace(record, files=found))


def file_digest(path: Path) -> str:
    """Checksum of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parts_of(prepared: Prepared) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The sources of a run and what it held out, each with its checksum.

    A checksum is over what the network is shown: images laid into its frame, classes, cues. Files in another form that
    hold the same characters have the same.
    """
    training, first, sources = prepared.training, 0, []
    for index, source in enumerate(prepared.sources):
        last = first + int((training.origins == index).sum())
        sources.append(Part(source.name, last - first, _digest(training, first, last)))
        first = last
    held_out = (Part(name, len(part), _digest(part, 0, len(part))) for name, part in prepared.validation.items())
    return tuple(sources), tuple(held_out)


def _digest(data: TrainingSet, first: int, last: int) -> str:
    total = hashlib.sha256()
    for name in _DATA:
        array = getattr(data, name)
        rows = part_of(array, first, last) if name == "images" else array[first:last]
        total.update(f"{name} {rows.shape}\n".encode())
        for piece in content(rows):
            total.update(np.ascontiguousarray(piece).view(np.uint8).data)
    return total.hexdigest()


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """Checksum of weights and statistics by their names; the order does not count."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        total.update(f"{name} {array.dtype} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return total.hexdigest()
