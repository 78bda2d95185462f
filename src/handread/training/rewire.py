"""A classifier that was trained elsewhere: its ONNX file checked, understood, and wired to Handread's contract.

`read_foreign` refuses what cannot be used; `wired` puts what Handread gives (bytes, one layout) before the foreign
graph and what Handread wants (logits, any number at once) behind it. The foreign graph itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, inliner, numpy_helper

from handread.card import METADATA_KEY, ModelCard
from handread.errors import ModelError, shown
from handread.runtime.wire import ENDLESS

MOST_NODES = 100_000
"""Most operators in one file, its functions written out; the largest networks for pictures have some thousands."""
OLDEST_OPSET = 9
"""Older graphs lack the operators that are put around them."""
LAYOUTS = ("NHWC", "NCHW", "NHW", "flat")
"""How a graph may take pictures: channels last (Keras), channels first (PyTorch), none, or one row a picture."""

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_FLOATS: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.DOUBLE: "float64", TensorProto.FLOAT16: "float16"}
_WHOLE: dict[int, str] = {TensorProto.UINT8: "uint8", TensorProto.INT32: "int32", TensorProto.INT64: "int64"}
_TAKERS = ("Identity", "Cast", "Softmax", "ZipMap")
_PREFIX = "foreign/"
_MOST_CALLS = 50
"""Functions that call one another in a row."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign classifier whose file can be used."""

    model: ModelProto
    """Its graph, every name in it prefixed, so that it meets no name of ours."""
    opset: int
    """Version of the standard operators."""
    input: str
    """Name of the one input, without the prefix."""
    type: int
    """Its element type, a `TensorProto.DataType`."""
    shape: tuple[int | None, ...] | None
    """Its sizes, None where left open; None when not even the rank is told."""
    outputs: tuple[str, ...]
    """Names of the outputs that hold numbers, without the prefix."""
    classes: tuple[str, ...]
    """The classes as scikit-learn wrote them into the file; empty where there are none."""

    @property
    def dtype(self) -> str:
        """Element type of the input as numpy names it."""
        return (_FLOATS | _WHOLE)[self.type]

    @property
    def whole_numbers(self) -> bool:
        """True when the input takes whole numbers only."""
        return self.type in _WHOLE

    @property
    def batch(self) -> int | None:
        """The number of pictures that the graph takes at once, None when it is left open."""
        return self.shape[0] if self.shape else None


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a foreign graph is used; what cannot be told from its file is found out on data."""

    layout: str
    """One of `LAYOUTS`."""
    channels: int = 1
    """1, or 3 for a colour network, which then sees the same ink in all three."""
    paper: float = 0.0
    """What the network was shown for paper ..."""
    ink: float = 1.0
    """... and for full ink."""
    output: str = ""
    """Name of the output with one number a class."""
    floor: float = 0.0
    """Above 0 the output holds probabilities: their logarithm is taken, of at least this."""
    before_softmax: bool = False
    """The graph ends in a softmax: what goes into it is taken."""
    one_by_one: bool = False
    """The graph takes a fixed number of pictures: each goes through it alone."""


def read_foreign(content: bytes, name: str) -> Foreign:
    """Check the `content` of a foreign ONNX file; `name` is what errors call it.

    Raises `ModelError` for a file that is damaged, keeps weights in other files, has operators of its own or such as may
    never end, is too old, or takes anything but one array of numbers.
    """
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's errors share no public base
        raise ModelError(f"{name} is not an ONNX file, or only a part of one ({type(error).__name__})") from None
    if not model.graph.node:
        raise ModelError(f"{name} is not an ONNX file, or only a part of one: there is no operator in it")
    try:
        return _understood(model, name)
    except (IndexError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ModelError(f"{name} is damaged ({str(error)[:100]}); export it again") from None


def _understood(model: ModelProto, name: str) -> Foreign:
    if model.functions:
        _check_functions(model, name)
        model = inliner.inline_local_functions(model)
    _refuse_foreign_parts(model, name)
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset == 0:  # scikit-learn's trees alone need no standard operators: any version will do
        opset = 13
        model.opset_import.append(helper.make_opsetid("", opset))
    if opset < OLDEST_OPSET:
        raise ModelError(f"{name} has opset {opset}; export it with opset {OLDEST_OPSET} or newer, such as 17")
    if opset > onnx.defs.onnx_opset_version() or model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"{name} has opset {opset} and format {model.ir_version}, newer than what is installed here knows "
            f"({onnx.defs.onnx_opset_version()} and {onnx.IR_VERSION}); export it with opset 17"
        )
    value = _only_input(model.graph, name)
    outputs = _without_zipmap(model.graph)
    if not outputs:
        raise ModelError(f"{name} gives no array of numbers; for scikit-learn export it with options zipmap=False")
    source, tensor, classes = str(value.name), value.type.tensor_type, _classes(model.graph)
    _prefix_names(model.graph)
    return Foreign(
        model=model,
        opset=opset,
        input=source,
        type=tensor.elem_type,
        shape=_shape(tensor),
        outputs=outputs,
        classes=classes,
    )


def layouts(foreign: Foreign, height: int, width: int) -> list[tuple[str, int]]:
    """The layouts and numbers of channels that the declared shape of the input allows, likeliest first."""
    every: list[tuple[str, int, tuple[int, ...]]] = [
        *(("NHWC", channels, (height, width, channels)) for channels in (1, 3)),
        *(("NCHW", channels, (channels, height, width)) for channels in (1, 3)),
        ("NHW", 1, (height, width)),
        ("flat", 1, (height * width,)),
    ]
    return [(layout, channels) for layout, channels, sizes in every if _fits(foreign.shape, sizes)]


def softmax_before(foreign: Foreign, output: str) -> bool:
    """True when `output` comes straight out of a softmax over the classes."""
    node = _maker(foreign.model.graph, _PREFIX + output)
    if node is None or node.op_type != "Softmax" or node.domain not in ("", "ai.onnx"):
        return False
    axis = next((a.i for a in node.attribute if a.name == "axis"), -1 if foreign.opset >= 13 else 1)
    return axis in (-1, 1)


def declared_columns(foreign: Foreign, output: str) -> int | None:
    """The size of the last axis of an output, None where the file leaves it open."""
    for value in foreign.model.graph.output:
        if value.name == _PREFIX + output:
            shape = _shape(value.type.tensor_type)
            return shape[-1] if shape else None
    return None


def wired(foreign: Foreign, wiring: Wiring, card: ModelCard) -> bytes:
    """The foreign graph as a file of Handread: image uint8 (N, 1, height, width) in, logits float32 (N, K) out.

    Whether it runs, and gives K numbers a picture, only running it tells.
    """
    model = ModelProto()
    model.CopyFrom(foreign.model)
    graph = model.graph
    result = _PREFIX + wiring.output
    if wiring.before_softmax:
        result = _softmax(graph, result).input[0]
    _keep_what_leads_to(graph, result)
    pen = _Pen()
    if wiring.one_by_one:
        _write_loop(pen, foreign, wiring, graph, result, card)
    else:
        _open_batch(graph, foreign.batch)
        _write_before(pen, foreign, wiring, "image", card)
        pen.nodes.extend(graph.node)
        _write_after(pen, wiring, result, "logits")
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 1, card.height, card.width])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", len(card.alphabet)])
    whole = helper.make_graph(pen.nodes, "handread", [image], [logits], [*graph.initializer, *pen.tensors])
    whole.sparse_initializer.extend(graph.sparse_initializer)
    made = helper.make_model(whole, opset_imports=list(model.opset_import), producer_name="handread")
    made.ir_version = max(4, model.ir_version)  # before 4 every weight had to be an input too
    helper.set_model_props(made, {METADATA_KEY: card.to_json()})
    return bytes(made.SerializeToString())


class _Pen:
    """Writes nodes one after the other, each with a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def constant(self, values: npt.NDArray[Any]) -> str:
        name = f"handread/constant{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def write(self, kind: str, *inputs: str, end: str = "", **attributes: Any) -> str:
        output = end or f"handread/{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output


