"""Pictures to outcomes: a few at a time, each a reading or the sentence that says why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handread.errors import HandreadError, ImageError, bug
from handread.imaging.single import Single, single_character
from handread.scale.address import fetch, is_remote

if TYPE_CHECKING:
    from handread.recognizer import Recognizer
    from handread.scale.entry import Picture
    from handread.types import Reading

BATCH = 32
"""Pictures of one character that the network is shown at once. The answers of a network differ in their last bits
with the size of a batch, so every engine cuts a shard into the same batches."""
BATCH_BYTES = 8 << 20
"""A batch ends before its pictures hold more bytes than this, so that large ones do not fill the memory."""


@dataclass(frozen=True, slots=True)
class Options:
    """How every picture is read; the words of `handread.recognizer.Recognizer.read`."""

    alphabet: str
    """The characters that a picture may hold."""
    one: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one picture."""

    source: str
    reading: Reading | None = None
    error: str | None = None

    def row(self) -> dict[str, Any]:
        """The row of `handread.scale.parquet.SCHEMA`."""
        found = self.reading
        return {
            "source": _printable(self.source),
            "text": found.text if found else "",
            "confidence": found.confidence if found else 0.0,
            "accepted": found.accepted if found else False,
            "characters": [
                {
                    "text": c.text,
                    "confidence": c.confidence,
                    "accepted": c.accepted,
                    "reason": c.reason,
                    "x": c.box.x,
                    "y": c.box.y,
                    "width": c.box.width,
                    "height": c.box.height,
                }
                for c in (found.characters if found else ())
            ],
            "error": None if self.error is None else _printable(self.error),
        }


def batches(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """`pictures` in runs of at most `BATCH`, fewer where they hold many bytes; the same runs every time."""
    batch: list[Picture] = []
    size = 0
    for picture in pictures:
        own = len(picture.content or b"")
        if batch and (len(batch) == BATCH or size + own > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(picture)
        size += own
    if batch:
        yield batch


def read_batch(reader: Recognizer, pictures: Sequence[Picture], options: Options, base: str) -> list[Outcome]:
    """One outcome a picture, in order; `base` is the folder from which local addresses are seen.

    Raises only what is wrong with the model or the options: `ModelError`, `AlphabetError`.
    """
    if options.one:
        return _read_singles(reader, pictures, options, base)
    found = []
    for picture in pictures:
        try:
            reading = reader.read(_content(picture, base), alphabet=options.alphabet, top=1, strict=options.strict)
        except Exception as error:
            found.append(Outcome(picture.source, error=_sentence(error)))
        else:
            found.append(Outcome(picture.source, reading))
    return found


def _read_singles(reader: Recognizer, pictures: Sequence[Picture], options: Options, base: str) -> list[Outcome]:
    frame = reader.card.frame
    seen: list[Single | str] = []
    for picture in pictures:
        try:
            seen.append(single_character(_content(picture, base), frame))
        except Exception as error:
            seen.append(_sentence(error))
    singles = [one for one in seen if isinstance(one, Single)]
    readings = iter(reader.read_singles(singles, alphabet=options.alphabet, top=1, strict=options.strict))
    return [
        Outcome(picture.source, error=one) if isinstance(one, str) else Outcome(picture.source, next(readings))
        for picture, one in zip(pictures, seen, strict=True)
    ]


def _content(picture: Picture, base: str) -> bytes | str:
    if picture.error:
        raise ImageError(picture.error)
    if picture.content is not None:
        return picture.content
    return fetch(picture.address) if is_remote(picture.address) else os.path.join(base, picture.address)


def _sentence(error: Exception) -> str:
    """What is wrong with one picture. Raises the error again where it is the model's or the options'."""
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, HandreadError):
        raise error
    # One picture that nobody has foreseen must not end the reading of millions.
    return bug(error, "with the picture")


def _printable(text: str) -> str:
    # File names may hold bytes that are no UTF-8; Parquet takes nothing else.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
