"""Recognizer: pictures in, characters out; the one class most users meet.

    reader = Recognizer()
    reader.read("number.jpg", alphabet="digits").text
    labels, probabilities = reader.classify(images, alphabet="digits")

Pictures and arrays pass through the same normalisation and the same network, whatever their kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread import decode
from handread.alphabet import Alphabet
from handread.errors import ImageError, ModelError
from handread.imaging.cues import picture_cue
from handread.imaging.glyph import SIZE, normalise
from handread.imaging.ink import extract_ink
from handread.imaging.read import read_picture
from handread.imaging.segment import at_reading_size, segment
from handread.imaging.single import Single, single_character
from handread.page import are_characters, find_characters
from handread.runtime import store
from handread.runtime.session import Session
from handread.types import Box

if TYPE_CHECKING:
    from handread.card import ModelCard
    from handread.decode import Floats, Scores
    from handread.imaging.read import Source
    from handread.types import Labels, Reading, UInt8Array

AlphabetSpec = str | Iterable[str] | Alphabet


class Recognizer:
    """Reads pictures with one network. Loads in milliseconds; any number of threads may share it."""

    __slots__ = ("_session",)

    def __init__(self, model: str | Path = "handread", *, threads: int | None = None) -> None:
        """Load a shipped `model` by name or any by its path.

        `threads` is how much of a batch runs at once, by default one part a processor core; a single picture
        always takes one. Raises `UnknownNameError` for a name that is not shipped, `ModelError` for a file
        that is no whole ONNX model with a card.
        """
        self._session = Session(store.load(model), name=str(model), threads=threads)
        if (self.card.height, self.card.width) != (SIZE, SIZE):
            raise ModelError(
                f"{model} takes {self.card.height} x {self.card.width} pixels, Handread's imaging gives "
                f"{SIZE} x {SIZE}; train or export it for that size"
            )

    @property
    def card(self) -> ModelCard:
        """What the weights file says of itself."""
        return self._session.card

    @property
    def alphabet(self) -> Alphabet:
        """All characters that the network knows, in class order."""
        return self._session.alphabet

    def read(
        self,
        source: Source,
        *,
        alphabet: AlphabetSpec | None = None,
        one: bool = False,
        top: int = 3,
        strict: bool = False,
    ) -> Reading:
        """Read one picture: a path, the bytes of a file, a binary stream, an array or a PIL image.

        `alphabet` is what the picture may hold: a name such as "digits" or the characters themselves; None
        allows all that the network knows. With `one` the picture holds exactly one character and is not
        segmented. Each character carries its `top` best candidates. In a strict reading refused characters
        stand as U+FFFD in the text. A picture without ink gives an empty reading. Raises `ImageError` for a
        picture that cannot be read and `AlphabetError` for a character that the network has never seen.
        """
        wanted = self._wanted(alphabet)
        if one:
            return self._decode_singles([single_character(source)], wanted, top, strict)[0]
        return self._read_lines(source, wanted, top, strict)

    def read_many(
        self,
        sources: Iterable[Source],
        *,
        alphabet: AlphabetSpec | None = None,
        one: bool = False,
        top: int = 3,
        strict: bool = False,
    ) -> list[Reading]:
        """Read several pictures, in order and side by side; otherwise as `read`.

        The first picture that cannot be read raises its `ImageError`: where the others matter all the same,
        call `read` for each.
        """
        wanted = self._wanted(alphabet)
        with ThreadPoolExecutor(self._session.threads) as pool:
            if one:
                singles = list(pool.map(single_character, sources))
                return self._decode_singles(singles, wanted, top, strict)
            return list(pool.map(partial(self.read, alphabet=wanted, top=top, strict=strict), sources))

    def classify(self, images: UInt8Array, *, alphabet: AlphabetSpec | None = None) -> tuple[Labels, Floats]:
        """Classes of single characters: uint8 (N, H, W), 0 paper .. 255 ink, such as MNIST's arrays.

        Returns the labels, int64 (N,), counted in `alphabet`, and the calibrated probabilities, float32
        (N, K). Nothing is refused; `score` tells what is. Raises `ImageError` for another dtype or rank.
        """
        scores = self.score(images, alphabet=alphabet)
        return scores.labels, scores.probabilities

    def score(
        self,
        images: UInt8Array,
        *,
        cues: npt.NDArray[np.float32] | None = None,
        normalised: bool = False,
        alphabet: AlphabetSpec | None = None,
    ) -> Scores:
        """Probabilities and acceptance of single characters, uint8 (N, H, W), 0 paper .. 255 ink.

        `cues`, float32 (N, 4), tell size and position where they are known (`handread.imaging.cues`). With
        `normalised` the images are network inputs already, uint8 (N, 32, 32). Raises `ImageError` for another
        dtype or rank, `AlphabetError` for a character that the network has never seen.
        """
        wanted = self._wanted(alphabet)
        _check_images(images)
        glyphs = _as_inputs(images) if normalised else normalise(images)
        if cues is not None:
            cues = _as_cues(cues, len(images))
        return self._score(glyphs, cues, wanted)

    def _wanted(self, alphabet: AlphabetSpec | None) -> Alphabet:
        if alphabet is None:
            return self.alphabet
        wanted = Alphabet.of(alphabet)
        self.alphabet.indices_of(wanted)  # refuse before any picture is opened
        return wanted

    def _score(self, glyphs: UInt8Array, cues: Floats | None, wanted: Alphabet) -> Scores:
        """Scores of network inputs, uint8 (N, 1, 32, 32)."""
        blank = np.logical_not(glyphs.any(axis=(1, 2, 3)))
        return decode.score(self._session.run(glyphs, cues), self.card, wanted, blank=blank)

    def _decode_singles(self, singles: list[Single], wanted: Alphabet, top: int, strict: bool) -> list[Reading]:
        inked = [single for single in singles if not single.empty]
        if not inked:
            return [decode.reading_from(())] * len(singles)
        glyphs = np.stack([single.glyph for single in inked])[:, None]
        scores = self._score(glyphs, np.stack([single.cue for single in inked]), wanted)
        characters = iter(decode.character_from(scores, i, single.box, top) for i, single in enumerate(inked))
        return [decode.reading_from(() if single.empty else (next(characters),), strict=strict) for single in singles]

    def _read_lines(self, source: Source, wanted: Alphabet, top: int, strict: bool) -> Reading:
        picture = read_picture(source)
        ink, shrink = at_reading_size(extract_ink(picture.gray))
        spots = find_characters(segment(ink), lambda glyphs, cues: self._score(glyphs, cues, wanted))
        if not spots:
            return decode.reading_from(())
        cues = np.stack([spot.cue for spot in spots])
        if len(spots) == 1:  # alone on its picture: the picture is the only frame
            cues[0] = picture_cue(spots[0].box, ink.shape[0])
        scores = self._score(np.stack([spot.glyph for spot in spots]), cues, wanted)
        found = [
            decode.character_from(scores, i, _scaled(spot.box, picture.scale * shrink), top)
            for i, spot in enumerate(spots)
        ]
        if len(found) == 1:
            return decode.reading_from(found, strict=strict)
        # among characters, a blot or a slash is no place in the text
        characters, gaps, gap = [], [], ""
        for character, spot, kept in zip(found, spots, are_characters(spots, scores), strict=True):
            gap = max(gap, spot.before, key=len) if "\n" not in (gap, spot.before) else "\n"
            if kept:
                characters.append(character)
                gaps.append(gap)
                gap = ""
        return decode.reading_from(characters, gaps=["", *gaps[1:]], strict=strict)


def _scaled(box: Box, scale: float) -> Box:
    return Box(*(round(v * scale) for v in (box.x, box.y, box.width, box.height)))


def _check_images(images: Any) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 3:
        got = (
            f"{images.dtype} of shape {images.shape}"
            if isinstance(images, np.ndarray)
            else f"a {type(images).__name__}"
        )
        hint = ""
        if isinstance(images, np.ndarray):
            if images.dtype.kind == "f" and not np.isfinite(images).all():
                hint = "; it also holds NaN or infinite values"
            elif images.dtype == np.uint8 and images.ndim == 2:
                hint = "; a single image needs an axis in front: image[None]"
        raise ImageError(f"characters come as uint8 (N, H, W), 0 paper .. 255 ink, this is {got}{hint}")
    if 0 in images.shape[1:]:
        raise ImageError(f"characters of shape {images.shape} have no pixels; expected (N, H, W)")


def _as_inputs(images: UInt8Array) -> UInt8Array:
    if images.shape[1:] != (SIZE, SIZE):
        raise ImageError(
            f"normalised characters have shape (N, {SIZE}, {SIZE}), these {images.shape}; "
            "leave out normalised=True for images of any other kind"
        )
    return images[:, None]


def _as_cues(cues: npt.NDArray[np.float32], count: int) -> Floats:
    if not isinstance(cues, np.ndarray) or cues.shape != (count, 4) or not np.isfinite(cues).all():
        shape = getattr(cues, "shape", type(cues).__name__)
        raise ImageError(f"cues are finite numbers of shape ({count}, 4), got {shape}")
    return cues.astype(np.float32, copy=False)
