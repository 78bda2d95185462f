"""Opening a zip or tar that a stranger made: into a temporary folder, under limits, and gone afterwards."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from handread.data.bounds import FREE_TOTAL, MAX_RATIO, opened_zip
from handread.errors import DataError, shown

MAX_TOTAL = 4 << 30
"""Most bytes that one archive may unfold to."""
MAX_FILES = 1_000_000
"""Most files and folders in one archive; EMNIST as single pictures has 814,255."""
MAX_DEPTH = 32
"""Most folders one inside the other."""

_CHUNK = 1 << 20
_MAX_READ = 16 << 20
_TAR_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_DAMAGE = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, struct.error,
    NotImplementedError, RuntimeError, ValueError, OverflowError, LookupError, MemoryError,
)  # fmt: skip
_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")


def recognise(path: Path) -> bool:
    """True for what begins like a zip or holds a tar, also when it is damaged further on."""
    try:
        if _is_zip(path):
            return True
        with _tar_stream(path) as stream:
            block: bytes = stream.read(512)
    except _DAMAGE:
        return False
    return block[257:262] == b"ustar" or (len(block) == 512 and _old_tar(block))


@contextmanager
def unpacked(path: Path, *, stored: int = 0) -> Iterator[Path]:
    """A temporary folder with the archive's files, removed when the block ends.

    `stored` is the size in bytes of the outermost of archives inside archives, 0 where this is the only one.
    Raises `DataError` for absolute or climbing names, links, devices, encrypted members, the same name twice, folders
    that a disk without cases would join, more than `MAX_FILES` files and folders, `MAX_DEPTH` folders one inside the
    other or `MAX_TOTAL` bytes, a ratio above `MAX_RATIO`, and damage.
    """
    with tempfile.TemporaryDirectory(prefix="handread-") as folder:
        room = _Room(path, Path(folder), stored or path.stat().st_size)
        try:
            if _is_zip(path):
                _unzip(path, room)
            else:
                _untar(path, room)
        except DataError:
            raise
        except _DAMAGE as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise DataError(f"{path} cannot be unpacked ({reason[:200]}); get the archive again") from None
        yield Path(folder)


@dataclass(slots=True)
class _Room:
    """Where members go, and how much more may come."""

    archive: Path
    folder: Path
    stored: int
    """Bytes from which all this unfolds."""
    members: int = 0
    """Files and folders so far."""
    total: int = 0
    folders: dict[str, Path] = field(default_factory=dict)
    """Folders made, as a disk without cases would call them."""

    def place(self, name: str) -> Path | None:
        """Path for a member of that name; None for the litter that systems add."""
        self._count()
        parts = PurePosixPath(name).parts
        colon = any(":" in part for part in (parts if os.name == "nt" else parts[:1]))
        if name.startswith(("/", "\\")) or "\\" in name or colon or ".." in parts:
            raise DataError(f"{self.archive}: member {shown(name)} points outside the archive; nothing was kept")
        if len(parts) > MAX_DEPTH:
            raise DataError(
                f"{self.archive}: member {shown(name)} lies {len(parts)} folders deep, at most {MAX_DEPTH} are "
                "followed; unpack it yourself"
            )
        if not parts or any(part in _JUNK or part.startswith("._") for part in parts):
            return None
        return self.folder.joinpath(*parts)

    def _count(self) -> None:
        self.members += 1
        if self.members > MAX_FILES:
            raise DataError(f"{self.archive} holds more than {MAX_FILES} files and folders; unpack it yourself")

    def announce(self, size: int) -> None:
        """Refuse early what could not fit the limits or the disk."""
        self.judge(self.total + size)
        if self.total + size > shutil.disk_usage(self.folder).free:
            raise DataError(f"{self.archive} does not fit on the disk of {self.folder.parent}; make room there")

    def keep(self, name: str, target: Path, source: IO[bytes], size: int) -> None:
        """Write one member, counting the bytes that really come."""
        self.announce(size)
        self._make(target.parent)
        if target.exists():
            raise DataError(f"{self.archive}: member {shown(name)} stands in it twice; nothing was kept")
        with open(target, "xb") as file:
            while chunk := source.read(_CHUNK):
                self.total += len(chunk)
                self.judge(self.total)
                file.write(chunk)

    def _make(self, folder: Path) -> None:
        if folder == self.folder or self.folders.get(_caseless(folder)) == folder:
            return
        self._make(folder.parent)
        known = self.folders.setdefault(_caseless(folder), folder)
        # Where a disk takes a/ and A/ for one, two classes would silently become one.
        if known != folder and _same(known, folder):
            raise DataError(
                f"{self.archive}: {known.name!r} and {folder.name!r} are one folder on the disk of "
                f"{self.folder.parent}; call them {folder.name.lower()}_lower and {folder.name.upper()}_upper"
            )
        self._count()
        folder.mkdir(exist_ok=True)

    def judge(self, total: int) -> None:
        """Raise `DataError` where `total` bytes are more than the archive may unfold to."""
        if total > MAX_TOTAL or (total > FREE_TOTAL and total > self.stored * MAX_RATIO):
            raise DataError(
                f"{self.archive} unfolds {self.stored} bytes to {total} or more; "
                f"Handread stops at {MAX_TOTAL} bytes or {MAX_RATIO} times the archive"
            )


def _caseless(folder: Path) -> str:
    return str(folder).casefold()


def _same(first: Path, second: Path) -> bool:
    return second.exists() and os.path.samefile(first, second)


def _unzip(path: Path, room: _Room) -> None:
    with opened_zip(path, MAX_FILES) as archive:
        members = archive.infolist()
        room.announce(sum(member.file_size for member in members))
        for member in members:
            name = member.filename
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{path}: member {shown(name)} is a link or device; nothing was kept")
            if member.flag_bits & 1:
                raise DataError(f"{path}: member {shown(name)} is encrypted; unpack it yourself")
            target = room.place(name)
            if target is not None and not member.is_dir():
                with archive.open(member) as source:
                    room.keep(name, target, source, member.file_size)


def _untar(path: Path, room: _Room) -> None:
    with (
        _tar_stream(path) as stream,
        tarfile.open(fileobj=_Sips(stream, room), mode="r:") as archive,  # type: ignore[call-overload]
    ):
        while (member := archive.next()) is not None:
            archive.members.clear()  # which would grow by every member, and nothing here looks back
            target = room.place(member.name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise DataError(f"{path}: member {shown(member.name)} is a link or device; nothing was kept")
            source = archive.extractfile(member)
            if target is not None and source is not None:
                with source:
                    room.keep(member.name, target, source, member.size)


class _Sips:
    """A stream that refuses huge single reads, which a lying header asks for, and to unfold more than a room may hold:
    what is passed over unfolds too."""

    def __init__(self, stream: BinaryIO, room: _Room) -> None:
        self._stream, self._room = stream, room
        self.tell = stream.tell

    def seek(self, place: int) -> int:
        self._room.judge(place)
        return self._stream.seek(place)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
        self._room.judge(self.tell() + size)
        return self._stream.read(size)


@contextmanager
def _tar_stream(path: Path) -> Iterator[BinaryIO]:
    with open(path, "rb") as file:
        head = file.read(6)
        file.seek(0)
        opener = next((o for magic, o in _TAR_OPENERS.items() if head.startswith(magic)), None)
        if opener is None:
            yield file
            return
        with opener(file) as stream:
            yield stream


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _old_tar(block: bytes) -> bool:
    with suppress(tarfile.TarError):
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        return True
    return False
