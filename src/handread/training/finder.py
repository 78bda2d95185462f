"""The learning-rate finder: one short run in which the rate rises until the loss explodes.

Source: Smith 2017, Cyclical Learning Rates for Training Neural Networks, section 3.3.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handread.data.atomic import make_folder, write_atomic
from handread.training.config import TrainConfig
from handread.training.loop import Trainer
from handread.training.sources import TrainingSet

if TYPE_CHECKING:
    from handread.types import Progress

LOWEST, HIGHEST = 1e-6, 1.0
"""Learning rates that are tried, in equal steps of their logarithm."""
SMOOTHING = 0.9
"""Decay of the moving mean of the loss."""
EXPLODED = 4.0
"""The run ends where the smooth loss is this many times its least."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the finder saw."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    """Smooth loss in nats after the step at each rate."""
    suggestion: float
    """A tenth of the rate at which the smooth loss was least."""


def find_learning_rate(
    config: TrainConfig,
    data: TrainingSet,
    *,
    steps: int = 150,
    tick: Progress = lambda done, total: None,
) -> Finding:
    """Try `steps` learning rates, one a batch, on a network of the recipe that is thrown away afterwards."""
    trainer = Trainer(config)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    for step, batch in enumerate(trainer.batches(data, steps)):
        rate = LOWEST * (HIGHEST / LOWEST) ** (step / max(1, steps - 1))
        loss = trainer.learn(batch, rate)
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smooth = mean / (1 - SMOOTHING ** (step + 1))
        tick(step + 1, steps)
        if not math.isfinite(smooth) or (losses and smooth > EXPLODED * min(losses)):
            break
        rates.append(rate)
        losses.append(smooth)
    return Finding(tuple(rates), tuple(losses), suggested(rates, losses))


def suggested(rates: list[float], losses: list[float]) -> float:
    """A tenth of the rate with the least smooth loss, rounded to one digit."""
    raw = rates[int(np.argmin(np.array(losses)))] / 10
    digits = -math.floor(math.log10(raw))
    return round(raw, digits)


def save_finding(found: Finding, folder: Path) -> None:
    """learning_rate.csv and learning_rate.png in `folder`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    make_folder(folder)
    rows = [f"{rate:.6g},{loss:.6g}" for rate, loss in zip(found.rates, found.losses, strict=True)]
    write_atomic(folder / "learning_rate.csv", "\n".join(["learning_rate,loss", *rows, ""]).encode())
    figure = Figure(figsize=(6, 3.6), dpi=120)
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    figure.subplots_adjust(left=0.12, right=0.975, bottom=0.15, top=0.9)
    axes.plot(found.rates, found.losses, linewidth=1.6, color="#1f3a5f")
    axes.axvline(found.suggestion, color="#c8553d", linewidth=1.2)
    axes.text(found.suggestion, axes.get_ylim()[1], f" suggested {found.suggestion:g}", va="top", color="#c8553d")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_title("smooth loss, nats", loc="left", fontsize=10)
    axes.grid(color="#d9d9d9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(folder / "learning_rate.png", buffer.getvalue())
