"""What inputs hold: folders, Parquet files and lists of addresses as one stream of entries, in a fixed order.

Nothing of it is kept: a folder is walked one level at a time, a list is read line by line, and of a Parquet file
only the footer is looked at.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from handread.data.order import natural
from handread.errors import DataError, shown
from handread.scale.address import children, is_remote, joined, kind_of, open_file, parent, size_of
from handread.scale.entry import Entry, Rows

COLUMN = "image"
"""Column that holds the pictures of a Parquet file and the addresses of a CSV, unless another is named."""

MARK = "_handread.json"
"""File that marks a folder of readings. Such a folder is no input, whatever it stands in."""

_LONGEST_LINE = 1 << 16
_DEEPEST = 200

PARQUET = ".parquet"
LISTS = (".txt", ".csv")


def entries(inputs: Iterable[str], column: str = COLUMN) -> Iterator[Entry]:
    """All that `inputs` name, in their order: pictures, folders at any depth, Parquet files, lists of addresses.

    A folder gives its files and folders in natural order, 2.png before 10.png; what begins with a dot is left
    out, and so is a folder that a second link leads to. Addresses in a list are seen from where the list stands. Raises `DataError` for what is none of these,
    is not there, or cannot be opened.
    """
    for address in inputs:
        found = kind_of(address)
        if found is None:
            raise DataError(f"{address} does not exist; check the name")
        if found == "folder":
            yield from _in_folder(address, column, set())
        else:
            yield from _in_file(address, column, named=True)


def _in_folder(folder: str, column: str, linked: set[str], depth: int = 0) -> Iterator[Entry]:
    if depth > _DEEPEST:
        raise DataError(f"{folder} lies more than {_DEEPEST} folders deep; give the folder with the pictures itself")
    found = sorted(children(folder), key=lambda child: natural(_name(child[0])))
    if any(_name(address) == MARK for address, _ in found):
        return
    for address, is_folder in found:
        if _name(address).startswith("."):
            continue
        if is_folder:
            # Links may lead round in circles, and in many ways to the same place: what one leads to is read once.
            if not is_remote(address) and os.path.islink(address):
                place = os.path.realpath(address)
                if place in linked or (os.path.realpath(folder) + os.sep).startswith(place.rstrip(os.sep) + os.sep):
                    continue
                linked.add(place)
            yield from _in_folder(address, column, linked, depth + 1)
        else:
            yield from _in_file(address, column)


def _in_file(address: str, column: str, *, named: bool = False) -> Iterator[Entry]:
    from handread.imaging.read import SUFFIXES

    suffix = _suffix(address)
    if suffix == PARQUET:
        yield from _in_parquet(address, column)
    elif named and suffix in LISTS:
        yield from _in_list(address, column)
    elif named or suffix in SUFFIXES:
        yield address


def _in_parquet(address: str, column: str) -> Iterator[Entry]:
    from handread.scale.parquet import check_column, opened

    with opened(address) as file:
        check_column(file.schema_arrow, column, address)
        count = file.metadata.num_rows
    if count:
        yield Rows(address, column, 0, count, size_of(address))


def _in_list(address: str, column: str) -> Iterator[str]:
    """Addresses of a text file, one a line, or of a column of a CSV."""
    folder = parent(address)
    try:
        with io.TextIOWrapper(open_file(address), encoding="utf-8-sig", newline="") as lines:
            bounded = _bounded(lines, address)
            found = _of_csv(bounded, column, address) if _suffix(address) == ".csv" else map(str.strip, bounded)
            yield from (joined(folder, one) for one in found if one)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{address} is no readable list ({error}); save it as UTF-8") from None


def _bounded(lines: TextIO, address: str) -> Iterator[str]:
    number = 0
    while line := lines.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise DataError(f"{address}, line {number}: it has more than {_LONGEST_LINE} characters; no address has")
        yield line


def _of_csv(lines: Iterable[str], column: str, address: str) -> Iterator[str]:
    rows = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(rows, [])]
    if column not in header:
        has = shown(header)[1:-1] or "none"
        raise DataError(f"{address} has no column {column!r} in its first line, but {has}; name one with --column")
    place = header.index(column)
    for row in rows:
        if row and len(row) != len(header):
            raise DataError(f"{address}, line {rows.line_num}: {len(row)} columns, the first line has {len(header)}")
        yield row[place].strip() if row else ""


def _name(address: str) -> str:
    return re.split(r"[/\\]", address.rstrip("/"))[-1]


def _suffix(address: str) -> str:
    path = address.partition("?")[0] if is_remote(address) else address
    dot = _name(path).rpartition(".")
    return f".{dot[2].lower()}" if dot[1] else ""
