"""What a corruption is: ink images in, worse pictures out, at five strengths; and the registry of all of them.

A measuring stick, not training: nothing in `handread.training` or `handread.data` imports this.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from handread.errors import DataError
from handread.evaluation.stress_report import Kind
from handread.registry import Registry

if TYPE_CHECKING:
    from handread.types import UInt8Array

STRENGTHS = (1, 2, 3, 4, 5)
"""Strengths of every corruption. 3 is what a result is quoted at."""

Change: TypeAlias = "Callable[[UInt8Array, int, np.random.Generator], UInt8Array]"
"""Of ink images uint8 (N, H, W), a strength 1..5 and a generator: pictures uint8 (N, H', W')."""
Plain: TypeAlias = "Callable[[UInt8Array, np.random.Generator], UInt8Array]"
"""The same without the corruption."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way in which a picture of a character becomes worse."""

    name: str
    kind: Kind
    light_on_dark: bool
    """True when the pictures show bright strokes on a dark ground, as MNIST's arrays do."""
    says: str
    """One sentence: what it does, from little to much."""
    change: Change
    plain: Plain
    """What strength 0 gives."""

    def __call__(self, images: UInt8Array, strength: int, *, seed: int = 0) -> UInt8Array:
        """Pictures uint8 (N, H', W') of ink images uint8 (N, H, W), 0 paper .. 255 ink; the input stays as it is.

        Equal seeds give equal pictures, and the same accidents at every strength. Strength 0 of "mnist-c" gives the
        images themselves, of "paper" the characters as a pen writes them on plain paper. Raises `DataError` for other
        arrays and strengths.
        """
        if images.dtype != np.uint8 or images.ndim != 3 or 0 in images.shape:
            raise DataError(
                f"characters to corrupt come as uint8 (N, H, W), got {images.dtype} of shape {images.shape}"
            )
        if strength not in (0, *STRENGTHS):
            raise DataError(f"strength {strength} of {self.name} is outside 0..{STRENGTHS[-1]}")
        random = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        return self.change(images, strength, random) if strength else self.plain(images, random)


CORRUPTIONS = Registry[Corruption]("corruption")
"""All of them by name; `handread.evaluation.stress` registers them."""


def corruption(name: str, kind: Kind, *, light_on_dark: bool, plain: Plain) -> Callable[[Change], Change]:
    """Decorator that registers a function under `name`; its docstring becomes `Corruption.says`."""

    def keep(change: Change) -> Change:
        says = " ".join((change.__doc__ or "").split())
        CORRUPTIONS.register(name)(Corruption(name, kind, light_on_dark, says, change, plain))
        return change

    return keep
