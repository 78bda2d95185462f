"""The unfinished half of a download, kept beside its target and held by one process at a time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handread.data.atomic import sync_folder, write_atomic
from handread.data.catalog import PART
from handread.errors import DataError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BLOCK = 1 << 20


@dataclass(slots=True)
class Partial:
    """An open ``NAME.part`` and, beside it, ``NAME.part.json``: where its bytes came from."""

    target: Path
    handle: int
    size: int
    """Bytes in it."""
    received: int = 0
    """Bytes that were written since it was opened."""
    url: str = ""
    validator: str = ""
    """The ETag or date by which the server at `url` knows this version of the file; "" when it gave none."""

    @property
    def path(self) -> Path:
        """The unfinished file itself."""
        return partial_of(self.target)

    def begin(self, url: str, validator: str) -> None:
        """Drop what is there and remember whose bytes come now."""
        self.empty()
        self.url, self.validator = url, validator
        note = json.dumps({"url": url, "validator": validator})
        write_atomic(_note_of(self.target), note.encode())

    def append(self, data: bytes) -> None:
        """Write `data` behind what is there; `DataError` when the disk refuses, and then nothing is left of it."""
        left = memoryview(data)
        try:
            os.lseek(self.handle, self.size, os.SEEK_SET)
            while left:
                written = os.write(self.handle, left)
                left = left[written:]
                self.size += written
                self.received += written
        except OSError as error:
            self.empty()  # a full disk is helped by what it gets back
            raise DataError(
                f"cannot write {self.path}: {error.strerror or error}; make room on that disk, or name another "
                "folder in HANDREAD_DATA, and fetch again"
            ) from None

    def needs(self, count: int) -> None:
        """Raise `DataError` where the disk has no room for `count` bytes more."""
        free = shutil.disk_usage(self.target.parent).free
        if count > free:
            raise DataError(
                f"{self.target.name} needs {count:,} bytes more and the disk of {self.target.parent} has "
                f"{free:,} left; make room there, or name another folder in HANDREAD_DATA"
            )

    def empty(self) -> None:
        """Back to nothing."""
        os.ftruncate(self.handle, 0)
        self.size, self.url, self.validator = 0, "", ""
        _note_of(self.target).unlink(missing_ok=True)

    def blocks(self) -> Iterator[bytes]:
        """The content in pieces."""
        with open(self.path, "rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def place(self) -> None:
        """Put the finished file where the target belongs, over an older one, in one step."""
        os.fsync(self.handle)
        if sys.platform == "win32":  # which renames no open file
            os.close(self.handle)
            self.handle = -1
        # The note first: killed in between, what is here is whole and will be seen to be, and no note stays for ever.
        _note_of(self.target).unlink(missing_ok=True)
        os.replace(self.path, self.target)
        sync_folder(self.target.parent)
        self.size = 0


def partial_of(target: Path) -> Path:
    """Path of the unfinished file that belongs to `target`."""
    return target.with_name(target.name + PART)


@contextmanager
def held(target: Path) -> Iterator[Partial]:
    """The unfinished file of `target`, new or from an earlier try, locked until the block ends.

    It stays when the block is left early with bytes in it. Raises `DataError` when another process holds it or
    the folder cannot be written.
    """
    new_folder = not target.parent.exists()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = _locked(target)
    except OSError as error:
        raise DataError(
            f"cannot write into {target.parent}: {error.strerror or error}; name another folder in HANDREAD_DATA"
        ) from None
    part = Partial(target, handle, os.fstat(handle).st_size)
    try:
        part.url, part.validator = _noted(target)
        yield part
    finally:
        if part.handle >= 0:
            # Removed while it is still locked: nobody else can have begun to fill it.
            if not os.fstat(part.handle).st_size:
                part.path.unlink(missing_ok=True)
                _note_of(target).unlink(missing_ok=True)
            os.close(part.handle)
        if new_folder:
            with contextlib.suppress(OSError):
                target.parent.rmdir()  # an empty folder would look like a set


def _note_of(target: Path) -> Path:
    return target.with_name(target.name + PART + ".json")


def _noted(target: Path) -> tuple[str, str]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(_note_of(target).read_bytes())
        return str(note["url"]), str(note["validator"])
    return "", ""


def _locked(target: Path) -> int:
    path = partial_of(target)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            _lock(handle)
        except OSError:
            os.close(handle)
            raise DataError(
                f"another process is fetching {target.name} into {target.parent}; wait for it and then ask again"
            ) from None
        # Whoever held it before may just have finished and renamed it: then this is the target, not a part.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        os.close(handle)


def _lock(handle: int) -> None:
    # Locks of the system go with their process, however it ends; a lock file would stay.
    if sys.platform == "win32":
        os.lseek(handle, 1 << 40, os.SEEK_SET)  # Windows locks bytes: one that no download reaches
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