def _write_before(pen: _Pen, foreign: Foreign, wiring: Wiring, value: str, card: ModelCard) -> None:
    """From bytes (N, 1, H, W), 0 paper .. 255 ink, to what the foreign graph takes."""
    double = foreign.type == TensorProto.DOUBLE
    number = np.float64 if double else np.float32
    computed = TensorProto.DOUBLE if double else TensorProto.FLOAT
    value = pen.write("Cast", value, to=computed)
    span = wiring.ink - wiring.paper
    if span != 255:  # divided first, as people do: the same number to the last bit
        value = pen.write("Div", value, pen.constant(np.array(255, number)))
        value = value if span == 1 else pen.write("Mul", value, pen.constant(np.array(span, number)))
    if wiring.paper:
        value = pen.write("Add", value, pen.constant(np.array(wiring.paper, number)))
    if foreign.type != computed:
        value = pen.write("Cast", value, to=foreign.type)
    if wiring.channels > 1:
        value = pen.write("Concat", *[value] * wiring.channels, axis=1)
    if wiring.one_by_one and (foreign.batch or 1) > 1:  # what it makes of the copies is thrown away
        shape = np.array([foreign.batch, wiring.channels, card.height, card.width], np.int64)
        value = pen.write("Expand", value, pen.constant(shape))
    end = _PREFIX + foreign.input
    if wiring.layout == "NHWC":
        pen.write("Transpose", value, end=end, perm=[0, 2, 3, 1])
    elif wiring.layout == "NCHW":
        pen.write("Identity", value, end=end)
    else:
        sizes = [card.height, card.width] if wiring.layout == "NHW" else [card.height * card.width]
        pen.write("Reshape", value, pen.constant(np.array([-1, *sizes], np.int64)), end=end)


