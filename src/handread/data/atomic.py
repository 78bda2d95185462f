"""Writing a file so that a reader sees the old content or the new one, never a half."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from handread.errors import DataError


def write_atomic(path: str | Path, data: bytes) -> None:
    """Put `data` at `path` whole: a temporary file in the same folder, synced, then renamed over the old one.

    Raises `DataError` when the folder is missing or cannot be written (disk full, no permission); the old
    file is then untouched and nothing is left behind.
    """
    target = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(".part", f".{target.name[:40]}.", target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _permissions(target))
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):
            raise DataError(
                f"cannot write {target}: {error.strerror or error}; choose a folder that exists, can be "
                "written and has space left"
            ) from None
        raise
    _sync_folder(target.parent)


def _permissions(target: Path) -> int:
    # mkstemp makes files that only their owner reads; a result should be as readable as any other new file.
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    # Without this a power cut may forget the rename. Where folders cannot be opened the file is whole anyway.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
