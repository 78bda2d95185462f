"""What an engine needs to read shards, wherever it runs, and what it tells of each: `handread.scale.engines`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handread.recognizer import Recognizer
from handread.runtime.session import Session
from handread.scale.outcome import Options, Outcome, batches, read_batch
from handread.scale.outlet import Outlet
from handread.scale.parquet import Count, as_parquet, count_in

if TYPE_CHECKING:
    from handread.scale.shard import Shard


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One reading of an input. It travels to other machines, so it holds the weights themselves."""

    weights: bytes
    """Content of the model's file."""
    model: str
    """What errors call the model."""
    options: Options
    out: str
    """Absolute path or URL of the folder that the shards go to."""
    base: str
    """Folder from which local addresses are seen."""
    digits: int = 5
    """Digits of a shard's number in its name."""

    def reader(self) -> Recognizer:
        """The recogniser, on one thread: the engine sees to the others."""
        return Recognizer.of_session(Session(self.weights, name=self.model, threads=1))

    def name_of(self, number: int) -> str:
        """File name of a shard."""
        return f"part-{number:0{self.digits}d}.parquet"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished shard."""

    number: int
    pictures: int
    failed: int
    """Pictures that could not be read."""


def read_shard(job: Job, reader: Recognizer, shard: Shard, folder: Outlet) -> Done:
    """Read a shard on this thread and write it."""
    outcomes: list[Outcome] = []
    for batch in batches(shard.pictures()):
        outcomes += read_batch(reader, batch, job.options, job.base)
    return write_shard(job, shard, outcomes, folder)


def write_shard(job: Job, shard: Shard, outcomes: Sequence[Outcome], folder: Outlet) -> Done:
    """Put what came of a shard into its file."""
    folder.write(job.name_of(shard.number), as_parquet(outcomes))
    return Done(shard.number, len(outcomes), sum(outcome.error is not None for outcome in outcomes))


def finished(job: Job, shard: Shard, folder: Outlet) -> Count | None:
    """What stands in a shard's file; None where it is missing, damaged or of another length."""
    try:
        with folder.open(job.name_of(shard.number)) as file:
            count = count_in(file)
    except OSError:
        return None
    return count if count is not None and count.pictures == len(shard) else None
