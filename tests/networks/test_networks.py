"""The contract of every registered network, and how many parameters each has."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from handread.card import ModelCard
from handread.errors import UnknownNameError
from handread.frame import DEFAULT_FRAME, MNIST_FRAME, Frame
from handread.networks.base import NETWORKS, Network, keras_parameter_count, layers_of, parameter_count
from handread.networks.build import build_network
from handread.networks.layers import Dropout, ResidualBlock, SqueezeExcite
from handread.runtime.session import Session
from handread.training.export import onnx_bytes, verify

KERAS = {
    "chars74k-224": (62, 38_163_390),
    "kaggle-batchnorm": (10, 2_213_610),
    "kaggle-compact": (10, 43_578),
    "kaggle-rmsprop": (10, 887_530),
    "mnist-adam": (10, 113_898),
}
"""Outputs and parameters that Keras prints for the notebooks' networks."""


pytestmark = pytest.mark.usefixtures("one_thread")
every_network = pytest.mark.parametrize("name", list(NETWORKS))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@cache
def first(name: str, outputs: int) -> Network:
    """With its weights drawn; for the largest that takes ten times as long as to copy them."""
    torch.manual_seed(0)
    return build_network(name, outputs)


@pytest.fixture(autouse=True, scope="module")
def _forgotten() -> Iterator[None]:
    yield
    first.cache_clear()


def built(name: str, outputs: int = 63) -> Network:
    return copy.deepcopy(first(name, outputs))


def outlined(name: str, outputs: int) -> Network:
    """Of shapes alone, to be counted."""
    with torch.device("meta"):
        return build_network(name, outputs)


def inputs(count: int, frame: Frame = DEFAULT_FRAME) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 1, *frame.shape, generator=generator), torch.rand(count, 4, generator=generator)


@every_network
def test_the_docstring_tells_the_parameters(name: str) -> None:
    told = re.match(r"([\d,]+) parameters with (\d+) outputs\b", NETWORKS[name].__doc__ or "")
    assert told is not None
    network = outlined(name, int(told[2]))
    assert int(told[1].replace(",", "")) in (parameter_count(network), keras_parameter_count(network))


@pytest.mark.parametrize("name", KERAS)
def test_the_notebooks_networks_count_as_keras_counts(name: str) -> None:
    outputs, count = KERAS[name]
    network = outlined(name, outputs)
    assert keras_parameter_count(network) == count
    assert sum(int(str(layer["parameters"])) for layer in layers_of(network)) == parameter_count(network)


@pytest.mark.parametrize("outputs", [2, 63])
@every_network
def test_logits_have_their_shape_and_are_finite(name: str, outputs: int) -> None:
    network = built(name, outputs).eval()
    for count in (1, 3):
        image, cues = inputs(count, network.frame)
        logits = network(image, cues)
        assert logits.shape == (count, outputs)
        assert logits.dtype == torch.float32
        assert torch.isfinite(logits).all()
    empty = network(torch.zeros(2, 1, *network.frame.shape), torch.zeros(2, 4))
    assert torch.isfinite(empty).all()


@every_network
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = built(name).train()
    image, cues = inputs(8, network.frame)
    answers = network(image, cues)
    assert answers.shape in ((8, 63), (8, answers.shape[1], 63))  # of branches, each answers
    of_each = answers.reshape(-1, 63)
    labels = torch.arange(8).repeat_interleave(len(of_each) // 8)
    torch.nn.functional.cross_entropy(of_each, labels).backward()  # type: ignore[no-untyped-call]
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert float(parameter.grad.abs().max()) > 0, parameter_name


@every_network
def test_items_of_a_batch_do_not_mix(name: str) -> None:
    network = built(name).eval()
    image, cues = inputs(3, network.frame)
    with torch.inference_mode():
        together = network(image, cues)
        alone = torch.cat([network(image[k : k + 1], cues[k : k + 1]) for k in range(3)])
    assert together.numpy() == pytest.approx(alone.numpy(), abs=1e-4)


@every_network
def test_cues_matter_where_they_are_said_to(name: str) -> None:
    network = built(name).eval()
    image, cues = inputs(2, network.frame)
    with torch.inference_mode():
        same = torch.equal(network(image, cues), network(image, torch.zeros_like(cues)))
    assert same != network.uses_cues


@every_network
def test_the_memory_layout_does_not_matter(name: str) -> None:
    network = built(name).eval()
    image, cues = inputs(2, network.frame)
    with torch.inference_mode():
        plain = network(image, cues).numpy()
        last = network.to(memory_format=torch.channels_last)(image.contiguous(memory_format=torch.channels_last), cues)  # type: ignore[call-overload]
    assert last.numpy() == pytest.approx(plain, abs=1e-4)


@every_network
def test_it_exports_and_onnxruntime_agrees(name: str) -> None:
    network = built(name, 10).eval()
    card = ModelCard(name=name, version="1", alphabet="0123456789", has_cues=network.uses_cues)
    card = card.with_frame(network.frame)
    data = onnx_bytes(network, card)
    verify(network, data, card)
    blank = np.zeros((1, 1, *network.frame.shape), dtype=np.uint8)
    cues = np.zeros((1, 4), dtype=np.float32) if network.uses_cues else None
    assert Session.from_bytes(data).run(blank, cues).shape == (1, 10)


def test_the_shipped_network_fits_its_file() -> None:
    assert 2 * parameter_count(outlined("residual-base", 63)) < 3_000_000  # bytes in half precision


def test_an_unknown_network_suggests_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="no network called 'residual-bas'; did you mean residual-base"):
        build_network("residual-bas", 5)


