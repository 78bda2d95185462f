"""Shards: the entries of an input cut into runs of a fixed number of pictures, each read and written by itself."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from handread.scale.entry import Entry, Picture, Rows


@dataclass(frozen=True, slots=True)
class Shard:
    """Pictures that are read together and become one Parquet file."""

    number: int
    """Its place in the input, from 0."""
    entries: tuple[Entry, ...]

    def __len__(self) -> int:
        return sum(1 if isinstance(entry, str) else entry.count for entry in self.entries)

    def pictures(self) -> Iterator[Picture]:
        """Its pictures one after the other; those behind an address are not opened yet."""
        from handread.scale.parquet import pictures_in  # which needs pyarrow

        for entry in self.entries:
            if isinstance(entry, str):
                yield Picture(entry, address=entry)
            else:
                yield from pictures_in(entry)

    def to_json(self) -> str:
        """The shard as text, for a worker elsewhere; `from_json` gives the equal shard back."""
        return json.dumps([self.number, [e if isinstance(e, str) else dataclasses.astuple(e) for e in self.entries]])

    @classmethod
    def from_json(cls, text: str) -> Shard:
        """The shard that `to_json` wrote."""
        number, found = json.loads(text)
        return cls(number, tuple(entry if isinstance(entry, str) else Rows(*entry) for entry in found))


def cut(found: Iterable[Entry], size: int) -> Iterator[Shard]:
    """`found` as shards of `size` pictures, the last one smaller; a run of rows is cut where a shard is full."""
    number, shard, count = 0, list[Entry](), 0
    for entry in found:
        for part in _parts(entry, size, size - count):
            shard.append(part)
            count += 1 if isinstance(part, str) else part.count
            if count == size:
                yield Shard(number, tuple(shard))
                number, shard, count = number + 1, [], 0
    if shard:
        yield Shard(number, tuple(shard))


def _parts(entry: Entry, size: int, room: int) -> Iterator[Entry]:
    """An entry in parts: the first fills the `room` that is left, those behind it a shard each."""
    if isinstance(entry, str):
        yield entry
        return
    start, end = entry.start, entry.start + entry.count
    while start < end:
        count = min(room, end - start)
        yield dataclasses.replace(entry, start=start, count=count)
        start, room = start + count, size


@dataclass(frozen=True, slots=True)
class Extent:
    """How much an input holds, and a fingerprint of what it is made of."""

    pictures: int
    digest: str
    """SHA-256 of all addresses, and of name, length and size of all Parquet files."""


class Measure:
    """Counts the entries that pass through it: `measure.of(entries)` gives them on, `measure.extent` sums up."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._pictures = 0

    def of(self, found: Iterable[Entry]) -> Iterator[Entry]:
        """`found`, counted as it is taken."""
        for entry in found:
            text = entry if isinstance(entry, str) else json.dumps(dataclasses.astuple(entry))
            self._sum.update(text.encode("utf-8", "surrogateescape") + b"\0")
            self._pictures += 1 if isinstance(entry, str) else entry.count
            yield entry

    @property
    def extent(self) -> Extent:
        """What has passed by now."""
        return Extent(self._pictures, self._sum.hexdigest())
