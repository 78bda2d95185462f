"""Checkpoints: safetensors and JSON, written atomically, never pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from handread.data.atomic import link_atomic, write_atomic
from handread.errors import ConfigError, ModelError

FORMAT = 2
"""1 knew no place inside an epoch and no plateau; such a file is still understood."""


class DamagedError(ModelError):
    """The bytes of a checkpoint are not those that were written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run needs to go on after an epoch."""

    epoch: int
    """Epochs done."""
    tensors: dict[str, Tensor]
    facts: dict[str, Any]
    """Configuration, checksum of the data, history."""


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, before: Path | None = None) -> None:
    """Write one file; a crash leaves the old one whole, and `before` is where it stays when the new one is there.

    On disks without hard links there is no `before`.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    header = {"format": FORMAT, "epoch": checkpoint.epoch, "facts": checkpoint.facts}
    data = save(tensors, metadata={"handread": json.dumps(header | {"sha256": _digest(header, tensors)})})
    if before is not None:
        link_atomic(path, before)
    write_atomic(path, data)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; raises `ModelError` when it is missing, damaged or from a newer format."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"there is no checkpoint {path}; start without --resume") from None
    except OSError as error:
        raise ModelError(f"the checkpoint {path} cannot be read ({error}); start without --resume") from None
    return parse_checkpoint(data, path)


def parse_checkpoint(data: bytes, path: Path) -> Checkpoint:
    """A checkpoint from the bytes of `path`; raises `DamagedError`, or `ModelError` when it is from a newer format."""
    try:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["handread"])
        tensors = load(data)
        found, epoch, facts = int(header["format"]), int(header["epoch"]), dict(header["facts"])
        written = header.pop("sha256", "")  # version 0.1 wrote none
        if found <= FORMAT and written and written != _digest(header, tensors):
            raise ValueError("what it holds is not what was written")
    except Exception as error:
        raise DamagedError(
            f"the checkpoint {path} is damaged ({error}); remove it and begin again, or choose another folder"
        ) from None
    if found > FORMAT:
        raise ModelError(f"the checkpoint {path} has format {found}; upgrade Handread to resume it")
    return Checkpoint(epoch, tensors, facts)


def _digest(header: Mapping[str, object], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that is said, names and numbers, hexadecimal."""
    digest = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0")
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors."""
    state: Mapping[Any, Mapping[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"optimizer.{index}.{key}": torch.as_tensor(value)
        for index, row in state.items()
        for key, value in row.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; raises `ModelError` when it is of another optimizer or network."""
    try:
        _restore_optimizer(optimizer, tensors)
    except (ValueError, LookupError, TypeError, RuntimeError) as error:
        raise ModelError(f"the checkpoint holds no state of this optimizer ({error}); choose another folder") from None


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = _laid_out_as(weights[int(index)], tensor)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _laid_out_as(weight: Tensor, tensor: Tensor) -> Tensor:
    """A file is contiguous, weights may be channels-last, and the fused optimizer pairs them as they lie in memory."""
    if tensor.shape != weight.shape:
        return tensor
    return torch.empty_like(weight, dtype=tensor.dtype, requires_grad=False).copy_(tensor)


def random_tensors(device: torch.device) -> dict[str, Tensor]:
    """State of torch's own generators, which dropout draws from."""
    states = {"random.cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["random.cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random(device: torch.device, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `random_tensors` gave, `ModelError` where it is something else; older checkpoints have none."""
    try:
        if "random.cpu" in tensors:
            torch.set_rng_state(tensors["random.cpu"])
        if device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"], device)
    except (RuntimeError, TypeError) as error:
        raise ModelError(f"the checkpoint holds no state of a generator ({error}); choose another folder") from None


def network_tensors(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers under a prefix."""
    return {f"{prefix}.{name}": tensor for name, tensor in network.state_dict().items()}


def start_network(network: nn.Module, checkpoint: Checkpoint, source: str) -> None:
    """Begin with the averaged weights of another run; layers that its network did not have keep what they are.

    Raises `ConfigError` when the other run's network has something that this one has not.
    """
    tensors = checkpoint.tensors
    prefix = "average." if any(name.startswith("average.") for name in tensors) else "network."
    own = network.state_dict()
    theirs = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    strange = [name for name, tensor in theirs.items() if name not in own or own[name].shape != tensor.shape]
    if strange or not theirs:
        what = strange[0] if strange else "no weights"
        raise ConfigError(f"{source} holds another network ({what}); start from a run of the same one")
    network.load_state_dict(own | theirs)


def restore_network(prefix: str, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `network_tensors` gave; raises `ModelError` when it is of another network."""
    own = {n[len(prefix) + 1 :]: t for n, t in tensors.items() if n.startswith(prefix + ".")}
    try:
        network.load_state_dict(own)
    except RuntimeError:
        raise ModelError("the checkpoint holds the weights of another network; start without --resume") from None
