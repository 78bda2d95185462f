"""The engine of one machine: batches of pictures on a pool of threads, shards written in their order.

OpenCV, Pillow and onnxruntime work outside the interpreter's lock, so threads share the cores. A few batches more
than there are threads are under way at any time; whatever the number of pictures, no more are held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2

from handread.machine import cores
from handread.scale.job import Done, Job, write_shard
from handread.scale.outcome import Outcome, batches, read_batch
from handread.scale.outlet import outlet

if TYPE_CHECKING:
    from handread.scale.shard import Shard

AHEAD = 2
"""Batches that wait beside those that the threads are at."""


def read_shards(job: Job, shards: Iterator[Shard], workers: int | None) -> Iterator[Done]:
    """Read `shards` on `workers` threads, by default one a core; gives each when it is written, in order."""
    workers = workers or cores()
    folder = outlet(job.out)
    reader = job.reader()
    waiting: deque[tuple[Shard, Future[list[Outcome]] | None]] = deque()
    outcomes: list[Outcome] = []

    def settle() -> Iterator[Done]:
        shard, future = waiting.popleft()
        if future is not None:
            outcomes.extend(future.result())
            return
        yield write_shard(job, shard, outcomes, folder)
        outcomes.clear()

    with _opencv_alone(), ThreadPoolExecutor(workers) as pool:
        try:
            for shard in shards:
                for batch in batches(shard.pictures()):
                    waiting.append((shard, pool.submit(read_batch, reader, batch, job.options, job.base)))
                    while len(waiting) >= workers + AHEAD:
                        yield from settle()
                waiting.append((shard, None))
            while waiting:
                yield from settle()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _opencv_alone() -> Iterator[None]:
    """OpenCV without threads of its own: the pool's are enough."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
