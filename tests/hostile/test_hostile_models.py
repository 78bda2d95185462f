"""Weights that mean harm: what they may not ask for is refused before onnxruntime sees them, the rest is bounded."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handread.alphabet import Alphabet
from handread.card import METADATA_KEY, ModelCard
from handread.errors import ModelError
from handread.recognizer import Recognizer
from handread.runtime import session, store, wire
from handread.runtime.count import count_work
from handread.runtime.session import Session, read_card
from handread.training import rewire
from handread.training.adopting import Order, adopt
from handread.training.restore import restore_exported
from handread.training.rewire import read_foreign

Refused = Callable[..., str]
Make = Callable[[], bytes]

SIDE = 8
CARD = ModelCard("tiny", "1", "01", SIDE, SIDE, 6)
WEIGHTS = numpy_helper.from_array(np.eye(SIDE * SIDE, 2, dtype=np.float32), "weights")
BEFORE = [
    helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
    helper.make_node("Flatten", ["float"], ["flat"]),
    helper.make_node("MatMul", ["flat", "weights"], ["product"]),
]


def tensor(name: str, value: Any, kind: Any = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def model(*nodes: onnx.NodeProto, weights: tuple[onnx.TensorProto, ...] = (), card: str = "", **more: Any) -> bytes:
    """A network with its card, of 8 x 8 pixels and two classes; `nodes` lead from product to logits."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 1, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    tail = list(nodes) or [helper.make_node("Identity", ["product"], ["logits"])]
    graph = helper.make_graph([*BEFORE, *tail], "tiny", [image], [logits], [WEIGHTS, *weights])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    made = helper.make_model(graph, opset_imports=imports, ir_version=8, **more)
    helper.set_model_props(made, {METADATA_KEY: card or CARD.to_json()})
    return bytes(made.SerializeToString())


def loop(begin: str, end: str) -> onnx.NodeProto:
    """While true: begin = begin."""
    sizes = [] if begin == "one" else ["n", 2]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["value"], ["again"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("value", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("again", TensorProto.FLOAT, sizes)],
    )  # fmt: skip
    return helper.make_node("Loop", ["", "true", begin], [end], body=body)


TRUE, ONE = tensor("true", True, np.bool_), tensor("one", 1, np.float32)


def within(node: onnx.NodeProto, end: str = "logits") -> onnx.NodeProto:
    """If true then `node`."""
    found = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["n", 2])
    then = helper.make_graph([node], "then", [], [found])
    other = helper.make_graph([helper.make_node("Identity", ["product"], ["same"])], "else", [],
                              [helper.make_tensor_value_info("same", TensorProto.FLOAT, ["n", 2])])  # fmt: skip
    return helper.make_node("If", ["true"], [end], then_branch=then, else_branch=other)


def scan(count: int) -> tuple[onnx.NodeProto, ...]:
    """Adds a zero `count` times; what it goes through is made by the graph itself, out of nothing."""
    body = helper.make_graph(
        [helper.make_node("Add", ["sum", "each"], ["next"])], "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, []) for name in ("sum", "each")],
        [helper.make_tensor_value_info("next", TensorProto.FLOAT, [])],
    )  # fmt: skip
    return (
        helper.make_node("Constant", [], ["many"], value=tensor("", [count])),
        helper.make_node("ConstantOfShape", ["many"], ["zeros"]),
        helper.make_node("Scan", ["one", "zeros"], ["total"], body=body, num_scan_inputs=1),
        helper.make_node("Add", ["product", "total"], ["logits"]),
    )


def functions(depth: int, *, around: bool = False) -> list[onnx.FunctionProto]:
    """f0, and above it functions that each call the one below twice; `around`: f0 calls the last."""
    made = []
    for number in range(depth):
        below, domain = (f"f{number - 1}", "own") if number else (f"f{depth - 1}", "own") if around else ("Neg", "")
        nodes = [helper.make_node(below, ["x"], ["a"], domain=domain),
                 helper.make_node(below, ["a"], ["y"], domain=domain)]  # fmt: skip
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
        made.append(helper.make_function("own", f"f{number}", ["x"], ["y"], nodes, imports))
    return made


def called(name: str, domain: str = "own") -> onnx.NodeProto:
    return helper.make_node(name, ["product"], ["logits"], domain=domain)


