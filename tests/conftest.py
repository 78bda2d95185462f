"""A tiny network whose answers are known in advance, and pictures that it can read; how many processes test.

Pixel `k` of the first two rows, which no normalised glyph inks, switches class `k` on; so a test states the
logits by drawing them. Inside, the network matches the glyphs of three drawn digits and of a blot.
"""

from __future__ import annotations

import ast
import dataclasses
import gc
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from handread.alphabet import NAMED
from handread.card import METADATA_KEY, DataSource, ModelCard
from handread.imaging.glyph import SIZE
from handread.imaging.single import single_character

MISSING = [
    name
    for name in ("torch", "onnx", "safetensors", "sklearn", "scipy", "matplotlib")
    if importlib.util.find_spec(name) is None
]
"""What the extra "train" brings and is not there: tests that need it are skipped then, and say so."""


def absent(needed: Iterable[str]) -> str:
    """The reason to skip a test that needs these packages, "" where they are there."""
    names = ", ".join(name for name in MISSING if name in needed)
    return f"{names} absent; pip install 'handread[train]'" if names else ""


class _Skipped(pytest.Module):
    def collect(self) -> Any:
        pytest.skip(absent(_needed(self.path)))


def _needed(path: Path) -> set[str]:
    """What a file of tests imports at its top, and what all need in the rooms that train."""
    named = {"torch", "onnx", "safetensors"} if path.parent.name in ("networks", "training") else set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Import):
            named |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named.add(node.module.partition(".")[0])
    return named


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if MISSING and absent(_needed(module_path)):
        return _Skipped.from_parent(parent, path=module_path)  # type: ignore[no-any-return]
    return None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None, a process a core, for the whole suite; 0, this one alone, for a part: each other takes seconds to begin."""
    asked = config.option
    part = any(Path(name).resolve() != Path(__file__).parent for name in asked.file_or_dir)
    few = any(getattr(asked, name, None) for name in ("keyword", "markexpr", "lf", "stepwise"))
    return 0 if part or few else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """One thread for each of the processes that begin now: of several on a core most would wait, and burn it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end; to look through it for garbage took half the time of the window's tests."""
    gc.freeze()


CONTROL = 20.0
"""Logit of a class whose control pixel is fully on."""
MATCH = 12.0
"""Logit of a class whose drawn glyph is met exactly."""

TINY_CARD = ModelCard(
    name="tiny",
    version="1",
    alphabet=NAMED["alphanumeric"],
    height=SIZE,
    width=SIZE,
    accept_above=0.5,
    ink_above=0.5,
    alphabet_above=0.3,
    has_none=True,
    data=(DataSource("drawn in the tests", 4, "CC0-1.0", "tests/conftest.py"),),
    recipe="[network]\nname = 'tiny'",
    scores={"accuracy on nothing": 0.5},
)


def drawn(what: str) -> Image.Image:
    """A drawn 0, 1 or 7, or a blot, dark on light, 96 x 128 pixels."""
    picture = Image.new("L", (96, 128), 235)
    pen = ImageDraw.Draw(picture)
    if what == "0":
        pen.ellipse((24, 24, 72, 104), outline=30, width=8)
    elif what == "1":
        pen.line((48, 22, 48, 106), fill=30, width=8)
    elif what == "7":
        pen.line([(22, 28), (76, 28), (44, 104)], fill=30, width=8, joint="curve")
    elif what == "blot":
        pen.rectangle((24, 40, 72, 88), fill=30)
    return picture


