"""One run in several processes: each takes its part of every batch, and all come to what one process would.

`torchrun` starts the processes and tells each its place in environment variables; without those a run is `ALONE` and
nothing here is used. A batch is drawn and varied whole everywhere, from the same seeds, then divided, so that the
parts together are the batch of one process. What a network draws or sums over a batch is drawn or summed over all
parts of it: dropout, statistics of batch normalisation, gradients.
"""

from __future__ import annotations

import contextlib
import copy
import math
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

from handread.errors import ConfigError, HandreadError
from handread.networks.layers import is_channels_last, scale_of_units


class Group:
    """The processes of a run. This one is alone; a subclass says how several talk."""

    rank: int = 0
    """Number of this process."""
    size: int = 1
    """How many there are."""
    job: str = ""
    """Names the `torchrun` that started this process; its restarts have the same. Empty where there is none."""

    @property
    def leads(self) -> bool:
        """True for the one process that writes and reports."""
        return self.rank == 0

    def part_of(self, count: int) -> slice:
        """Which of `count` things fall to this process."""
        return part_of(count, self.rank, self.size)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, the same bits in each; `tensor` itself may be changed."""
        return tensor

    def told(self, content: bytes) -> bytes:
        """What the first process has as `content`; that of the others is ignored."""
        return content

    def any(self, asked: bool) -> bool:
        """True where any process says so."""
        return asked

    def agree(self, what: str, own: str) -> None:
        """Raise `ConfigError` in every process where `own` is not the same in all."""


ALONE = Group()
"""The group of a run in one process."""


def part_of(count: int, rank: int, size: int) -> slice:
    """The part of `count` things in a row that falls to process `rank` of `size`: the parts follow each other, leave
    nothing out, and differ by one at most.

    >>> [part_of(10, rank, 3) for rank in range(3)]
    [slice(0, 4, None), slice(4, 7, None), slice(7, 10, None)]
    """
    least, more = divmod(count, size)
    first = rank * least + min(rank, more)
    return slice(first, first + least + (rank < more))


@contextlib.contextmanager
def joined() -> Iterator[Group]:
    """The group that this process belongs to, as its environment says; left when the block ends.

    Raises `ConfigError` where the environment is no whole one, the other processes cannot be reached, or there are
    more processes on this machine than GPUs.
    """
    rank, size = place()
    job = job_of(os.environ)
    if size == 1:
        alone = Group()
        alone.job = job
        yield alone
        return
    local = _number("LOCAL_RANK", 0)
    backend = "gloo"
    if torch.cuda.is_available():
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"process {local} of this machine finds {torch.cuda.device_count()} GPUs; give as many as "
                "--nproc-per-node, or hide them with CUDA_VISIBLE_DEVICES= to train on processors"
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    try:
        shelf = next(iter(rendezvous("env://")))[0]
        met = PrefixStore(meeting(shelf, rank, size), shelf)
        distributed.init_process_group(backend, store=met, rank=rank, world_size=size)
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"process {rank} of {size} cannot reach the others ({_first_line(error)}); start all of them with torchrun"
        ) from None
    try:
        yield _Processes(rank, size, job)
    finally:
        with contextlib.suppress(RuntimeError):  # after a loss there may be nothing left to leave
            distributed.destroy_process_group()


class _Shelf(Protocol):
    """What of torch's stores is used: names and bytes that all processes see."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def check(self, keys: list[str]) -> bool: ...


def meeting(shelf: _Shelf, rank: int, size: int, patience: float = 1800.0) -> str:
    """A name that exactly these processes agree on, over a store where earlier ones may have left theirs.

    torchrun keeps its store when it starts processes again, so that they would find the addresses of the dead. Each
    asks with a word of its own and believes only what was answered to it. Raises `RuntimeError` after `patience`
    seconds without the others.
    """
    own, end = uuid.uuid4().hex, time.monotonic() + patience
    if rank == 0:
        shelf.set("round", own)
        missing = set(range(1, size))
        while missing:
            for other in list(missing):
                asked, _, word = _found(shelf, f"asks {other}").partition(" ")
                if asked == own:
                    shelf.set(f"answer {word}", own)
                    missing.remove(other)
            _pause(end)
        return own
    asked = ""
    while not (answer := _found(shelf, f"answer {own}")):
        current = _found(shelf, "round")
        if current != asked:
            shelf.set(f"asks {rank}", f"{current} {own}")
            asked = current
        _pause(end)
    return answer


