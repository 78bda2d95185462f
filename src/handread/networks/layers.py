"""Building blocks that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, and ReLU unless `activate` is False."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, activate: bool = True) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if activate else []))


class SqueezeExcite(nn.Module):
    """Channel weights from the global mean (Hu et al. 2018, Squeeze-and-Excitation Networks)."""

    def __init__(self, channels: int, *, ratio: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // ratio)
        self.excite = nn.Linear(channels // ratio, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = x.mean(dim=(2, 3))  # (N, C)
        weights = torch.sigmoid(self.excite(functional.relu(self.squeeze(weights))))
        return x * weights[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al. 2016); with `weigh`, channel weights before the sum."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, weigh: bool = False) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, stride=stride)
        self.second = ConvNorm(outputs, outputs, activate=False)
        self.weigh = SqueezeExcite(outputs) if weigh else nn.Identity()
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _Shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.weigh(self.second(self.first(x)))
        return functional.relu(y + self.shortcut(x))


class _Shortcut(nn.Sequential):
    """Mean over the stride, then a 1x1 convolution: no pixel is skipped (He et al. 2019, Bag of Tricks)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        pool: list[nn.Module] = [nn.AvgPool2d(stride, ceil_mode=True)] if stride > 1 else []
        super().__init__(*pool, ConvNorm(inputs, outputs, kernel=1, activate=False))
