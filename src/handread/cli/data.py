"""handread data: which sets have a name, how they come to this machine, and what is wrong in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from handread.cli.main import LazyGroup
from handread.cli.options import JSON
from handread.cli.progress import transferring

if TYPE_CHECKING:
    from handread.data.catalog import Entry

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("handread.cli.data:list_command", "List the data sets that have a name."),
    "fetch": ("handread.cli.data:fetch_command", "Bring a data set to this machine."),
    "audit": ("handread.cli.auditing:command", "Find labels that are likely wrong."),
}
"""Command -> its home and its one-line help."""


class DataGroup(LazyGroup):
    """The commands of `COMMANDS`."""

    table = COMMANDS


@click.group("data", cls=DataGroup, epilog="Example: handread data fetch mnist")
def command() -> None:
    """List, fetch and check data sets.

    Whatever is fetched goes into the folder that HANDREAD_DATA names, else into ~/.cache/handread.
    """


@click.command("list", epilog="Example: handread data list --json")
@JSON
def list_command(as_json: bool) -> None:
    """List the data sets that have a name.

    Each name can be given as --data wherever labelled data is wanted.
    """
    from handread.data import catalog

    if as_json:
        click.echo(json.dumps([_plain(entry) for entry in catalog.CATALOG.values()], indent=1))
        return
    _print_table(list(catalog.CATALOG.values()))
    click.echo(f"\nOne of them to this machine, into {next(catalog.data_folders())}: handread data fetch NAME")


@click.command("fetch", epilog="Example: handread data fetch mnist")
@click.argument("name")
@click.option("--again", is_flag=True, help="Fetch it even if it is there; the old files stay until the new are whole.")
def fetch_command(name: str, again: bool) -> None:
    """Bring a data set to this machine.

    An interrupted download goes on where it stopped. A file takes its place only when it is whole and has the
    checksum that was published.
    """
    from handread.data import catalog
    from handread.data.fetch import fetch

    entry = catalog.entry_of(name)
    if name == "digits":
        click.echo("digits needs no fetching: scikit-learn carries it, which the extra 'train' brings")
        return
    try:
        with transferring() as watch:
            got = fetch(name, again=again, watch=watch)
    except KeyboardInterrupt:
        click.echo("handread: stopped; what came is kept, and the same command goes on from there", err=True)
        raise
    if got.received or got.checked:
        click.echo(f"{name} is in {got.path} ({got.received / 1e6:.1f} MB transferred, {_checked(got.checked)})")
    else:
        click.echo(f"{name} is in {got.path} already")
    click.echo(f"licence: {entry.licence}; source: {entry.source}")
    if entry.note:
        click.echo(f"note: {entry.note}")


def _checked(kinds: str) -> str:
    return kinds if kinds.startswith("no ") else f"{kinds} right"


def _state(entry: Entry) -> str:
    """Where a set is, in a word or two."""
    from importlib.util import find_spec

    from handread.data import catalog

    if catalog.find(entry) is not None or (entry.name == "digits" and find_spec("sklearn")):
        return "here"
    if catalog.unfinished(entry):
        return "begun"
    return "no" if entry.downloads else "by hand"


def _plain(entry: Entry) -> dict[str, object]:
    from handread.data import catalog

    found = catalog.find(entry)
    return {
        "name": entry.name,
        "title": entry.title,
        "licence": entry.licence,
        "source": entry.source,
        "state": _state(entry),
        "path": None if found is None else str(found),
        "can_be_fetched": bool(entry.downloads),
        "note": entry.note,
    }


def _print_table(entries: list[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what", "licence", "is it here?", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(entry.name, entry.title, entry.licence.partition(",")[0], _state(entry))
    Console(markup=False, highlight=False).print(table)
