"""Every moment at which something touches the disk: what a kill would leave there, and a disk that takes no more.

A process that is killed leaves the files as they are at that moment. So one run is enough to know what every kill
leaves: the folder is copied before each call that changes it, and in the middle of each writing.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handread.data.atomic import ENDING

State = dict[str, bytes | None]
"""Relative path -> content, None for a folder."""

BY_PATH = ("open", "chmod", "link", "unlink", "mkdir", "rmdir", "replace", "rename", "truncate")
BY_HANDLE = ("write", "fsync", "ftruncate")
GROWING = frozenset({"open", "link", "mkdir", "replace", "write", "fsync"})
"""Calls that a full disk refuses."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def state_of(folder: Path) -> State:
    """What stands in `folder`."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def restore(folder: Path, state: State) -> None:
    """Make `folder` what it was."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in sorted(state.items()):
        if content is None:
            (folder / name).mkdir(exist_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def finished(state: State) -> State:
    """The files of `state` under their final names."""
    return {name: content for name, content in state.items() if not name.endswith(ENDING)}


@dataclass(slots=True)
class Disk:
    """What was seen of a folder while it was watched."""

    folder: Path
    full_after: int | None = None
    """Growing calls that go well before the disk is full; None: it never is."""
    calls: list[str] = field(default_factory=list)
    """Name of every call that changed something, in order."""
    grown: int = 0
    states: dict[frozenset[tuple[str, bytes | None]], tuple[int, State]] = field(default_factory=dict)
    """The different states of what has a final name, each with the last unfinished files beside it and the value of
    `told` when it was first seen."""
    placed: dict[str, set[bytes]] = field(default_factory=dict)
    """Name -> whatever was placed under it by renaming or linking."""
    opened: list[str] = field(default_factory=list)
    """Final names that were opened for writing: there must be none."""
    told: int = 0
    """Counted up by whoever is watched, when it promises that something is kept."""

    def look(self) -> None:
        """Remember the state."""
        if self.full_after is not None:
            return
        state = state_of(self.folder)
        key = frozenset(finished(state).items())
        told, _ = self.states.get(key, (self.told, state))
        self.states[key] = max(told, self.told), state


@contextmanager
def watched(folder: Path, full_after: int | None = None) -> Iterator[Disk]:
    """Watch `folder`, which is there already; with `full_after` its disk takes nothing more after so many calls."""
    disk = Disk(folder.resolve(), full_after)
    disk.look()
    real = {name: getattr(os, name) for name in (*BY_PATH, *BY_HANDLE, "close")}
    ours: dict[int, str] = {}
    halved: set[int] = set()

    def inside(path: Any) -> str:
        """Its path as seen from the folder, "" for one that is elsewhere."""
        if not isinstance(path, (str, os.PathLike)):
            return ""
        full = os.path.abspath(path)
        return os.path.relpath(full, disk.folder) if full.startswith(f"{disk.folder}{os.sep}") else ""

    def touched(name: str) -> None:
        disk.calls.append(name)
        disk.look()
        if name in GROWING:
            disk.grown += 1
            if disk.full_after is not None and disk.grown > disk.full_after:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def by_path(name: str) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **named: Any) -> Any:
            place = inside(path)
            changes = place and (name != "open" or (rest and rest[0] & _WRITES))
            if changes:
                touched(name if name != "open" or not os.path.exists(path) else "open again")
            if name in ("replace", "rename", "link") and (there := inside(rest[0])):
                disk.placed.setdefault(there, set()).add(Path(path).read_bytes())
            result = real[name](path, *rest, **named)
            if name == "open" and changes:
                ours[result] = place
            return result

        return call

    def by_handle(name: str) -> Callable[..., Any]:
        def call(handle: int, *rest: Any) -> Any:
            if handle not in ours:
                return real[name](handle, *rest)
            if name == "write" and len(rest[0]) > 1 and handle not in halved:
                halved.add(handle)  # a disk need not take all at once
                done = real[name](handle, bytes(rest[0][: len(rest[0]) // 2]))
                touched(name)
                return done
            touched(name)
            return real[name](handle, *rest)

        return call

    def close(handle: int) -> None:
        ours.pop(handle, None)
        halved.discard(handle)
        real["close"](handle)

    for name in BY_PATH:
        setattr(os, name, by_path(name))
    for name in BY_HANDLE:
        setattr(os, name, by_handle(name))
    os.close = close
    _LISTENING.append((disk, inside))
    try:
        yield disk
        disk.look()
    finally:
        _LISTENING.pop()
        for name, function in real.items():
            setattr(os, name, function)


_LISTENING: list[tuple[Disk, Callable[[Any], str]]] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _LISTENING:
        disk, inside = _LISTENING[-1]
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITES and (place := inside(path)):
            disk.opened.append(place)


sys.addaudithook(_listen)
