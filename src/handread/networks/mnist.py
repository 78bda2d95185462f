"""Networks for MNIST's own frame, 28 x 28 and no cues: one digit, nothing known of its size."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from handread.frame import MNIST_FRAME
from handread.networks.base import NETWORKS, Network
from handread.networks.layers import ConvNorm, Dropout, ResidualBlock


class ResidualDigits(Network):
    """A stem to 14 x 14, two stages of residual blocks at 7 x 7 and 4 x 4, global mean and maximum, dropout.

    No block stands at 14 x 14: with two 3 x 3 convolutions there the same held-out digits were right, at two thirds
    of the speed.
    """

    frame = MNIST_FRAME

    def __init__(self, outputs: int, *, stem: int, widths: tuple[int, int], depths: tuple[int, int]) -> None:
        super().__init__()
        self.body = _residual(stem, widths, depths)
        self.drop = Dropout(0.3)
        self.head = nn.Linear(2 * widths[-1], outputs)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        logits: Tensor = self.head(self.drop(_mean_and_maximum(self.body(image))))
        return logits


class PlainDigits(Network):
    """A stem to 14 x 14, two convolutions at 7 x 7 and one at 4 x 4, global mean and maximum: for a run of seconds."""

    frame = MNIST_FRAME

    def __init__(self, outputs: int, *, stem: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.body = _plain(stem, widths)
        self.head = nn.Linear(2 * widths[-1], outputs)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        logits: Tensor = self.head(_mean_and_maximum(self.body(image)))
        return logits


class BranchedDigits(Network):
    """Bodies of several networks side by side under one last layer, which means over them.

    While learning each branch answers for itself, (N, B, K), and none leans on the others: taught by the loss of their
    mean they would be no better than one wide network (Lee et al. 2015, Why M Heads are Better than One).
    """

    frame = MNIST_FRAME

    def __init__(self, outputs: int, bodies: Iterable[nn.Sequential], *, width: int, drop: float = 0.0) -> None:
        """`width` is of each body's last layer, `drop` the share of what it gives that is left out while learning."""
        super().__init__()
        self.branches = nn.ModuleList(bodies)
        self.drop = Dropout(drop)
        self.head = nn.Linear(len(self.branches) * 2 * width, outputs)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        seen = torch.stack([_mean_and_maximum(branch(image)) for branch in self.branches], dim=1)  # (N, B, F)
        if not self.training:
            logits: Tensor = self.head(seen.flatten(1) / len(self.branches))
            return logits
        weights = self.head.weight.view(self.head.out_features, *seen.shape[1:])
        return torch.einsum("nbf,kbf->nbk", self.drop(seen), weights) + self.head.bias


def _residual(stem: int, widths: tuple[int, int], depths: tuple[int, int]) -> nn.Sequential:
    """To (N, last width, 4, 4)."""
    layers: list[nn.Module] = [ConvNorm(1, stem, kernel=5, stride=2)]
    channels = stem
    for width, depth in zip(widths, depths, strict=True):
        for place in range(depth):
            layers.append(ResidualBlock(channels, width, stride=1 if place else 2))
            channels = width
    return nn.Sequential(*layers)


def _plain(stem: int, widths: tuple[int, int, int]) -> nn.Sequential:
    """To (N, last width, 4, 4)."""
    first, second, third = widths
    return nn.Sequential(
        ConvNorm(1, stem, kernel=5, stride=2),
        ConvNorm(stem, first, stride=2),
        ConvNorm(first, second),
        ConvNorm(second, third, stride=2),
    )


def _mean_and_maximum(x: Tensor) -> Tensor:
    """Of each channel, (N, 2 C)."""
    return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


class SlimDigits(Network):
    """Single convolutions, each with a shortcut around it where shape and width stay; global mean and maximum.

    The maximum beside the mean is worth more here than anything else: 99.16 to 99.38 of 10,000 held-out digits.
    """

    frame = MNIST_FRAME

    def __init__(self, outputs: int, *, widths: tuple[int, ...], strides: tuple[int, ...]) -> None:
        super().__init__()
        inputs = (1, *widths)
        self.layers = nn.ModuleList(
            ConvNorm(inputs[place], width, kernel=3 if place else 5, stride=strides[place], activate=False)
            for place, width in enumerate(widths)
        )
        self.head = nn.Linear(2 * widths[-1], outputs)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        x = image
        for layer in self.layers:
            y = layer(x)
            x = functional.relu(x + y if x.shape == y.shape else y)
        logits: Tensor = self.head(_mean_and_maximum(x))
        return logits


@NETWORKS.register("slim-digits")
def slim_digits(outputs: int) -> Network:
    """7,664 parameters with 10 outputs: recipes/mnist-tiny.toml."""
    return SlimDigits(outputs, widths=(10, 10, 16, 16, 16), strides=(2, 1, 2, 1, 1))


@NETWORKS.register("lean-digits")
def lean_digits(outputs: int) -> Network:
    """34,234 parameters with 10 outputs: 99 % of MNIST in seconds, benchmarks/speedrun.py."""
    return PlainDigits(outputs, stem=16, widths=(32, 32, 64))


@NETWORKS.register("plain-digits")
def plain_digits(outputs: int) -> Network:
    """71,866 parameters with 10 outputs: MNIST in seconds, benchmarks/speedrun.py."""
    return PlainDigits(outputs, stem=16, widths=(48, 48, 96))


@NETWORKS.register("broad-digits")
def broad_digits(outputs: int) -> Network:
    """123,322 parameters with 10 outputs: `handread-digits`, for digits by the million."""
    return PlainDigits(outputs, stem=16, widths=(64, 64, 128))


@NETWORKS.register("generous-digits")
def generous_digits(outputs: int) -> Network:
    """281,962 parameters with 10 outputs: where a run of minutes comes further than with a residual network."""
    return PlainDigits(outputs, stem=32, widths=(96, 96, 192))


@NETWORKS.register("three-branch-digits")
def three_branch_digits(outputs: int) -> Network:
    """398,890 parameters with 10 outputs: recipes/speedrun-997.toml, minutes of MNIST."""
    return BranchedDigits(outputs, (_plain(32, (64, 64, 128)) for _ in range(3)), width=128)


@NETWORKS.register("residual-digits")
def residual_digits(outputs: int) -> Network:
    """469,546 parameters with 10 outputs: recipes/mnist-single.toml has three of it."""
    return ResidualDigits(outputs, stem=32, widths=(64, 160), depths=(2, 1))


@NETWORKS.register("three-branch-residual-digits")
def three_branch_residual_digits(outputs: int) -> Network:
    """1,408,618 parameters with 10 outputs: recipes/mnist-single.toml."""
    return BranchedDigits(outputs, (_residual(32, (64, 160), (2, 1)) for _ in range(3)), width=160, drop=0.3)
