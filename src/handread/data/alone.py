"""One process at a time: locks of the system, which go with their process however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def hold(handle: int) -> None:
    """Lock an open file until it is closed, waiting for whoever has it; nothing where files cannot be locked."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)


def try_hold(handle: int) -> bool:
    """Lock an open file until it is closed; False where another process has it, or files cannot be locked."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def alone_in(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold `folder` until the block ends, after whoever else does; gives False where `wait` is not and somebody does.

    Where folders cannot be locked (Windows, some network disks) everybody is let in. Raises OSError where `folder` is
    missing.
    """
    if sys.platform == "win32":
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            free = True
        except BlockingIOError:
            free = False
        except OSError:
            free = True
        yield free
    finally:
        os.close(handle)
