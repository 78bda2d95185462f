"""Rows of results: to CSV and back, and as tables between the markers of a page."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"

Row = Mapping[str, str]


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """Write rows that all have the keys of the first, in its order; whole or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    replace(path, text.getvalue())


def read_csv(path: Path) -> list[Row]:
    """The rows that `write_csv` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def put_between(page: str, marker: str, content: str) -> str:
    """`page` with `content` between its comments ``<!-- marker -->`` and ``<!-- /marker -->``.

    Raises ValueError where the page does not have the two, once each and in this order.

    >>> put_between("a <!-- x --> old <!-- /x --> b", "x", "new")
    'a <!-- x -->\\nnew\\n<!-- /x --> b'
    """
    start, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise ValueError(f"the page needs {start} and {end}, once each and in this order")
    before, rest = page.split(start)
    after = rest.split(end)[1]
    return f"{before}{start}\n{content.strip()}\n{end}{after}"


def update_page(path: Path, marker: str, content: str) -> None:
    """`put_between` in a file."""
    replace(path, put_between(path.read_text(encoding="utf-8"), marker, content))


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all. By the standard library alone: `benchmarks.reading` measures from a
    process that must stay small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table; the columns counted in `right` stand flush right.

    >>> print(markdown(["set", "n"], [["mnist", "10"]], right=[1]))
    | set | n |
    | --- | ---: |
    | mnist | 10 |
    """
    rule = ["---:" if place in right else "---" for place in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
