"""The manifest beside the shards: of what input, by what model and with what options they are."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handread.errors import ConfigError, DataError
from handread.scale.listing import MARK

if TYPE_CHECKING:
    from handread.scale.outlet import Outlet

FORMAT = 1
_LARGEST = 16 << 20
"""Bytes; the inputs are listed in it, as they were named."""

_SAID = {
    "digest": "another input",
    "pictures": "an input with another number of pictures",
    "column": "another --column",
    "shard_size": "another --shard-size",
    "alphabet": "another --alphabet",
    "one": "--one set otherwise",
    "strict": "--strict set otherwise",
    "weights": "another model",
    "handread": "another version of Handread",
}
"""Field -> what differs, as the sentence about it has it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that decides what stands in the shards."""

    inputs: tuple[str, ...]
    """As they were named; only for people, `digest` decides."""
    digest: str
    pictures: int
    shards: int
    column: str
    shard_size: int
    alphabet: str
    one: bool
    strict: bool
    model: str
    """Name of the model; only for people, `weights` decides."""
    weights: str
    """SHA-256 of the model's file."""
    handread: str
    """Version that read."""
    format: int = FORMAT

    def to_json(self) -> str:
        """One JSON object; `from_json` gives the equal manifest back."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest; ValueError when it is damaged or from a newer format."""
        raw: Any = json.loads(text)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise ValueError("it is not of the format that this Handread writes")
        if set(raw) != {field.name for field in dataclasses.fields(cls)}:
            raise ValueError("its fields are not those of a manifest")
        return cls(**raw | {"inputs": tuple(raw["inputs"])})


def agree(wanted: Manifest, folder: Outlet, out: str) -> set[str]:
    """Put the manifest into `folder`, or find the one there to be of the same reading; names of what is there.

    Raises `ConfigError` where the folder holds another reading or files that a reading would write over.
    """
    names = folder.names()
    if MARK not in names:
        if any(name.startswith("part-") for name in names):
            raise ConfigError(f"{out} holds part- files that no reading has left there; take another folder for --out")
        folder.write(MARK, wanted.to_json().encode())
        return names
    with folder.open(MARK) as file:
        content = file.read(_LARGEST + 1)
    try:
        if len(content) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST:,} bytes")
        found = Manifest.from_json(content)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{out}/{MARK} is damaged ({error}); take another folder for --out") from None
    for field, said in _SAID.items():
        have, want = getattr(found, field), getattr(wanted, field)
        if have != want:
            told = "" if field in ("digest", "weights") else f" ({_short(have)}, now {_short(want)})"
            raise ConfigError(
                f"{out} was begun with {said}{told}; give the same again to go on, or another folder for --out"
            )
    return names


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:20]}...{text[-1]}"
