"""The bundled example pictures with their truth, and what became of reading them."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handread.errors import DataError, HandreadError

if TYPE_CHECKING:
    from handread.recognizer import Recognizer
    from handread.types import Reading

TRUTH = "truth.csv"
"""Table in the folder of examples: image, label, alphabet, one."""

SURE, UNSURE = 0.9, 0.6
"""Confidences from which a reading is shown green, and yellow; below it is red."""


@dataclass(frozen=True, slots=True)
class Example:
    """One picture and what a perfect reading of it says."""

    path: Path
    truth: str
    alphabet: str
    one: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example; exactly one of `reading` and `error` is there."""

    example: Example
    reading: Reading | None = None
    error: HandreadError | None = None

    @property
    def right(self) -> bool:
        """The accepted characters are the truth's, spaces and lines aside."""
        if self.reading is None:
            return False
        accepted = "".join(c.text for c in self.reading.characters if c.accepted)
        return accepted == "".join(self.example.truth.split())

    @property
    def confidence(self) -> float:
        """Probability (0..1) that all accepted characters are right; 0 when there is none."""
        accepted = [c.confidence for c in self.reading.characters if c.accepted] if self.reading else []
        return math.prod(accepted) if accepted else 0.0


def find_examples() -> Path:
    """The folder of example pictures: inside the installed package, else beside it in the repository.

    Raises `DataError` when neither place has one.
    """
    package = Path(__file__).resolve().parent.parent
    places = (package / "examples", package.parent.parent / "examples")
    for place in places:
        if (place / TRUTH).is_file():
            return place
    raise DataError(
        f"there are no example pictures at {' or '.join(map(str, places))}; install Handread again to bring them back"
    )


def read_truth(folder: Path) -> list[Example]:
    """The examples that `folder`'s table lists, in its order; `DataError` when the table is damaged."""
    table = folder / TRUTH
    examples = []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                if None in row.values():
                    raise KeyError("a short row")
                path = folder / row["image"]
                examples.append(Example(path, row["label"], row["alphabet"], row["one"] == "1"))
    except OSError as error:
        raise DataError(f"cannot read {table}: {error.strerror}; install Handread again") from None
    except (KeyError, TypeError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{table} is damaged ({type(error).__name__}: {error}); it needs the columns image, label, alphabet, one"
        ) from None
    if not examples:
        raise DataError(f"{table} lists no pictures; install Handread again to bring them back")
    return examples


def attempt(reader: Recognizer, example: Example) -> Outcome:
    """Read one example; what is wrong with its picture becomes part of the outcome."""
    try:
        reading = reader.read(example.path, alphabet=example.alphabet, one=example.one)
    except HandreadError as error:
        return Outcome(example, error=error)
    return Outcome(example, reading)


def shade(confidence: float) -> str:
    """The colour's name for a confidence (0..1)."""
    return "green" if confidence >= SURE else "yellow" if confidence >= UNSURE else "red"
