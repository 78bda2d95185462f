"""How often the shipped model is right, on real handwriting that it was not trained on.

    python -m benchmarks.run accuracy --data FOLDER [--update-readme]

FOLDER holds what is there of: mnist/ (the four IDX files), emnist/validation.npz, photos/validation/ (class
folders), transfer/usps.npz, transfer/scanned-digits/ (class folders), strings/validation/ (labels.csv and
pictures), blank-cells/ (pictures of nothing). Sets that are not there are left out and named.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import RESULTS, Row, markdown

if TYPE_CHECKING:
    from handread.recognizer import Recognizer

FILE = RESULTS / "accuracy.csv"
COLUMNS = ("set", "split", "measure", "n", "value", "low", "high", "model", "version", "weights")


@dataclass(frozen=True, slots=True)
class Count:
    """One measure on one set: `right` of `n`."""

    set: str
    split: str
    measure: str
    right: int
    n: int


@dataclass(frozen=True, slots=True)
class Characters:
    """A set of single characters and what is measured on it."""

    set: str
    split: str
    place: str
    """Below FOLDER."""
    load_split: str | None
    alphabet: str
    measures: tuple[str, ...]

    def measure(self, reader: Recognizer, path: Path) -> Iterator[Count]:
        """Every item counts, refused or not."""
        from handread import evaluate, load_data
        from handread.alphabet import Alphabet

        items = load_data(path, split=self.load_split).restricted(Alphabet.of(self.alphabet))
        report = evaluate(reader, items, alphabet=self.alphabet)
        for measure in self.measures:
            share = getattr(report, "accuracy" if measure.startswith("accuracy") else measure)
            yield Count(self.set, self.split, measure, round(share * report.n), report.n)


@dataclass(frozen=True, slots=True)
class Strings:
    """Pictures of several digits with what stands there; right when the whole is right."""

    set: str
    split: str
    place: str

    def measure(self, reader: Recognizer, path: Path) -> Iterator[Count]:
        """The text as it is read, refused characters at their best guess, without spaces and lines."""
        with (path / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        texts = [reader.read(path / row["image"], alphabet="digits").text for row in rows]
        right = sum("".join(text.split()) == row["label"] for text, row in zip(texts, rows, strict=True))
        yield Count(self.set, self.split, "whole", right, len(rows))


@dataclass(frozen=True, slots=True)
class Blanks:
    """Pictures without a character; right when nothing is accepted."""

    set: str
    split: str
    place: str

    def measure(self, reader: Recognizer, path: Path) -> Iterator[Count]:
        """As `handread read --one` reads them, all 62 classes allowed."""
        files = sorted(file for file in path.iterdir() if file.is_file())
        readings = [reader.read(file, one=True) for file in files]
        refused = sum(not any(c.accepted for c in reading.characters) for reading in readings)
        yield Count(self.set, self.split, "refused", refused, len(files))


LETTERS = ("accuracy", "top2", "case_insensitive", "merged")
SETS: tuple[Characters | Strings | Blanks, ...] = (
    Characters("mnist", "test", "mnist", "test", "digits", ("accuracy",)),
    Characters("emnist", "validation", "emnist/validation.npz", None, "alphanumeric", LETTERS),
    Characters("photos", "validation", "photos/validation", None, "alphanumeric", LETTERS),
    Characters("photos", "validation", "photos/validation", None, "digits", ("accuracy among digits",)),
    Characters("usps", "all", "transfer/usps.npz", None, "digits", ("accuracy",)),
    Characters("scanned-digits", "all", "transfer/scanned-digits", None, "digits", ("accuracy",)),
    Strings("strings", "validation", "strings/validation"),
    Blanks("blank-cells", "all", "blank-cells"),
)

TITLES = {
    ("mnist", "accuracy"): "MNIST, test file: digits among digits",
    ("emnist", "accuracy"): "EMNIST, validation: 62 classes, exactly as labelled",
    ("emnist", "top2"): "— the label among the first two answers",
    ("emnist", "case_insensitive"): "— upper and lower case taken as one",
    ("emnist", "merged"): "— look-alikes taken as one (c/C, o/O/0, l/I/1 …)",
    ("photos", "accuracy"): "Phone photographs, validation: 62 classes, exactly as labelled",
    ("photos", "top2"): "— the label among the first two answers",
    ("photos", "case_insensitive"): "— upper and lower case taken as one",
    ("photos", "merged"): "— look-alikes taken as one",
    ("photos", "accuracy among digits"): "— its digits among digits",
    ("usps", "accuracy"): "USPS: postal digits, no image of this set was trained on",
    ("scanned-digits", "accuracy"): "Scanned digits, no image of this set was trained on",
    ("strings", "whole"): "Amounts on cheques: the whole number right, no lexicon, no image of this set was trained on",
    ("blank-cells", "refused"): "Empty form cells with dirt and edges: refused or read as empty",
}


def measure(data: Path, model: str, say: Callable[[str], None]) -> list[Row]:
    """One row for every measure on every set that is there; `say` hears of each."""
    import hashlib

    from handread.evaluation.metrics import wilson_interval
    from handread.recognizer import Recognizer
    from handread.runtime import store

    reader = Recognizer(model)
    weights = hashlib.sha256(store.load(model)).hexdigest()[:12]
    rows: list[Row] = []
    for part in SETS:
        path = data / part.place
        if not path.exists():
            say(f"{part.place} is not there: left out")
            continue
        for count in part.measure(reader, path):
            low, high = wilson_interval(count.right, count.n)
            values = (
                count.set, count.split, count.measure, str(count.n), f"{count.right / count.n:.6f}",
                f"{low:.6f}", f"{high:.6f}", reader.card.name, reader.card.version, weights,
            )  # fmt: skip
            rows.append(dict(zip(COLUMNS, values, strict=True)))
            say(f"{count.set:16} {count.measure:24} {100 * count.right / count.n:6.2f} %  of {count.n:,}")
    if not rows:
        raise SystemExit(f"{data} holds none of {', '.join(part.place for part in SETS)}")
    return rows


def table(rows: list[Row]) -> str:
    """The rows for people."""
    lines = [
        [TITLES[row["set"], row["measure"]], f"{int(row['n']):,}", percent(row["value"]),
         f"{percent(row['low'])} to {percent(row['high'])}"]
        for row in rows
    ]  # fmt: skip
    return markdown(["handwriting", "n", "right", "95 % interval"], lines, right=[1, 2])


def percent(share: str) -> str:
    """``"0.99531"`` as ``99.53 %``; only what is exactly everything is 100 %."""
    text = f"{100 * float(share):.2f}"
    return f"{'99.99' if text == '100.00' and float(share) < 1 else text} %"
