"""Weights to 8-bit integers: a quarter of the size, each output channel with its own scale.

Weight-only: the arithmetic stays in float, so the file is small rather than faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

SMALLEST = 256
"""Tensors with fewer values stay as they are: nothing would be saved."""


def quantise(data: bytes) -> bytes:
    """The ONNX file `data` with symmetric int8 weights per output channel; the card is kept."""
    model = onnx.load_from_string(data)
    halves = {node.input[0]: node for node in model.graph.node if node.op_type == "Cast"}
    outputs_first = {
        node.input[1]: node.op_type == "Conv" or bool(_attribute(node, "transB"))
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    }
    added, dropped, initializers = [], [], []
    for tensor in model.graph.initializer:
        cast = halves.get(tensor.name)
        name = cast.output[0] if cast is not None else tensor.name
        values = numpy_helper.to_array(tensor)
        if name not in outputs_first or values.size < SMALLEST or values.ndim < 2:
            initializers.append(tensor)
            continue
        axis = 0 if outputs_first[name] else 1
        integers, scale = _rounded(values.astype(np.float32), axis)
        stem = name + ".int8"
        initializers += [
            numpy_helper.from_array(integers, stem),
            numpy_helper.from_array(scale, stem + ".scale"),
            numpy_helper.from_array(np.zeros(len(scale), np.int8), stem + ".zero"),
        ]
        added.append(helper.make_node("DequantizeLinear", [stem, stem + ".scale", stem + ".zero"], [name], axis=axis))
        if cast is not None:
            dropped.append(cast)
    nodes = added + [node for node in model.graph.node if node not in dropped]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(initializers)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _rounded(values: Any, axis: int) -> tuple[Any, Any]:
    other = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=other, keepdims=True)
    scale = np.maximum(largest / 127, 1e-12).astype(np.float32)
    return np.round(values / scale).astype(np.int8), scale.reshape(-1)


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), 0)
