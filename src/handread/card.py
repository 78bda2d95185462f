"""ModelCard: what a weights file says of itself. It travels inside the ONNX file's metadata as JSON."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from handread.alphabet import Alphabet
from handread.errors import AlphabetError, ModelError, shown
from handread.frame import Frame

FORMAT = 3
"""Card format that this version writes; a file with a higher number is refused, never half understood. Format 1 had no
`window`, format 2 no `seen`; they are read with what they have."""

_LARGEST = 1 << 20
"""Characters of a card; the shipped one has some thousands."""

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
class Seen:
    """A sample of the images that the weights saw, as hashes: `handread.evaluation.leak` makes and asks it.

    No image can be made from it again. `ValueError` for what cannot be one.
    """

    count: int
    """Images that it was drawn from; drawn ones and those that are no character are not among them."""
    images: str
    """Hashes of network inputs, packed, base64."""
    looks: str
    """Hashes of what inputs look like, packed, base64."""
    complete: bool = True
    """False where the weights saw others too, of which nothing is known."""

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 0 or type(self.complete) is not bool:
            raise ValueError(f"the sample of images seen has count {self.count!r}, complete {self.complete!r}")
        for name in ("images", "looks"):
            text = getattr(self, name)
            try:
                content = base64.b64decode(text, validate=True) if len(text) <= _LONGEST else b""
            except (TypeError, ValueError, binascii.Error):
                content = b""
            # one byte of form and one of scale, then numbers of two bytes each
            if len(content) < 2 or len(content) % 2 or content[0] > 1 or content[1] > 63:
                raise ValueError(f"the sample of {name} seen is damaged")


_LONGEST = 16_384
"""Characters of a packed sample beyond which it is none of ours."""


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
    seen: Seen | None = None
    """By which an evaluation finds out that its data were trained on; None where nothing is known."""
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
        return json.dumps(self.to_plain(), ensure_ascii=False, sort_keys=True)

    def to_plain(self) -> dict[str, Any]:
        """The card as JSON has it: numbers, texts, lists and tables; without `seen` where nothing is known."""
        plain = dataclasses.asdict(self)
        if self.seen is None:
            del plain["seen"]
        return plain

    def described(self) -> dict[str, Any]:
        """As `to_plain`, without the hashes of `seen`, which tell people nothing."""
        plain = self.to_plain()
        if self.seen is not None:
            plain["seen"] = {"count": self.seen.count, "complete": self.seen.complete}
        return plain

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card; raises `ModelError` when it is damaged, foreign, or from a newer format."""
        if len(text) > _LARGEST:
            raise ModelError(
                f"the model card has {len(text):,} characters, up to {_LARGEST:,} are read; export it again"
            )
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the model card is not JSON ({error}); export the model again") from None
        if not isinstance(raw, dict):
            raise ModelError(f"the model card is a {type(raw).__name__}, not an object; export the model again")
        number = raw.get("format")
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ModelError(f"the model card has format {shown(number)}, which is no Handread card")
        if number > FORMAT:
            raise ModelError(
                f"the model card has format {shown(number)}, this Handread understands up to {FORMAT}: "
                "upgrade with pip install --upgrade handread"
            )
        try:
            return _checked(cls, raw)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ModelError(f"the model card is damaged: {error}; export the model again") from None


def _checked(cls: type[ModelCard], raw: dict[str, Any]) -> ModelCard:
    kinds = {f.name: f.type for f in dataclasses.fields(cls)}
    unknown = sorted(set(raw) - set(kinds))
    if unknown:
        raise ValueError(f"unknown field {shown(unknown[0])}")
    plain = {"str": str, "int": int, "bool": bool, "float": (int, float)}
    for name, value in raw.items():
        kind = plain.get(str(kinds[name]))
        wrong_bool = isinstance(value, bool) and kinds[name] != "bool"
        if kind is not None and (wrong_bool or not isinstance(value, kind)):  # type: ignore[arg-type]
            raise ValueError(f"{name} is {shown(value)}, expected {kinds[name]}")
        if isinstance(value, str):
            _check_text(name, value)
    scores = raw.get("scores", {})
    if not isinstance(scores, dict) or not all(type(v) in (int, float) and math.isfinite(v) for v in scores.values()):
        raise ValueError("scores is not a table of numbers")
    for name in scores:
        _check_text("scores", name)
    window = raw.get("window", ())
    if not isinstance(window, (list, tuple)) or not all(type(v) in (int, float) for v in window):
        raise ValueError(f"window is {shown(window)}, expected four numbers")
    data = tuple(DataSource(**d) for d in raw.get("data", ()))
    seen = None if raw.get("seen") is None else Seen(**raw["seen"])
    card = cls(**raw | {"data": data, "scores": dict(scores), "window": tuple(map(float, window)), "seen": seen})
    _ = card.frame  # raises for what cannot be
    if not 1e-3 <= card.temperature <= 1e3:
        raise ValueError(f"temperature is {card.temperature}, expected a positive number, 0.001 to 1000")
    for name in ("accept_above", "ink_above", "alphabet_above"):
        if not 0 <= getattr(card, name) <= 1:
            raise ValueError(f"{name} is {getattr(card, name)}, expected 0..1")
    try:
        Alphabet("the card's", tuple(card.alphabet))
    except AlphabetError as error:
        raise ValueError(str(error)) from None
    for row in card.data:
        texts = (row.name, row.licence, row.source)
        if type(row.count) is not int or row.count < 0 or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"its data holds {shown(row)}")
        for text in texts:
            _check_text("its data", text)
    return card


def _check_text(name: str, text: str) -> None:
    # It is shown on terminals and pages, and written into files: nothing in it may move a cursor or fit into no file.
    odd = next((c for c in text if not c.isprintable() and c not in "\n\t"), None)
    if odd is not None:
        raise ValueError(f"{name} holds the character {odd!r}, which cannot be shown")
