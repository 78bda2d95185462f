"""The last step of a run: what images alone say of class frequencies, where neither picture nor line is known.

A network that ignores how often a source holds each class wherever size and place are known (`prior = "cued"`) lets that
leak into images without them: digits come out too rare. One number a class, fitted on the training images as they are,
puts it right (on EMNIST's validation part 85.07 to 86.21 % of 62 classes) and leaves pictures and lines as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from handread.networks.residual import Residual
from handread.training.config import SourceConfig
from handread.training.loop import Trainer
from handread.training.sources import TrainingSet

MOST = 60_000
"""Images that are asked; more say nothing new."""
_RIDGE = 0.002
"""Weight of the mean square of the shift: a class of which there are hardly any keeps what it has."""


def settle_unplaced(trainer: Trainer, data: TrainingSet, sources: Sequence[SourceConfig]) -> bool:
    """Shift the averaged network's logits for images without a cue; False where there is nothing to put right."""
    network = trainer.average
    cued = [index for index, source in enumerate(sources) if source.prior == "cued"]
    rows = np.flatnonzero(np.isin(data.origins, cued))
    if not isinstance(network, Residual) or not len(rows):
        return False
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(trainer.config.seed).permutation(rows)[:MOST])
    part = data.take(rows)
    logits = trainer.logits(part.images, np.zeros((len(part), 4), dtype=np.float32))
    shift = torch.zeros(logits.shape[1])
    classes = len(trainer.alphabet)
    shift[:classes] = fit_shift(logits[:, :classes], part.labels, part.alternatives)
    network.shift_unplaced(shift.to(network.place.bias.device))
    return True


def fit_shift(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], alternatives: npt.NDArray[np.int64]
) -> Tensor:
    """float32 (K,): what added to `logits` (N, K) makes `labels` most likely, as the training's own loss counts them.

    On average it changes nothing about all classes together, so that "no character" keeps its place.
    """
    known, own = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    other = torch.from_numpy(alternatives)
    shift = torch.zeros(known.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([shift], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logs = torch.log_softmax(known + shift, dim=1)
        right = logs.gather(1, own[:, None])[:, 0]
        also = logs.gather(1, other.clamp(min=0)[:, None])[:, 0]
        total = -torch.where(other >= 0, torch.logaddexp(right, also), right).mean() + _RIDGE * (shift**2).mean()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = shift.detach()
    moved = (torch.logsumexp(known + found, dim=1) - torch.logsumexp(known, dim=1)).mean()
    return (found - moved).float()
