"""split_off: shares, writers, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.data.split import split_off
from handread.errors import DataError


def numbered(labels: np.ndarray, writers: np.ndarray | None = None) -> LabelledImages:
    """Every image holds its own number, so that items can be followed."""
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None].copy()
    people = None if writers is None else writers.astype(np.int32)
    return LabelledImages("set", images, labels.astype(np.int64), Alphabet.of("digits"), writers=people)


def items(data: LabelledImages) -> list[int]:
    return data.images[:, 0, 0].tolist()


def test_every_class_gives_its_share() -> None:
    data = numbered(np.repeat([0, 1, 2], [100, 50, 10]))
    rest, part = split_off(data, 0.1, seed=3)
    assert np.bincount(part.labels).tolist() == [10, 5, 1]
    assert sorted(items(rest) + items(part)) == list(range(160))
    assert items(part) == sorted(items(part))


@pytest.mark.parametrize("fraction", [0.01, 0.15, 0.33, 0.5, 0.9])
def test_total_is_exact(fraction: float) -> None:
    data = numbered(np.random.default_rng(0).integers(0, 10, 200))
    assert len(split_off(data, fraction, seed=0)[1]) == round(200 * fraction)


def test_seed_decides() -> None:
    data = numbered(np.tile(np.arange(10), 20))
    assert items(split_off(data, 0.2, seed=1)[1]) == items(split_off(data, 0.2, seed=1)[1])
    assert items(split_off(data, 0.2, seed=1)[1]) != items(split_off(data, 0.2, seed=2)[1])


def test_writers_stay_whole() -> None:
    writers = np.repeat(np.arange(20), 10)
    rest, part = split_off(numbered(np.tile(np.arange(10), 20), writers), 0.2, seed=5)
    assert rest.writers is not None
    assert part.writers is not None
    assert not set(rest.writers.tolist()) & set(part.writers.tolist())
    assert np.bincount(part.labels).tolist() == [4] * 10


def test_unknown_writers_are_stratified_beside_the_known() -> None:
    writers = np.concatenate([np.repeat(np.arange(10), 10), np.full(100, -1)])
    rest, part = split_off(numbered(np.tile(np.arange(10), 20), writers), 0.2, seed=5)
    assert part.writers is not None
    assert rest.writers is not None
    assert int((part.writers == -1).sum()) == 20
    assert set(rest.writers.tolist()) & set(part.writers.tolist()) == {-1}


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(DataError, match="choose between 0 and 1"):
        split_off(numbered(np.arange(10)), fraction, seed=0)


@pytest.mark.parametrize("writers", [None, np.zeros(2)])
def test_too_few_to_split(writers: np.ndarray | None) -> None:
    with pytest.raises(DataError, match="too few to split off"):
        split_off(numbered(np.array([1, 1]), writers), 0.1, seed=0)
