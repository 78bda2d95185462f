"""Getting a set of the catalogue: mirrors in order, checked by its published checksum, whole or not at all."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import re
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from handread.data import catalog
from handread.data.catalog import Download
from handread.data.partial import Partial, held
from handread.data.transfer import Progress, Refused, transfer
from handread.errors import DataError

Watch: TypeAlias = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it that are there, and their total (0: unknown)."""

UNCHECKED = "no published checksum"

_MAX_MEMBER = 1 << 30
_BLOCK = 1 << 20
_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try."""

    timeout_seconds: float = 30.0
    """Longest silence of a server."""
    tries: int = 4
    """Turns with one address, as long as it breaks off or is overloaded."""
    pause_seconds: float = 1.0
    """Between two turns; doubled after each."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A set that is on this machine now."""

    name: str
    path: Path
    """What to read."""
    received: int
    """Bytes that came over the network now; 0 where nothing was missing."""
    checked: str
    """``sha256``, ``md5`` or `UNCHECKED`; "" where nothing came."""


def fetch(name: str, *, again: bool = False, watch: Watch | None = None, patience: Patience | None = None) -> Fetched:
    """Bring a catalogue set to this machine, into the first of `catalog.data_folders`.

    Files that are there already are left alone, unless `again`. What an interruption left unfinished is gone on
    with. Raises `DataError`, naming each address and what it answered, and how to get the set by hand.
    """
    entry = catalog.entry_of(name)
    folder = next(catalog.data_folders())
    found = catalog.find(entry)
    if not entry.downloads and found is None:
        raise DataError(f"{name} cannot be fetched by a program: {entry.by_hand.replace('FOLDER', str(folder))}")
    here = [(folder / item.file).exists() for item in entry.downloads]
    between_files = any(here) and not all(here) and found == (folder / entry.downloads[0].file).parent
    if found is not None and not between_files and not (again and entry.downloads):
        return Fetched(name, found, 0, "")
    received = 0
    for item in entry.downloads:
        target = folder / item.file
        if again or not target.exists():
            received += download(
                item, target, page=entry.source, progress=_named(watch, target.name), patience=patience
            )
    if entry.unpack:
        for item in entry.downloads:
            unpack(folder / item.file, entry.unpack)
    path = catalog.find(entry)
    if path is None:
        raise DataError(
            f"what was fetched for {name} into {folder} is not what it should be; get it from {entry.source}"
        )
    kinds = {item.checksum.partition(":")[0] or UNCHECKED for item in entry.downloads}
    return Fetched(name, path, received, ", ".join(sorted(kinds)))


def download(
    item: Download,
    target: Path,
    *,
    page: str,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> int:
    """Get one file to `target`, which is replaced only by a whole, checked one; returns the bytes transferred.

    Raises `DataError` with every address and its answer. What came until then stays in ``target.part`` and the
    next call goes on from there.
    """
    patience = patience or Patience()
    answers = []
    with held(target) as part:
        for url in item.urls:
            answer = _tried(url, item, part, progress or (lambda done, total: None), patience)
            if answer is None:
                return part.received
            answers.append(answer)
        kept = f" ({part.size:,} bytes are kept, the same command goes on from there)" if part.size else ""
    raise DataError(f"{'; '.join(answers)}{kept}; get {target.name} by hand, see {page}, and put it as {target}")


def _tried(url: str, item: Download, part: Partial, progress: Progress, patience: Patience) -> str | None:
    """Place the file from this address; what it answered where that failed."""
    answer = ""
    for turn in range(patience.tries):
        if turn:
            time.sleep(patience.pause_seconds * 2 ** (turn - 1))
        begun = part.size
        try:
            if item.bytes is None or part.size != item.bytes:
                transfer(url, item, part, timeout_seconds=patience.timeout_seconds, progress=progress)
            wrong = _wrong(item, part)
            if wrong is None:
                part.place()
                return None
            part.empty()
            # What was there before may be the culprit: a second turn gets all of it from here.
            raise Refused(f"{url} gave {wrong}", again=begun > 0)
        except Refused as refused:
            answer = str(refused)
            if not refused.again:
                break
    return answer


def _wrong(item: Download, part: Partial) -> str | None:
    """What is wrong with a finished part, as a phrase."""
    kind, _, expected = item.checksum.partition(":")
    if kind:
        found = hashlib.new(kind, usedforsecurity=False)
        for block in part.blocks():
            found.update(block)
        if found.hexdigest() == expected:
            return None
        return f"a file with the {kind} {found.hexdigest()}, where {expected} was published"
    try:  # nobody published a checksum, but these forms carry one of their own
        if item.file.endswith((".gz", ".tgz")):
            with gzip.open(part.path) as packed:
                _exhaust(packed)
        elif item.file.endswith(".bz2"):
            with bz2.open(part.path) as packed:
                _exhaust(packed)
    except _DAMAGE as error:
        return f"a damaged file ({error})"
    return None


def _exhaust(file: gzip.GzipFile | bz2.BZ2File) -> None:
    while file.read(_BLOCK):
        pass


def unpack(archive: Path, members: str) -> None:
    """Lay those files of a zip beside it whose own name matches the pattern `members`, and remove the zip.

    Each is placed whole. Raises `DataError` when the zip is damaged or holds none.
    """
    pattern = re.compile(members)
    try:
        with zipfile.ZipFile(archive) as file:
            wanted = [m for m in file.infolist() if pattern.fullmatch(m.filename.rpartition("/")[2])]
            for member in wanted:
                _lay(file, member, archive.with_name(member.filename.rpartition("/")[2]))
    except _DAMAGE as error:
        raise DataError(f"{archive} cannot be unpacked ({error}); remove it and fetch it again") from None
    if not wanted:
        raise DataError(f"{archive} holds none of the files that were expected; remove it and fetch it again")
    archive.unlink()


def _lay(file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    if member.file_size > _MAX_MEMBER:
        raise ValueError(f"{member.filename} promises {member.file_size:,} bytes")
    with held(target) as part, file.open(member) as source:
        part.empty()
        part.needs(member.file_size)
        while block := source.read(_BLOCK):
            part.append(block)
        part.place()


def _named(watch: Watch | None, name: str) -> Progress:
    return lambda done, total: None if watch is None else watch(name, done, total)
