"""What every network offers, and the registry that builds one by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

from handread.registry import Registry


class Network(nn.Module, ABC):
    """A classifier of ModelInput: float images (N, 1, size, size) in 0..1, cues (N, 4), to logits (N, outputs)."""

    size: int = 32
    """Height and width of the input in pixels."""
    uses_cues: bool = False
    """Whether the forward pass looks at the cues."""

    @abstractmethod
    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        """Logits (N, outputs); `cues` is ignored by networks that do not use them."""


NETWORKS: Registry[Callable[[int], Network]] = Registry("network")
"""name -> builder(outputs) of every network."""


def parameter_count(network: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
