"""An exported network back in torch, to learn on: the weights of the ONNX file put into the layers they came from.

The exporter folds a batch normalisation into the convolution before it. Put back, such a normalisation carries the
folded scale and shift alone: it is the identity on statistics, and stays so while the network goes on learning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from handread.card import ModelCard
from handread.errors import ModelError
from handread.networks.base import NETWORKS, Network
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training.export import verify

_KINDS = {
    "Conv": nn.Conv2d,
    "Gemm": nn.Linear,
    "MatMul": nn.Linear,
    "BatchNormalization": nn.modules.batchnorm._BatchNorm,
}


@dataclass(frozen=True, slots=True)
class Restored:
    """A network that computes what its file computes."""

    network: Network
    kind: str
    """Name it is registered by."""
    card: ModelCard


@dataclass(frozen=True, slots=True)
class _Layer:
    """What one node of the graph learned."""

    operation: str
    arrays: tuple[npt.NDArray[np.float32], ...]


def restore_exported(content: bytes, name: str) -> Restored:
    """The network in an ONNX file that Handread exported, in torch, with its card.

    Raises `ModelError` for a file that holds none of the registered networks: a foreign one, or one in 8 bits.
    """
    card = Session(content, name=name).card
    layers = list(_layers(onnx.load_from_string(content)))
    outputs = len(card.alphabet) + card.has_none
    for kind in NETWORKS:
        with torch.device("meta"):
            plan = build_network(kind, outputs)
            if plan.frame != card.frame or plan.uses_cues != card.has_cues or _pairs(plan, layers) is None:
                continue
        network = build_network(kind, outputs).eval()
        _fill(network, layers)
        verify(network, content, card)
        return Restored(network, kind, card)
    raise ModelError(
        f"{name} holds none of Handread's networks in full precision, so nothing can be learned on it; "
        "start from a file that handread train or handread export wrote without --int8"
    )


def _layers(model: onnx.ModelProto) -> Iterator[_Layer]:
    """Nodes with weights, in the order in which they compute."""
    stored = {t.name: np.asarray(numpy_helper.to_array(t), dtype=np.float32) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
        elif node.op_type in _KINDS:
            arrays = tuple(stored[key] for key in node.input if key in stored)
            if arrays:
                yield _Layer(node.op_type, arrays)


def _called(network: Network) -> list[nn.Module]:
    """Layers with weights in the order in which a forward pass calls them."""
    seen: list[nn.Module] = []
    kinds = tuple(_KINDS.values())
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: seen.append(module))
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode():
        network(torch.zeros(2, 1, *network.frame.shape, device=device), torch.zeros(2, 4, device=device))
    for hook in hooks:
        hook.remove()
    return seen


def _pairs(network: Network, layers: list[_Layer]) -> list[tuple[nn.Module, _Layer | None]] | None:
    """Every layer with its node; None instead of a node for a normalisation that was folded. None: does not fit."""
    pairs: list[tuple[nn.Module, _Layer | None]] = []
    rest = list(layers)
    for module in _called(network):
        node = rest[0] if rest else None
        fits = node is not None and isinstance(module, _KINDS[node.operation]) and _fits(module, node)
        if fits:
            pairs.append((module, rest.pop(0)))
        elif isinstance(module, nn.BatchNorm2d) and pairs and isinstance(pairs[-1][0], nn.Conv2d):
            pairs.append((module, None))
        else:
            return None
    return None if rest else pairs


def _fits(module: nn.Module, node: _Layer) -> bool:
    weight = module.weight
    shape = node.arrays[0].shape
    return isinstance(weight, Tensor) and (shape == tuple(weight.shape) or shape[::-1] == tuple(weight.shape))


def _fill(network: Network, layers: list[_Layer]) -> None:
    pairs = _pairs(network, layers)
    assert pairs is not None
    folded = torch.zeros(0)
    with torch.no_grad():
        for module, node in pairs:
            if node is None:
                assert isinstance(module, nn.BatchNorm2d)
                _as_shift(module, folded)
                continue
            arrays = [torch.from_numpy(array.copy()) for array in node.arrays]
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for target, array in zip(
                    (module.weight, module.bias, module.running_mean, module.running_var), arrays, strict=True
                ):
                    assert target is not None
                    target.copy_(array)
                continue
            assert isinstance(module, nn.Conv2d | nn.Linear)
            weight = arrays[0]
            module.weight.copy_(weight if weight.shape == module.weight.shape else weight.T)
            folded = arrays[1] if len(arrays) > 1 else torch.zeros(len(module.weight))
            if module.bias is not None:
                module.bias.copy_(folded)


def _as_shift(norm: nn.BatchNorm2d, shift: Tensor) -> None:
    """Make a normalisation with fixed statistics add `shift` and do nothing else."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(shift)


def freeze_statistics(network: nn.Module) -> None:
    """Put every normalisation into the mode of prediction: a few images are too few for statistics of their own."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
