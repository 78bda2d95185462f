"""Small plain convolutional networks."""

from __future__ import annotations

from torch import Tensor, nn

from handread.networks.base import NETWORKS, Network
from handread.networks.layers import ConvNorm


class Plain(Network):
    """Three strided convolutions and a linear layer; no cues."""

    def __init__(self, outputs: int, *, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(1, width, stride=2),
            ConvNorm(width, 2 * width, stride=2),
            ConvNorm(2 * width, 4 * width, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4 * width, outputs),
        )

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        logits: Tensor = self.body(image)
        return logits


@NETWORKS.register("plain-tiny")
def plain_tiny(outputs: int) -> Network:
    """2,603 parameters with 63 outputs: whole-loop tests in a second."""
    return Plain(outputs, width=4)
