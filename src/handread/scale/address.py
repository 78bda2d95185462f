"""Addresses: local paths and any URL that fsspec knows (``s3://``, ``gs://``, ``https://``), looked at alike."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar, cast

from handread.errors import DataError, ImageError, MissingExtraError
from handread.imaging.limits import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Kind = Literal["file", "folder"]


def is_remote(address: str) -> bool:
    """True for a URL, which fsspec opens; anything else is a local path.

    >>> is_remote("s3://bucket/1.png"), is_remote("C:/pictures/1.png")
    (True, False)
    """
    return "://" in address


def joined(folder: str, address: str) -> str:
    """`address` as seen from `folder`: a URL or an absolute path stays as it is.

    >>> joined("s3://bucket/lists", "a/1.png")
    's3://bucket/lists/a/1.png'
    """
    if is_remote(address) or os.path.isabs(address):
        return address
    return f"{folder.rstrip('/')}/{address}" if is_remote(folder) else os.path.join(folder, address)


def parent(address: str) -> str:
    """The folder in which `address` stands."""
    return address.rpartition("/")[0] if is_remote(address) else os.path.dirname(address)


def kind_of(address: str) -> Kind | None:
    """Whether a file or a folder stands there, None for neither. Raises `DataError` for a URL that cannot be asked."""
    if not is_remote(address):
        return "folder" if os.path.isdir(address) else "file" if os.path.exists(address) else None
    system, path = filesystem(address)

    def ask() -> Kind | None:
        return "folder" if system.isdir(path) else "file" if system.exists(path) else None

    return _asked(address, ask)


def children(folder: str) -> list[tuple[str, bool]]:
    """What stands directly in a folder: addresses in the order of the system, and which are folders themselves.

    Raises `DataError` when the folder cannot be listed.
    """
    if is_remote(folder):
        system, path = filesystem(folder)

        def listed() -> list[tuple[str, bool]]:
            found = system.ls(path, detail=True)
            names = [(str(entry["name"]).rstrip("/"), entry["type"] == "directory") for entry in found]
            return [
                (joined(folder, name.rpartition("/")[2]), is_folder)
                for name, is_folder in names
                if name != path.rstrip("/")  # object stores list the folder's own mark
            ]

        return _asked(folder, listed)
    try:
        with os.scandir(folder) as entries:
            return [(os.path.join(folder, entry.name), entry.is_dir()) for entry in entries]
    except OSError as error:
        raise DataError(f"{folder} cannot be listed: {error.strerror or error}; check its permissions") from None


def size_of(address: str) -> int:
    """Bytes of a file. Raises `DataError` when it cannot be told."""
    if is_remote(address):
        system, path = filesystem(address)
        return _asked(address, lambda: int(system.size(path) or 0))
    try:
        return os.path.getsize(address)
    except OSError as error:
        raise DataError(f"{address} cannot be opened: {error.strerror or error}") from None


def open_file(address: str) -> BinaryIO:
    """A file for reading from any place in it. Raises `DataError` when it cannot be opened."""
    if is_remote(address):
        system, path = filesystem(address)
        return _asked(address, lambda: cast(BinaryIO, system.open(path, "rb")))
    try:
        return open(address, "rb")
    except OSError as error:
        raise DataError(f"{address} cannot be opened: {error.strerror or error}") from None


def fetch(address: str) -> bytes:
    """The bytes of the picture behind a URL, no more than make it too large. Raises `ImageError` when it cannot be had."""
    system, path = filesystem(address)
    try:
        if address.startswith("http"):  # which may send without end; a store of objects knows their sizes
            with system.open(path, "rb") as file:
                content = file.read(MAX_BYTES + 1)
        else:
            content = system.cat_file(path, end=MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"{address} does not exist; check the address") from None
    except Exception as error:  # every kind of storage has errors of its own
        raise ImageError(f"{address} cannot be fetched: {_sentence(error)}") from None
    return bytes(content)


def filesystem(address: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path inside it.

    Raises `MissingExtraError` without fsspec, `DataError` for a kind of URL that it cannot open here.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError(f"reading {address}", "scale") from None
    try:
        system, path = url_to_fs(address)
    except ImportError as error:  # "Install s3fs to access S3"
        raise DataError(f"{address} cannot be opened: {_sentence(error)}, with pip install") from None
    except ValueError as error:  # "Protocol not known: x"
        raise DataError(f"{address} cannot be opened: {_sentence(error)}; check what stands before ://") from None
    return system, str(path)


def _asked(address: str, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except Exception as error:  # every kind of storage has errors of its own
        raise DataError(f"{address} cannot be reached: {_sentence(error)}; check the address and the access") from None


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
