"""Building blocks that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Dropout):
    """Units are left out by chance while learning, the others scaled (Srivastava et al. 2014).

    torch's own draws one number after another for every unit, on a processor a tenth of what a small network's step
    takes.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x * scale_of_units(x, self.p) if self.training and self.p else x


def scale_of_units(like: Tensor, rate: float) -> Tensor:
    """What dropout at `rate` multiplies a tensor by that is shaped, typed and laid in memory as `like`: 0 or 1 / (1 -
    rate). The order of the draws is that in memory."""
    if like.device.type != "cpu":
        return functional.dropout(torch.ones_like(like), rate)
    count = like.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)  # four units in one draw
    kept = bits.view(torch.int16)[:count] >= round(rate * 65536) - 32768
    scale = kept.to(like.dtype).mul_(1 / (1 - rate))
    if is_channels_last(like):
        count, channels, height, width = like.shape
        return scale.view(count, height, width, channels).permute(0, 3, 1, 2)
    return scale.view(like.shape)


def is_channels_last(x: Tensor) -> bool:
    """True where the channels of a pixel lie side by side."""
    return x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


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