def test_channel_weights_lie_between_nothing_and_all() -> None:
    x = torch.rand(2, 8, 4, 4)
    y = SqueezeExcite(8)(x)
    assert y.shape == x.shape
    assert (y >= 0).all()
    assert (y <= x).all()


@pytest.mark.parametrize(("inputs_", "outputs", "stride"), [(4, 4, 1), (4, 8, 1), (4, 8, 2), (4, 4, 2)])
def test_a_block_halves_only_where_it_strides(inputs_: int, outputs: int, stride: int) -> None:
    block = ResidualBlock(inputs_, outputs, stride=stride)
    assert block(torch.rand(2, inputs_, 16, 16)).shape == (2, outputs, 16 // stride, 16 // stride)


def test_a_colour_network_sees_the_ink_in_every_channel() -> None:
    from handread.networks.notebooks import ColourConv

    layer, ink = ColourConv(3, 4, 5), torch.rand(2, 1, 9, 9)
    asked = torch.nn.functional.conv2d(ink.expand(-1, 3, -1, -1), layer.weight, layer.bias)
    torch.testing.assert_close(layer(ink), asked, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(layer(ink).square().sum(), [layer.weight])
    (other,) = torch.autograd.grad(asked.square().sum(), [layer.weight])
    torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lies", [torch.contiguous_format, torch.channels_last])
def test_dropout_leaves_out_its_share_and_keeps_the_mean(lies: torch.memory_format) -> None:
    torch.manual_seed(3)
    x = torch.ones(40, 5, 29, 31).contiguous(memory_format=lies)
    layer = Dropout(0.25)
    y = layer(x)
    assert y.is_contiguous(memory_format=lies)
    assert sorted(set(y.flatten().tolist())) == [0, pytest.approx(4 / 3)]
    n = x.numel()
    assert (y == 0).sum().item() == pytest.approx(0.25 * n, abs=5 * (n * 0.25 * 0.75) ** 0.5)
    beside = ((y == 0)[..., 1:] & (y == 0)[..., :-1]).float().mean().item()
    assert beside == pytest.approx(0.0625, abs=0.004)  # neighbours know nothing of each other
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    assert layer.eval()(x) is x


@pytest.mark.parametrize("name", ["mnist-adam", "kaggle-rmsprop", "kaggle-compact", "kaggle-batchnorm"])
def test_a_notebook_pools_before_relu_to_the_same_gradients(name: str) -> None:
    network = build_network(name, 10).train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0
    image = torch.rand(4, 1, 28, 28)
    found = []
    for run in (lambda: network(image, torch.zeros(4, 4)), lambda: network.body(image)):
        network.zero_grad()
        logits = run()
        logits.square().sum().backward()
        found.append([logits, *(weight.grad for weight in network.parameters())])
    for own, asked in zip(*found, strict=True):
        assert torch.equal(own, asked)


def test_branches_learn_for_themselves_and_answer_with_their_mean() -> None:
    network, (image, cues) = built("three-branch-digits", 10), inputs(2, MNIST_FRAME)
    each = network.train()(image, cues)
    assert each.shape == (2, 3, 10)
    each[:, 1].sum().backward()
    branches = network.get_submodule("branches")
    touched = [any(weight.grad is not None and bool(weight.grad.any()) for weight in branch.parameters())
               for branch in branches.children()]  # fmt: skip
    assert touched == [False, True, False]
    network.eval()
    alone = [copy.deepcopy(network) for _ in range(3)]
    weight = network.get_submodule("head").weight.detach()
    for place, one in enumerate(alone):
        kept = torch.zeros_like(weight)
        kept.view(10, 3, -1)[:, place] = 3 * weight.view(10, 3, -1)[:, place]
        one.get_submodule("head").weight.data = kept
    assert torch.allclose(network(image, cues), torch.stack([one(image, cues) for one in alone]).mean(0), atol=1e-5)
