"""The most that this processor's matrix multiplication gives through onnxruntime, the measure of every network here.

The graphs are one ``MatMul`` (32-bit floats) or one ``MatMulInteger`` (uint8 by int8 into int32) of square matrices,
written as ONNX bytes by hand, so that no package for building them is needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from handread.errors import ModelError

SIDES = (512, 1024)
"""Sides of the matrices that are tried; the fastest counts. Smaller ones are all overhead."""

_FLOAT, _UINT8, _INT8, _INT32 = 1, 2, 3, 6  # onnx.TensorProto.DataType
_OPSET, _IR = 17, 8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of number that matrices are multiplied in."""

    operation: str
    left: int
    right: int
    product: int
    numpy_left: type[np.generic]
    numpy_right: type[np.generic]
    numpy_product: type[np.generic]


KINDS = {
    "int8": Kind("MatMulInteger", _UINT8, _INT8, _INT32, np.uint8, np.int8, np.int32),
    "fp32": Kind("MatMul", _FLOAT, _FLOAT, _FLOAT, np.float32, np.float32, np.float32),
}
"""Precision -> how its matrices are multiplied."""


def measure_peak(precision: str, *, threads: int, seconds: float) -> float:
    """Multiply-adds a second, the best that was seen within about `seconds` on `threads` threads.

    `precision` is a name of `KINDS`. Raises `ModelError` for another one.
    """
    if precision not in KINDS:
        raise ModelError(f"{precision!r} is no precision that is measured; there are {', '.join(KINDS)}")
    return max(side**3 / best_time(_multiplication(precision, side, threads), seconds / len(SIDES)) for side in SIDES)


def best_time(action: Callable[[], object], seconds: float) -> float:
    """The least time in seconds that `action` took, repeated for about `seconds` and at least three times."""
    action()
    best, end, turns = float("inf"), time.perf_counter() + seconds, 0
    while turns < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
        turns += 1
    return best


def matmul_model(precision: str, right: npt.NDArray[Any]) -> bytes:
    """An ONNX file that multiplies its input ``left`` (N, K) by the constant `right` (K, M) into ``product``."""
    kind = KINDS[precision]
    rows, columns = right.shape
    node = _text(1, "left") + _text(1, "right") + _text(2, "product") + _text(4, kind.operation)
    constant = b"".join(_number(1, size) for size in right.shape)
    constant += _number(2, kind.right) + _text(8, "right") + _bytes(9, right.tobytes())
    graph = _bytes(1, node) + _text(2, "matmul") + _bytes(5, constant)
    graph += _bytes(11, _value("left", kind.left, columns=rows)) + _bytes(12, _value("product", kind.product, columns))
    return _number(1, _IR) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, _OPSET))


def _multiplication(precision: str, side: int, threads: int) -> Callable[[], object]:
    """A function that multiplies once; inputs and output lie ready, so that no copy is timed."""
    kind = KINDS[precision]
    random = np.random.default_rng(0)
    left = random.integers(0, 100, (side, side)).astype(kind.numpy_left)
    right = random.integers(-100, 100, (side, side)).astype(kind.numpy_right)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(matmul_model(precision, right), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("left", ort.OrtValue.ortvalue_from_numpy(left))
    product = np.zeros((side, side), kind.numpy_product)
    binding.bind_ortvalue_output("product", ort.OrtValue.ortvalue_from_numpy(product))
    return lambda: session.run_with_iobinding(binding)


# Protocol buffers on the wire: a key (field number and kind), then a number of 7 bits a byte or a length and bytes.


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, content: str) -> bytes:
    return _bytes(field, content.encode())


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _value(name: str, kind: int, columns: int) -> bytes:
    """A ValueInfoProto: a matrix of any number of rows."""
    rows, dimension = _bytes(1, _text(2, "n")), _bytes(1, _number(1, columns))
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, rows + dimension)))
