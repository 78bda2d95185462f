"""ModelCard: what a weights file says of itself. It travels inside the ONNX file's metadata as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from handread.errors import ModelError
from handread.frame import Frame

FORMAT = 2
"""Card format that this version writes; a file with a higher number is refused, never half understood."""

METADATA_KEY = "handread.card"
"""Key of the ONNX metadata entry that holds the card."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """One data set that the weights saw."""

    name: str
    count: int
    """Number of images used."""
    licence: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that is needed to use a weights file rightly, and to know where it came from."""

    name: str
    version: str
    alphabet: str
    """The characters in class order."""
    height: int = 32
    """Input height in pixels."""
    width: int = 32
    """Input width in pixels."""
    ink_side: int = 26
    """Longer side of the ink in the input in pixels."""
    centre: str = "box"
    """What stands in the middle of the input: the ink's ``box`` or its centre of ``mass``."""
    window: tuple[float, ...] = ()
    """Part of the picture that is shown instead of the ink alone (`handread.frame.Frame.window`); usually empty."""
    temperature: float = 1.0
    """Logits are divided by it before the softmax (Guo et al. 2017, On Calibration of Modern Neural Networks)."""
    accept_above: float = 0.0
    """A character is accepted when its confidence is at least this (0..1) ..."""
    ink_above: float = 0.0
    """... and the probability that the ink is a character at all is at least this (0..1) ..."""
    alphabet_above: float = 0.0
    """... and the probability that it is one of the alphabet in use is at least this (0..1)."""
    has_none: bool = False
    """The network has one more output, the last: this ink is no character."""
    has_cues: bool = False
    """The network takes a second input, the size-and-position cues (`handread.imaging.cues`)."""
    data: tuple[DataSource, ...] = ()
    recipe: str = ""
    """File name of the recipe that made the weights."""
    scores: dict[str, float] = field(default_factory=dict)
    """Measured figures, name -> value; counts and splits stand in the names."""
    licence: str = "Apache-2.0"
    format: int = FORMAT

    @property
    def frame(self) -> Frame:
        """How ink is laid into the input."""
        return Frame(self.height, self.width, self.ink_side, self.centre, self.window)

    def with_frame(self, frame: Frame) -> ModelCard:
        """The same card for a network that takes `frame`."""
        height, width = frame.shape
        return dataclasses.replace(
            self, height=height, width=width, ink_side=frame.ink, centre=frame.centre, window=frame.window
        )

    def to_json(self) -> str:
        """The card as one JSON object; `from_json` gives the equal card back."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card; raises `ModelError` when it is damaged, foreign, or from a newer format."""
        try:
            raw = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ModelError(f"the model card is not JSON ({error}); export the model again") from None
        if not isinstance(raw, dict):
            raise ModelError(f"the model card is a {type(raw).__name__}, not an object; export the model again")
        number = raw.get("format")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ModelError(f"the model card has format {number!r}, which is no Handread card")
        if number > FORMAT:
            raise ModelError(
                f"the model card has format {number}, this Handread understands up to {FORMAT}: "
                "upgrade with pip install --upgrade handread"
            )
        try:
            return _checked(cls, raw)
        except (TypeError, ValueError, KeyError) as error:
            raise ModelError(f"the model card is damaged: {error}; export the model again") from None


def _checked(cls: type[ModelCard], raw: dict[str, Any]) -> ModelCard:
    kinds = {f.name: f.type for f in dataclasses.fields(cls)}
    unknown = sorted(set(raw) - set(kinds))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    plain = {"str": str, "int": int, "bool": bool, "float": (int, float)}
    for name, value in raw.items():
        kind = plain.get(str(kinds[name]))
        wrong_bool = isinstance(value, bool) and kinds[name] != "bool"
        if kind is not None and (wrong_bool or not isinstance(value, kind)):  # type: ignore[arg-type]
            raise ValueError(f"{name} is {value!r}, expected {kinds[name]}")
    scores = raw.get("scores", {})
    if not isinstance(scores, dict) or not all(isinstance(v, (int, float)) for v in scores.values()):
        raise ValueError("scores is not a table of numbers")
    window = raw.get("window", ())
    if not isinstance(window, (list, tuple)) or not all(type(v) in (int, float) for v in window):
        raise ValueError(f"window is {window!r}, expected four numbers")
    data = tuple(DataSource(**d) for d in raw.get("data", ()))
    card = cls(**{**raw, "data": data, "scores": dict(scores), "window": tuple(float(v) for v in window)})
    _ = card.frame  # raises for what cannot be
    if not (math.isfinite(card.temperature) and card.temperature > 0):
        raise ValueError(f"temperature is {card.temperature}, expected a positive number")
    for name in ("accept_above", "ink_above", "alphabet_above"):
        if not 0 <= getattr(card, name) <= 1:
            raise ValueError(f"{name} is {getattr(card, name)}, expected 0..1")
    if len(set(card.alphabet)) != len(card.alphabet) or not card.alphabet:
        raise ValueError("the alphabet is empty or repeats a character")
    if any(character.isspace() for character in card.alphabet):
        raise ValueError("the alphabet holds a space")
    for row in card.data:
        if not (isinstance(row.count, int) and all(isinstance(v, str) for v in (row.name, row.licence, row.source))):
            raise ValueError(f"its data holds {row}")
    return card