def _write_after(pen: _Pen, wiring: Wiring, value: str, end: str) -> None:
    """From the foreign answer to logits (N, K)."""
    value = pen.write("Flatten", value, axis=1)
    value = pen.write("Cast", value, to=TensorProto.FLOAT)
    if wiring.floor:
        value = pen.write("Max", value, pen.constant(np.array(wiring.floor, np.float32)))
        value = pen.write("Log", value)
    pen.write("Identity", value, end=end)


def _write_loop(pen: _Pen, foreign: Foreign, wiring: Wiring, graph: GraphProto, result: str, card: ModelCard) -> None:
    """The foreign graph as the body of a Scan over the pictures."""
    inner = _Pen()
    inner.tensors = pen.tensors  # what the body does not define it sees from outside
    size = [card.height, card.width]
    one = inner.write("Reshape", "handread/one", inner.constant(np.array([1, 1, *size], np.int64)))
    _write_before(inner, foreign, wiring, one, card)
    inner.nodes.extend(graph.node)
    _write_after(inner, wiring, result, "handread/answers")
    first = inner.write("Gather", "handread/answers", inner.constant(np.array(0, np.int64)), axis=0)
    inner.write("Identity", first, end="handread/answer")
    body = helper.make_graph(
        inner.nodes, "one picture",
        [helper.make_tensor_value_info("handread/one", TensorProto.UINT8, [1, *size])],
        [helper.make_tensor_value_info("handread/answer", TensorProto.FLOAT, [len(card.alphabet)])],
    )  # fmt: skip
    pen.write("Scan", "image", end="logits", body=body, num_scan_inputs=1)


def _open_batch(graph: GraphProto, batch: int | None) -> None:
    """Where the graph was made for `batch` pictures, let its reshapes take any number: run it to see whether that
    was all."""
    if batch is None:
        return
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape" and len(node.input) == 2}
    holders = [tensor for tensor in graph.initializer if tensor.name in shapes]
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            holders += [a.t for a in node.attribute if a.name == "value"]
    for tensor in holders:
        try:
            sizes = numpy_helper.to_array(tensor).copy()
        except (ValueError, TypeError):  # onnxruntime says what is wrong with it
            continue
        if sizes.ndim == 1 and len(sizes) and sizes[0] == batch:
            sizes[0] = 0 if (sizes == -1).any() else -1
            tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))


def _keep_what_leads_to(graph: GraphProto, result: str) -> None:
    """Drop nodes and weights that `result` does not need, such as scikit-learn's labels."""
    wanted, kept = {result}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(_names_used(node))
    weights = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def _names_used(node: NodeProto) -> Iterator[str]:
    yield from node.input
    for inner in _subgraphs(node):
        yield from (value.name for value in inner.output)
        for below in inner.node:
            yield from _names_used(below)


