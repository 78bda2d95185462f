"""Reading off the window's thread: jobs in, outcomes out."""

from __future__ import annotations

import os
import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handread.decode import reading_from
from handread.desktop.look import Look, load_look, part_at_full_size, thumbnail
from handread.errors import HandreadError, bug
from handread.types import Box, Reading

if TYPE_CHECKING:
    from handread.alphabet import Alphabet
    from handread.recognizer import Recognizer

CANDIDATES = 5
"""Ranked candidates that a character brings."""
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to open, and mostly to read."""

    item: int
    """Place of the picture in the session."""
    revision: int
    """Which question about the picture this answers; an answer to an older one is dropped."""
    path: Path
    alphabet: Alphabet
    one: bool
    crop: Box | None
    read: bool
    """False: it was read before, only its pixels are wanted again."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a job: `look`, and `reading` where one was asked for; or `error`, one sentence."""

    job: Job
    look: Look | None = None
    thumbnail: bytes = b""
    """JPEG"""
    reading: Reading | None = None
    error: str = ""


def work(reader: Recognizer, job: Job) -> Outcome:
    """Do one job. Never raises: what is wrong with a picture is part of the outcome."""
    try:
        look = load_look(job.path)
        reading = _read(reader, job, look) if job.read else None
        return Outcome(job, look, thumbnail(look), reading)
    except HandreadError as error:
        return Outcome(job, error=str(error))
    except Exception as error:  # one odd picture must not take the window with it
        return Outcome(job, error=f"{job.path.name}: {bug(error, 'with the picture')}")


def _read(reader: Recognizer, job: Job, look: Look) -> Reading:
    if job.crop is None:
        found = reader.read(look.gray, alphabet=job.alphabet, one=job.one, top=CANDIDATES)
        return _placed(found, look.scale, 0, 0)
    crop = job.crop
    if look.scale > 1:
        part = part_at_full_size(job.path, crop)
        found = reader.read(part, alphabet=job.alphabet, one=job.one, top=CANDIDATES)
    else:
        gray = look.gray[crop.y : crop.bottom, crop.x : crop.right]
        found = reader.read(gray, alphabet=job.alphabet, one=job.one, top=CANDIDATES)
    return _placed(found, 1.0, crop.x, crop.y)


def _placed(reading: Reading, scale: float, x: int, y: int) -> Reading:
    """The reading with its boxes in the source's pixels."""
    if scale == 1.0 and not (x or y):
        return reading
    moved = [
        replace(
            c,
            box=Box(
                round(c.box.x * scale) + x,
                round(c.box.y * scale) + y,
                max(1, round(c.box.width * scale)),
                max(1, round(c.box.height * scale)),
            ),
        )
        for c in reading.characters
    ]
    return replace(reading_from(moved), text=reading.text)


class Worker:
    """A few threads that do jobs; the window asks for outcomes when it has time."""

    def __init__(self, reader: Recognizer) -> None:
        threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self.room = threads + 1
        """Jobs that may wait or run at once: enough to keep the threads busy, few enough to change one's mind."""
        self._reader = reader
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reading")
        self._done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._running = 0

    @property
    def free(self) -> bool:
        """True when another job may be handed over."""
        return self._running < self.room

    @property
    def busy(self) -> bool:
        """True while an outcome is still to come."""
        return self._running > 0

    def hand(self, job: Job) -> None:
        """Have a job done."""
        self._running += 1
        self._pool.submit(lambda: self._done.put(work(self._reader, job)))

    def outcomes(self) -> list[Outcome]:
        """All outcomes since the last call; never waits."""
        found = []
        while True:
            try:
                found.append(self._done.get_nowait())
            except queue.Empty:
                self._running -= len(found)
                return found

    def stop(self) -> None:
        """Begin no further job; those that run end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wait(self) -> None:
        """Wait for the jobs that run; call `stop` before."""
        self._pool.shutdown(wait=True)
