"""Parquet in and out: a column of pictures in, one row a picture out."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handread.errors import DataError, MissingExtraError, shown
from handread.scale.address import joined, open_file, parent
from handread.scale.entry import Picture, Rows

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:
    raise MissingExtraError("reading into Parquet (--out)", "scale") from None

if TYPE_CHECKING:
    from handread.scale.outcome import Outcome

_STEP = 16
"""Rows that are taken from a Parquet file at once."""

_FEW_ROWS = 10_000
"""More rows than a file has bytes hold no pictures, beyond so many that all might be the same."""

SCHEMA = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field(
            "characters",
            pa.list_(
                pa.struct(
                    [
                        ("text", pa.string()),
                        ("confidence", pa.float32()),
                        ("accepted", pa.bool_()),
                        ("reason", pa.string()),
                        ("x", pa.int32()),
                        ("y", pa.int32()),
                        ("width", pa.int32()),
                        ("height", pa.int32()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("error", pa.string()),
    ]
)
"""Columns of a shard, one row a picture, in the order of the input."""


def pictures_in(rows: Rows) -> Iterator[Picture]:
    """The pictures in `rows`, a few read at a time.

    A row group that is damaged gives pictures with an error from there on, a file that is gone nothing else.
    """
    try:
        with opened(rows.file) as file:
            for group, before, first, count in _groups(file, rows):
                yield from _in_group(file, rows, group, first - before, range(first, first + count))
    except DataError as error:
        yield from _unreadable(rows.file, rows.start, rows.count, error)


def _groups(file: Any, rows: Rows) -> Iterator[tuple[int, int, int, int]]:
    """Row groups in which `rows` stand: number, rows of the file before it, the first row wanted and their count."""
    before, end = 0, rows.start + rows.count
    for group in range(file.num_row_groups):
        after = before + file.metadata.row_group(group).num_rows
        first, last = max(rows.start, before), min(end, after)
        if first < last:
            yield group, before, first, last - first
        before = after


def _in_group(file: Any, rows: Rows, group: int, skip: int, wanted: range) -> Iterator[Picture]:
    row = wanted.start
    try:
        for batch in file.iter_batches(_STEP, row_groups=[group], columns=[rows.column], use_threads=False):
            kept = batch.column(0).slice(min(skip, len(batch)), wanted.stop - row)
            skip = max(0, skip - len(batch))
            for cell in kept.to_pylist():
                yield _picture(cell, rows.file, row)
                row += 1
            if row == wanted.stop:
                return
    except (pa.ArrowException, OSError, ValueError) as error:
        yield from _unreadable(rows.file, row, wanted.stop - row, error)


def _unreadable(file: str, row: int, count: int, error: Exception) -> Iterator[Picture]:
    reason = " ".join(str(error).split()).rstrip(".")[:200]
    for number in range(row, row + count):
        yield Picture(f"{file}#{number}", error=f"{file} cannot be read at row {number}: {reason}")


def _picture(cell: Any, file: str, row: int) -> Picture:
    source = f"{file}#{row}"
    if isinstance(cell, dict):  # as Hugging Face writes it
        path = cell.get("path")
        cell = cell.get("bytes") or (None if path is None else joined(parent(file), path))
        if isinstance(cell, str):
            return Picture(source, address=cell)
    if isinstance(cell, str):
        address = joined(parent(file), cell)
        return Picture(address, address=address)
    if cell is None:
        return Picture(source, error=f"{source} holds no picture; its cell is empty")
    return Picture(source, content=bytes(cell))


@contextmanager
def opened(address: str) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`. Raises `DataError` for what is none."""
    with open_file(address) as stream:
        try:
            # Without a buffer of its own a page is read when its turn comes, not the whole row group at once.
            file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20)
            _ = file.schema_arrow.names  # which may be no text
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")[:200]
            raise DataError(f"{address} is no whole Parquet file ({reason}); write it again") from None
        with file:
            _check_rows(file.metadata, address, stream.seek(0, os.SEEK_END))
            yield file


def _check_rows(footer: Any, address: str, size: int) -> None:
    """Raise `DataError` where a footer lies about its rows: each is read, and told about where it cannot be."""
    counts = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
    if any(count < 0 for count in counts) or sum(counts) != footer.num_rows or footer.num_rows > max(size, _FEW_ROWS):
        raise DataError(
            f"{address} promises {footer.num_rows:,} rows in {size:,} bytes; its footer lies, write it again"
        )


def check_column(schema: Any, column: str, address: str) -> None:
    """Raise `DataError` unless `column` can hold pictures: bytes, addresses, or a struct of ``bytes`` and ``path``."""
    if column not in schema.names:
        has = shown(schema.names)[1:-1] or "none"
        raise DataError(f"{address} has no column {column!r}, but {has}; name one with --column")
    kind = schema.field(column).type
    if pa.types.is_struct(kind):
        fits = {"bytes", "path"} & {field.name for field in kind}
    else:
        tests = (
            "is_null",
            "is_binary",
            "is_large_binary",
            "is_binary_view",
            "is_string",
            "is_large_string",
            "is_string_view",
        )
        fits = {name for name in tests if getattr(pa.types, name, lambda _: False)(kind)}
    if not fits:
        raise DataError(
            f"the column {column!r} of {address} holds {str(kind)[:200]}; pictures are binary, a string with an address, or a "
            "struct with bytes or path: name another with --column"
        )


def as_parquet(outcomes: Sequence[Outcome]) -> bytes:
    """A whole Parquet file with one row for each outcome, in `SCHEMA`; the same bytes for the same outcomes."""
    table = pa.Table.from_pylist([outcome.row() for outcome in outcomes], schema=SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class Count:
    """Pictures of a shard, and how many of them could not be read."""

    pictures: int
    failed: int


def count_in(stream: Any) -> Count | None:
    """What a shard's footer says; None where it is not a whole file in `SCHEMA`."""
    try:
        with pq.ParquetFile(stream) as file:
            if not file.schema_arrow.equals(SCHEMA):
                return None
            groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
            last = file.metadata.num_columns - 1  # the column error
            without = sum(group.column(last).statistics.null_count for group in groups)
            return Count(file.metadata.num_rows, file.metadata.num_rows - without)
    except (pa.ArrowException, OSError, AttributeError, ValueError):
        return None
