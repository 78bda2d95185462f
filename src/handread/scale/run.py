"""Reading an input into a folder of Parquet shards, from the beginning or from where it stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handread import __version__
from handread.alphabet import Alphabet
from handread.errors import ConfigError, DataError
from handread.runtime import store
from handread.runtime.session import Session
from handread.scale.address import joined
from handread.scale.engines import ENGINES
from handread.scale.job import Done, Job, finished
from handread.scale.listing import COLUMN, entries
from handread.scale.manifest import Manifest, agree
from handread.scale.outcome import Options
from handread.scale.outlet import LocalFolder, Outlet, outlet
from handread.scale.shard import Extent, Measure, Shard, cut

if TYPE_CHECKING:
    from handread.types import Progress

SHARD_SIZE = 1000
"""Pictures a shard, unless another number is given."""


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """What to read and how. Raises `ConfigError` for a value out of range."""

    alphabet: str | None = None
    """A name or the characters that a picture may hold; None allows all that the model knows."""
    one: bool = False
    """Each picture holds exactly one character."""
    strict: bool = False
    """Put U+FFFD where a character is refused."""
    model: str = "handread"
    """A shipped name or the path of a file."""
    column: str = COLUMN
    """Column with the pictures in Parquet, or with the addresses in a CSV."""
    shard_size: int = SHARD_SIZE
    """Pictures a shard, 1 to 1,000,000; a shard's readings are held in memory until it is full."""

    def __post_init__(self) -> None:
        if not 1 <= self.shard_size <= 1_000_000:
            raise ConfigError(f"shard_size is {self.shard_size}, allowed are 1 to 1,000,000 pictures")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    pictures: int
    """Pictures of the input, all of which stand in the shards now."""
    failed: int
    """Pictures among them that could not be read."""
    shards: int
    found: int
    """Shards that were finished before and were not read again."""


def read_all(
    inputs: Sequence[str],
    out: str,
    config: ReadConfig | None = None,
    *,
    engine: str = "threads",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Read all pictures of `inputs` into `out`, a folder or a URL, as Parquet shards; finished ones are kept.

    `engine` is "threads" or "ray"; both give the same files. `workers` is how many pictures or shards are read
    at once, by default one a processor core (of the cluster). A picture that cannot be read becomes a row with
    its error. Raises `DataError` for an input that is not there or holds no pictures, `ConfigError` when `out`
    holds a reading of another input, with other options or another model, and as `Recognizer` does.
    """
    config = config or ReadConfig()
    if workers is not None and workers < 1:
        raise ConfigError(f"{workers} workers read nothing; give at least 1")
    read_shards = ENGINES[engine]
    content = store.load(config.model)
    session = Session(content, name=config.model, threads=1)
    known = Alphabet.of(config.alphabet if config.alphabet is not None else session.alphabet)
    session.alphabet.indices_of(known)  # a wrong alphabet is one error, not one a picture
    extent = _extent(inputs, config.column)
    manifest = Manifest(
        inputs=tuple(inputs), digest=extent.digest, pictures=extent.pictures,
        shards=-(-extent.pictures // config.shard_size), column=config.column, shard_size=config.shard_size,
        alphabet="".join(known), one=config.one, strict=config.strict,
        model=session.card.name, weights=store.checksum(content), handread=__version__,
    )  # fmt: skip
    folder = outlet(out)
    names = agree(manifest, folder, out)
    here = os.getcwd()
    options = Options(manifest.alphabet, config.one, config.strict)
    job = Job(content, config.model, options, joined(here, out), here, max(5, len(str(manifest.shards - 1))))
    work = _Work(job, folder, names, Measure())
    for done in read_shards(job, work.to_do(inputs, config), workers):
        work.count(done)
        if progress is not None:
            progress(work.pictures, extent.pictures)
    if work.measure.extent != extent:
        raise DataError(f"{', '.join(inputs)} changed while it was read; read it again into another folder")
    if isinstance(folder, LocalFolder):
        folder.tidy()
    return Summary(work.pictures, work.failed, manifest.shards, work.found)


def _extent(inputs: Sequence[str], column: str) -> Extent:
    measure = Measure()
    for _ in measure.of(entries(inputs, column)):
        pass
    if not measure.extent.pictures:
        raise DataError(
            f"{', '.join(inputs)} holds no pictures; give folders of pictures, Parquet files or lists of addresses "
            "(.txt, .csv)"
        )
    return measure.extent


class _Work:
    """Counts what is done while the shards pass by."""

    def __init__(self, job: Job, folder: Outlet, names: set[str], measure: Measure) -> None:
        self.measure = measure
        self.pictures = self.failed = self.found = 0
        self._job, self._folder, self._names = job, folder, names

    def to_do(self, inputs: Sequence[str], config: ReadConfig) -> Iterator[Shard]:
        """The shards that are not finished yet."""
        for shard in cut(self.measure.of(entries(inputs, config.column)), config.shard_size):
            there = self._job.name_of(shard.number) in self._names
            count = finished(self._job, shard, self._folder) if there else None
            if count is None:
                yield shard
            else:
                self.found += 1
                self.count(Done(shard.number, count.pictures, count.failed))

    def count(self, done: Done) -> None:
        """Add a shard."""
        self.pictures += done.pictures
        self.failed += done.failed
