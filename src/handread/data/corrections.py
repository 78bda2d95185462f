"""Corrections on disk: single characters as pictures, and a list that says what each is.

    FOLDER/labels.csv    image,label and what else is said of a picture
    FOLDER/.../*.png

`handread.load_data` reads the folder as it is. A list rather than class folders, because many file systems take
``a`` and ``A`` for one name.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from handread.data.alone import alone_in
from handread.data.atomic import write_atomic
from handread.errors import DataError

LIST = "labels.csv"


class CorrectionList:
    """The list of one folder, which several threads, windows and servers may write."""

    def __init__(self, folder: Path, columns: tuple[str, ...], *, most_bytes: int | None = None) -> None:
        """`columns` begin with ``image`` and ``label``; a list of more than `most_bytes` is not read. Nothing is made
        or read yet."""
        self.folder = folder
        self.file = folder / LIST
        self.columns = columns
        self.most_bytes = most_bytes
        self._lock = threading.Lock()

    def read(self) -> list[tuple[str, ...]]:
        """A row of as many words as there are columns for each picture; none where there is no list yet.

        Raises `DataError` for a list of something else, for one that cannot be read and for one that is too long.
        """
        try:
            if not self.file.exists():
                return []
            if self.most_bytes is not None and self.file.stat().st_size > self.most_bytes:
                raise DataError(f"{self.file} is too long to be a list of corrections; choose another folder")
            with open(self.file, newline="", encoding="utf-8-sig") as stream:
                rows = [tuple(row) for row in csv.reader(stream, strict=True) if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.file} cannot be read ({error}); repair it or choose another folder") from None
        if not rows or rows[0] != self.columns or any(len(row) != len(self.columns) for row in rows):
            raise DataError(
                f"{self.file} is no list with the columns {','.join(self.columns)}; "
                "choose another folder for corrections"
            )
        return rows[1:]

    def write(self, rows: Iterable[tuple[str, ...]]) -> None:
        """Put `rows` in place of what the list said, whole. Raises `DataError`; the list is then what it was."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(rows)
        write_atomic(self.file, text.getvalue().encode())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One thread of one process at a time: what two write at once would otherwise be lost in one of them."""
        with self._lock, ExitStack() as stack:
            # where the folder is gone, the writing says so
            with suppress(OSError):
                stack.enter_context(alone_in(self.folder))
            yield