def varint(value: int, length: int = 1) -> bytes:
    """A number as protobuf writes it, or longer than it must be, which every reader of protobuf takes as well."""
    found = [value >> 7 * place & 0x7F | 0x80 for place in range(max(length, -(-value.bit_length() // 7)))]
    return bytes((*found[:-1], found[-1] & 0x7F))


def field(number: int, content: bytes, length: int = 1) -> bytes:
    return varint(number << 3 | 2, length) + varint(len(content), length) + content


def outside(place: str, *, length: int = 1, turned: bool = False, everywhere: bool = False) -> bytes:
    """A network whose weights lie at `place`, written as no exporter writes it."""
    key, value = field(1, b"location", length), field(2, place.encode(), length)
    entry = field(13, value + key if turned else key + value, length)
    dims = b"".join(varint(1 << 3) + varint(size) for size in (SIDE * SIDE, 2))
    weights = dims + varint(2 << 3) + varint(1) + field(8, b"weights") + entry + varint(14 << 3) + varint(1, length)
    made = onnx.load_from_string(model())
    del made.graph.initializer[:]
    if everywhere:  # a field that comes twice is one message to protobuf
        return bytes(made.SerializeToString()) + field(7, field(5, weights, length), length)
    graph = made.graph.SerializeToString() + field(5, weights, length)
    made.ClearField("graph")
    return bytes(made.SerializeToString()) + field(7, graph, length)


ASKED: list[tuple[str, Make, str]] = [
    ("an endless loop", lambda: model(loop("product", "logits"), weights=(TRUE,)), "the operator Loop, which may never"),
    ("a loop that loading would run", lambda: model(
        loop("one", "total"), helper.make_node("Add", ["product", "total"], ["logits"]), weights=(TRUE, ONE)),
     "the operator Loop"),
    ("a loop inside a branch", lambda: model(within(loop("product", "inner")), weights=(TRUE,)), "the operator Loop"),
    ("a string that doubles", lambda: model(
        helper.make_node("StringConcat", ["a", "a"], ["b"]), called("Identity", "")), "the operator StringConcat"),
    ("weights in /etc/passwd", lambda: outside("/etc/passwd"), "keeps its weights in other files"),
    ("weights above the folder", lambda: outside("../../../etc/passwd"), "keeps its weights in other files"),
    ("the place first", lambda: outside("weights.bin", turned=True), "keeps its weights in other files"),
    ("long lengths", lambda: outside("weights.bin", length=4), "keeps its weights in other files"),
    ("long lengths, the place first", lambda: outside("weights.bin", length=5, turned=True), "in other files"),
    ("the graph in two parts", lambda: outside("weights.bin", everywhere=True), "keeps its weights in other files"),
    ("a path of 20,000 characters", lambda: outside("./" * 10_000 + "weights.bin"), "keeps its weights in other files"),
    ("a doubling function", lambda: model(called("f39"), functions=functions(40)), "operators of its own|unfolds to more"),
    ("a function that calls itself", lambda: model(called("f2"), functions=functions(3, around=True)),
     "operators of its own|calls itself"),
    ("operators of a stranger", lambda: model(called("Steal", "com.example")), "Steal|com.example"),
    ("a graph that is cut off", lambda: model()[:-40], "is not an ONNX file|is damaged"),
    ("another form of onnxruntime", lambda: b"\x1c\0\0\0ORTM" + bytes(100), "is not an ONNX file"),
    ("a picture", lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), "is not an ONNX file|cannot be counted"),
    ("a pickle", lambda: b"\x80\x04\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.", "not an ONNX"),
    ("nothing", lambda: b"", "is empty|is not an ONNX file"),
]  # fmt: skip


def opened(content: bytes) -> None:
    Session(content, name="theirs.onnx")


def carded(content: bytes) -> None:
    read_card(content, name="theirs.onnx")


def counted(content: bytes) -> None:
    count_work(content, name="theirs.onnx")


def taken_up(content: bytes) -> None:
    read_foreign(content, "theirs.onnx")


def restored(content: bytes) -> None:
    restore_exported(content, "theirs.onnx")


@pytest.mark.parametrize("do", [opened, taken_up, carded, counted, restored])
@pytest.mark.parametrize(("make", "sentence"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED])
def test_a_network_that_asks_for_too_much(
    refused: Refused, do: Callable[[bytes], None], make: Make, sentence: str
) -> None:
    said = refused(ModelError, do, make())
    assert said.startswith("theirs.onnx ")
    assert re.search(sentence, said)


def test_the_tiny_network_itself_is_no_attack() -> None:
    images = np.zeros((3, 1, SIDE, SIDE), np.uint8)
    images[:, 0, 0, 1] = (0, 1, 2)
    assert Session(model()).run(images)[:, 1].tolist() == [0, 1, 2]
    assert Session(model(*scan(1000), weights=(ONE,))).run(images)[:, 0].tolist() == [1, 1, 1]
    assert wire.asked_by(model(*scan(5), weights=(ONE,))) == wire.Asked(operators=frozenset({"Scan"}))


def test_memory_that_a_graph_makes_out_of_nothing(refused: Refused) -> None:
    nodes = (
        helper.make_node("Shape", ["product"], ["shape"]),
        helper.make_node("ReduceSum", ["shape"], ["more"]),  # not known before it runs
        helper.make_node("Mul", ["more", "many"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["total"], keepdims=0),
        helper.make_node("Add", ["product", "total"], ["logits"]),
    )
    found = Session(model(*nodes, weights=(tensor("many", [2_000_000_000]),)), name="theirs.onnx")
    said = refused(ModelError, found.run, np.zeros((1, 1, SIDE, SIDE), np.uint8))
    assert said == "theirs.onnx failed while running: it needs more than 4 GiB of memory"
    constant = helper.make_node("ConstantOfShape", ["many"], ["zeros"])
    found = Session(model(constant, *nodes[4:], weights=(tensor("many", [2_000_000_000]),)))
    assert "more than 4 GiB" in refused(ModelError, found.run, np.zeros((1, 1, SIDE, SIDE), np.uint8))


def test_a_graph_that_runs_another_many_times_ends(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LONGEST_SECONDS", 0.1)
    found = Session(model(*scan(500_000_000 // 10), weights=(ONE,)), name="theirs.onnx")  # nor is it run when loaded
    said = refused(ModelError, found.run, np.zeros((2, 1, SIDE, SIDE), np.uint8))
    assert said == "theirs.onnx took longer than 0.1 s for 2 items; use another network"


def test_every_message_that_is_looked_into_is_onnxs_own() -> None:
    for name, inside in wire._INSIDE.items():
        fields = getattr(onnx, name).DESCRIPTOR.fields
        known = {f.number: f.message_type.name for f in fields if f.message_type is not None}
        assert {number: kind for number, kind in known.items() if kind in wire._INSIDE} == inside
    numbers = {f.name: f.number for f in onnx.TensorProto.DESCRIPTOR.fields}
    assert (numbers["external_data"], numbers["data_location"]) == (wire._EXTERNAL_DATA, wire._DATA_LOCATION)
    assert onnx.NodeProto.DESCRIPTOR.fields_by_name["op_type"].number == wire._OPERATOR


def test_a_forest_is_not_looked_through_number_by_number(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_PIECES", 200_000)
    forest = helper.make_node("Identity", ["product"], ["logits"], values=[0.5] * 300_000)
    assert wire.asked_by(model(forest)) == wire.Asked()
    late = onnx.load_from_string(model(forest, within(loop("product", "x"), "y"), weights=(TRUE,)))
    said = refused(ModelError, opened, late.SerializeToString())
    assert "more than 200,000 pieces" in said or "the operator Loop" in said


FOREIGN: list[tuple[str, Callable[[onnx.ModelProto], object], str]] = [
    ("an operator that gives nothing", lambda m: m.graph.node[0].ClearField("output"), "gives nothing"),
    ("an operator of nothing", lambda m: m.graph.node[3].ClearField("input"), "gives nothing or begins with nothing"),
    ("no operator", lambda m: m.graph.ClearField("node"), "there is no operator in it"),
    ("no input", lambda m: m.graph.ClearField("input"), "takes 0 inputs"),
    ("strings as input", lambda m: m.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("image", TensorProto.STRING, ["n", 3])), "of ONNX type 8"),
    ("no output", lambda m: m.graph.ClearField("output"), "gives no array of numbers"),
    ("a newer form", lambda m: setattr(m, "ir_version", 2**31), "newer than what is installed"),
    ("a newer set of operators", lambda m: setattr(m.opset_import[0], "version", 2**40), "newer than what is"),
    ("twenty thousand operators", lambda m: m.graph.node.extend([helper.make_node("Neg", ["x"], ["x"])] * 20_000),
     "has 20,004 operators"),
    ("ten thousand inputs", lambda m: m.graph.input.extend([m.graph.input[0]] * 9999), "takes 10000 inputs"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), [a[1:] for a in FOREIGN], ids=[a[0] for a in FOREIGN])
def test_a_foreign_network_that_is_none(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, change: Callable[[onnx.ModelProto], object], sentence: str
) -> None:
    monkeypatch.setattr(rewire, "MOST_NODES", 20_000)
    made = onnx.load_from_string(model())
    change(made)
    assert sentence in refused(ModelError, taken_up, made.SerializeToString())


def test_nothing_is_adopted_of_what_never_ends(tmp_path: Path, refused: Refused) -> None:
    np.savez(tmp_path / "set.npz", images=np.zeros((40, SIDE, SIDE), np.uint8), labels=np.arange(40) % 2)
    order = Order(Alphabet.of("01"), SIDE, SIDE)
    for number, content in enumerate((model(loop("product", "logits"), weights=(TRUE,)), outside("/etc/passwd"))):
        source = tmp_path / f"{number}.onnx"
        source.write_bytes(content)
        said = refused(ModelError, adopt, source, tmp_path / "mine.onnx", order, data=str(tmp_path / "set.npz"))
        assert said.startswith(f"{number}.onnx ")


def test_a_file_of_two_gigabytes_is_not_read(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    assert "is larger than 1 GiB" in refused(ModelError, Recognizer, path)
    order = Order(Alphabet.of("01"), SIDE, SIDE)
    assert "is larger than 1 GiB" in refused(ModelError, adopt, path, tmp_path / "m.onnx", order, data="digits")
    assert "is a folder" in refused(ModelError, store.load, tmp_path)
    assert "does not exist" in refused(ModelError, store.load, "/dev/null")


PLAIN = json.loads(CARD.to_json())


def card(**changes: object) -> str:
    return json.dumps(PLAIN | changes)


CARDS: list[tuple[str, str, str]] = [
    ("deep", "[" * 100_000, "is not JSON"),
    ("deep inside", card(scores=0).replace('"scores": 0', '"scores": ' + "[" * 50_000), "is not JSON"),
    ("a number of 9,999 digits", card().replace('"height": 8', '"height": ' + "9" * 9999), "is not JSON"),
    ("a large number", card(temperature=10**400), "is damaged"),
    ("a large window", card(window=[0, 0, 10**400, 1]), "is damaged"),
    ("a large format", card(format=10**300), "up to"),
    ("a newer format", card(format=999), "has format 999, this Handread understands up to"),
    ("no format", card(format=None), "has format None"),
    ("a list", "[]", "is a list, not an object"),
    ("thresholds that are no numbers", card(accept_above=float("nan")), "accept_above is nan, expected 0..1"),
    ("a temperature that is none", card(temperature=float("inf")), "temperature is inf"),
    ("a temperature of nothing", card(temperature=1e-300), "temperature is 1e-300"),
    ("an input of gigabytes", card(height=2**31, width=2**31), "is outside 8..1024"),
    ("the alphabet of the world", card(alphabet="".join(map(chr, range(0x20000, 0x25000)))), "20,480 characters is too"),
    ("half a character", card(alphabet="0\ud800"), r"\\ud800"),
    ("a character that moves the cursor", card(alphabet="0\x1b"), r"\\x1b"),
    ("a name that clears the screen", card(name="\x1b[2J"), "name holds the character"),
    ("a licence from right to left", card(licence="\u202eCC0"), "licence holds the character"),
    ("scores that are texts", card(scores={"a": "1"}), "scores is not a table of numbers"),
    ("scores that are none", card(scores={"a": float("nan")}), "scores is not a table of numbers"),
    ("data that are none", card(data=[{"name": "x", "count": -1, "licence": "", "source": ""}]), "its data holds"),
    ("a field nobody knows", card(__class__="x"), "unknown field '__class__'"),
    ("a field without end", card(**{"x" * 1_000_000: 1}), "is damaged|has 1,0"),
    ("a text without end", card(recipe="x" * 2_000_000), "has 2,000,"),
    ("a value without end", card(height="x" * 900_000), "height is 'xx"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), [a[1:] for a in CARDS], ids=[a[0] for a in CARDS])
def test_a_card_that_means_harm(refused: Refused, text: str, sentence: str) -> None:
    assert re.search(sentence, refused(ModelError, opened, model(card=text)))


@pytest.mark.parametrize("text", [b'"name"', METADATA_KEY.encode(), b"image", b"logits"])
def test_bytes_that_are_no_text(refused: Refused, text: bytes) -> None:
    content = model().replace(text, text[:-1] + b"\xff")
    assert "is no text" in refused(ModelError, opened, content)


def test_a_card_that_promises_another_network(refused: Refused) -> None:
    for text in (card(alphabet="012"), card(has_none=True), card(has_cues=True), card(height=9)):
        assert "its card promises" in refused(ModelError, opened, model(card=text))


def test_weights_are_not_looked_for_where_one_happens_to_stand(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(struct.pack("<128f", *range(128)))
    (tmp_path / "theirs.onnx").write_bytes(outside("weights.bin", turned=True))
    monkeypatch.chdir(tmp_path)
    assert "keeps its weights in other files" in refused(ModelError, Recognizer, "theirs.onnx")
