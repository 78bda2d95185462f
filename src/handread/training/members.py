"""Several networks as one model file: the mean of their probabilities (Lakshminarayanan et al. 2017, Deep Ensembles)."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, compose, helper

from handread.card import METADATA_KEY, ModelCard
from handread.runtime.session import Session


def merge(members: Sequence[bytes], card: ModelCard) -> bytes:
    """One ONNX file that gives the logarithm of the mean probability of `members`, with `card` in it.

    The members take the same inputs; all must be Handread's own files.
    """
    graphs = [onnx.load_from_string(member) for member in members]
    inputs = list(graphs[0].graph.input)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    shares: list[str] = []
    for number, model in enumerate(graphs):
        prefix = f"m{number}."
        graph = compose.add_prefix_graph(model.graph, prefix)
        nodes += [helper.make_node("Identity", [value.name], [prefix + value.name]) for value in inputs]
        nodes += graph.node
        weights += graph.initializer
        shares.append(prefix + "share")
        nodes.append(helper.make_node("Softmax", [prefix + "logits"], [shares[-1]], axis=1))
    # a probability of nothing would have no logarithm
    nodes.append(helper.make_node("Mean", shares, ["mean"]))
    nodes.append(helper.make_node("Max", ["mean", "least"], ["some"]))
    nodes.append(helper.make_node("Log", ["some"], ["logits"]))
    weights.append(helper.make_tensor("least", TensorProto.FLOAT, [], [1e-12]))
    graph = helper.make_graph(nodes, "ensemble", inputs, list(graphs[0].graph.output), weights)
    model = helper.make_model(graph, opset_imports=graphs[0].opset_import, ir_version=graphs[0].ir_version)
    model.producer_name = "handread"
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(model)
    data = bytes(model.SerializeToString())
    Session.from_bytes(data)
    return data
