"""Opening a zip or tar that a stranger made: into a temporary folder, under limits, and gone afterwards."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from handread.errors import DataError

MAX_TOTAL = 4 << 30
"""Most bytes that one archive may unfold to."""
MAX_FILES = 1_000_000
"""Most files in one archive; EMNIST as single pictures has 814,255."""
MAX_RATIO = 200
"""Most bytes unfolded for one byte stored, once an archive unfolds to more than `FREE_TOTAL`."""
FREE_TOTAL = 64 << 20

_CHUNK = 1 << 20
_MAX_READ = 16 << 20
_TAR_OPENERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_DAMAGE = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
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
def unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with the archive's files, removed when the block ends.

    Raises `DataError` for absolute or climbing names, links, devices, encrypted members, the same name twice,
    more than `MAX_FILES` files or `MAX_TOTAL` bytes, a ratio above `MAX_RATIO`, and damage.
    """
    with tempfile.TemporaryDirectory(prefix="handread-") as folder:
        room = _Room(path, Path(folder))
        try:
            if _is_zip(path):
                _unzip(path, room)
            else:
                _untar(path, room)
        except DataError:
            raise
        except _DAMAGE as error:
            raise DataError(f"{path} cannot be unpacked ({error}); get the archive again") from None
        yield Path(folder)


@dataclass(slots=True)
class _Room:
    """Where members go, and how much more may come."""

    archive: Path
    folder: Path
    files: int = 0
    total: int = 0

    def place(self, name: str) -> Path | None:
        """Path for a member of that name; None for the litter that systems add."""
        parts = PurePosixPath(name).parts
        if name.startswith(("/", "\\")) or "\\" in name or ":" in name.split("/")[0] or ".." in parts:
            raise DataError(f"{self.archive}: member {name!r} points outside the archive; nothing was kept")
        if not parts or any(part in _JUNK or part.startswith("._") for part in parts):
            return None
        return self.folder.joinpath(*parts)

    def announce(self, size: int) -> None:
        """Refuse early what could not fit the limits or the disk."""
        if self.total + size > shutil.disk_usage(self.folder).free:
            raise DataError(f"{self.archive} does not fit on the disk of {self.folder.parent}; make room there")
        self._judge(self.total + size)

    def keep(self, name: str, source: IO[bytes], size: int) -> None:
        """Write one member, counting the bytes that really come."""
        target = self.place(name)
        if target is None:
            return
        self.files += 1
        if self.files > MAX_FILES:
            raise DataError(f"{self.archive} holds more than {MAX_FILES} files; unpack it yourself")
        self.announce(size)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise DataError(f"{self.archive}: member {name!r} stands in it twice; nothing was kept")
        with open(target, "xb") as file:
            while chunk := source.read(_CHUNK):
                self.total += len(chunk)
                self._judge(self.total)
                file.write(chunk)

    def _judge(self, total: int) -> None:
        stored = self.archive.stat().st_size
        if total > MAX_TOTAL or (total > FREE_TOTAL and total > stored * MAX_RATIO):
            raise DataError(
                f"{self.archive} unfolds {stored} bytes to more than {total}; "
                f"Handread stops at {MAX_TOTAL} bytes or {MAX_RATIO} times the archive"
            )


def _unzip(path: Path, room: _Room) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        room.announce(sum(member.file_size for member in members))
        for member in members:
            mode = stat.S_IFMT(member.external_attr >> 16)
            if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DataError(f"{path}: member {member.filename!r} is a link or device; nothing was kept")
            if member.flag_bits & 1:
                raise DataError(f"{path}: member {member.filename!r} is encrypted; unpack it yourself")
            room.place(member.filename)
            if not member.is_dir():
                with archive.open(member) as source:
                    room.keep(member.filename, source, member.file_size)


def _untar(path: Path, room: _Room) -> None:
    with _tar_stream(path) as stream, tarfile.open(fileobj=_Sips(stream), mode="r:") as archive:  # type: ignore[call-overload]
        for member in archive:
            room.place(member.name)
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                raise DataError(f"{path}: member {member.name!r} is a link or device; nothing was kept")
            source = archive.extractfile(member)
            if source is not None:
                with source:
                    room.keep(member.name, source, member.size)


class _Sips:
    """A stream that refuses huge single reads: a lying tar header would otherwise fill the memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
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
