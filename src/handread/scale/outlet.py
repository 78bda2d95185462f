"""The folder that readings go to: on this machine, or behind a URL where all machines of a cluster reach it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol, cast

from handread.data.atomic import sweep, write_atomic
from handread.errors import DataError
from handread.scale.address import filesystem, is_remote


class Outlet(Protocol):
    """A folder of files that are whole or not there."""

    def names(self) -> set[str]:
        """What stands in the folder."""

    def open(self, name: str) -> BinaryIO:
        """A file for reading."""

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole, over an older one."""


def outlet(address: str) -> Outlet:
    """The folder at `address`, made where it is missing. Raises `DataError` when it cannot be."""
    if not is_remote(address):
        return LocalFolder(address)
    system, path = filesystem(address)
    # What file:// leads to is a disk like any other, on which a half file can be seen.
    return LocalFolder(path) if type(system).__name__ == "LocalFileSystem" else RemoteFolder(address)


class LocalFolder:
    """A folder of a mounted disk."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{path} cannot be made a folder: {reason}; choose another --out") from None

    def names(self) -> set[str]:
        """What stands in the folder."""
        try:
            return {child.name for child in self._path.iterdir()}
        except OSError as error:
            raise DataError(f"{self._path} cannot be listed: {error.strerror or error}; choose another --out") from None

    def open(self, name: str) -> BinaryIO:
        """A file for reading."""
        return (self._path / name).open("rb")

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole, over an older one."""
        write_atomic(self._path / name, content)

    def tidy(self) -> None:
        """Take away what workers that were killed in the middle of a file have left."""
        sweep(self._path)


class RemoteFolder:
    """A folder behind a URL. Object stores show a file when all of it has arrived."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._system, self._path = filesystem(address)
        try:
            self._system.makedirs(self._path, exist_ok=True)
        except Exception as error:  # every kind of storage has errors of its own
            raise DataError(f"{address} cannot be made a folder: {error}; choose another --out") from None

    def names(self) -> set[str]:
        """What stands in the folder."""
        self._system.invalidate_cache()
        try:
            return {str(path).rstrip("/").rpartition("/")[2] for path in self._system.ls(self._path, detail=False)}
        except FileNotFoundError:  # an object store knows no empty folder
            return set()

    def open(self, name: str) -> BinaryIO:
        """A file for reading."""
        # Of a shard only the last bytes are asked for: nothing is fetched ahead.
        return cast(BinaryIO, self._system.open(f"{self._path}/{name}", "rb", cache_type="none"))

    def write(self, name: str, content: bytes) -> None:
        """Put a file there, whole, over an older one."""
        try:
            self._system.pipe_file(f"{self._path}/{name}", content)
        except Exception as error:
            raise DataError(f"cannot write {self._address}/{name}: {error}; check the access and the space") from None