def _found(shelf: _Shelf, key: str) -> str:
    return str(shelf.get(key).decode()) if shelf.check([key]) else ""


def _pause(end: float) -> None:
    if time.monotonic() > end:
        raise RuntimeError("some never came")
    time.sleep(0.02)


def place() -> tuple[int, int]:
    """Number of this process and how many there are, as the environment says; `ConfigError` where it is half a one."""
    size = _number("WORLD_SIZE", 1)
    return (_number("RANK"), size) if size > 1 else (0, 1)


def job_of(environment: Mapping[str, str]) -> str:
    """A name for the `torchrun` in whose environment a process runs, the same after it restarted its processes.

    Where it was given no name it is called after its machine and its own process, which outlives those it starts.
    """
    name = environment.get("TORCHELASTIC_RUN_ID", "")
    return f"{socket.gethostname()}:{os.getppid()}" if name == "none" else name


def threads_of(asked: int, group: Group) -> int:
    """Threads for this process: as many as `asked`; else 0, which leaves all to torch, or its part of the machine's.

    torchrun says one thread a process to be safe; varying ink is done by the processor even where a GPU learns.
    """
    if asked or group.size == 1:
        return asked
    return max(1, (os.cpu_count() or 1) // _number("LOCAL_WORLD_SIZE", group.size))


class _Processes(Group):
    """A group that torch.distributed connects."""

    def __init__(self, rank: int, size: int, job: str) -> None:
        self.rank, self.size = rank, size
        self.job = self.told(job.encode()).decode()

    def total(self, tensor: Tensor) -> Tensor:
        _together(distributed.all_reduce, tensor)
        return tensor

    def told(self, content: bytes) -> bytes:
        length = torch.tensor([len(content)])
        _together(distributed.broadcast, length, 0)
        told = torch.zeros(int(length), dtype=torch.uint8)
        if self.leads and content:
            told = torch.from_numpy(np.frombuffer(content, np.uint8).copy())
        _together(distributed.broadcast, told, 0)
        return told.numpy().tobytes()

    def any(self, asked: bool) -> bool:
        return bool(self.total(torch.tensor([int(asked)])))

    def agree(self, what: str, own: str) -> None:
        if self.any(self.told(own.encode()) != own.encode()):
            raise ConfigError(f"the processes of this run differ in their {what}; start all with the same command, "
                              "version and data")  # fmt: skip


def _together(operation: Callable[..., Any], *arguments: Any) -> None:
    try:
        operation(*arguments)
    except RuntimeError as error:
        raise HandreadError(
            f"another process of this run has gone ({_first_line(error)}); torchrun --max-restarts goes on by itself, "
            "or start all again with --resume"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def _number(name: str, default: int | None = None) -> int:
    said = os.environ.get(name)
    if said is None and default is not None:
        return default
    if said is None or not said.isdecimal():
        raise ConfigError(f"the environment variable {name} is {said!r}, expected a whole number; start with torchrun")
    return int(said)


def spread(network: nn.Module, group: Group) -> nn.Module:
    """The same network, weights and statistics shared with the one given, for batches divided over `group`.

    Its input is this process' part of a batch (`Group.part_of`). Dropout draws for the whole batch and uses its part;
    batch normalisation takes the statistics of all parts. Weights, statistics and random state stay the same in all
    processes, and those of one process to rounding. `network` itself is what is saved, averaged and exported.
    """
    batch = _Batch(group)
    tensors = [*network.parameters(), *network.buffers()]
    twin = copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})
    for parent in list(twin.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Dropout):
                setattr(parent, name, _SharedDropout(layer, batch))
            elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(parent, name, _SharedNorm(layer, batch))
    return _Spread(twin, batch)


