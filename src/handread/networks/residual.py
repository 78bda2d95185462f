"""Residual networks for 32 x 32 ink with size-and-position cues: the family of the shipped recogniser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from handread.networks.base import NETWORKS, Network
from handread.networks.layers import ConvNorm, Dropout, ResidualBlock


class Residual(Network):
    """A stem to 16 x 16, three stages of residual blocks, global mean and maximum, cues joined at the head.

    Channel weights stand in the last stage only: at 4 x 4 they are nearly free, at 16 x 16 they took a quarter
    of the training time.
    """

    uses_cues = True

    def __init__(
        self, outputs: int, *, widths: tuple[int, int, int], depths: tuple[int, int, int], mixed: int = 160
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(1, widths[0], kernel=5, stride=2)
        blocks: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                blocks.append(ResidualBlock(channels, width, stride=stride, weigh=stage == 2))
                channels = width
        self.stages = nn.Sequential(*blocks)
        self.from_cues = nn.Linear(4, 32)
        self.mix = nn.Linear(2 * channels + 32, mixed)
        self.drop = Dropout(0.25)
        self.head = nn.Linear(mixed, outputs)
        self.place = nn.Linear(4, outputs)
        # what size and place say by themselves, and first of all whether they are known: it is learnt from nothing
        nn.init.zeros_(self.place.weight)
        nn.init.zeros_(self.place.bias)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        x = self.stem(image)  # (N, w0, 16, 16)
        x = self.stages(x)  # (N, w2, 4, 4)
        pooled = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)  # (N, 2 w2)
        known = functional.relu(self.from_cues(cues))  # (N, 32)
        mixed = functional.relu(self.mix(torch.cat([pooled, known], dim=1)))  # (N, mixed)
        logits: Tensor = self.head(self.drop(mixed)) + self.place(cues)  # (N, outputs)
        return logits

    def logit_layers(self) -> tuple[str, ...]:
        return ("head", "place")

    def shift_unplaced(self, shift: Tensor) -> None:
        """Add `shift`, float32 (outputs,), to the logits of images of which neither picture nor line is known."""
        with torch.no_grad():
            self.place.bias.add_(shift)
            self.place.weight[:, :2].sub_(shift[:, None])  # the first two cues say that one of them is


@NETWORKS.register("residual-tiny")
def residual_tiny(outputs: int) -> Network:
    """88,486 parameters with 63 outputs: quick trials and tests."""
    return Residual(outputs, widths=(16, 32, 48), depths=(1, 1, 1))


@NETWORKS.register("residual-small")
def residual_small(outputs: int) -> Network:
    """260,992 parameters with 63 outputs: `handread-small`, less than 300 KB in 8 bits."""
    return Residual(outputs, widths=(24, 40, 70), depths=(1, 2, 2), mixed=128)


@NETWORKS.register("residual-base")
def residual_base(outputs: int) -> Network:
    """1,039,434 parameters with 63 outputs: the shipped recogniser."""
    return Residual(outputs, widths=(32, 64, 160), depths=(1, 2, 2))
