"""Bounds on what a stranger's file may claim: how much it unfolds to, how much it lists, how long a line is."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handread.errors import DataError

MAX_BYTES = 4 << 30
"""Most bytes that one stored array may unfold to; all of EMNIST is 0.6 GiB."""
MAX_RATIO = 200
"""Most bytes unfolded for one byte stored, once it is more than `FREE_TOTAL`; MNIST's files unfold to 5 times."""
FREE_TOTAL = 16 << 20
MAX_ITEMS = 50_000_000
"""Most images in one stored array, however small they are."""

_ENTRY, _ENTRY_BYTES = b"PK\1\2", 46
_LARGEST_DIRECTORY = 256 << 20


def believable(promised: int, stored: int) -> bool:
    """True where `stored` bytes of a file may unfold to the `promised` ones."""
    return promised <= MAX_BYTES and (promised <= FREE_TOTAL or promised <= stored * MAX_RATIO)


@contextmanager
def opened_zip(path: Path, most: int) -> Iterator[zipfile.ZipFile]:
    """The zip at `path`; `DataError` where it lists more than `most` files.

    `zipfile` makes an object of some hundred bytes of every entry as it opens a file, so they are counted before.
    Raises what `zipfile.ZipFile` raises.
    """
    with _Counted(path, most) as file, zipfile.ZipFile(file) as archive:
        file.most = None
        yield archive


class _Counted(io.BufferedReader):
    """A file in which a zip's directory is counted when it is read."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(io.FileIO(path))
        self._path = path
        self.most: int | None = most
        """None once the directory has been read: what comes then is content."""

    def read(self, size: int | None = -1) -> bytes:
        """As the base class does; `DataError` for a directory that is too long."""
        if self.most is None:
            return super().read(size)
        content = super().read(min(size, _LARGEST_DIRECTORY) if size and size > 0 else size)
        if _entries(content, self.most) > self.most or len(content) == _LARGEST_DIRECTORY:
            raise DataError(f"{self._path} holds more than {self.most} files; unpack it yourself")
        return content


def _entries(directory: bytes, most: int) -> int:
    """How many entries a zip's directory has; ends soon after `most`."""
    count = at = 0
    while count <= most and directory.startswith(_ENTRY, at) and at + _ENTRY_BYTES <= len(directory):
        at += _ENTRY_BYTES + sum(struct.unpack_from("<3H", directory, at + 28))
        count += 1
    return count
