"""adopt: what a foreign file does not tell is found out on data, and the result reads as the foreign network did."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from handread.alphabet import Alphabet
from handread.errors import AlphabetError, ConfigError, DataError, HandreadError, ModelError
from handread.frame import MNIST_FRAME, Frame
from handread.imaging.glyph import normalise
from handread.recognizer import Recognizer
from handread.training import adopting
from handread.training.adopting import Adopted, Order, adopt
from handread.training.baseline_graphs import neighbours_graph
from handread.training.calibrate import Judged

ORDER = Order(Alphabet.of("012"), 28, 28, ink=20, centre="mass")
SIZES: dict[str, list[int | str]] = {
    "NHWC": ["n", 28, 28, 1],
    "NHWC, colour": ["n", 28, 28, 3],
    "NCHW": ["n", 1, 28, 28],
    "NCHW, colour": ["n", 3, 28, 28],
    "NHW": ["n", 28, 28],
    "flat": ["n", 784],
}


def signs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Upright bars, level bars and rings of several sizes, uint8 (N, 28, 28), one label in twelve by chance: without
    mistakes, the surest classifier would always seem the best."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 3, count)
    for image, label in zip(images, labels.tolist(), strict=True):
        high, wide = rng.integers(10, 22, 2)
        if label == 0:
            high, wide = 22, int(rng.integers(3, 12))
        elif label == 1:
            high, wide = int(rng.integers(3, 12)), 22
        image[2 : 2 + high, 2 : 2 + wide] = 255
        if label == 2:
            image[5 : high - 1, 5 : wide - 1] = 0
    by_chance = rng.random(count) < 1 / 12
    return images, np.where(by_chance, rng.integers(0, 3, count), labels).astype(np.int64)


IMAGES, LABELS = signs(240)


def regression(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Weights (784, 3) and offsets (3,) on inputs in 0..1, by gradient descent: near the least log loss."""
    inputs = normalise(IMAGES, frame).reshape(len(IMAGES), -1) / 255
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    weights = np.zeros((785, 3))
    for _ in range(300):
        powers = np.exp(inputs @ weights)
        wrong = powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[LABELS]
        weights -= 0.05 * (inputs.T @ wrong / len(inputs))
    return weights[:-1].astype(np.float32), weights[-1].astype(np.float32)


WEIGHTS, OFFSETS = regression(MNIST_FRAME)
LOGITS = normalise(IMAGES, MNIST_FRAME).reshape(len(IMAGES), -1) / 255 @ WEIGHTS + OFFSETS


@dataclasses.dataclass(frozen=True)
class Parts:
    """What is to be in the foreign file."""

    layout: str = "flat"
    shape: Sequence[int | str] | None = None
    paper: float = 0.0
    ink: float = 1.0
    kind: int = TensorProto.FLOAT
    end: tuple[str, ...] = ()
    weights: np.ndarray = dataclasses.field(default_factory=lambda: WEIGHTS)
    offsets: np.ndarray = dataclasses.field(default_factory=lambda: OFFSETS)


