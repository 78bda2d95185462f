"""handread models: what is shipped, and what a weights file says of itself."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from handread.cli.options import JSON

if TYPE_CHECKING:
    from handread.card import ModelCard


@click.command("models", epilog="Example: handread models handread")
@click.argument("name", required=False, metavar="[NAME|FILE|RUN]")
@JSON
def command(name: str | None, as_json: bool) -> None:
    """List the shipped models, or show one model's card.

    The card of a file of your own is shown just as well: give its path.
    """
    from handread.runtime import store
    from handread.runtime.session import read_card

    if name is None:
        contents = [(shipped, store.load(shipped)) for shipped in store.shipped()]
        found = [(shipped, len(content), read_card(content, name=shipped)) for shipped, content in contents]
        if as_json:
            click.echo(json.dumps([{"name": n, "bytes": s, "card": c.described()} for n, s, c in found], indent=1))
        else:
            _print_table(found)
        return
    card = read_card(store.load(name), name=name)
    if as_json:
        click.echo(json.dumps(card.described(), indent=1))
    else:
        _print_card(card)


def _print_table(rows: list[tuple[str, int, ModelCard]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "version", "classes", "alphabet", "size", box=None, pad_edge=False)
    for name, size, card in rows:
        table.add_row(name, card.version, str(len(card.alphabet)), _alphabet_name(card), f"{size / 1e6:.2f} MB")
    if rows:
        Console().print(table)
        click.echo("\nOne card in full: handread models NAME")
    else:
        click.echo("No models are shipped with this Handread.")


def _print_card(card: ModelCard) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for field in dataclasses.fields(card):
        value = getattr(card, field.name)
        if field.name not in ("data", "scores", "recipe", "seen"):
            grid.add_row(field.name, str(value))
    for source in card.data:
        grid.add_row("data", f"{source.name}: {source.count:,} images, {source.licence}, {source.source}")
    for score, figure in card.scores.items():
        grid.add_row("score", f"{score}: {figure:g}")
    if card.seen is not None:
        others = "" if card.seen.complete else ", and of what it saw before nothing is known"
        grid.add_row("seen", f"a sample of the {card.seen.count:,} images that it was trained on{others}")
    grid.add_row("recipe", card.recipe.strip() or "(none)")
    # markup and highlighting would read brackets in a recipe as styles
    Console(markup=False, highlight=False, soft_wrap=True).print(grid)


def _alphabet_name(card: ModelCard) -> str:
    from handread.alphabet import Alphabet

    return Alphabet.of(card.alphabet).name
