"""The training loop: augment, forward, backward, step, record."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from handread.alphabet import Alphabet
from handread.networks.base import Network
from handread.networks.build import build_network
from handread.training.augment import augment
from handread.training.checkpoint import (
    Checkpoint,
    network_tensors,
    optimizer_tensors,
    random_tensors,
    restore_network,
    restore_optimizer,
    restore_random,
)
from handread.training.config import TrainConfig
from handread.training.cues import CueSampler
from handread.training.schedule import cosine
from handread.training.sources import TrainingSet


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean training loss."""
    accuracy: dict[str, float]
    """Share of right first guesses on each validation set, 0..1."""
    images_per_second: float
    seconds: float


class Trainer:
    """A run in progress: network, averaged network, optimizer, and the epochs so far."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        if config.threads:
            torch.set_num_threads(config.threads)
        self.config = config
        self.alphabet = Alphabet.of(config.alphabet)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        outputs = len(self.alphabet) + config.reject
        network = build_network(config.network, outputs).to(self.device)
        self.network: Network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: Network = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(
            _decayed(self.network, config.weight_decay), lr=config.learning_rate, fused=True
        )
        self.sampler = CueSampler(self.alphabet)
        self.epochs_done = 0

    def fit(
        self,
        data: TrainingSet,
        validation: dict[str, TrainingSet],
        *,
        record: Callable[[Epoch], None] = lambda epoch: None,
        tick: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Train until the recipe's last epoch. `record` is called after each, `tick` after each step."""
        config = self.config
        half = config.bf16 and has_bf16(self.device)
        for epoch in range(self.epochs_done, config.epochs):
            start, total, seen = time.perf_counter(), 0.0, 0
            rows = epoch_rows(data.repeats, config.seed, epoch)
            steps = -(-len(rows) // config.batch_size)
            self.network.train()
            for step, batch in enumerate(self._batches(data, rows, epoch)):
                factor = cosine(epoch * steps + step, config.epochs * steps,
                                warmup=config.warmup_fraction, final=config.final_fraction)  # fmt: skip
                for group in self.optimizer.param_groups:
                    group["lr"] = config.learning_rate * factor
                with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                    logits = self.network(batch.images, batch.cues)
                loss = merged_cross_entropy(logits.float(), batch.labels, batch.alternatives, config.label_smoothing)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                self._average(epoch * steps + step)
                total += float(loss.detach()) * len(batch.labels)
                seen += len(batch.labels)
                tick(step + 1, steps)
            self.epochs_done = epoch + 1
            scores = {name: self.accuracy(part) for name, part in validation.items()}
            seconds = time.perf_counter() - start
            record(Epoch(epoch + 1, total / max(seen, 1), scores, seen / seconds, seconds))

    def _batches(self, data: TrainingSet, rows: npt.NDArray[np.int64], epoch: int) -> Iterator[_Batch]:
        config = self.config
        rng = np.random.default_rng([config.seed, epoch, 1])
        generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        for first in range(0, len(rows), config.batch_size):
            part = data.take(rows[first : first + config.batch_size])
            cues = self.sampler.sample(part.labels, part.cues, part.pictures, part.alternatives >= 0, rng)
            images = torch.from_numpy(part.images).float() / 255
            images = augment(images, config.augment, generator)
            yield _Batch(
                images.to(self.device).contiguous(memory_format=torch.channels_last),
                torch.from_numpy(cues).to(self.device),
                torch.from_numpy(part.labels).to(self.device),
                torch.from_numpy(part.alternatives).to(self.device),
            )

    def _average(self, step: int) -> None:
        """Exponential moving average of weights and statistics, faster at first so that it forgets the start."""
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)

    def logits(self, images: npt.NDArray[np.uint8], cues: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 (N, K) of the averaged network for ModelInput and cues."""
        out = []
        with torch.inference_mode():
            for first in range(0, len(images), 512):
                image = torch.from_numpy(images[first : first + 512]).to(self.device).float() / 255
                out.append(
                    self.average(image, torch.from_numpy(cues[first : first + 512]).to(self.device)).float().cpu()
                )
        return torch.cat(out).numpy()

    def accuracy(self, data: TrainingSet) -> float:
        """Share of right first guesses of the averaged network, either case where the label's is unknown."""
        cues = np.where(data.pictures[:, None], data.cues, 0).astype(np.float32)
        guess = self.logits(data.images, cues)[:, : len(self.alphabet)].argmax(axis=1)
        return float(((guess == data.labels) | (guess == data.alternatives)).mean())

    def checkpoint(self, facts: dict[str, object]) -> Checkpoint:
        """The state after the last whole epoch."""
        tensors = network_tensors("network", self.network) | network_tensors("average", self.average)
        tensors |= optimizer_tensors(self.optimizer) | random_tensors(self.device)
        return Checkpoint(self.epochs_done, tensors, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same recipe."""
        restore_network("network", self.network, checkpoint.tensors)
        restore_network("average", self.average, checkpoint.tensors)
        restore_optimizer(self.optimizer, checkpoint.tensors)
        restore_random(self.device, checkpoint.tensors)
        self.epochs_done = checkpoint.epoch


@dataclass(frozen=True, slots=True)
class _Batch:
    images: Tensor
    cues: Tensor
    labels: Tensor
    alternatives: Tensor


def has_bf16(device: torch.device) -> bool:
    """True where bfloat16 is native; elsewhere it is emulated, and slower than single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # torch has no public name for this question about the processor; without an answer, single precision is safe
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(native())


def epoch_rows(repeats: npt.NDArray[np.float32], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Shuffled rows of one epoch: each as often as its `repeats` says, a fraction by chance."""
    rng = np.random.default_rng([seed, epoch])
    times = np.floor(repeats + rng.random(len(repeats))).astype(np.int64)
    rows = np.repeat(np.arange(len(repeats), dtype=np.int64), times)
    rng.shuffle(rows)
    return rows


def merged_cross_entropy(logits: Tensor, labels: Tensor, alternatives: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy; where `alternatives` names a second class, of the two classes' joint probability.

    logits (N, K), labels (N,), alternatives (N,) with -1 for none; `smoothing` as in Szegedy et al. 2016.
    """
    log_probability = functional.log_softmax(logits, dim=1)
    own = log_probability.gather(1, labels[:, None])[:, 0]
    other = log_probability.gather(1, alternatives.clamp(min=0)[:, None])[:, 0]
    joint = torch.where(alternatives >= 0, torch.logaddexp(own, other), own)
    return -((1 - smoothing) * joint + smoothing * log_probability.mean(dim=1)).mean()


def _decayed(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay on matrices and kernels only; norms and biases are left free."""
    wide = [p for p in network.parameters() if p.ndim > 1]
    thin = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": thin, "weight_decay": 0.0}]