def foreign(path: Path, **changes: Any) -> Path:
    """Write the classifier as someone else might have."""
    parts = Parts(**changes)
    colour = "colour" in parts.layout
    nodes = [helper.make_node("Cast", ["x"], ["number"], to=TensorProto.FLOAT)]
    value = "number"
    if colour:  # the mean of the channels
        axis = 3 if parts.layout.startswith("NHWC") else 1
        nodes.append(helper.make_node("ReduceMean", [value], ["gray"], axes=[axis]))
        value = "gray"
    nodes += [
        helper.make_node("Flatten", [value], ["flat"], axis=1),
        helper.make_node("Sub", ["flat", "paper"], ["above"]),
        helper.make_node("Div", ["above", "span"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "weights", "offsets"], ["answers0"]),
    ]
    for index, kind in enumerate(parts.end):
        nodes.append(helper.make_node(kind, [f"answers{index}"], [f"answers{index + 1}"]))
    last = f"answers{len(parts.end)}"
    constants = {
        "paper": parts.paper,
        "span": parts.ink - parts.paper,
        "weights": parts.weights,
        "offsets": parts.offsets,
    }
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", parts.kind, list(parts.shape or SIZES[parts.layout]))],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", parts.weights.shape[1]])],
        [numpy_helper.from_array(np.array(values, np.float32), name) for name, values in constants.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "signs.npz"
    np.savez(path, images=IMAGES, labels=LABELS)
    return str(path)


@pytest.fixture
def run(tmp_path: Path, data: str) -> Callable[..., Adopted]:
    def call(order: Order = ORDER, **changes: Any) -> Adopted:
        return adopt(foreign(tmp_path / "foreign.onnx", **changes), tmp_path / "mine.onnx", order, data=data)

    return call


def logits_of(path: Path) -> np.ndarray:
    reader = Recognizer(path)
    return reader._session.run(normalise(IMAGES, reader.card.frame))


@pytest.mark.parametrize("layout", SIZES)
def test_the_layout_is_found(run: Callable[..., Adopted], tmp_path: Path, layout: str) -> None:
    found = run(layout=layout)
    assert (found.wiring.layout, found.wiring.channels) == (layout.split(",")[0], 3 if "colour" in layout else 1)
    assert (found.wiring.paper, found.wiring.ink) == (0, 1)
    assert found.card.frame == MNIST_FRAME
    assert found.answers == "answers0: logits"
    assert (found.n, found.left_out, found.accuracy) == (240, 0, float((LOGITS.argmax(axis=1) == LABELS).mean()))
    assert found.accuracy > 0.85
    assert logits_of(tmp_path / "mine.onnx") == pytest.approx(LOGITS, abs=1e-4)


@pytest.mark.parametrize(("paper", "ink"), [(0, 1), (0, 255), (-1, 1), (-0.4242, 2.8215), (1, 0), (255, 0), (1, -1)])
def test_the_numbers_and_the_polarity_are_found(
    run: Callable[..., Adopted], tmp_path: Path, paper: float, ink: float
) -> None:
    found = run(paper=paper, ink=ink)
    assert (found.wiring.paper, found.wiring.ink) == (paper, ink)
    assert logits_of(tmp_path / "mine.onnx") == pytest.approx(LOGITS, abs=1e-3)


def test_what_is_ordered_is_not_looked_for(run: Callable[..., Adopted]) -> None:
    order = dataclasses.replace(ORDER, scale=(0.0, 255.0), invert=True, ink=24, centre="box", name="n", licence="l")
    found = run(order)
    assert (found.wiring.paper, found.wiring.ink) == (255, 0)
    assert [trial.frame for trial in found.trials] == [Frame(28, 28, 24, "box")]
    assert (found.card.name, found.card.licence, found.card.recipe) == ("n", "l", "adopted from foreign.onnx")


@pytest.mark.parametrize("frame", [Frame(28, 28, 16, "mass"), Frame(28, 28, 28, "box"), MNIST_FRAME], ids=str)
def test_the_frame_is_found(tmp_path: Path, data: str, frame: Frame) -> None:
    """By a classifier that knows its images by heart, laid out in one way."""
    known = normalise(IMAGES, frame).reshape(len(IMAGES), -1)
    onnx.save(neighbours_graph(known, LABELS, 3, neighbours=3, weighted=True), tmp_path / "f.onnx")
    order = Order(Alphabet.of("012"), 28, 28, scale=(0.0, 255.0), invert=False)
    found = adopt(tmp_path / "f.onnx", tmp_path / "mine.onnx", order, data=data)
    assert found.card.frame == frame
    assert len({trial.frame for trial in found.trials}) == len(found.trials) == 7
    assert min(found.trials, key=lambda trial: trial.nll).frame == frame


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (("Softmax",), "answers1: probabilities, taken before their softmax"),
        (("LogSoftmax",), "answers1: logits"),
        (("Softmax", "Relu"), "answers2: probabilities, at least "),
        (("Softmax", "Identity"), "answers2: probabilities, taken before their softmax"),
    ],
)
def test_probabilities_or_logits_are_told_apart(
    run: Callable[..., Adopted], tmp_path: Path, end: tuple[str, ...], said: str
) -> None:
    found = run(end=end)
    assert found.answers.startswith(said)
    got = logits_of(tmp_path / "mine.onnx")
    assert got - got.mean(axis=1, keepdims=True) == pytest.approx(LOGITS - LOGITS.mean(axis=1, keepdims=True), abs=1e-3)


