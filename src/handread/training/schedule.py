"""Learning rate as a pure function of the step, and the one schedule that has to remember something."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from handread.training.config import TrainConfig


def cosine(step: int, steps: int, *, warmup: float, final: float) -> float:
    """Factor on the peak learning rate at `step` of `steps`: linear rise, then half a cosine down to `final`.

    Source: Loshchilov and Hutter 2017, SGDR, without restarts.
    """
    rise = round(warmup * steps)
    if step < rise:
        return (step + 1) / rise
    progress = (step - rise) / max(1, steps - rise)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


ONE_CYCLE_START = 1 / 25
"""Where one cycle starts, as a fraction of the peak."""


def one_cycle(step: int, steps: int, *, warmup: float, final: float) -> float:
    """Factor on the peak at `step` of `steps`: half a cosine up from a 25th, half a cosine down to `final`.

    Source: Smith and Topin 2018, Super-Convergence.
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * 0.5 * (1 - math.cos(math.pi * step / rise))
    return cosine(step - rise, steps - rise, warmup=0, final=final)


def factor(config: TrainConfig, step: int, steps_an_epoch: int, plateau: float) -> float:
    """Factor on the peak learning rate at `step`, counted from the run's start; `plateau` as `Watched` has it."""
    steps = config.epochs * steps_an_epoch
    bounds = {"warmup": config.warmup_fraction, "final": config.final_fraction}
    if config.schedule == "cosine":
        return cosine(step, steps, **bounds)
    if config.schedule == "one-cycle":
        return one_cycle(step, steps, **bounds)
    rise = round(config.warmup_fraction * steps)
    warm = min(1.0, (step + 1) / rise) if rise else 1.0
    if config.schedule == "exponential":
        return float(warm * config.epoch_factor ** (step // steps_an_epoch))
    return warm * plateau if config.schedule == "plateau" else warm


@dataclass(frozen=True, slots=True)
class Watched:
    """What a run remembers of its validation results."""

    best: float | None = None
    """Best value of what is watched, larger is better; None before the first epoch."""
    best_epoch: int = 0
    since_best: int = 0
    """Epochs since then."""
    waited: int = 0
    """Epochs that plateau has waited for something better."""
    factor: float = 1.0
    """Plateau's factor on the learning rate."""

    def after(self, value: float, epoch: int, config: TrainConfig) -> Watched:
        """The state after an epoch in which what is watched came to `value` (larger is better).

        The rate falls after `plateau_patience` epochs without a better value and then waits as long again, down to
        `final_fraction`.
        """
        if self.best is None or value > self.best:
            return dataclasses.replace(self, best=value, best_epoch=epoch, since_best=0, waited=0)
        waited, lower = self.waited + 1, self.factor
        if waited >= config.plateau_patience:
            waited, lower = 0, max(config.final_fraction, self.factor * config.plateau_factor)
        return dataclasses.replace(self, since_best=self.since_best + 1, waited=waited, factor=lower)

    def stops(self, config: TrainConfig) -> bool:
        """True when early stopping has waited long enough."""
        return bool(config.stop_after) and self.since_best >= config.stop_after
