"""Learning a few people's handwriting on top of a finished recogniser, without forgetting the rest.

Three things keep what was known (each a published idea, all three cheap on a laptop): every step also shows drawn
characters and scribbles on which the network must go on saying what it said (learning without forgetting, Li and
Hoiem 2016); batch statistics stay as they are; and in the end old and new weights are averaged (WiSE-FT, Wortsman et
al. 2022), as far towards the new ones as the held-out pictures ask for.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from handread.alphabet import Alphabet
from handread.networks.base import Network
from handread.training.augment import augment
from handread.training.config import AugmentConfig
from handread.training.cues import CueSampler
from handread.training.loop import batch_bounds, epoch_rows, follow, merged_cross_entropy
from handread.training.optimizers import decayed
from handread.training.restore import freeze_statistics
from handread.training.schedule import cosine
from handread.training.sources import TrainingSet

if TYPE_CHECKING:
    from handread.types import Progress

VARIED = AugmentConfig(
    rotate_degrees=6.0, slant=0.12, scale_fraction=0.08, shift_pixels=0.8, elastic_pixels=0.8,
    thicken_fraction=0.3, thin_fraction=0.2, blur_fraction=0.2, gamma=0.2, noise=0.05, cutout_fraction=0.1,
)  # fmt: skip
"""Stronger than in the recipe of the shipped recogniser: there are few pictures."""


@dataclass(frozen=True, slots=True)
class LearnConfig:
    """How a finished recogniser goes on learning; chosen on the held-out writers of one set."""

    epochs: int = 12
    batch_size: int = 64
    rehearsed: int = 64
    """Drawn images beside each batch, on which nothing may change."""
    learning_rate: float = 0.001
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    keep: float = 2.0
    """Weight of the loss (nats) by which answers on drawn images may not move."""
    decay: float = 0.98
    """Of the moving average of the weights, a step."""
    seed: int = 1
    augment: AugmentConfig = VARIED
    """How the pictures are varied."""


def fine_tune(
    old: Network,
    data: TrainingSet,
    rehearsal: TrainingSet,
    alphabet: Alphabet,
    config: LearnConfig,
    *,
    tick: Progress = lambda done, total: None,
) -> Network:
    """A copy of `old` that has learned `data` beside the drawn `rehearsal`; `old` is left as it is.

    `alphabet` is what the first outputs mean. The result is in the mode of prediction.
    """
    torch.manual_seed(config.seed)
    network, average = copy.deepcopy(old).train(), copy.deepcopy(old).eval()
    freeze_statistics(network)
    optimizer = torch.optim.AdamW(decayed(network, config.weight_decay), lr=config.learning_rate)
    sampler = CueSampler(alphabet)
    steps = len(batch_bounds(np.arange(len(data)), config.batch_size)) * config.epochs
    step = 0
    for epoch in range(config.epochs):
        rng = np.random.default_rng([config.seed, epoch])
        noise = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        rows = epoch_rows(data.repeats, config.seed, epoch)
        for low, high in batch_bounds(rows, config.batch_size):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * cosine(step, steps, warmup=0.1, final=0.01)
            own = _Shown(data.take(rows[low:high]), sampler, rng, noise, config.augment)
            drawn = _Shown(
                rehearsal.take(rng.integers(0, len(rehearsal), config.rehearsed)), sampler, rng, noise, config.augment
            )
            logits = network(torch.cat([own.images, drawn.images]), torch.cat([own.cues, drawn.cues]))
            with torch.inference_mode():
                before = old(drawn.images, drawn.cues)
            count = len(own.labels)
            loss = merged_cross_entropy(logits[:count], own.labels, own.alternatives, config.label_smoothing)
            loss = loss + config.keep * divergence(before.clone(), logits[count:, : before.shape[1]])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            follow(average, network, min(config.decay, (1 + step) / (10 + step)))
            step += 1
            tick(step, steps)
    return average


def divergence(old: Tensor, new: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence in nats from the old answers to the new; logits (N, K) both."""
    return functional.kl_div(
        functional.log_softmax(new, dim=1), functional.log_softmax(old, dim=1), reduction="batchmean", log_target=True
    )


def between(old: Network, new: Network, share: float) -> Network:
    """A network whose weights lie `share` (0..1) of the way from `old` to `new`."""
    result = copy.deepcopy(new)
    with torch.no_grad():
        for mine, before in zip(result.state_dict().values(), old.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.copy_(torch.lerp(before, mine, share))
    return result.eval()


class _Shown:
    """A batch as the network sees it."""

    def __init__(
        self,
        part: TrainingSet,
        sampler: CueSampler,
        rng: np.random.Generator,
        noise: torch.Generator,
        config: AugmentConfig,
    ) -> None:
        cues = sampler.sample(part.labels, part.cues, part.pictures, part.alternatives >= 0, rng)
        self.images = augment(torch.from_numpy(part.images).float() / 255, config, noise)
        self.cues = torch.from_numpy(cues)
        self.labels = torch.from_numpy(part.labels)
        self.alternatives = torch.from_numpy(part.alternatives)


def logits_of(network: Network, data: TrainingSet) -> npt.NDArray[np.float32]:
    """float32 (N, K) of `network`, with the cues that prediction would have."""
    cues = np.where(data.pictures[:, None], data.cues, 0).astype(np.float32)
    out = []
    with torch.inference_mode():
        for first in range(0, len(data), 256):
            image = torch.from_numpy(data.images[first : first + 256]).float() / 255
            out.append(network(image, torch.from_numpy(cues[first : first + 256])))
    return torch.cat(out).numpy()
