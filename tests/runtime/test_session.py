from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from handread.card import FORMAT, ModelCard
from handread.errors import ModelError
from handread.runtime.session import CHUNK, Session, read_card

Build = Callable[..., Path]
Switch = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def tiny(tiny_bytes: bytes) -> Session:
    return Session(tiny_bytes, name="tiny.onnx")


def test_the_card_and_the_alphabet_come_from_the_file(tiny: Session, tiny_bytes: bytes) -> None:
    assert tiny.card.name == "tiny"
    assert len(tiny.alphabet) == 62
    assert read_card(tiny_bytes) == tiny.card


def test_logits_are_float32_one_row_an_image(tiny: Session, switch: Switch) -> None:
    logits = tiny.run(switch(5, 62)[:, None])
    assert logits.dtype == np.float32
    assert logits.shape == (2, 63)
    assert logits[0].tolist() == [20.0 if k == 5 else 0.0 for k in range(63)]
    assert logits[1, 62] == 20


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_of_any_size_keeps_its_order(tiny_bytes: bytes, switch: Switch, count: int, threads: int) -> None:
    classes = [k % 63 for k in range(count)]
    logits = Session(tiny_bytes, threads=threads).run(switch(*classes)[:, None])
    assert logits.shape == (count, 63)
    assert logits.argmax(axis=1).tolist() == classes


def test_an_array_that_is_not_contiguous_runs(tiny: Session, switch: Switch) -> None:
    flipped = switch(*range(10))[::-1, None]
    assert tiny.run(flipped).argmax(axis=1).tolist() == list(range(10))[::-1]


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 32, 32), np.uint8),
        np.zeros((1, 1, 28, 28), np.uint8),
        np.zeros((1, 3, 32, 32), np.uint8),
        np.zeros((1, 1, 32, 32), np.float32),
    ],
)
def test_other_images_are_refused(tiny: Session, images: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"takes uint8 \(N, 1, 32, 32\)"):
        tiny.run(images)


def test_other_cues_are_refused(tiny: Session, switch: Switch) -> None:
    with pytest.raises(ModelError, match=r"takes cues float32 \(1, 4\)"):
        tiny.run(switch(1)[:, None], np.zeros((1, 3), np.float32))


def test_no_threads_run_nothing(tiny_bytes: bytes) -> None:
    with pytest.raises(ModelError, match="0 threads"):
        Session(tiny_bytes, threads=0)


def refusal(content: bytes, capfd: pytest.CaptureFixture[str]) -> str:
    """The one sentence with which a file is refused; nothing else may be printed."""
    with pytest.raises(ModelError) as caught:
        Session(content, name="mine.onnx")
    assert capfd.readouterr() == ("", "")
    sentence = str(caught.value)
    assert "mine.onnx" in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("content", [b"just some text", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(4096)])
def test_a_file_of_another_kind_is_refused(content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    refusal(content, capfd)


def test_an_empty_file_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert "empty" in refusal(b"", capfd)


@pytest.mark.parametrize("share", [0.001, 0.25, 0.5, 0.99])
def test_a_truncated_file_is_refused(tiny_bytes: bytes, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    refusal(tiny_bytes[: int(share * len(tiny_bytes))], capfd)


def test_an_unknown_operator_is_refused(tiny_bytes: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load_from_string(tiny_bytes)
    model.graph.node[0].op_type = "Cost"
    assert "Cost" in refusal(model.SerializeToString(), capfd)


def test_weights_in_another_file_are_refused(
    tiny_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load_from_string(tiny_bytes)
    path = tmp_path / "outside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="outside.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)  # where onnxruntime would find them
    assert "one file" in refusal(path.read_bytes(), capfd)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "a list, not an object"),
        ('{"creator": "someone else"}', "no Handread card"),
        (json.dumps({"format": FORMAT + 1}), f"format {FORMAT + 1}"),
        (json.dumps({"format": FORMAT, "name": "x"}), "damaged"),
    ],
)
def test_a_card_that_is_none_is_refused(
    build_model: Build, text: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert reason in refusal(build_model(card_text=text).read_bytes(), capfd)


def test_a_file_without_a_card_is_refused(build_model: Build, capfd: pytest.CaptureFixture[str]) -> None:
    assert "without a Handread card" in refusal(build_model(card=None).read_bytes(), capfd)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_name": "pixels"}, "the inputs pixels, its card promises image"),
        ({"image_type": "FLOAT"}, r"tensor\(float\)"),
        (
            {"image_shape": ("n", 32, 32, 1)},
            r"\(n, 32, 32, 1\), its card promises tensor\(uint8\) \(N, 1, 32",
        ),
        ({"image_shape": (1, 1, 32, 32)}, r"\(1, 1, 32, 32\)"),
        ({"image_shape": ("n", 1024)}, r"\(n, 1024\)"),
        ({"output_name": "scores"}, "the outputs none, its card promises logits"),
        ({"classes": 10}, r"\(n, 10\), its card promises tensor\(float\) \(N, 63\)"),
    ],
)
def test_a_network_that_disagrees_with_its_card_is_refused(
    build_model: Build, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        Session(build_model(**changes).read_bytes())


def test_cues_must_be_there_when_the_card_promises_them(build_model: Build) -> None:
    card = ModelCard(name="c", version="1", alphabet="01234567", height=32, width=32)
    text = dataclasses.replace(card, has_cues=True).to_json()
    with pytest.raises(ModelError, match="the inputs image, its card promises image, cues"):
        Session(build_model(card=card, card_text=text).read_bytes())


def test_unknown_cues_are_zeros(build_model: Build, switch: Switch) -> None:
    card = ModelCard(name="c", version="1", alphabet="01234567", height=32, width=32, has_cues=True)
    session = Session(build_model(card=card).read_bytes())
    images = switch(*range(8))[:, None]
    np.testing.assert_array_equal(session.run(images), session.run(images, np.zeros((8, 4), np.float32)))
    assert session.run(images, np.ones((8, 4), np.float32))[3, 0] == 80
