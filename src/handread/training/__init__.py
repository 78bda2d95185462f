"""Training: recipes, runs, a hand of your own, networks from elsewhere. Needs PyTorch, except for what recipes are.

>>> from handread.training import TrainConfig
>>> TrainConfig(epochs=3).optimizer
'adamw'

Names resolve on first use (PEP 562). `learn` and `adopt` stand in the modules of the same names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handread.training.config import AugmentConfig as AugmentConfig
    from handread.training.config import BaselineConfig as BaselineConfig
    from handread.training.config import SourceConfig as SourceConfig
    from handread.training.config import TrainConfig as TrainConfig
    from handread.training.config import load_recipe as load_recipe
    from handread.training.export import export_network as export_network
    from handread.training.run import export_run as export_run
    from handread.training.run import train_recipe as train_recipe
    from handread.training.watcher import Watcher as Watcher

_HOMES = {
    "AugmentConfig": "handread.training.config",
    "BaselineConfig": "handread.training.config",
    "SourceConfig": "handread.training.config",
    "TrainConfig": "handread.training.config",
    "Watcher": "handread.training.watcher",
    "export_network": "handread.training.export",
    "export_run": "handread.training.run",
    "load_recipe": "handread.training.config",
    "train_recipe": "handread.training.run",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'handread.training' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
