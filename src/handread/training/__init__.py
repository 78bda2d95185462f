"""Training: recipes, runs, a hand of your own, networks from elsewhere. Needs PyTorch, except for what recipes are.

>>> from handread.training import TrainConfig
>>> TrainConfig(epochs=3).optimizer
'adamw'

Names resolve on first use (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handread.training.adopting import Order as Order
    from handread.training.adopting import adopt as adopt
    from handread.training.config import AugmentConfig as AugmentConfig
    from handread.training.config import BaselineConfig as BaselineConfig
    from handread.training.config import SourceConfig as SourceConfig
    from handread.training.config import TrainConfig as TrainConfig
    from handread.training.config import load_recipe as load_recipe
    from handread.training.export import export_network as export_network
    from handread.training.learning import learn as learn
    from handread.training.run import export_run as export_run
    from handread.training.run import train_recipe as train_recipe
    from handread.training.watcher import Watcher as Watcher

_HOMES = {
    "AugmentConfig": "handread.training.config",
    "BaselineConfig": "handread.training.config",
    "Order": "handread.training.adopting",
    "SourceConfig": "handread.training.config",
    "TrainConfig": "handread.training.config",
    "Watcher": "handread.training.watcher",
    "adopt": "handread.training.adopting",
    "export_network": "handread.training.export",
    "export_run": "handread.training.run",
    "learn": "handread.training.learning",
    "load_recipe": "handread.training.config",
    "train_recipe": "handread.training.run",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'handread.training' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