def module_at(path: Path) -> ModuleType:
    """A script of docs/, examples/ or the tests as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what their annotations mean
    spec.loader.exec_module(module)
    return module


def as_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def control(*classes: int, level: int = 255) -> npt.NDArray[np.uint8]:
    """Network inputs uint8 (N, 32, 32), each with the control pixel of one class on."""
    images = np.zeros((len(classes), SIZE, SIZE), dtype=np.uint8)
    for image, k in zip(images, classes, strict=True):
        image[k // SIZE, k % SIZE] = level
    return images


def tiny_weights(card: ModelCard) -> npt.NDArray[np.float32]:
    """float32 (height * width, classes)"""
    names = [*card.alphabet, *(["blot"] if card.has_none else [])]
    weights = np.zeros((card.height, card.width, len(names)), dtype=np.float32)
    for k, name in enumerate(names):
        weights[k // card.width, k % card.width, k] = CONTROL / 255
        if name in ("0", "1", "7", "blot") and card.height == SIZE:
            inner = single_character(drawn(name)).glyph[3:-3, 3:-3].astype(np.float32)
            contrast = inner - inner.mean()
            weights[3:-3, 3:-3, k] = MATCH * contrast / (contrast * inner).sum()
    return weights.reshape(-1, len(names))


@dataclass(frozen=True, slots=True)
class ModelParts:
    """What a test may change about the tiny network's file."""

    card: ModelCard | None = TINY_CARD
    card_text: str | None = None
    image_name: str = "image"
    image_type: str = "UINT8"
    image_shape: tuple[int | str, ...] | None = None
    output_name: str = "logits"
    classes: int | None = None


def model_bytes(parts: ModelParts) -> bytes:
    """An ONNX file: cast, flatten, one matrix product; with cues their sum is added to class 0."""
    if reason := absent(["onnx"]):
        pytest.skip(reason)
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    card = parts.card or TINY_CARD
    weights = tiny_weights(card)[:, : parts.classes]
    shape = parts.image_shape or ("n", 1, card.height, card.width)
    inputs = [helper.make_tensor_value_info(parts.image_name, TensorProto.DataType.Value(parts.image_type), shape)]
    nodes = [
        helper.make_node("Cast", [parts.image_name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
    ]
    initial = [numpy_helper.from_array(weights, "weights")]
    if card.has_cues:
        spread = np.zeros((4, weights.shape[1]), dtype=np.float32)
        spread[:, 0] = CONTROL
        inputs.append(helper.make_tensor_value_info("cues", TensorProto.FLOAT, ["n", 4]))
        initial.append(numpy_helper.from_array(spread, "spread"))
        nodes.append(helper.make_node("MatMul", ["cues", "spread"], ["extra"]))
        nodes.append(helper.make_node("Add", ["product", "extra"], [parts.output_name]))
    else:
        nodes.append(helper.make_node("Identity", ["product"], [parts.output_name]))
    output = helper.make_tensor_value_info(parts.output_name, TensorProto.FLOAT, ["n", weights.shape[1]])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    text = parts.card_text
    if text is None and parts.card is not None:
        text = card.to_json()
    if text is not None:
        onnx.helper.set_model_props(model, {METADATA_KEY: text})
    return model.SerializeToString()


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """PyTorch on one thread: tiny networks lose more by waiting for a second one than they gain."""
    if "torch" in MISSING:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_bytes() -> bytes:
    """The tiny network's file."""
    return model_bytes(ModelParts())


@pytest.fixture(scope="session")
def tiny_model(tiny_bytes: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of the tiny network: 62 classes and "none", thresholds .5, .5 and .3."""
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes)
    return path


@pytest.fixture(scope="session")
def build_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function of `ModelParts`' fields that writes a variant of the tiny network and returns its path."""
    folder = tmp_path_factory.mktemp("variants")

    def build(**changes: object) -> Path:
        path = folder / f"{len(list(folder.iterdir()))}.onnx"
        path.write_bytes(model_bytes(dataclasses.replace(ModelParts(), **changes)))  # type: ignore[arg-type]
        return path

    return build


@pytest.fixture(scope="session")
def draw() -> Callable[[str], Image.Image]:
    """A function of "0", "1", "7", "blot" or "" (an empty page) that draws it."""
    return drawn


@pytest.fixture(scope="session")
def switch() -> Callable[..., npt.NDArray[np.uint8]]:
    """A function of class indices that gives the network inputs which switch them on."""
    return control
