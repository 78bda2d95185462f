"""Exported networks come back as they were, every kind of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from handread.card import ModelCard
from handread.errors import ModelError
from handread.networks.base import NETWORKS, Network
from handread.networks.build import build_network
from handread.training.export import onnx_bytes
from handread.training.quantise import quantise
from handread.training.restore import freeze_statistics, restore_exported

build_network("plain-tiny", 2)  # registers all
SMALL = [name for name in NETWORKS if name != "chars74k-224"]


def trained(name: str, outputs: int) -> Network:
    """A network whose normalisations have statistics of their own, as after training."""
    torch.manual_seed(3)
    network = build_network(name, outputs)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            nn.init.normal_(layer.running_mean, std=0.2)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.2)
    return network.eval()


def exported(network: Network, name: str, *, has_none: bool) -> bytes:
    card = ModelCard(name=name, version="1", alphabet="0123456789", has_none=has_none, has_cues=network.uses_cues)
    return onnx_bytes(network, card.with_frame(network.frame))


@pytest.mark.parametrize("has_none", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_a_network_comes_back_to_the_same_answers(name: str, has_none: bool) -> None:
    network = trained(name, 10 + has_none)
    restored = restore_exported(exported(network, name, has_none=has_none), name)
    assert restored.kind == name
    assert restored.card.has_none is has_none
    images, cues = torch.rand(6, 1, *network.frame.shape), torch.rand(6, 4)
    with torch.inference_mode():
        before, after = network(images, cues).numpy(), restored.network(images, cues).numpy()
    # the file holds its weights in half precision
    assert np.abs(before - after).max() < 0.01 * max(1.0, np.abs(before).max())
    assert np.ptp(before) > 0.01


def test_frozen_statistics_stay_while_the_network_learns() -> None:
    network = restore_exported(exported(trained("residual-tiny", 10), "residual-tiny", has_none=False), "r").network
    network.train()
    freeze_statistics(network)
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network(torch.rand(8, 1, 32, 32), torch.rand(8, 4))
    assert before
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_eight_bits_are_no_ground_to_build_on() -> None:
    content = quantise(exported(trained("residual-tiny", 10), "residual-tiny", has_none=False))
    with pytest.raises(ModelError, match=r"holds none of Handread's networks in full precision.*without --int8"):
        restore_exported(content, "small.onnx")


def test_a_foreign_network_is_refused(tiny_bytes: bytes) -> None:
    with pytest.raises(ModelError, match=r"^theirs\.onnx holds none of Handread's networks"):
        restore_exported(tiny_bytes, "theirs.onnx")
