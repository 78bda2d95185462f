"""What an input is made of: addresses of pictures, rows of Parquet files, and the picture behind either."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rows:
    """A run of rows of one Parquet file."""

    file: str
    column: str
    start: int
    count: int
    size: int
    """Bytes of the whole file."""


Entry = str | Rows
"""The address of one picture, or rows that hold one picture each."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Picture:
    """One picture that waits to be read: bytes, or the address of them, or the reason why there are none."""

    source: str
    """What the row in the output is called: its address, or FILE#ROW inside a Parquet file."""
    content: bytes | None = None
    address: str = ""
    error: str = ""