class _Batch:
    """The whole batch, of which a part lies here."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.count = 0
        """Images in all processes."""


class _Spread(nn.Module):
    def __init__(self, network: nn.Module, batch: _Batch) -> None:
        super().__init__()
        self.network, self._batch = network, batch

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        group = self._batch.group
        self._batch.count = int(group.total(torch.tensor([len(image)])))
        logits: Tensor = self.network(image, cues)
        return logits


class _SharedDropout(nn.Module):
    def __init__(self, layer: nn.Dropout, batch: _Batch) -> None:
        super().__init__()
        self.rate, self._batch = layer.p, batch

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        count = self._batch.count
        # what is drawn follows the order in memory, which for images may be channels-last
        lies = torch.channels_last if is_channels_last(x) else torch.contiguous_format
        whole = torch.empty((count, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=lies)
        return x * scale_of_units(whole, self.rate)[self._batch.group.part_of(count)]


class _SharedNorm(nn.Module):
    """Batch normalisation (Ioffe and Szegedy 2015) over all parts of a batch; torch's own does so on CUDA alone."""

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, batch: _Batch) -> None:
        super().__init__()
        self.layer, self._batch = layer, batch

    def forward(self, x: Tensor) -> Tensor:
        layer, group = self.layer, self._batch.group
        if not layer.training:
            normed: Tensor = layer(x)
            return normed
        values = x if x.dtype == torch.float64 else x.float()
        over, along = [axis for axis in range(x.ndim) if axis != 1], [1, -1] + [1] * (x.ndim - 2)
        pixels = math.prod(x.shape[2:])
        parts = [part_of(self._batch.count, rank, group.size) for rank in range(group.size)]
        counts = [(part.stop - part.start) * pixels for part in parts]
        # each part's own mean and squared distances from it, put together without loss of digits (Chan et al. 1979)
        mean = values.sum(over) / max(1, counts[group.rank])
        squares = (values - mean.reshape(along)).square().sum(over)
        own = values.new_zeros(group.size, 1, 1)
        own[group.rank] = 1
        means, spreads = _Total.apply(own * torch.stack([mean, squares]), group).unbind(1)  # type: ignore[no-untyped-call]
        weights = values.new_tensor(counts)[:, None] / sum(counts)
        mean = (weights * means).sum(0)
        variance = spreads.sum(0) / sum(counts) + (weights * (means - mean).square()).sum(0)
        self._remember(mean.detach(), variance.detach(), sum(counts))
        scale = layer.weight * torch.rsqrt(variance + layer.eps)
        normed = (values - mean.reshape(along)) * scale.reshape(along) + layer.bias.reshape(along)
        return normed.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        layer = self.layer
        assert layer.running_mean is not None
        assert layer.running_var is not None
        assert layer.num_batches_tracked is not None
        assert layer.momentum is not None
        layer.num_batches_tracked.add_(1)
        layer.running_mean.lerp_(mean, layer.momentum)
        layer.running_var.lerp_(variance * (count / max(1, count - 1)), layer.momentum)


class _Total(torch.autograd.Function):
    """A sum over all processes through which gradients flow back: each has a part in the loss of every other."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group.total(tensor.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total: Tensor = ctx.group.total(gradients[0].contiguous().clone())
        return total, None


def total_gradients(network: nn.Module, loss: Tensor, group: Group) -> float:
    """Sum every gradient of `network`, and `loss`, over all processes in one message; gives the summed loss."""
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    message = group.total(torch.cat([*(gradient.reshape(-1) for gradient in gradients), loss.detach().reshape(1)]))
    place = 0
    for gradient in gradients:
        gradient.copy_(message[place : place + gradient.numel()].reshape(gradient.shape))
        place += gradient.numel()
    return float(message[-1])
