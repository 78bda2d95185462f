"""The networks of five widely copied notebooks, layer by layer, so that their recipes can be run and compared.

Parameter counts are those that Keras prints; it counts the running statistics of batch normalisation too.
Weights start as Keras starts them: Glorot uniform, biases zero (Glorot and Bengio 2010).
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional

from handread.frame import MNIST_FRAME, Frame
from handread.networks.base import NETWORKS, Network
from handread.networks.layers import Dropout

CHARS74K_FRAME = Frame(224, 224, 182, window=(100 / 900, 200 / 1200, 800 / 900, 900 / 1200))
"""Rows 100 to 800 and columns 200 to 900 of a 900 x 1200 picture, at 32 %: size and place of the character are kept."""


class Notebook(Network):
    """A plain sequence of layers; no cues."""

    def __init__(self, *layers: nn.Module, frame: Frame = MNIST_FRAME) -> None:
        super().__init__()
        self.frame = frame
        self.body = nn.Sequential(*layers)
        self.apply(_start_as_keras)

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        layers = list(self.body)
        if self.training:
            # the largest of several ReLUs is the ReLU of the largest: pooled first, it has a quarter of them to do
            for place, (layer, after) in enumerate(itertools.pairwise(self.body)):
                if isinstance(layer, nn.ReLU) and isinstance(after, nn.MaxPool2d):
                    layers[place : place + 2] = after, layer
        x = image
        for layer in layers:
            x = layer(x)
        return x


class ColourConv(nn.Conv2d):
    """The first convolution of a network for colour pictures, which sees the one ink in every channel.

    The channels being equal, the sum of a kernel over them does the same in a third of the work.
    """

    def forward(self, image: Tensor) -> Tensor:
        """`image` is (N, 1, H, W)."""
        # summed so that the kernels, and with them what comes out, lie channels last: pooling is several times faster
        kernels = self.weight.permute(0, 2, 3, 1).sum(dim=3, keepdim=True).permute(0, 3, 1, 2)
        return functional.conv2d(image, kernels, self.bias, self.stride, self.padding)


def _start_as_keras(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _conv(inputs: int, outputs: int, kernel: int, *, same: bool = True, norm: bool = False) -> list[nn.Module]:
    """Convolution and ReLU; with `norm` batch normalisation after the ReLU, as the notebook has it."""
    padding = kernel // 2 if same else 0
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.ReLU(inplace=True)]
    return [*layers, nn.BatchNorm2d(outputs)] if norm else layers


@NETWORKS.register("chars74k-224")
def chars74k_224(outputs: int) -> Network:
    """38,163,390 parameters with 62 outputs."""
    return Notebook(
        ColourConv(3, 64, 5), nn.ReLU(inplace=True), nn.MaxPool2d(3), Dropout(0.2),
        *_conv(64, 128, 3, same=False), nn.MaxPool2d(2), Dropout(0.2),
        *_conv(128, 256, 2, same=False), nn.MaxPool2d(2), Dropout(0.2),
        nn.Flatten(),
        nn.Linear(256 * 17 * 17, 512, bias=False), nn.ReLU(inplace=True),
        nn.Linear(512, 128, bias=False), nn.ReLU(inplace=True),
        nn.Linear(128, outputs),
        frame=CHARS74K_FRAME,
    )  # fmt: skip


@NETWORKS.register("kaggle-rmsprop")
def kaggle_rmsprop(outputs: int) -> Network:
    """887,530 parameters with 10 outputs."""
    return Notebook(
        *_conv(1, 32, 5), *_conv(32, 32, 5), nn.MaxPool2d(2), Dropout(0.25),
        *_conv(32, 64, 3), *_conv(64, 64, 3), nn.MaxPool2d(2), Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 256), nn.ReLU(inplace=True), Dropout(0.5),
        nn.Linear(256, outputs),
    )  # fmt: skip


@NETWORKS.register("mnist-adam")
def mnist_adam(outputs: int) -> Network:
    """113,898 parameters with 10 outputs."""
    return Notebook(
        *_conv(1, 32, 5, same=False), nn.MaxPool2d(2),
        *_conv(32, 32, 3, same=False), nn.MaxPool2d(2), Dropout(0.2),
        nn.Flatten(),
        nn.Linear(32 * 5 * 5, 128), nn.ReLU(inplace=True),
        nn.Linear(128, outputs),
    )  # fmt: skip


@NETWORKS.register("kaggle-batchnorm")
def kaggle_batchnorm(outputs: int) -> Network:
    """2,213,610 parameters with 10 outputs, 3,456 of them running statistics."""
    return Notebook(
        *_conv(1, 32, 3, norm=True), *_conv(32, 32, 3, norm=True), nn.MaxPool2d(2), Dropout(0.25),
        *_conv(32, 64, 3, norm=True), *_conv(64, 64, 3, norm=True), nn.MaxPool2d(2), Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 7 * 7, 512), nn.ReLU(inplace=True), nn.BatchNorm1d(512), Dropout(0.25),
        nn.Linear(512, 1024), nn.ReLU(inplace=True), nn.BatchNorm1d(1024), Dropout(0.5),
        nn.Linear(1024, outputs),
    )  # fmt: skip


@NETWORKS.register("kaggle-compact")
def kaggle_compact(outputs: int) -> Network:
    """43,578 parameters with 10 outputs; the dense layer before the last has no activation."""
    return Notebook(
        *_conv(1, 64, 3), nn.MaxPool2d(2),
        *_conv(64, 32, 3), nn.MaxPool2d(2),
        *_conv(32, 16, 3), nn.MaxPool2d(2),
        Dropout(0.5),
        nn.Flatten(),
        nn.Linear(16 * 3 * 3, 128), Dropout(0.5),
        nn.Linear(128, outputs),
    )  # fmt: skip
