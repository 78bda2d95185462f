"""Nearest neighbours and support vectors as ONNX graphs of a few matrix products.

skl2onnx has both, as a loop over rows and as one operator that takes a picture at a time; with the 784 pixels and
tens of thousands of rows of MNIST that is about a hundred times slower (10 ms a picture for 2,273 support vectors),
and four times as large, for a row of bytes is stored here as bytes.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

OPSET = 17
PIXELS = "pixels"
"""Name of the input, float32 (N, P), the bytes of a picture as numbers 0..255."""
ANSWERS = "answers"
"""Name of the output, float32 (N, K)."""

Array = npt.NDArray[Any]


def neighbours_graph(rows: Array, labels: Array, classes: int, *, neighbours: int, weighted: bool) -> ModelProto:
    """Shares of the nearest neighbours' votes.

    `rows` uint8 (M, P) and `labels` int64 (M,) are what was learnt by heart; `weighted` gives each vote the weight of
    one over its distance.
    """
    tensors = {
        "rows": rows,
        "lengths": (rows.astype(np.float32) ** 2).sum(axis=1),
        "labels": labels.astype(np.int64),
        "count": np.array([neighbours], np.int64),
        "classes": np.array([classes], np.int64),
        "off_on": np.array([0, 1], np.float32),
        "one": np.array([1], np.int64),
        "nothing": np.array(0, np.float32),
        "near": np.array(1e-3, np.float32),
        "last": np.array([2], np.int64),
    }
    nodes = [
        *_squared_distances("rows", "lengths"),
        helper.make_node("TopK", ["squared", "count"], ["nearest", "places"], largest=0),
        helper.make_node("Gather", ["labels", "places"], ["votes"]),
        helper.make_node("OneHot", ["votes", "classes", "off_on"], ["ballots"]),  # (N, neighbours, K)
        helper.make_node("Max", ["nearest", "nothing"], ["positive"]),
        helper.make_node("Sqrt", ["positive"], ["distance"]),
        helper.make_node("Max", ["distance", "near"], ["apart"]),  # the same picture again: nearly all the weight
        helper.make_node("Reciprocal", ["apart"], ["closeness"]),
        helper.make_node("Unsqueeze", ["closeness", "last"], ["weights"]),
        helper.make_node("Mul", ["ballots", "weights"] if weighted else ["ballots", "unit"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "one"], ["sums"], keepdims=0),
        helper.make_node("ReduceSum", ["sums", "one"], ["all"], keepdims=1),
        helper.make_node("Div", ["sums", "all"], [ANSWERS]),
    ]
    if not weighted:
        tensors["unit"] = np.array(1, np.float32)
    return _model(nodes, tensors, rows.shape[1], classes)


SHARPNESS = 8.0
"""Makes decisions, mostly within -1..1, logits of which the temperature is not far from 1."""


def narrowest(decisions: Array, classes: int) -> Array:
    """Logits (N, K) of the decisions between pairs of classes, (N, K (K - 1) / 2) in scikit-learn's order.

    A class is as likely as its narrowest win (or worst defeat) against any other. Of 2,000 images of MNIST, 4,000
    others learnt, 95.4 % were right so and 95.25 % by counted votes; the log loss was 0.17 and 0.31.
    """
    own = (decisions @ _sides(classes)).reshape(len(decisions), classes, classes - 1)
    return np.asarray(SHARPNESS * own.min(axis=2))


def vectors_graph(rows: Array, coefficients: Array, intercepts: Array, counts: Array, *, gamma: float) -> ModelProto:
    """`narrowest` logits of a support vector machine with the kernel exp(-gamma |x - y|^2), x and y in 0..1.

    `rows` uint8 (M, P) are the support vectors, class after class as `counts` (K,) says; `coefficients` (K - 1, M)
    and `intercepts` (K (K - 1) / 2,) as in scikit-learn's SVC.
    """
    classes = len(counts)
    ends = np.cumsum(counts)
    table = np.zeros((rows.shape[0], len(intercepts)), np.float32)
    for pair, (a, b) in enumerate(combinations(range(classes), 2)):
        of_a, of_b = slice(ends[a] - counts[a], ends[a]), slice(ends[b] - counts[b], ends[b])
        table[of_a, pair] = coefficients[b - 1, of_a]
        table[of_b, pair] = coefficients[a, of_b]
    tensors = {
        "rows": rows,
        "lengths": (rows.astype(np.float32) ** 2).sum(axis=1),
        "sharpness": np.array(-gamma / 255**2, np.float32),
        "table": table,
        "intercepts": intercepts.astype(np.float32),
        "sides": _sides(classes).astype(np.float32) * np.float32(SHARPNESS),
        "split": np.array([-1, classes, classes - 1], np.int64),
    }
    nodes = [
        *_squared_distances("rows", "lengths"),
        helper.make_node("Mul", ["squared", "sharpness"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["kernel"]),
        helper.make_node("Gemm", ["kernel", "table", "intercepts"], ["decisions"]),
        helper.make_node("MatMul", ["decisions", "sides"], ["signed"]),
        helper.make_node("Reshape", ["signed", "split"], ["own"]),  # (N, K, K - 1)
        helper.make_node("ReduceMin", ["own"], [ANSWERS], axes=[2], keepdims=0),
    ]
    return _model(nodes, tensors, rows.shape[1], classes)


def _sides(classes: int) -> Array:
    """(pairs, K (K - 1)): column k (K - 1) + i picks the i-th decision that class k takes part in, from its side."""
    pairs = list(combinations(range(classes), 2))
    sides = np.zeros((len(pairs), classes, classes - 1))
    for place, (a, b) in enumerate(pairs):
        sides[place, a, b - 1] = 1
        sides[place, b, a] = -1
    return sides.reshape(len(pairs), -1)


def _squared_distances(rows: str, lengths: str) -> list[NodeProto]:
    """Of each picture to each of the rows: |x|^2 - 2 x.y + |y|^2, (N, M), as `squared`."""
    return [
        helper.make_node("Cast", [rows], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", [PIXELS, "numbers", lengths], ["without"], alpha=-2.0, transB=1),
        helper.make_node("ReduceSumSquare", [PIXELS], ["length"], axes=[1], keepdims=1),
        helper.make_node("Add", ["without", "length"], ["squared"]),
    ]


def _model(nodes: list[NodeProto], tensors: dict[str, Array], pixels: int, classes: int) -> ModelProto:
    graph = helper.make_graph(
        nodes, "baseline",
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["n", pixels])],
        [helper.make_tensor_value_info(ANSWERS, TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(np.ascontiguousarray(values), name) for name, values in tensors.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
