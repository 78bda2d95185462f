"""handread demo: the bundled example pictures, read and shown."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.errors import DataError, HandreadError

if TYPE_CHECKING:
    from rich.text import Text

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
        product = 1.0 if accepted else 0.0
        for confidence in accepted:
            product *= confidence
        return product


@click.command("demo", epilog="Example: handread demo --out sheet.png")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("handread-demo.png"),
    show_default=True,
    help="Where the annotated sheet of all pictures (PNG) goes.",
)
@click.option("--model", default="handread", show_default=True, metavar="NAME|FILE", help="A shipped model or a file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture and line.")
def demo(out: Path, model: str, as_json: bool) -> int:
    """Read the bundled example pictures and show them.

    Prints a table of truth and reading and writes a sheet of all pictures with a box and the reading at each
    character. Characters that the model does not believe stand in [brackets]; they are no part of the
    reading. The code is 2 when a picture cannot be read at all.
    """
    from handread.cli.contact import contact_sheet
    from handread.data.atomic import write_atomic
    from handread.recognizer import Recognizer

    examples = read_truth(find_examples())
    reader = Recognizer(model)
    started = time.perf_counter()
    outcomes = [attempt(reader, example) for example in examples]
    seconds = time.perf_counter() - started
    if as_json:
        _print_json(outcomes)
    else:
        _print_table(outcomes, seconds)
    write_atomic(out, contact_sheet(outcomes))
    click.echo(f"{'' if as_json else '  '}The pictures, annotated: {out}", err=as_json)
    return 2 if any(outcome.error for outcome in outcomes) else 0


command = demo
"""What the main group looks for."""


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


def _print_json(outcomes: list[Outcome]) -> None:
    from handread.cli.reading import as_row

    for outcome in outcomes:
        found = outcome.reading if outcome.reading is not None else outcome.error
        assert found is not None  # one of the two is there
        row = as_row(outcome.example.path.name, found)
        click.echo(json.dumps({**row, "truth": outcome.example.truth, "right": outcome.right}))


def _print_table(outcomes: list[Outcome], seconds: float) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="bold")
    for heading in ("picture", "truth", "reading"):
        table.add_column(heading)
    table.add_column("confidence", justify="right")
    table.add_column("")
    for outcome in outcomes:
        colour = shade(outcome.confidence)
        table.add_row(
            Text(outcome.example.path.name, style="cyan"),
            Text(outcome.example.truth),
            _shown(outcome),
            Text("" if outcome.error else f"{100 * outcome.confidence:.0f} %", style=colour),
            Text("✓", style="bold green") if outcome.right else Text("✗", style="bold red"),
        )
    right = sum(outcome.right for outcome in outcomes)
    console = Console(highlight=False)
    console.print(table)
    each = 1000 * seconds / len(outcomes)
    console.print(
        Text(f"  {right} right of {len(outcomes)}", style="bold green" if right == len(outcomes) else "bold")
        .append(f", {each:.0f} ms a picture", style="dim not bold")
    )  # fmt: skip


def shade(confidence: float) -> str:
    """The colour's name for a confidence (0..1)."""
    return "green" if confidence >= SURE else "yellow" if confidence >= UNSURE else "red"


def _shown(outcome: Outcome) -> Text:
    """The reading with refused characters in brackets, or why there is none."""
    from rich.text import Text

    if outcome.reading is None:
        return Text(str(outcome.error), style="red")
    if not outcome.reading.characters:
        return Text("(nothing found)", style="dim")
    line = Text()
    characters = iter(outcome.reading.characters)
    for letter in outcome.reading.text:
        if letter.isspace():
            line.append(letter)
            continue
        character = next(characters)
        if character.accepted:
            line.append(letter, style=shade(character.confidence))
        else:
            line.append(f"[{letter}]", style="dim")
    return line