def _subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _every_node(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for inner in _subgraphs(node):
            yield from _every_node(inner)


def _every_tensor(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
        for inner in _subgraphs(node):
            yield from _every_tensor(inner)


def _refuse_foreign_parts(model: ModelProto, name: str) -> None:
    nodes = list(_every_node(model.graph))
    if len(nodes) > MOST_NODES:
        raise ModelError(f"{name} has {len(nodes):,} operators; Handread takes up to {MOST_NODES:,}")
    endless = sorted({node.op_type for node in nodes} & ENDLESS)
    if endless:
        raise ModelError(f"{name} has the operator {endless[0]}, which may never end; export it without")
    if not all(node.output and (all(node.input[:1]) if node.input else node.op_type not in _TAKERS) for node in nodes):
        raise ModelError(f"{name} is damaged: an operator in it gives nothing or begins with nothing; export it again")
    own = sorted({node.domain for node in nodes} - _DOMAINS)
    if own:
        raise ModelError(
            f"{name} has operators of {shown(own)[1:-1]}, which Handread does not run; export it with the "
            "standard operators of ONNX alone"
        )
    for tensor in _every_tensor(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError(f"{name} keeps its weights in other files; export it as one file")


def _check_functions(model: ModelProto, name: str) -> None:
    """Raise `ModelError` where putting the functions of a file into its graph would not end, or double it for ever."""
    functions = {(function.domain, function.name): function for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[NodeProto], above: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in above or len(above) > _MOST_CALLS:
                raise ModelError(f"{name} has a function {shown(node.op_type)} that calls itself; export it again")
            if key in functions and key not in sizes:
                sizes[key] = size(functions[key].node, (*above, key))
            total += sizes.get(key, 1) + sum(size(inner.node, above) for inner in _subgraphs(node))
            if total > MOST_NODES:
                raise ModelError(f"{name} unfolds to more than {MOST_NODES:,} operators; export it without functions")
        return total

    size(model.graph.node, ())


def _only_input(graph: GraphProto, name: str) -> ValueInfoProto:
    weights = {tensor.name for tensor in graph.initializer}
    values: list[ValueInfoProto] = [value for value in graph.input if value.name not in weights]
    if len(values) != 1:
        listed = ", ".join(value.name for value in values[:4]) + (" ..." if len(values) > 4 else "")
        raise ModelError(f"{name} takes {len(values)} inputs ({listed or 'none'}); a classifier of pictures takes one")
    kind = values[0].type.tensor_type.elem_type
    if kind not in _FLOATS | _WHOLE:
        raise ModelError(
            f"{name} takes {values[0].name!r} of ONNX type {kind}; expected numbers, one of "
            f"{', '.join((_FLOATS | _WHOLE).values())}"
        )
    return values[0]


def _without_zipmap(graph: GraphProto) -> tuple[str, ...]:
    """Outputs of floating-point numbers; where scikit-learn's ZipMap makes dictionaries, what goes into it."""
    zipped = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "ZipMap"}
    found = []
    for value in graph.output:
        if value.name in zipped:
            found.append(zipped[value.name])
        elif value.type.tensor_type.elem_type in _FLOATS:
            found.append(value.name)
    return tuple(found)


def _classes(graph: GraphProto) -> tuple[str, ...]:
    """What scikit-learn's operators say of their classes, in order."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
                strings = tuple(text.decode("utf-8", "replace") for text in attribute.strings)
                if strings or attribute.ints:
                    return strings or tuple(map(str, attribute.ints))
    return ()


def _prefix_names(graph: GraphProto) -> None:
    """Put `_PREFIX` before every name, in the graphs inside nodes too; an empty name means "not given"."""

    def longer(name: str) -> str:
        return name and _PREFIX + name

    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = longer(value.name)
    for sparse in graph.sparse_initializer:
        sparse.values.name = longer(sparse.values.name)
        sparse.indices.name = longer(sparse.indices.name)
    for node in graph.node:
        node.name = longer(node.name)
        node.input[:] = [longer(name) for name in node.input]
        node.output[:] = [longer(name) for name in node.output]
        for inner in _subgraphs(node):
            _prefix_names(inner)


def _maker(graph: GraphProto, value: str) -> NodeProto | None:
    """The node that gives `value`, behind mere copies and changes of type."""
    makers = {output: node for node in graph.node for output in node.output}
    for _ in graph.node:
        node = makers.get(value)
        if node is None or node.op_type not in ("Identity", "Cast"):
            return node
        value = node.input[0]
    return None


def _softmax(graph: GraphProto, value: str) -> NodeProto:
    node = _maker(graph, value)
    assert node is not None
    assert node.op_type == "Softmax"
    return node


def _shape(tensor: Any) -> tuple[int | None, ...] | None:
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)


def _fits(shape: tuple[int | None, ...] | None, sizes: tuple[int, ...]) -> bool:
    if shape is None:
        return True
    return len(shape) == len(sizes) + 1 and all(a is None or a == b for a, b in zip(shape[1:], sizes, strict=True))
