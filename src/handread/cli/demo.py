"""handread demo: the bundled example pictures, read and shown."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.examples import Outcome, attempt, find_examples, read_truth, shade
from handread.cli.options import JSON_LINES, MODEL

if TYPE_CHECKING:
    from rich.text import Text


@click.command("demo", epilog="Example: handread demo --out sheet.png")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("handread-demo.png"),
    show_default=True,
    help="Where the annotated sheet of all pictures (PNG) goes.",
)
@MODEL
@JSON_LINES
def command(out: Path, model: str, as_json: bool) -> int:
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


def _print_json(outcomes: list[Outcome]) -> None:
    from handread.answer import as_row

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
