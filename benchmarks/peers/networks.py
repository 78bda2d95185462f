"""The networks of the five notebooks as lists of layers, from which Keras and PyTorch each build their own.

The recipes of the same names train them by Handread; `src/handread/networks/notebooks.py` is its copy.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution and ReLU; with `norm` batch normalisation after it."""

    filters: int
    kernel: int
    same: bool = True
    """Padded so that the size stays."""
    norm: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """The maximum of squares of `size` pixels."""

    size: int = 2


@dataclass(frozen=True, slots=True)
class Drop:
    """Dropout."""

    share: float


@dataclass(frozen=True, slots=True)
class Flat:
    """Rows, columns and channels become one axis."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A dense layer, and ReLU unless `active` is False; with `norm` batch normalisation after it."""

    units: int
    active: bool = True
    bias: bool = True
    norm: bool = False


Layer = Conv | Pool | Drop | Flat | Dense


@dataclass(frozen=True, slots=True)
class Notebook:
    """A network: its input, and its layers up to the logits."""

    layers: tuple[Layer, ...]
    parameters: int
    """As Keras counts them, running statistics among them."""
    side: int = 28
    """Height and width of the input in pixels."""
    channels: int = 1


NOTEBOOKS: dict[str, Notebook] = {
    "chars74k-224": Notebook(
        (
            Conv(64, 5, same=False), Pool(3), Drop(0.2), Conv(128, 3, same=False), Pool(), Drop(0.2),
            Conv(256, 2, same=False), Pool(), Drop(0.2),
            Flat(), Dense(512, bias=False), Dense(128, bias=False), Dense(62, active=False),
        ),
        parameters=38_163_390, side=224, channels=3,
    ),
    "kaggle-rmsprop": Notebook(
        (
            Conv(32, 5), Conv(32, 5), Pool(), Drop(0.25), Conv(64, 3), Conv(64, 3), Pool(), Drop(0.25),
            Flat(), Dense(256), Drop(0.5), Dense(10, active=False),
        ),
        parameters=887_530,
    ),
    "mnist-adam": Notebook(
        (
            Conv(32, 5, same=False), Pool(), Conv(32, 3, same=False), Pool(), Drop(0.2),
            Flat(), Dense(128), Dense(10, active=False),
        ),
        parameters=113_898,
    ),
    "kaggle-batchnorm": Notebook(
        (
            Conv(32, 3, norm=True), Conv(32, 3, norm=True), Pool(), Drop(0.25),
            Conv(64, 3, norm=True), Conv(64, 3, norm=True), Pool(), Drop(0.25),
            Flat(), Dense(512, norm=True), Drop(0.25), Dense(1024, norm=True), Drop(0.5), Dense(10, active=False),
        ),
        parameters=2_213_610,
    ),
    "kaggle-compact": Notebook(
        (
            Conv(64, 3), Pool(), Conv(32, 3), Pool(), Conv(16, 3), Pool(), Drop(0.5),
            Flat(), Dense(128, active=False), Drop(0.5), Dense(10, active=False),
        ),
        parameters=43_578,
    ),
}  # fmt: skip
"""Recipe -> its network."""


def keras_network(name: str) -> Any:
    """By Keras, with a softmax at its end; takes float32 (N, side, side, channels)."""
    keras: Any = importlib.import_module("keras")
    layers, wanted = keras.layers, NOTEBOOKS[name]
    made = [keras.Input((wanted.side, wanted.side, wanted.channels))]
    for layer in wanted.layers:
        match layer:
            case Conv():
                made.append(layers.Conv2D(layer.filters, layer.kernel, padding="same" if layer.same else "valid",
                                          activation="relu"))  # fmt: skip
            case Dense():
                last = layer is wanted.layers[-1]
                activation = "softmax" if last else "relu" if layer.active else None
                made.append(layers.Dense(layer.units, use_bias=layer.bias, activation=activation))
            case Pool():
                made.append(layers.MaxPooling2D(layer.size))
            case Drop():
                made.append(layers.Dropout(layer.share))
            case Flat():
                made.append(layers.Flatten())
        if getattr(layer, "norm", False):
            made.append(layers.BatchNormalization())
    model = keras.Sequential(made)
    assert model.count_params() == wanted.parameters
    return model


def torch_network(name: str, torch: Any) -> Any:
    """By PyTorch, to logits; takes float32 (N, channels, side, side)."""
    nn, wanted = torch.nn, NOTEBOOKS[name]
    made: list[Any] = []
    channels, side = wanted.channels, wanted.side
    for layer in wanted.layers:
        match layer:
            case Conv():
                made += [
                    nn.Conv2d(channels, layer.filters, layer.kernel, padding=layer.kernel // 2 * layer.same),
                    nn.ReLU(),
                ]
                channels, side = layer.filters, side if layer.same else side - layer.kernel + 1
                made += [nn.BatchNorm2d(channels)] if layer.norm else []
            case Dense():
                made.append(nn.Linear(channels, layer.units, bias=layer.bias))
                made += [nn.ReLU()] if layer.active else []
                channels = layer.units
                made += [nn.BatchNorm1d(channels)] if layer.norm else []
            case Pool():
                made.append(nn.MaxPool2d(layer.size))
                side //= layer.size
            case Drop():
                made.append(nn.Dropout(layer.share))
            case Flat():
                made.append(nn.Flatten())
                channels *= side * side
    return nn.Sequential(*made)
