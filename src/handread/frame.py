"""Frame: how the ink of one character is laid into a network's input."""

from __future__ import annotations

import math
from dataclasses import dataclass

LARGEST = 1024
"""Largest height and width of an input in pixels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size of a network's input and the place of the ink in it; `ValueError` for what cannot be.

    Handread's own networks take the default. MNIST's makers used ``Frame(28, 28, 20, "mass")`` (LeCun et al. 1998).
    """

    height: int = 32
    """Pixels."""
    width: int = 32
    """Pixels."""
    ink: int = 26
    """Longer side of the ink in pixels; its aspect ratio is kept."""
    centre: str = "box"
    """What stands in the middle of the input: the ink's bounding ``box``, or its centre of ``mass``."""
    window: tuple[float, ...] = ()
    """Top, left, bottom, right as fractions (0..1) of the picture: what is shown is this part of the picture, with
    the ink at its own size and place, widened where ink lies outside it. Empty: the ink alone, scaled to `ink`."""

    def __post_init__(self) -> None:
        if not (8 <= self.height <= LARGEST and 8 <= self.width <= LARGEST):
            raise ValueError(f"input size {self.height}x{self.width} is outside 8..{LARGEST}")
        if not 4 <= self.ink <= min(self.height, self.width):
            raise ValueError(f"ink of {self.ink} pixels is outside 4..{min(self.height, self.width)}")
        if self.centre not in ("box", "mass"):
            raise ValueError(f"centre is {self.centre!r}, expected box or mass")
        if self.window:
            if len(self.window) != 4 or not all(math.isfinite(v) and 0 <= v <= 1 for v in self.window):
                raise ValueError(f"window is {self.window}, expected four fractions of the picture")
            top, left, bottom, right = self.window
            if not (top < bottom and left < right):
                raise ValueError(f"window {self.window} is empty; expected top < bottom and left < right")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    def __str__(self) -> str:
        """As people name it: ``28x28, ink 20 centred by mass``."""
        placed = "a window of the picture" if self.window else f"ink {self.ink} centred by {self.centre}"
        return f"{self.height}x{self.width}, {placed}"


DEFAULT_FRAME = Frame()
"""What Handread's own networks take."""
MNIST_FRAME = Frame(28, 28, 20, "mass")
"""What MNIST's makers did, and what networks trained on its files expect."""
