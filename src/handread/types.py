"""The values that cross Handread's borders, all frozen, and the array aliases with their meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # the command line's help must not load numpy
    import numpy as np
    import numpy.typing as npt

    UInt8Array: TypeAlias = npt.NDArray[np.uint8]
    GrayImage: TypeAlias = npt.NDArray[np.uint8]
    """uint8 (H, W), 0 black .. 255 white, upright."""
    InkImage: TypeAlias = npt.NDArray[np.uint8]
    """uint8 (H, W), 0 paper .. 255 full ink."""
    ModelInput: TypeAlias = npt.NDArray[np.uint8]
    """uint8 (N, 1, S, S) normalised glyphs, 0 paper .. 255 full ink."""
    Cues: TypeAlias = npt.NDArray[np.float32]
    """float32 (N, 4) size-and-position cues, see `handread.imaging.cues`."""
    Logits: TypeAlias = npt.NDArray[np.float32]
    """float32 (N, K)."""
    Labels: TypeAlias = npt.NDArray[np.int64]
    """int64 (N,) class indices."""
    Floats: TypeAlias = npt.NDArray[np.float32]
    """float32 of any shape."""
    Doubles: TypeAlias = npt.NDArray[np.float64]
    """float64 of any shape."""
    Reals: TypeAlias = npt.NDArray[np.floating[Any]]
    """float32 or float64, of any shape."""
    Random: TypeAlias = np.random.Generator
    """Where chance comes from, so that a seed repeats it."""
    Progress: TypeAlias = Callable[[int, int], None]
    """Called with what is done, pictures for the most part, and the total."""

REFUSED = "\N{REPLACEMENT CHARACTER}"
"""Stands for a refused character in a strict reading's text."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the source picture, origin top left."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column to the right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    def scaled(self, factor: float) -> Box:
        """The same place in the picture made `factor` times as large, rounded to whole pixels."""
        return Box(*(round(v * factor) for v in (self.x, self.y, self.width, self.height)))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One character that the ink may be, with its calibrated probability (0..1)."""

    character: str
    probability: float


@dataclass(frozen=True, slots=True)
class Character:
    """One place in a reading: candidates, most probable first, where it stands, and whether it is believed."""

    candidates: tuple[Candidate, ...]
    box: Box
    accepted: bool
    reason: str = ""
    """Why it was refused, one phrase; empty when accepted."""

    @property
    def text(self) -> str:
        """The most probable character."""
        return self.candidates[0].character

    @property
    def confidence(self) -> float:
        """Calibrated probability (0..1) of `text`."""
        return self.candidates[0].probability


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in one picture. `text` joins lines by a newline and words by a space."""

    text: str
    characters: tuple[Character, ...]
    confidence: float
    """Product of the characters' confidences: the probability that the whole text is right; 0 when empty."""

    @property
    def accepted(self) -> bool:
        """True when there is at least one character and none was refused."""
        return bool(self.characters) and all(c.accepted for c in self.characters)
