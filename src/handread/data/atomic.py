"""Writing a file so that a reader sees the old content or the new one, never a half."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path

from handread.data.alone import hold, try_hold
from handread.errors import DataError

ENDING = ".handread-part"
"""End of the name of every unfinished file; nothing else is called so, and whoever finds one may take it away."""

_swept: set[str] = set()
"""Folders in which this process has looked for what killed ones have left."""


def write_atomic(path: str | Path, data: bytes) -> None:
    """Put `data` at `path` whole: a temporary file in the same folder, synced, then renamed over the old one.

    A link stays and what it leads to is replaced; a device or a pipe is written to. What killed processes have left
    in the folder is taken away (`sweep`). Raises `DataError` when the folder is missing or cannot be written (disk
    full, no permission); the old file is then untouched and nothing is left behind.
    """
    handle, temporary = -1, ""
    try:
        if _is_stream(Path(path)):
            with open(path, "wb") as stream:
                stream.write(data)
            return
        target = Path(os.path.realpath(path))
        if str(target.parent) not in _swept:
            _swept.add(str(target.parent))
            sweep(target.parent)
        handle, temporary = _begun(target)
        _write_all(handle, data)
        os.fsync(handle)
        os.chmod(temporary, _permissions(target))
        if sys.platform == "win32":  # which renames no open file
            os.close(handle)
            handle = -1
        os.replace(temporary, target)
    except BaseException as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise DataError(
                f"cannot write {path}: {error.strerror or error}; choose a folder that exists, can be "
                "written and has space left"
            ) from None
        raise
    finally:
        if handle >= 0:
            os.close(handle)
    sync_folder(target.parent)


def link_atomic(path: Path, other: Path) -> None:
    """Have what stands at `path` stand at `other` too, in one step; nothing where that cannot be."""
    temporary = other.with_name(f".{other.name[:40]}.{secrets.token_hex(4)}{ENDING}")
    with contextlib.suppress(OSError):
        os.link(path, temporary)
        try:
            os.replace(temporary, other)
        finally:
            # Where both are one file already, renaming does nothing.
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def sweep(folder: str | Path) -> None:
    """Take away the unfinished files that killed processes have left in `folder`; those being written stay.

    Where files cannot be locked (Windows, some network disks) they stay too, since nobody can tell which is which.
    """
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            left = [e.path for e in entries if e.name.endswith(ENDING) and e.is_file(follow_symlinks=False)]
        for path in left:
            with contextlib.suppress(OSError):
                handle = os.open(path, os.O_RDWR)
                try:
                    if try_hold(handle):
                        os.unlink(path)
                finally:
                    os.close(handle)


def make_folder(folder: str | Path) -> None:
    """Make `folder` and those it stands in, where they are missing. Raises `DataError` when that cannot be."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot make the folder {folder}: {error.strerror or error}; choose a place that can be written"
        ) from None


def sync_folder(folder: Path) -> None:
    """Have the disk remember what was renamed in `folder`."""
    # Without this a power cut may forget the rename. Where folders cannot be opened the file is whole anyway.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _begun(target: Path) -> tuple[int, str]:
    """A new file beside `target`, held, so that no `sweep` takes it away while this process lives."""
    while True:
        handle, temporary = tempfile.mkstemp(ENDING, f".{target.name[:40]}.", target.parent)
        hold(handle)
        if os.path.exists(temporary):  # no sweep came between the two lines
            return handle, temporary
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _permissions(target: Path) -> int:
    # mkstemp makes files that only their owner reads; a result should be as readable as any other new file.
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
