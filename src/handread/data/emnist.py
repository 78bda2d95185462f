"""EMNIST as published: what the name of a part says of its labels, and that its images lie transposed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handread.alphabet import DIGITS, LOWER, UPPER, Alphabet
from handread.data.arrays import as_ink
from handread.data.images import LabelledImages


@dataclass(frozen=True, slots=True)
class EmnistPart:
    """How one part of EMNIST as published counts its labels (Cohen et al. 2017, arXiv 1702.05373)."""

    alphabet: Alphabet
    first_label: int = 0
    merged: str = ""
    """Characters whose label stands for both cases."""

    def labelled(self, name: str, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> LabelledImages:
        """The set with its images upright, uint8 (N, H, W), and `case_known` False where cases are merged."""
        # Written column by column by MATLAB: as published, every image lies transposed.
        upright = np.ascontiguousarray(images.transpose(0, 2, 1))
        places = labels - self.first_label
        both = np.isin(places, [self.alphabet.index(c) for c in self.merged])
        return LabelledImages(name, as_ink(upright), places, self.alphabet, case_known=~both if self.merged else None)


_MERGED = "CIJKLMOPSUVWXYZ"
_BALANCED = EmnistPart(Alphabet("emnist-merge", tuple(DIGITS + UPPER + "abdefghnqrt")), merged=_MERGED)
_EMNIST = {
    "byclass": EmnistPart(Alphabet.of("alphanumeric")),
    "bymerge": _BALANCED,
    "balanced": _BALANCED,
    "letters": EmnistPart(Alphabet.of("upper"), first_label=1, merged=UPPER),
    "digits": EmnistPart(Alphabet.of("digits")),
    "mnist": EmnistPart(Alphabet.of("digits")),
}
assert set(_BALANCED.alphabet) == set(DIGITS + UPPER + LOWER) - set(_MERGED.lower())


def emnist_part(path: Path) -> EmnistPart | None:
    """The EMNIST part that a published file's name tells (``emnist-letters-train-...``), None for others.

    Only the name tells: the published bytes look like any IDX file, but their images are transposed.
    """
    match = re.match(r"emnist-([a-z]+)-", path.name.lower())
    return _EMNIST.get(match.group(1)) if match else None
