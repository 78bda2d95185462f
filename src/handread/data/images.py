"""LabelledImages: a labelled set as a few arrays, whatever form it was stored in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handread.alphabet import NAMED, Alphabet
from handread.data.mapped import rows_of
from handread.errors import DataError
from handread.frame import DEFAULT_FRAME, Frame

UNKNOWN_WRITER = -1
"""In `LabelledImages.writers`: nobody knows who wrote this item."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """N single characters with their labels; checked on construction, `DataError` for what does not fit."""

    name: str
    images: npt.NDArray[np.uint8]
    """uint8 (N, H, W), 0 paper .. 255 full ink."""
    labels: npt.NDArray[np.int64]
    """int64 (N,), class indices into `alphabet`."""
    alphabet: Alphabet
    writers: npt.NDArray[np.int32] | None = None
    """int32 (N,), who wrote each item, -1 where unknown; None when nothing is known of writers."""
    case_known: npt.NDArray[np.bool_] | None = None
    """bool (N,), False where the label may have the wrong case; None when every label is believed."""
    cues: npt.NDArray[np.float32] | None = None
    """float32 (N, 4), size and position inside the picture (`handread.imaging`); None when lost."""
    frame: Frame | None = None
    """Where `images` are network inputs already, made by `handread.imaging`: how the ink lies in them. None for ink
    of any size."""
    files: tuple[str, ...] | None = None
    """The picture each item came from ("" for an item from an array); None when there were no pictures."""
    skipped: tuple[str, ...] = ()
    """Pictures that could not be read and were left out because the caller asked for it."""

    def __post_init__(self) -> None:
        _check(self.name, "images", self.images, np.uint8, 3)
        count = len(self.images)
        if 0 in self.images.shape[1:]:
            raise DataError(f"{self.name}: images have shape {self.images.shape}, expected (N, H, W)")
        expected: tuple[tuple[str, Any, int], ...] = (
            ("labels", np.int64, 1),
            ("writers", np.int32, 1),
            ("case_known", np.bool_, 1),
            ("cues", np.float32, 2),
        )
        for field, dtype, rank in expected:
            array = getattr(self, field)
            if array is None and field != "labels":
                continue
            _check(self.name, field, array, dtype, rank)
            if len(array) != count:
                raise DataError(f"{self.name}: {len(array)} {field} for {count} images, expected as many")
        if self.cues is not None and self.cues.shape[1] != 4:
            raise DataError(f"{self.name}: cues have shape {self.cues.shape}, expected ({count}, 4)")
        if self.files is not None and len(self.files) != count:
            raise DataError(f"{self.name}: {len(self.files)} files for {count} images, expected as many")
        if self.frame is not None and self.images.shape[1:] != self.frame.shape:
            raise DataError(f"{self.name}: images of {self.images.shape[1:]} pixels cannot be inputs of {self.frame}")
        outside = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.alphabet)))
        if outside.size:
            first = int(outside[0])
            raise DataError(
                f"{self.name}: item {first} has label {int(self.labels[first])}, outside "
                f"0..{len(self.alphabet) - 1} of the alphabet {self.alphabet.name!r}; "
                "give the alphabet that the labels count in"
            )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def normalised(self) -> bool:
        """True when `images` are network inputs already."""
        return self.frame is not None

    def characters(self) -> list[str]:
        """The true character of every item, N strings of length one."""
        return [self.alphabet[label] for label in self.labels.tolist()]

    def take(self, indices: npt.ArrayLike) -> LabelledImages:
        """The items at `indices` (integers, in that order, or a boolean mask of length N), copied."""
        chosen = np.asarray(indices)
        if chosen.dtype == np.bool_:
            if chosen.shape != (len(self),):
                raise DataError(f"{self.name}: a mask of shape {chosen.shape} for {len(self)} items")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64).reshape(-1)
        if chosen.size and (chosen.min() < -len(self) or chosen.max() >= len(self)):
            raise DataError(f"{self.name}: an index is outside 0..{len(self) - 1}")
        return dataclasses.replace(
            self,
            images=rows_of(self.images, chosen),
            labels=self.labels[chosen],
            writers=None if self.writers is None else self.writers[chosen],
            case_known=None if self.case_known is None else self.case_known[chosen],
            cues=None if self.cues is None else self.cues[chosen],
            files=None if self.files is None else tuple(self.files[i] for i in chosen.tolist()),
        )

    def restricted(self, alphabet: Alphabet | str) -> LabelledImages:
        """The items whose character is in `alphabet`, with labels counted in it; the others are left out."""
        wanted = Alphabet.of(alphabet)
        kept = np.flatnonzero(self._places_in(wanted)[self.labels] >= 0)
        return self.take(kept).relabelled(wanted)

    def relabelled(self, alphabet: Alphabet | str) -> LabelledImages:
        """The same items with labels counted in `alphabet`, matched by character.

        Raises `DataError` naming the first item whose character `alphabet` lacks.
        """
        wanted = Alphabet.of(alphabet)
        labels = self._places_in(wanted)[self.labels]
        outside = np.flatnonzero(labels < 0)
        if outside.size:
            first = int(outside[0])
            place = f"item {first}" + (f" ({self.files[first]})" if self.files and self.files[first] else "")
            raise DataError(
                f"{self.name}: {place} is {self.alphabet[int(self.labels[first])]!r}, outside the alphabet "
                f"{wanted.name!r} like {outside.size} of {len(self)} items in all; choose a wider alphabet"
            )
        return dataclasses.replace(self, labels=labels, alphabet=wanted)

    def _places_in(self, wanted: Alphabet) -> npt.NDArray[np.int64]:
        # Place in `wanted` of each of this alphabet's characters, -1 for those it lacks.
        return np.array([wanted.index(c) if c in wanted else -1 for c in self.alphabet], dtype=np.int64)

    @staticmethod
    def concatenate(parts: Sequence[LabelledImages], *, name: str | None = None) -> LabelledImages:
        """All items of `parts` in order, as one set.

        Labels are matched by character: a common alphabet stays, different ones become ``alphanumeric`` or,
        beyond it, their union in order of appearance. Writers of different parts are different people. Images
        of different sizes are brought to the network's input by `imaging.glyph.normalise`.
        """
        if not parts:
            raise DataError("nothing to join: name at least one data set")
        if len(parts) == 1:
            return parts[0] if name is None else dataclasses.replace(parts[0], name=name)
        alphabet = joint_alphabet([part.alphabet for part in parts])
        parts = [part.relabelled(alphabet) for part in parts]
        if len({(part.images.shape[1:], part.frame) for part in parts}) > 1:
            frame = next((part.frame for part in parts if part.frame is not None), DEFAULT_FRAME)
            parts = [part.as_input(frame) for part in parts]
        with_files = any(part.files is not None for part in parts)
        return LabelledImages(
            name=name or ",".join(part.name for part in parts),
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            alphabet=alphabet,
            writers=_joint_writers(parts),
            case_known=_joint_case(parts),
            cues=_joint_cues(parts),
            frame=parts[0].frame,
            files=tuple(f for p in parts for f in (p.files or ("",) * len(p))) if with_files else None,
            skipped=tuple(f for p in parts for f in p.skipped),
        )

    def as_input(self, frame: Frame = DEFAULT_FRAME) -> LabelledImages:
        """The same set with `images` as a network that takes `frame` sees them, uint8 (N, height, width).

        Raises `DataError` for inputs made for another frame: laid out twice, they would not be what reading gives.
        """
        if self.frame == frame:
            return self
        if self.frame is not None:
            raise DataError(
                f"{self.name} was loaded for inputs of {self.frame}, wanted are {frame}; "
                "load it with frame=reader.card.frame"
            )
        from handread.imaging.glyph import normalise  # OpenCV, only where it is needed

        return dataclasses.replace(self, images=normalise(self.images, frame)[:, 0], frame=frame)


def joint_alphabet(alphabets: Sequence[Alphabet]) -> Alphabet:
    """The alphabet that holds all of `alphabets`: theirs if equal, else alphanumeric, else their union."""
    first = alphabets[0]
    if all(a.characters == first.characters for a in alphabets):
        return first
    every = dict.fromkeys(c for a in alphabets for c in a)
    if all(c in NAMED["alphanumeric"] for c in every):
        return Alphabet.of("alphanumeric")
    return Alphabet.of(every)


def _check(name: str, field: str, array: object, dtype: Any, rank: int) -> None:
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name}: {field} is a {type(array).__name__}, expected a numpy array")
    if array.dtype != dtype or array.ndim != rank:
        raise DataError(
            f"{name}: {field} is {array.dtype} of rank {array.ndim}, expected {np.dtype(dtype)} of rank {rank}"
        )


def _joint_writers(parts: Sequence[LabelledImages]) -> npt.NDArray[np.int32] | None:
    if all(part.writers is None for part in parts):
        return None
    joined, used = [], 0
    for part in parts:
        if part.writers is None:
            joined.append(np.full(len(part), UNKNOWN_WRITER, np.int32))
            continue
        known, places = np.unique(part.writers, return_inverse=True)
        numbers = np.where(part.writers < 0, UNKNOWN_WRITER, places.reshape(-1) + used)
        used += len(known)
        joined.append(numbers.astype(np.int32))
    return np.concatenate(joined)


def _joint_case(parts: Sequence[LabelledImages]) -> npt.NDArray[np.bool_] | None:
    if all(part.case_known is None for part in parts):
        return None
    return np.concatenate([np.ones(len(p), np.bool_) if p.case_known is None else p.case_known for p in parts])


def _joint_cues(parts: Sequence[LabelledImages]) -> npt.NDArray[np.float32] | None:
    if all(part.cues is None for part in parts):
        return None
    # Zeros say "unknown", as in handread.imaging.cues.
    return np.concatenate([np.zeros((len(p), 4), np.float32) if p.cues is None else p.cues for p in parts])
