"""The optimizers that recipes may name."""

from __future__ import annotations

import torch
from torch import nn

from handread.training.config import TrainConfig
from handread.training.muon import Muon


def build_optimizer(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that `config` names, over all weights of `network`."""
    weights = list(network.parameters())
    rate = config.learning_rate
    if config.optimizer == "adamw":
        return torch.optim.AdamW(decayed(network, config.weight_decay), lr=rate, fused=True)
    if config.optimizer == "adam":
        return torch.optim.Adam(weights, lr=rate, fused=True)
    if config.optimizer == "rmsprop":
        # the constant that Keras adds under the root; torch's own is ten times smaller
        return torch.optim.RMSprop(weights, lr=rate, alpha=config.rho, eps=1e-7, foreach=True)
    if config.optimizer == "muon":
        return Muon(network, learning_rate=rate, momentum=config.momentum, decay=config.weight_decay)
    groups, momentum = decayed(network, config.weight_decay), config.momentum
    return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, fused=True)


def decayed(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay on matrices and kernels only; norms and biases are left free."""
    wide = [p for p in network.parameters() if p.ndim > 1]
    thin = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": thin, "weight_decay": 0.0}]