def test_a_floor_is_fitted_where_never_is_too_strong() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    shares = np.eye(3)[
        np.where(rng.random(400) < 0.1, (labels + 1) % 3, labels)
    ]  # a tree that is sure, and wrong in ten
    parts = [Judged(np.log(np.maximum(shares, 1e-7)).astype(np.float32), labels)]
    assert adopting._best_floor(parts, 3) > adopting.FLOORS[0]


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_number_of_pictures_is_no_hindrance(run: Callable[..., Adopted], tmp_path: Path, batch: int) -> None:
    found = run(layout="NHWC", shape=[batch, 28, 28, 1])
    assert not found.wiring.one_by_one
    assert logits_of(tmp_path / "mine.onnx") == pytest.approx(LOGITS, abs=1e-4)


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.UINT8])
def test_types_of_numbers(run: Callable[..., Adopted], tmp_path: Path, kind: int) -> None:
    whole = kind == TensorProto.UINT8
    found = run(kind=kind, ink=255.0 if whole else 1.0)
    assert (found.wiring.paper, found.wiring.ink) == (0, 255 if whole else 1)
    assert logits_of(tmp_path / "mine.onnx") == pytest.approx(LOGITS, abs=1e-2)


def test_an_adopted_file_reads_pictures(run: Callable[..., Adopted], tmp_path: Path) -> None:
    run()
    paper = np.full((60, 60), 230, np.uint8)
    paper[10:50, 26:34] = 20
    reading = Recognizer(tmp_path / "mine.onnx").read(Image.fromarray(paper), one=True)
    assert reading.text == "0"


def test_pictures_do_for_data(tmp_path: Path) -> None:
    """Drawn upright bars, level bars and frames: read from files, in every frame that is tried."""
    for label, box in {"0": (26, 10, 34, 50), "1": (10, 26, 50, 34), "2": (12, 12, 48, 48)}.items():
        (tmp_path / "data" / label).mkdir(parents=True)
        paper = np.full((60, 60), 230, np.uint8)
        left, top, right, bottom = box
        paper[top:bottom, left:right] = 20
        if label == "2":
            paper[top + 8 : bottom - 8, left + 8 : right - 8] = 230
        for copy in range(2):
            Image.fromarray(paper).save(tmp_path / "data" / label / f"{copy}.png")
    (tmp_path / "data" / "9").mkdir()
    Image.fromarray(paper).save(tmp_path / "data" / "9" / "x.png")
    found = adopt(foreign(tmp_path / "f.onnx"), tmp_path / "m.onnx", ORDER, data=str(tmp_path / "data"))
    assert (found.n, found.left_out, found.accuracy) == (6, 1, 1.0)


def test_pytorch(tmp_path: Path, data: str) -> None:
    """A convolution, exported for one picture."""
    import io
    import warnings

    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(338, 3)
    )
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), (torch.zeros(1, 1, 28, 28),), buffer, dynamo=False)
    (tmp_path / "f.onnx").write_bytes(buffer.getvalue())
    order = dataclasses.replace(ORDER, scale=(0.0, 1.0), invert=False)
    found = adopt(tmp_path / "f.onnx", tmp_path / "mine.onnx", order, data=data)
    assert found.wiring.layout == "NCHW"
    with torch.inference_mode():
        expected = network(torch.from_numpy(normalise(IMAGES, MNIST_FRAME)).float() / 255).numpy()
    assert logits_of(tmp_path / "mine.onnx") == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("zipmap", [True, False])
