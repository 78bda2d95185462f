from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handread.cli.adopting import parse_scale, parse_size
from handread.errors import ConfigError
from handread.imaging.glyph import normalise

Handread = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve bars, upright or level, and one item outside their alphabet."""
    images = np.zeros((13, 28, 28), np.uint8)
    images[0::2, 4:24, 12:16] = 255
    images[1::2, 12:16, 4:24] = 255
    labels = np.arange(13) % 2
    labels[12] = 7
    np.savez(tmp_path / "bars.npz", images=images, labels=labels)
    return tmp_path / "bars.npz"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """How upright and how level the ink is, channels last; written with two outputs."""
    onnx = pytest.importorskip("onnx", reason="needs the extra 'train'")
    upright = normalise(np.pad(np.full((1, 20, 4), 255, np.uint8), ((0, 0), (4, 4), (12, 12))))[0, 0] / 255
    weights = np.stack([upright, upright.T], axis=-1).reshape(-1, 2).astype(np.float32)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["picture"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["z"]),
         helper.make_node("Softmax", ["z"], ["shares"], axis=-1)], "g",
        [helper.make_tensor_value_info("picture", 1, ["n", 32, 32, 1])],
        [helper.make_tensor_value_info("shares", 1, ["n", 2])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "theirs.onnx"
    )
    return tmp_path / "theirs.onnx"


def test_adopt_tells_what_it_found_and_that_it_is_no_test(
    handread: Handread, foreign: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.onnx"
    outcome = handread(
        "adopt", foreign, "--alphabet", "01", "--input", "32x32", "--scale", "0..1", "--calibrate", data, "--out", out
    )
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[:3] == [
        "input     picture: float32 (N, 32, 32, 1), the channel last",
        "answers   shares: probabilities, taken before their softmax",
        "numbers   0 for paper, 1 for ink",
    ]
    assert sum("<- taken" in line for line in lines) == 1
    assert f"right on 100.0 % of the 12 items of {data} that all this was chosen by;" in lines
    assert "that is no test figure: measure it with handread evaluate on other data" in lines
    assert lines[-1] == f"{out} is ready: handread read PICTURE --model {out}"
    assert "left out 1 of 13 items outside the alphabet" in outcome.err
    assert "12 items are few to choose and to calibrate by" in outcome.err
    shown = handread("models", out, "--json")
    assert '"name": "mine"' in shown.out
    assert '"licence": "not stated"' in shown.out


def test_adopt_warns_when_hardly_anything_is_right(
    handread: Handread, foreign: Path, data: Path, tmp_path: Path
) -> None:
    """Classes named the wrong way round."""
    images = np.load(data)["images"][:12]
    np.savez(data, images=images, labels=np.arange(1, 13) % 2)
    outcome = handread(
        "adopt", foreign, "--alphabet", "01", "--input", "32", "--calibrate", data, "--out", tmp_path / "m.onnx",
        "--no-invert", "--scale", "0..1",
    )  # fmt: skip
    assert outcome.code == 0
    assert "it is right on 0 % only: check the order of --alphabet, --scale and --invert" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--input", "28by28"], "--input '28by28' is no size; write height and width, such as 28x28"),
        (["--input", "28x28", "--scale", "1"], "--scale '1' is no range; write two numbers"),
        (["--input", "28x28", "--scale", "1..0"], "the scale 1..0 goes nowhere"),
        (["--input", "28x28", "--alphabet", "leters"], "did you mean the name 'letters'"),
        (["--input", "28x28"], "holds no 28x28 pixels"),
        (["--input", "4x4"], "such an input cannot be"),
    ],
)
def test_adopt_refuses_in_one_sentence(
    handread: Handread, foreign: Path, data: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    options = ["--alphabet", "01", *arguments]
    outcome = handread("adopt", foreign, "--calibrate", data, "--out", tmp_path / "m.onnx", *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(("text", "size"), [("28x28", (28, 28)), ("32X24", (32, 24)), ("28", (28, 28))])
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "limits"), [("0..1", (0, 1)), ("-1..1", (-1, 1)), ("0..255", (0, 255)), ("-.5..2.5", (-0.5, 2.5))]
)
def test_scales(text: str, limits: tuple[float, float]) -> None:
    assert parse_scale(text) == limits


@pytest.mark.parametrize("text", ["", "0-1", "0..", "a..b", "0..nan", "1e99999..2"])
def test_what_is_no_scale(text: str) -> None:
    with pytest.raises(ConfigError, match="is no range"):
        parse_scale(text)
