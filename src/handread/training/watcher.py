"""Whoever watches a run: what he is told, and how he stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handread.training.config import TrainConfig
from handread.training.loop import Epoch


@dataclass(frozen=True, slots=True)
class Watcher:
    """What the caller wants to hear of a run, and whether it is to stop."""

    loading: Callable[[str], None] = lambda name: None
    """A source is being loaded."""
    skipped: Callable[[Sequence[str], int], None] = lambda names, kept: None
    """These pictures cannot be read and are left out; so many others are kept."""
    fell_back: Callable[[str], None] = lambda sentence: None
    """The newest checkpoint is damaged and the run goes on from an older one."""
    begin: Callable[[TrainConfig, int, int], None] = lambda config, images, epochs_done: None
    """The training begins, or goes on after some epochs."""
    step: Callable[[int, int, int], None] = lambda epoch, done, total: None
    """Steps done of an epoch's total."""
    epoch: Callable[[Epoch], None] = lambda epoch: None
    """An epoch is done and saved."""
    stop: Callable[[], bool] = lambda: False
    """Asked after every step: True saves everything and ends."""
