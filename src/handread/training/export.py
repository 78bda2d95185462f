"""A trained network to one self-describing ONNX file: half-precision weights, the card in its metadata.

The file is refused when onnxruntime and torch disagree about what it computes.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from handread.card import METADATA_KEY, ModelCard
from handread.data.atomic import write_atomic
from handread.errors import ModelError
from handread.networks.base import Network
from handread.runtime.session import Session

AGREEMENT = 0.06
"""Largest difference between a logit of torch and of onnxruntime that is put down to half precision."""


class _Deployed(nn.Module):
    """Bytes in, logits out: what prediction runs."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        logits: Tensor = self.network(image.float() / 255, cues)
        return logits


class _DeployedWithoutCues(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image.float() / 255, torch.zeros(len(image), 4))
        return logits


def export_network(network: Network, card: ModelCard, path: Path) -> None:
    """Write `path`, checked against torch on random ink; raises `ModelError` and writes nothing if they differ."""
    network = network.eval().to("cpu")
    data = onnx_bytes(network, card)
    verify(network, data, card)
    write_atomic(path, data)


def onnx_bytes(network: Network, card: ModelCard) -> bytes:
    """The ONNX file as bytes."""
    image = torch.zeros(2, 1, *network.frame.shape, dtype=torch.uint8)
    inputs = ["image", "cues"] if network.uses_cues else ["image"]
    module: nn.Module = _Deployed(network) if network.uses_cues else _DeployedWithoutCues(network)
    arguments = (image, torch.zeros(2, 4)) if network.uses_cues else (image,)
    buffer: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its successor, which needs a further package
        torch.onnx.export(
            module.eval(), arguments, buffer, dynamo=False, opset_version=17,
            input_names=inputs, output_names=["logits"],
            dynamic_axes={name: {0: "n"} for name in (*inputs, "logits")},
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    _halve(model)
    model.producer_name = "handread"
    del model.metadata_props[:]
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _halve(model: onnx.ModelProto) -> None:
    """Store large weights in half precision; onnxruntime folds the casts when it loads the file."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or int(np.prod(tensor.dims)) < 256:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), name + ".half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def verify(network: Network, data: bytes, card: ModelCard) -> None:
    """Raise `ModelError` when onnxruntime computes something else than torch on random ink."""
    rng = np.random.default_rng(0)
    height, width = network.frame.shape
    count = max(2, 64 * 32 * 32 // (height * width))
    coarse = rng.random((count, 1, 8, 8)) > 0.6
    large = np.kron(coarse, np.ones((1, 1, -(-height // 8), -(-width // 8))))[..., :height, :width]
    images = np.ascontiguousarray(large * 255).astype(np.uint8)
    cues = rng.random((count, 4)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images).float() / 255, torch.from_numpy(cues)).numpy()
    got = Session.from_bytes(data).run(images, cues if card.has_cues else None)
    difference = float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")
    scale = max(1.0, float(np.abs(expected).max()) / 10)
    if not difference <= AGREEMENT * scale:  # nor when it is NaN
        raise ModelError(
            f"torch and onnxruntime disagree about {card.name} (logits differ by {difference:.3g}, "
            f"allowed {AGREEMENT * scale:.3g}); nothing was written"
        )
