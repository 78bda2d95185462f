"""Options that several commands share, and what follows from them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.errors import AlphabetError, DataError

if TYPE_CHECKING:
    from handread.alphabet import Alphabet

ALPHABET = click.option(
    "--alphabet", metavar="NAME|CHARACTERS",
    help="What the pictures may hold: digits, upper, lower, letters, alphanumeric, hex, or the characters.",
)  # fmt: skip
MODEL = click.option(
    "--model", default="handread", show_default=True, metavar="NAME|FILE|RUN", help="A shipped model or a file."
)
ONE = click.option("--one", is_flag=True, help="Each picture holds exactly one character.")
SPLIT = click.option("--split", metavar="NAME", help="train, validation or test, where the data has splits.")
SKIP_BROKEN = click.option("--skip-broken", is_flag=True, help="Leave out pictures that cannot be read, and name them.")
REPORT = click.option(
    "--report", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page for people here (HTML)."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
JSON_LINES = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a picture and line.")

_ENDINGS = (".html", ".htm")
_NAMED = 5


def parse_alphabet(spec: str) -> Alphabet:
    """`Alphabet.of`, with "did you mean" in the `AlphabetError` where `spec` is close to a name."""
    from handread.alphabet import NAMED, Alphabet

    try:
        return Alphabet.of(spec)
    except AlphabetError as error:  # a misspelt name is seldom an alphabet: some letter stands in it twice
        near = difflib.get_close_matches(spec, NAMED, n=1)
        raise AlphabetError(f"{error}; did you mean the name {near[0]!r}?" if near else str(error)) from None


def tell_skipped(names: Sequence[str], kept: int) -> None:
    """Say that pictures called `names` were left out beside `kept` others; nothing where there are none."""
    if not names:
        return
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    count = f"{len(names):,} of {kept + len(names):,}"
    click.echo(f"handread: left out {count} items that cannot be read: {shown}{more}", err=True)


def check_page(path: Path | None) -> None:
    """Raise `DataError` for a path that names no page, before minutes of work; None is fine."""
    if path is not None and path.suffix.lower() not in _ENDINGS:
        raise DataError(f"a report is a page in HTML, {path.name!r} ends otherwise; name it .html")


def write_page(path: Path, text: str) -> None:
    """Put the page at `path`, whole or not at all; raises `DataError` where it cannot be written."""
    from handread.data.atomic import write_atomic

    check_page(path)
    write_atomic(path, text.encode())
