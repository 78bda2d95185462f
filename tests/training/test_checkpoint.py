"""Checkpoints: what is written is read back, what is damaged is refused in one sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch

from handread.errors import ModelError
from handread.networks.build import build_network
from handread.training.checkpoint import (
    FORMAT,
    Checkpoint,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    restore_network,
    restore_optimizer,
    save_checkpoint,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "last.safetensors"
    tensors = {"a.b": torch.arange(6.0).reshape(2, 3), "c": torch.tensor(7)}
    save_checkpoint(path, Checkpoint(3, tensors, {"config": {"name": "é"}, "history": [1.5]}))
    return path


def test_it_comes_back_as_it_went(saved: Path) -> None:
    found = load_checkpoint(saved)
    assert found.epoch == 3
    assert found.facts == {"config": {"name": "é"}, "history": [1.5]}
    assert set(found.tensors) == {"a.b", "c"}
    assert torch.equal(found.tensors["a.b"], torch.arange(6.0).reshape(2, 3))
    assert found.tensors["c"].item() == 7
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_layouts_that_are_not_contiguous_are_kept(tmp_path: Path) -> None:
    tensor = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "x", Checkpoint(0, {"t": tensor}, {}))
    assert torch.equal(load_checkpoint(tmp_path / "x").tensors["t"], tensor)


def header(data: bytes) -> dict[str, object]:
    size = struct.unpack("<Q", data[:8])[0]
    loaded: dict[str, object] = json.loads(data[8 : 8 + size])
    return loaded


def with_facts(data: bytes, text: str) -> bytes:
    size = struct.unpack("<Q", data[:8])[0]
    changed = header(data) | {"__metadata__": {"handread": text}}
    new = json.dumps(changed).encode()
    return struct.pack("<Q", len(new)) + new + data[8 + size :]


def test_a_missing_one_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no checkpoint.*start without --resume"):
        load_checkpoint(tmp_path / "none")


def test_damage_is_refused_in_one_sentence(saved: Path) -> None:
    whole = saved.read_bytes()
    damaged = [
        b"", whole[:4], whole[:30], whole[:-3], whole + b"x", b"\xff" * 40, b"PK\x03\x04 not this",
        with_facts(whole, "{"), with_facts(whole, "[]"), with_facts(whole, "3"), with_facts(whole, '{"format": 1}'),
        with_facts(whole, '{"format": "x", "epoch": 1, "facts": {}}'),
        with_facts(whole, '{"format": 1, "epoch": "x", "facts": {}}'),
        with_facts(whole, '{"format": 1, "epoch": 1, "facts": 3}'),
    ]  # fmt: skip
    for data in damaged:
        saved.write_bytes(data)
        with pytest.raises(ModelError, match=r"damaged.*remove it and begin again, or choose another folder") as caught:
            load_checkpoint(saved)
        assert "\n" not in str(caught.value)


def test_a_newer_format_is_refused(saved: Path) -> None:
    text = json.dumps({"format": FORMAT + 1, "epoch": 1, "facts": {}})
    saved.write_bytes(with_facts(saved.read_bytes(), text))
    with pytest.raises(ModelError, match=f"has format {FORMAT + 1}; upgrade"):
        load_checkpoint(saved)


def step(network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    images = torch.linspace(0, 1, 4 * 1024).reshape(4, 1, 32, 32)
    loss = network(images, torch.zeros(4, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_network_and_optimizer_go_on_as_if_never_stopped() -> None:
    def fresh() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = build_network("plain-tiny", 5)
        return network, torch.optim.AdamW(network.parameters(), lr=0.01, fused=True)

    network, optimizer = fresh()
    step(network, optimizer)
    tensors = {k: v.clone() for k, v in (network_tensors("n", network) | optimizer_tensors(optimizer)).items()}
    step(network, optimizer)
    other, other_optimizer = fresh()
    restore_network("n", other, tensors)
    restore_optimizer(other_optimizer, tensors)
    step(other, other_optimizer)
    for name, tensor in network_tensors("n", network).items():
        assert torch.equal(tensor, network_tensors("n", other)[name]), name


def test_the_weights_of_another_network_are_refused() -> None:
    tensors = network_tensors("n", build_network("plain-tiny", 5))
    with pytest.raises(ModelError, match="another network"):
        restore_network("n", build_network("plain-tiny", 6), tensors)
    with pytest.raises(ModelError, match="another network"):
        restore_network("m", build_network("plain-tiny", 5), tensors)
