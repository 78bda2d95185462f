"""A set that stays in its file is trained on as one in memory: the same rows, the same weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from handread.data import npz
from handread.training.config import SourceConfig, TrainConfig, load_recipe
from handread.training.loop import Trainer
from handread.training.sources import TrainingSet, prepare


def both(shop: Path, monkeypatch: pytest.MonkeyPatch, config: TrainConfig) -> tuple[TrainingSet, TrainingSet]:
    """The training part in memory, and left in its file."""
    usual = prepare(config, str(shop))
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    stored = prepare(config, str(shop))
    for name, part in usual.validation.items():
        assert type(stored.validation[name].images) is np.ndarray
        assert stored.validation[name].digest() == part.digest()
    return usual.training, stored.training


@pytest.mark.parametrize("held_out", ["random", "last"])
def test_rows_are_those_of_memory(shop: Path, monkeypatch: pytest.MonkeyPatch, held_out: str) -> None:
    config = load_recipe(shop / "tiny.toml")
    source = dataclasses.replace(config.sources[0], held_out=held_out)
    memory, stored = both(shop, monkeypatch, dataclasses.replace(config, sources=(source,)))
    assert type(stored.images) is not np.ndarray
    assert (len(stored), stored.images.shape) == (len(memory), memory.images.shape)
    rows = np.array([5, 0, 5, len(memory) - 1])
    assert stored.take(rows).digest() == memory.take(rows).digest()
    assert stored.take(np.arange(len(stored))).digest() == memory.digest()
    assert np.array_equal(stored.images[7], memory.images[7])
    assert np.array_equal(np.asarray(stored.images), memory.images)


def test_other_sources_join_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tuple(SourceConfig(data=name, count=count) for name, count in
                    (("signs.npz", 0), ("pairs", 9), ("synthetic", 12)))  # fmt: skip
    config = dataclasses.replace(load_recipe(shop / "tiny.toml"), sources=sources, reject=True)
    memory, stored = both(shop, monkeypatch, config)
    assert len(stored) == 141
    rows = np.array([140, 3, 119, 120, 128, 3])
    assert stored.take(rows).digest() == memory.take(rows).digest()


def test_the_digest_sees_the_file(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_recipe(shop / "tiny.toml")
    _, first = both(shop, monkeypatch, config)
    again = prepare(config, str(shop)).training
    content = np.load(shop / "signs.npz")
    images = content["images"].copy()
    images[100, 14, 14] ^= 1
    np.savez(tmp_path / "signs.npz", images=images, labels=content["labels"])
    other = prepare(config, str(tmp_path)).training
    assert first.digest() == again.digest() != other.digest()


def test_the_same_weights_come_of_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_recipe(shop / "tiny.toml", ["epochs=1"])
    ends = []
    for data in both(shop, monkeypatch, config):
        trainer = Trainer(config)
        trainer.fit(data, {})
        ends.append({name: tensor.numpy() for name, tensor in trainer.network.state_dict().items()})
    assert all(np.array_equal(ends[1][name], value) for name, value in ends[0].items())
