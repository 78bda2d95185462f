from __future__ import annotations

from dataclasses import replace

import pytest

from handread.scale.entry import Entry, Rows
from handread.scale.shard import Measure, Shard, cut

ROWS = Rows("a.parquet", "image", 0, 7, 99)


def part(start: int, count: int) -> Rows:
    return replace(ROWS, start=start, count=count)


def test_rows_fill_a_shard_and_go_on_in_the_next() -> None:
    found = list(cut(["x", ROWS, "y"], 3))
    assert found == [
        Shard(0, ("x", part(0, 2))),
        Shard(1, (part(2, 3),)),
        Shard(2, (part(5, 2), "y")),
    ]
    assert [len(shard) for shard in found] == [3, 3, 3]


@pytest.mark.parametrize("size", [1, 2, 4, 5, 11, 100])
def test_no_picture_is_lost_or_doubled(size: int) -> None:
    source: list[Entry] = [ROWS, "x", "y", replace(ROWS, file="b.parquet", count=1), "z"]
    shards = list(cut(source, size))
    assert [len(shard) for shard in shards[:-1]] == [size] * (len(shards) - 1)
    assert [shard.number for shard in shards] == list(range(len(shards)))

    def single(entry: Entry) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [f"{entry.file}#{row}" for row in range(entry.start, entry.start + entry.count)]

    told = [name for shard in shards for entry in shard.entries for name in single(entry)]
    assert told == [name for entry in source for name in single(entry)]


def test_nothing_gives_no_shard() -> None:
    assert list(cut([], 5)) == []


def test_a_shard_comes_back_from_its_text() -> None:
    shard = Shard(3, ("a b.png", "\udcff.png", ROWS))
    assert Shard.from_json(shard.to_json()) == shard


def test_the_fingerprint_tells_inputs_apart() -> None:
    def digest(*found: Entry) -> str:
        measure = Measure()
        assert list(measure.of(found)) == list(found)
        return measure.extent.digest

    assert digest("a", "b", ROWS) == digest("a", "b", ROWS)
    others = [digest("b", "a", ROWS), digest("ab", ROWS), digest("a", ROWS), digest("a", "b", replace(ROWS, size=98))]
    assert len({digest("a", "b", ROWS), *others}) == 5


def test_the_pictures_of_rows_are_counted() -> None:
    measure = Measure()
    list(measure.of(["a", ROWS]))
    assert measure.extent.pictures == 8
