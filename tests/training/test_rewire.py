"""Foreign graphs: what cannot be used is refused, what can be keeps computing what it computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handread.card import ModelCard
from handread.errors import ModelError
from handread.runtime.session import Session
from handread.training.rewire import Wiring, layouts, read_foreign, softmax_before, wired

CARD = ModelCard(name="f", version="1", alphabet="012", height=8, width=8, ink_side=6)
WEIGHTS = np.random.default_rng(0).normal(0, 1, (64, 3)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 1, 8, 8)).astype(np.uint8)
FLAT = IMAGES.reshape(5, 64).astype(np.float32) / 255


def model(
    *nodes: onnx.NodeProto,
    shape: list[int | str] | None = None,
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
    outputs: tuple[str, ...] = ("y",),
    inputs: tuple[str, ...] = ("x",),
    constants: dict[str, np.ndarray] | None = None,
) -> onnx.ModelProto:
    made = helper.make_graph(
        list(nodes) or [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info(name, kind, ["n", 64] if shape is None else shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in {"w": WEIGHTS, **(constants or {})}.items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=imports, ir_version=8)


def answers(content: bytes, images: np.ndarray = IMAGES) -> np.ndarray:
    return Session.from_bytes(content).run(images)


def test_the_graph_computes_what_it_computed() -> None:
    foreign = read_foreign(model().SerializeToString(), "f.onnx")
    assert (foreign.input, foreign.dtype, foreign.shape, foreign.outputs) == ("x", "float32", (None, 64), ("y",))
    got = answers(wired(foreign, Wiring("flat", output="y"), CARD))
    assert got == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)


@pytest.mark.parametrize(
    ("paper", "ink"), [(0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (1.0, 0.0), (255.0, 0.0), (-0.4242, 2.8215)]
)
def test_numbers_run_from_paper_to_ink(paper: float, ink: float) -> None:
    foreign = read_foreign(model().SerializeToString(), "f.onnx")
    got = answers(wired(foreign, Wiring("flat", 1, paper, ink, "y"), CARD))
    assert got == pytest.approx((paper + (ink - paper) * FLAT) @ WEIGHTS, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (["n", 8, 8, 1], [("NHWC", 1)]),
        (["n", 8, 8, 3], [("NHWC", 3)]),
        (["n", 1, 8, 8], [("NCHW", 1)]),
        ([1, 3, 8, 8], [("NCHW", 3)]),
        (["n", 8, 8], [("NHW", 1)]),
        (["n", 64], [("flat", 1)]),
        (["n", "h", "w", "c"], [("NHWC", 1), ("NHWC", 3), ("NCHW", 1), ("NCHW", 3)]),
        (["n", 9, 8, 1], []),
        (["n", 2, 8, 8], []),
        (["n", 63], []),
    ],
)
def test_the_declared_shape_tells_the_layout(declared: list[int | str], found: list[tuple[str, int]]) -> None:
    foreign = read_foreign(model(shape=declared).SerializeToString(), "f.onnx")
    assert layouts(foreign, 8, 8) == found


@pytest.mark.parametrize(
    ("kind", "paper", "ink"),
    [(TensorProto.DOUBLE, 0.0, 1.0), (TensorProto.FLOAT16, 0.0, 1.0), (TensorProto.UINT8, 0.0, 255.0),
     (TensorProto.INT64, 0.0, 255.0), (TensorProto.UINT8, 255.0, 0.0)],
)  # fmt: skip
def test_any_type_of_number_is_fed(kind: int, paper: float, ink: float) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    foreign = read_foreign(model(*nodes, kind=kind).SerializeToString(), "f.onnx")
    got = answers(wired(foreign, Wiring("flat", 1, paper, ink, "y"), CARD))
    assert got == pytest.approx((paper + (ink - paper) * FLAT) @ WEIGHTS, rel=2e-3, abs=0.02)


def test_a_file_whose_names_are_ours_is_rewired_all_the_same() -> None:
    first = wired(read_foreign(model().SerializeToString(), "f"), Wiring("flat", output="y"), CARD)
    foreign = read_foreign(first, "first.onnx")
    assert (foreign.input, foreign.dtype, foreign.outputs) == ("image", "uint8", ("logits",))
    again = wired(foreign, Wiring("NCHW", 1, 0.0, 255.0, "logits"), CARD)
    assert answers(again) == pytest.approx(answers(first), abs=1e-5)


@pytest.mark.parametrize("between", [[], ["Identity"], ["Identity", "Identity"]])
def test_a_softmax_at_the_end_is_found_and_left_out(between: list[str]) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y0"], axis=-1)]
    nodes += [helper.make_node(kind, [f"y{i}"], [f"y{i + 1}"]) for i, kind in enumerate(between)]
    last = f"y{len(between)}"
    foreign = read_foreign(model(*nodes, outputs=(last,)).SerializeToString(), "f")
    assert softmax_before(foreign, last)
    content = wired(foreign, Wiring("flat", output=last, before_softmax=True), CARD)
    assert answers(content) == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)
    assert "Softmax" not in [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_a_softmax_over_something_else_is_not() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["y"], axis=0)]
    assert not softmax_before(read_foreign(model(*nodes).SerializeToString(), "f"), "y")


def test_shares_become_logarithms_with_a_floor() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["s"], axis=-1),
             helper.make_node("Relu", ["s"], ["y"])]  # fmt: skip
    foreign = read_foreign(model(*nodes).SerializeToString(), "f")
    assert not softmax_before(foreign, "y")
    got = answers(wired(foreign, Wiring("flat", output="y", floor=0.01), CARD))
    powers = np.exp(FLAT @ WEIGHTS)
    shares = powers / powers.sum(axis=1, keepdims=True)
    assert got == pytest.approx(np.log(np.maximum(shares, 0.01)), abs=1e-4)
    assert (shares < 0.01).any()


def test_a_fixed_number_of_pictures_is_opened_where_reshapes_alone_hold_it() -> None:
    nodes = [helper.make_node("Reshape", ["x", "to"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    made = model(*nodes, shape=[1, 1, 8, 8], constants={"to": np.array([1, 64], np.int64)})
    foreign = read_foreign(made.SerializeToString(), "f")
    assert foreign.batch == 1
    got = answers(wired(foreign, Wiring("NCHW", output="y"), CARD))
    assert got == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_else_pictures_go_through_one_by_one(batch: int) -> None:
    """A graph that takes its pictures apart into just so many cannot be opened."""
    nodes = [
        helper.make_node("Reshape", ["x", "to"], ["f"]),
        helper.make_node("MatMul", ["f", "w"], ["z"]),
        helper.make_node("Split", ["z", "each"], [f"p{i}" for i in range(batch)], axis=0),
        helper.make_node("Concat", [f"p{i}" for i in range(batch)], ["y"], axis=0),
    ]
    constants = {"to": np.array([batch, 64], np.int64), "each": np.ones(batch, np.int64)}
    foreign = read_foreign(model(*nodes, shape=[batch, 8, 8, 1], constants=constants).SerializeToString(), "f")
    with pytest.raises(ModelError):
        answers(wired(foreign, Wiring("NHWC", output="y"), CARD))
    got = answers(wired(foreign, Wiring("NHWC", output="y", one_by_one=True), CARD))
    assert got == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)


def test_what_the_answer_does_not_need_is_dropped() -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("ArgMax", ["y"], ["label"], axis=1),
             helper.make_node("Mul", ["y", "unused"], ["other"])]  # fmt: skip
    made = model(*nodes, outputs=("y", "other"), constants={"unused": np.ones(100_000, np.float32)[:3]})
    content = wired(read_foreign(made.SerializeToString(), "f"), Wiring("flat", output="y"), CARD)
    graph = onnx.load_from_string(content).graph
    assert {"ArgMax", "Mul"}.isdisjoint(node.op_type for node in graph.node)
    assert "foreign/unused" not in {tensor.name for tensor in graph.initializer}


def test_scikit_learns_dictionaries_are_taken_off() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("ZipMap", ["p"], ["dictionaries"], domain="ai.onnx.ml", classlabels_strings=list("abc")),
    ]
    made = model(*nodes, outputs=())
    made.graph.output.append(
        helper.make_value_info(
            "dictionaries",
            helper.make_sequence_type_proto(
                helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
            ),
        )
    )
    foreign = read_foreign(made.SerializeToString(), "f")
    assert (foreign.outputs, foreign.classes) == (("p",), ("a", "b", "c"))
    assert answers(wired(foreign, Wiring("flat", output="p"), CARD)) == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)


def test_a_local_function_is_written_out() -> None:
    made = model(helper.make_node("Times", ["x", "w"], ["y"], domain="mine"))
    inside = [helper.make_node("MatMul", ["a", "b"], ["c"])]
    made.functions.append(
        helper.make_function("mine", "Times", ["a", "b"], ["c"], inside, [helper.make_opsetid("", 17)])
    )
    made.opset_import.append(helper.make_opsetid("mine", 1))
    foreign = read_foreign(made.SerializeToString(), "f")
    assert answers(wired(foreign, Wiring("flat", output="y"), CARD)) == pytest.approx(FLAT @ WEIGHTS, abs=1e-5)


def external(made: onnx.ModelProto) -> None:
    weight = made.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def external_in_a_branch(made: onnx.ModelProto) -> None:
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(WEIGHTS))], "b", [],
                               [helper.make_tensor_value_info("c", TensorProto.FLOAT, None)])  # fmt: skip
    branch.node[0].attribute[0].t.data_location = TensorProto.EXTERNAL
    made.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (external, "f.onnx keeps its weights in other files; export it as one file"),
        (external_in_a_branch, "keeps its weights in other files"),
        (lambda m: m.graph.node.append(helper.make_node("Evil", ["y"], ["z"], domain="com.example")),
         "has operators of 'com.example', which Handread does not run"),
        (lambda m: m.opset_import[0].CopyFrom(helper.make_opsetid("", 7)), "has opset 7; export it with opset 9 or newer"),
        (lambda m: m.opset_import[0].CopyFrom(helper.make_opsetid("", 999)), "has opset 999 and format 8, newer than"),
        (lambda m: setattr(m, "ir_version", 999), "has opset 17 and format 999, newer than"),
        (lambda m: m.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])),
         r"takes 2 inputs \(x, z\)"),
        (lambda m: m.graph.input.pop(), r"takes 0 inputs \(none\)"),
        (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", TensorProto.STRING), "takes 'x' of ONNX type 8"),
        (lambda m: setattr(m.graph.output[0].type.tensor_type, "elem_type", TensorProto.INT64),
         "gives no array of numbers"),
        (lambda m: m.graph.node.pop(), "there is no operator in it"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(change: Callable[[onnx.ModelProto], object], sentence: str) -> None:
    made = model()
    change(made)
    with pytest.raises(ModelError, match=sentence):
        read_foreign(made.SerializeToString(), "f.onnx")


@pytest.mark.parametrize("content", [b"", b"no model at all", model().SerializeToString()[:-200]])
def test_what_is_no_onnx_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"f\.onnx is not an ONNX file, or only a part of one"):
        read_foreign(content, "f.onnx")


def test_a_loop_of_copies_ends() -> None:
    made = model(helper.make_node("Identity", ["b"], ["a"]), helper.make_node("Identity", ["a"], ["b"]), outputs=("a",))
    assert not softmax_before(read_foreign(made.SerializeToString(), "f"), "a")
