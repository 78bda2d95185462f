"""Recognizer: pictures in, characters out; the one class most users meet.

    reader = Recognizer()
    reader.read("number.jpg", alphabet="digits").text
    labels, probabilities = reader.classify(images, alphabet="digits")

Pictures and arrays pass through the same normalisation and the same network, whatever their kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from handread import decode
from handread.alphabet import Alphabet
from handread.errors import ImageError, ModelError
from handread.imaging.cues import picture_cue
from handread.imaging.glyph import normalise
from handread.imaging.ink import extract_ink
from handread.imaging.read import read_picture
from handread.imaging.segment import at_reading_size, segment
from handread.imaging.single import Single, single_character, single_with_ink
from handread.layout import are_characters, find_characters
from handread.runtime import store
from handread.runtime.session import CHUNK, Session
from handread.types import Box

if TYPE_CHECKING:
    from handread.card import ModelCard
    from handread.decode import Scores
    from handread.imaging.read import Source
    from handread.types import Cues, Floats, InkImage, Labels, Logits, ModelInput, Reading, UInt8Array

_PART = 256
"""Characters that are laid out at a time; the network takes them in smaller portions."""

AlphabetSpec = str | Iterable[str] | Alphabet


class Runs(Protocol):
    """What a recogniser needs of a network: `handread.runtime.session.Session` has it."""

    @property
    def card(self) -> ModelCard:
        """What the weights file says of itself."""

    @property
    def alphabet(self) -> Alphabet:
        """The characters in class order."""

    @property
    def threads(self) -> int:
        """How many chunks of a large batch run at once."""

    def run(self, images: ModelInput, cues: Cues | None = None) -> Logits:
        """Logits float32 (N, K) of `images` uint8 (N, 1, height, width) and `cues` float32 (N, 4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A reading and what the network was shown of it."""

    reading: Reading
    ink: InkImage
    """uint8 (H, W), 0 paper .. 255 ink: the picture's ink as it was cleaned, at the size at which it was read."""
    glyphs: ModelInput
    """uint8 (N, 1, height, width), the network's input for each character of the reading."""
    cues: Cues
    """float32 (N, 4), its size and place (`handread.imaging.cues`)."""


class Recognizer:
    """Reads pictures with one network. Loads in milliseconds; any number of threads may share it."""

    __slots__ = ("_frame", "_session")

    def __init__(self, model: str | Path = "handread", *, threads: int | None = None) -> None:
        """Load a shipped `model` by name or any by its path.

        `threads` is how much of a batch runs at once, by default one part a processor core; a single picture
        always takes one. Raises `UnknownNameError` for a name that is not shipped, `ModelError` for a file
        that is no whole ONNX model with a card.
        """
        self._session: Runs = Session(store.load(model), name=str(model), threads=threads)
        self._frame = self.card.frame

    @classmethod
    def of_session(cls, session: Runs) -> Recognizer:
        """A recogniser over a network that is loaded already, or over one that a server shares among requests."""
        made = cls.__new__(cls)
        made._session = session
        made._frame = session.card.frame
        return made

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
            return self._read_singles([self._single(source)], wanted, top, strict)[0]
        return self._read_lines(source, wanted, top, strict).reading

    def look(
        self,
        source: Source,
        *,
        alphabet: AlphabetSpec | None = None,
        one: bool = False,
        top: int = 3,
        strict: bool = False,
    ) -> Seen:
        """As `read`, and with the reading what the network was shown."""
        wanted = self._wanted(alphabet)
        if not one:
            return self._read_lines(source, wanted, top, strict)
        single, ink = single_with_ink(source, self._frame)
        reading = self._read_singles([single], wanted, top, strict)[0]
        count = len(reading.characters)
        return Seen(reading, ink, single.glyph[None, None][:count], single.cue[None][:count])

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
                singles = list(pool.map(self._single, sources))
                return self._read_singles(singles, wanted, top, strict)
            return list(pool.map(partial(self.read, alphabet=wanted, top=top, strict=strict), sources))

    def read_singles(
        self,
        singles: Sequence[Single],
        *,
        alphabet: AlphabetSpec | None = None,
        top: int = 3,
        strict: bool = False,
    ) -> list[Reading]:
        """Readings of pictures of one character that `imaging.single` has prepared for `card.frame`, in order."""
        return self._read_singles(singles, self._wanted(alphabet), top, strict)

    def classify(self, images: UInt8Array, *, alphabet: AlphabetSpec | None = None) -> tuple[Labels, Floats]:
        """Classes of single characters: uint8 (N, H, W), 0 paper .. 255 ink, such as MNIST's arrays.

        Returns the labels, int64 (N,), counted in `alphabet`, and the calibrated probabilities, float32
        (N, K). Nothing is refused; `score` tells what is. Raises `ImageError` for another dtype or rank.
        """
        wanted = self._wanted(alphabet)
        _check_images(images)
        found = decode.chances(self._answers_to(images), self.card, wanted)
        return np.asarray(found.argmax(axis=1), dtype=np.int64), found

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
        `normalised` the images are network inputs already, laid out as `card.frame` says. Raises `ImageError`
        for another dtype or rank, `AlphabetError` for a character that the network has never seen.
        """
        wanted = self._wanted(alphabet)
        _check_images(images)
        glyphs = _as_inputs(images, self.card) if normalised else normalise(images, self._frame)
        if cues is not None:
            cues = _as_cues(cues, len(images))
        return self._score(glyphs, cues, wanted)

    def _wanted(self, alphabet: AlphabetSpec | None) -> Alphabet:
        if alphabet is None:
            return self.alphabet
        wanted = Alphabet.of(alphabet)
        decode.places(self.alphabet, wanted)  # refuse before any picture is opened
        return wanted

    def _single(self, source: Source) -> Single:
        return single_character(source, self._frame)

    def _score(self, glyphs: UInt8Array, cues: Floats | None, wanted: Alphabet) -> Scores:
        """Scores of network inputs, uint8 (N, 1, height, width)."""
        blank = np.logical_not(glyphs.any(axis=(1, 2, 3)))
        return decode.score(self._answers(glyphs, cues), self.card, wanted, blank=blank)

    def _answers_to(self, images: UInt8Array) -> Floats:
        """Logits of characters, uint8 (N, H, W): this thread lays them out part by part, others read what is ready.

        Laying out on several threads is slower than on one: its calls are so short that Python's lock is all they do.
        """
        if self._session.threads == 1 or len(images) <= CHUNK:
            return self._answers(normalise(images, self._frame), None)
        with ThreadPoolExecutor(self._session.threads) as pool:
            found = []
            for start in range(0, len(images), _PART):
                glyphs = normalise(images[start : start + _PART], self._frame)
                found += [
                    pool.submit(self._answers, glyphs[first : first + CHUNK], None)
                    for first in range(0, len(glyphs), CHUNK)
                ]
            return np.concatenate([part.result() for part in found])

    def _answers(self, glyphs: UInt8Array, cues: Floats | None) -> Floats:
        """Logits of network inputs, one row each."""
        logits = self._session.run(glyphs, cues)
        if len(logits) != len(glyphs):
            raise ModelError(
                f"{self.card.name} gave {len(logits)} answers for {len(glyphs)} characters; export the model again"
            )
        return logits

    def _read_singles(self, singles: Sequence[Single], wanted: Alphabet, top: int, strict: bool) -> list[Reading]:
        inked = [single for single in singles if not single.empty]
        if not inked:
            return [decode.reading_from(())] * len(singles)
        glyphs = np.stack([single.glyph for single in inked])[:, None]
        scores = self._score(glyphs, np.stack([single.cue for single in inked]), wanted)
        characters = iter(decode.character_from(scores, i, single.box, top) for i, single in enumerate(inked))
        return [decode.reading_from(() if single.empty else (next(characters),), strict=strict) for single in singles]

    def _read_lines(self, source: Source, wanted: Alphabet, top: int, strict: bool) -> Seen:
        if self.card.window:
            raise ModelError(
                f"{self.card.name} was trained on pictures of one character at its own size and cannot read a page; "
                "read such pictures with --one (one=True)"
            )
        picture = read_picture(source)
        ink, shrink = at_reading_size(extract_ink(picture.gray))
        spots = find_characters(segment(ink), lambda glyphs, cues: self._score(glyphs, cues, wanted), self._frame)
        if not spots:
            nothing = np.zeros((0, 1, *self._frame.shape), dtype=np.uint8)
            return Seen(decode.reading_from(()), ink, nothing, np.zeros((0, 4), dtype=np.float32))
        glyphs = np.stack([spot.glyph for spot in spots])
        cues = np.stack([spot.cue for spot in spots])
        if len(spots) == 1:  # alone on its picture: the picture is the only frame
            cues[0] = picture_cue(spots[0].box, ink.shape[0])
        scores = self._score(glyphs, cues, wanted)
        width, height = (round(side * picture.scale) for side in picture.gray.shape[::-1])
        found = [
            decode.character_from(scores, i, _within(spot.box.scaled(picture.scale * shrink), width, height), top)
            for i, spot in enumerate(spots)
        ]
        if len(found) == 1:
            return Seen(decode.reading_from(found, strict=strict), ink, glyphs, cues)
        # among characters, a blot or a slash is no place in the text
        characters, gaps, gap = [], [], ""
        keep = are_characters(spots, scores)
        for character, spot, kept in zip(found, spots, keep, strict=True):
            gap = max(gap, spot.before, key=len) if "\n" not in (gap, spot.before) else "\n"
            if kept:
                characters.append(character)
                gaps.append(gap)
                gap = ""
        reading = decode.reading_from(characters, gaps=["", *gaps[1:]], strict=strict)
        return Seen(reading, ink, glyphs[keep], cues[keep])


def _within(box: Box, width: int, height: int) -> Box:
    """The part inside the picture: one made small was rounded, and what was rounded up reaches beyond when enlarged."""
    x, y = min(box.x, width - 1), min(box.y, height - 1)
    return Box(x, y, min(box.width, width - x), min(box.height, height - y))


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


def _as_inputs(images: UInt8Array, card: ModelCard) -> UInt8Array:
    if images.shape[1:] != card.frame.shape:
        raise ImageError(
            f"normalised characters for {card.name} have shape (N, {card.height}, {card.width}), these "
            f"{images.shape}; leave out normalised=True for images of any other kind"
        )
    return images[:, None]


def _as_cues(cues: npt.NDArray[np.float32], count: int) -> Floats:
    if not isinstance(cues, np.ndarray) or cues.shape != (count, 4) or not np.isfinite(cues).all():
        shape = getattr(cues, "shape", type(cues).__name__)
        raise ImageError(f"cues are finite numbers of shape ({count}, 4), got {shape}")
    return cues.astype(np.float32, copy=False)
