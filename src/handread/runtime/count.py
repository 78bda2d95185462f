"""How much a network computes: multiply-adds of one character, as onnxruntime itself tells the shapes.

The graph is run once on an empty character with nothing optimised away while onnxruntime keeps its profile, which
names the operation and the shapes of every node that ran. So nothing here needs to know how shapes follow from
another.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from handread.errors import ModelError
from handread.runtime.session import check_asked

WEIGHTS_AT = {
    "Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3,
    "Gemm": 1, "FusedGemm": 1, "MatMul": 1, "MatMulInteger": 1, "FusedMatMul": 1, "QLinearMatMul": 3,
}  # fmt: skip
"""Operation that multiplies and adds -> which of its inputs is the weights. All others are counted as nothing."""

_INTEGER = {"DequantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What one character costs."""

    multiply_adds: int
    """Of convolutions and matrix products; sums, activations and pooling are left out. Twice as many FLOPs."""
    precision: str
    """``int8`` where the file is quantised, else ``fp32``."""


def count_work(content: bytes, *, name: str = "the model") -> Work:
    """Count the ONNX file `content`; raises `ModelError` for one that does not run on an empty input."""
    check_asked(content, name)
    try:
        nodes = list(_profile(content))
    except Exception as error:  # onnxruntime's errors share no narrower base
        raise ModelError(f"{name} cannot be counted: {str(error).splitlines()[0][:200]}") from None
    total = sum(multiply_adds(kind, inputs, output) for kind, inputs, output in nodes)
    return Work(total, "int8" if any(kind in _INTEGER for kind, _, _ in nodes) else "fp32")


def multiply_adds(kind: str, inputs: list[Shape], output: Shape) -> int:
    """Multiply-adds of one node by the shapes of its inputs and its output; 0 for kinds not in `WEIGHTS_AT`.

    >>> multiply_adds("Conv", [(1, 3, 32, 32), (16, 3, 5, 5)], (1, 16, 32, 32))
    1228800
    >>> multiply_adds("Gemm", [(1, 160), (40, 160)], (1, 40))
    6400
    """
    if kind not in WEIGHTS_AT:
        return 0
    weights = inputs[WEIGHTS_AT[kind]]
    if "Conv" in kind:  # weights are (outputs, inputs of a group, height, width)
        return math.prod(output) * math.prod(weights[1:])
    if "Gemm" in kind:  # either side may be turned over: what is summed is what the product has lost
        return math.prod(output) * math.prod(inputs[0]) // output[0]
    return math.prod(output) * inputs[0][-1]


def _profile(content: bytes) -> Iterator[tuple[str, list[Shape], Shape]]:
    """Every node that ran: operation, shapes of the inputs, shape of the first output."""
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        # weights laid out anew for speed would miss among the shapes
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        session.run(None, {value.name: _empty(value) for value in session.get_inputs()})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    for event in events:
        told = event.get("args", {})
        if "op_name" in told and event.get("name", "").endswith("_kernel_time"):
            outputs = _shapes(told.get("output_type_shape", ()))
            yield told["op_name"], _shapes(told.get("input_type_shape", ())), outputs[0] if outputs else ()


def _empty(value: Any) -> Any:
    """Zeros for an input, one item where its size is open."""
    kinds = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
    return np.zeros([size if isinstance(size, int) else 1 for size in value.shape], kinds[value.type])


def _shapes(told: list[Mapping[str, list[int]]]) -> list[Shape]:
    return [tuple(shape) for one in told for shape in one.values()]
