"""A run that begins with the weights of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from handread.errors import ConfigError, ModelError
from handread.networks.build import build_network
from handread.training.checkpoint import Checkpoint, load_checkpoint, network_tensors, start_network
from handread.training.config import config_from
from handread.training.loop import Trainer
from handread.training.run import CHECKPOINT, train_recipe


@pytest.fixture(scope="module")
def first(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "first"
    train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=3"])
    return out


def test_it_begins_where_the_other_ended(first: Path, shop: Path) -> None:
    config = config_from({"network": "plain-tiny", "alphabet": "012", "start": str(first)})
    weights = Trainer(config).network.state_dict()
    kept = load_checkpoint(first / CHECKPOINT).tensors
    assert all(torch.equal(tensor, kept[f"average.{name}"]) for name, tensor in weights.items())


def test_a_further_layer_keeps_its_first_values() -> None:
    network = build_network("residual-tiny", 5)
    theirs = network_tensors("average", build_network("residual-tiny", 5))
    theirs = {name: tensor + 1 for name, tensor in theirs.items() if ".place." not in name}
    start_network(network, Checkpoint(1, theirs, {}), "there")
    assert not network.state_dict()["place.weight"].any()
    assert torch.equal(network.state_dict()["head.bias"], theirs["average.head.bias"])


@pytest.mark.parametrize("other", ["plain-tiny", "residual-tiny"])
def test_weights_of_another_network_are_refused(other: str) -> None:
    outputs = 5 if other == "plain-tiny" else 6
    theirs = network_tensors("average", build_network(other, outputs))
    with pytest.raises(ConfigError, match=r"there holds another network \(\w"):
        start_network(build_network("residual-tiny", 5), Checkpoint(1, theirs, {}), "there")


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no checkpoint"):
        Trainer(config_from({"network": "plain-tiny", "alphabet": "012", "start": str(tmp_path / "none")}))
