"""Engines by name: who reads the shards of a job. Each is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from handread.registry import Registry
from handread.scale.job import Done, Job

if TYPE_CHECKING:
    from handread.scale.shard import Shard

Engine = Callable[[Job, Iterator["Shard"], int | None], Iterator[Done]]
"""Reads shards with a number of workers, None for as many as there are cores; gives what is finished, in any order."""

ENGINES = Registry[Engine]("engine")


@ENGINES.register("threads")
def _threads(job: Job, shards: Iterator[Shard], workers: int | None) -> Iterator[Done]:
    from handread.scale.threads import read_shards

    return read_shards(job, shards, workers)


@ENGINES.register("ray")
def _ray(job: Job, shards: Iterator[Shard], workers: int | None) -> Iterator[Done]:
    from handread.scale.cluster import read_shards

    return read_shards(job, shards, workers)