def test_scikit_learn(tmp_path: Path, data: str, zipmap: bool) -> None:
    skl2onnx = pytest.importorskip("skl2onnx", reason="needs the extra 'train'")
    linear = pytest.importorskip("sklearn.linear_model")
    pixels = normalise(IMAGES, MNIST_FRAME).reshape(len(IMAGES), -1) / np.float32(255)
    model = linear.LogisticRegression(C=0.01).fit(pixels, LABELS.astype(str))
    types = [("pixels", skl2onnx.common.data_types.FloatTensorType([None, 784]))]
    made = skl2onnx.convert_sklearn(model, initial_types=types, options={id(model): {"zipmap": zipmap}})
    (tmp_path / "f.onnx").write_bytes(made.SerializeToString())
    order = dataclasses.replace(ORDER, scale=(0.0, 1.0), invert=False)
    found = adopt(tmp_path / "f.onnx", tmp_path / "mine.onnx", order, data=data)
    assert found.wiring.layout == "flat"
    assert found.accuracy == model.score(pixels, LABELS.astype(str))
    expected = np.maximum(model.predict_proba(pixels), found.wiring.floor)
    assert np.exp(logits_of(tmp_path / "mine.onnx")) == pytest.approx(expected, abs=1e-4)
    wrong = dataclasses.replace(order, alphabet=Alphabet.of("102"))
    with pytest.raises(ModelError, match="its classes are 012, in this order, and the alphabet is 102"):
        adopt(tmp_path / "f.onnx", tmp_path / "other.onnx", wrong, data=data)


@pytest.mark.parametrize(
    ("order", "changes", "sentence"),
    [
        ({"alphabet": Alphabet.of("0123")}, {}, "it gives 3 answers and the alphabet has 4 characters"),
        ({"height": 32}, {}, r"its input has the shape \(N, 784\), which holds no 32x28 pixels"),
        ({"output": "nowhere"}, {}, "there is no output 'nowhere'; there are answers0"),
        ({"scale": (0.0, 1.0)}, {"kind": TensorProto.UINT8}, r"takes whole numbers \(uint8\): on a scale of 0\.\.1"),
        ({}, {"weights": np.full((784, 3), np.nan, np.float32)}, "NaN or infinite values"),
        ({}, {"weights": WEIGHTS[:700]}, "cannot be adopted: the model"),
        ({"alphabet": Alphabet.of("abc")}, {}, "holds none of abc"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    run: Callable[..., Adopted], tmp_path: Path, order: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"before")
    with pytest.raises((ModelError, DataError), match=sentence):
        run(dataclasses.replace(ORDER, **order), **changes)
    assert (tmp_path / "mine.onnx").read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.onnx", "foreign.onnx"}


def test_an_operator_that_onnxruntime_has_not_is_one_sentence(tmp_path: Path, data: str) -> None:
    made = onnx.load(foreign(tmp_path / "f.onnx"))
    made.graph.node[0].op_type = "NotYet"
    onnx.save(made, tmp_path / "f.onnx")
    with pytest.raises(ModelError, match=r"^f\.onnx cannot be adopted: the model cannot be loaded by onnxruntime"):
        adopt(tmp_path / "f.onnx", tmp_path / "mine.onnx", ORDER, data=data)


@pytest.mark.parametrize("name", ["missing.onnx", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, data: str, name: str) -> None:
    with pytest.raises(ModelError, match=r"does not exist|cannot be read"):
        adopt(tmp_path / name, tmp_path / "mine.onnx", ORDER, data=data)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"height": 4}, "input size 4x28 is outside"),
        ({"ink": 29}, "ink of 29 pixels is outside 4..28"),
        ({"scale": (1.0, 0.0)}, r"the scale 1\.\.0 goes nowhere"),
        ({"scale": (0.0, float("inf"))}, "goes nowhere"),
    ],
)
def test_an_order_that_cannot_be(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        dataclasses.replace(ORDER, **changes)


def test_errors_are_the_users(tmp_path: Path) -> None:
    assert issubclass(AlphabetError, HandreadError)
    with pytest.raises(DataError):
        adopt(foreign(tmp_path / "f.onnx"), tmp_path / "m.onnx", ORDER, data=str(tmp_path / "nothing"))
