"""Requests of all clients gather into batches: one network shared by many threads.

A call waits at most `WAIT_SECONDS` for others, and not at all when none is on its way. Large jobs go in chunks after
the small ones, so that a page of a thousand characters holds nobody up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from handread.recognizer import Runs

if TYPE_CHECKING:
    from handread.alphabet import Alphabet
    from handread.card import ModelCard
    from handread.types import Cues, Logits, ModelInput

WAIT_SECONDS = 0.005
"""Longest wait for others."""
MOST = 64
"""Items a batch: larger ones were no faster (`handread.runtime.session.CHUNK`)."""
PREPARING = 2
"""Threads that prepare inputs at once. Each picture takes dozens of calls that let go of the interpreter's lock; with
sixteen threads after it, a request cost 250 changes of thread and twice the time."""
_PART = 32
"""Items of a large job that go together."""
_TURN = 4
"""Of this many batches one begins with a large job's part, so that small ones never shut it out."""


@dataclass(slots=True)
class _Call:
    images: ModelInput
    cues: Cues | None
    arrived: float
    result: Future[Logits] = field(default_factory=Future)


class Gatherer:
    """A session for many threads, itself to be used as one: what `run` returns is what the session would."""

    def __init__(self, session: Runs, told: Callable[[int], None] = lambda items: None) -> None:
        """Share `session`, running at most ``session.threads`` batches at once; `told` hears how large each is."""
        self._told = told
        self._session = session
        self._small: deque[_Call] = deque()
        self._large: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._coming: set[int] = set()
        self._preparing = threading.Semaphore(PREPARING)
        self._turn = 0
        self._closed = False
        self._runners = [
            threading.Thread(target=self._work, name=f"network-{number}", daemon=True)
            for number in range(session.threads)
        ]
        for runner in self._runners:
            runner.start()

    @property
    def card(self) -> ModelCard:
        """What the weights file says of itself."""
        return self._session.card

    @property
    def alphabet(self) -> Alphabet:
        """The characters in class order."""
        return self._session.alphabet

    @property
    def threads(self) -> int:
        """Batches that run at once."""
        return self._session.threads

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Prepare inputs for `run`, on which others may then wait; at most `PREPARING` threads at once do."""
        me = threading.get_ident()
        with self._preparing:
            with self._changed:
                self._coming.add(me)
            try:
                yield
            finally:
                with self._changed:
                    self._coming.discard(me)
                    if not self._coming:
                        self._changed.notify_all()

    def run(self, images: ModelInput, cues: Cues | None = None) -> Logits:
        """As `Session.run`; blocks until the batch has been run."""
        if not len(images):
            return self._session.run(images, cues)
        size = len(images) if len(images) <= MOST else _PART
        now = time.monotonic()
        calls = [
            _Call(images[start : start + size], None if cues is None else cues[start : start + size], now)
            for start in range(0, len(images), size)
        ]
        with self._changed:
            if self._closed:
                raise RuntimeError("the network has been closed")
            (self._small if len(calls) == 1 else self._large).extend(calls)
            # a thread that waits here is not on its way any more
            announced = threading.get_ident() in self._coming
            self._coming.discard(threading.get_ident())
            self._changed.notify_all()
        if announced:
            self._preparing.release()
        try:
            parts = [call.result.result() for call in calls]
        finally:
            if announced:  # a page comes twice
                self._preparing.acquire()
                with self._changed:
                    self._coming.add(threading.get_ident())
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def close(self) -> None:
        """End the threads once everything that waits has been run."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for runner in self._runners:
            runner.join()

    def _work(self) -> None:
        while calls := self._gather():
            try:
                logits = self._run(calls)
            except BaseException as error:
                for call in calls:
                    call.result.set_exception(error)
                continue
            start = 0
            for call in calls:
                call.result.set_result(logits[start : start + len(call.images)])
                start += len(call.images)

    def _run(self, calls: list[_Call]) -> Logits:
        self._told(sum(len(call.images) for call in calls))
        if len(calls) == 1:
            return self._session.run(calls[0].images, calls[0].cues)
        cues = None
        if any(call.cues is not None for call in calls):
            cues = np.concatenate(
                [np.zeros((len(c.images), 4), np.float32) if c.cues is None else c.cues for c in calls]
            )
        return self._session.run(np.concatenate([call.images for call in calls]), cues)

    def _gather(self) -> list[_Call]:
        """The next batch; empty when closed and everything is done."""
        with self._changed:
            while True:
                while not (self._small or self._large):
                    if self._closed:
                        return []
                    self._changed.wait()
                self._wait_for_others((self._small or self._large)[0].arrived + WAIT_SECONDS)
                # meanwhile another runner may have taken all
                if calls := self._take():
                    return calls

    def _wait_for_others(self, deadline: float) -> None:
        while self._waiting() < MOST and self._coming and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._changed.wait(left)

    def _waiting(self) -> int:
        return sum(len(call.images) for call in self._small) + sum(len(call.images) for call in self._large)

    def _take(self) -> list[_Call]:
        self._turn = (self._turn + 1) % _TURN
        queues = (self._large, self._small) if not self._turn else (self._small, self._large)
        taken: list[_Call] = []
        room = MOST
        for queue in queues:
            while queue and len(queue[0].images) <= room:
                room -= len(queue[0].images)
                taken.append(queue.popleft())
                if queue is self._large:
                    break  # one part a batch: the small ones behind it have room too
        return taken
