"""8-bit networks: a smaller file that says nearly the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
import torch

from handread.card import ModelCard
from handread.data.synthetic import synthetic_characters
from handread.errors import ModelError
from handread.frame import MNIST_FRAME
from handread.imaging.glyph import normalise
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training import quantise as module
from handread.training.export import onnx_bytes
from handread.training.quantise import quantise

CARD = ModelCard(name="tiny", version="1", alphabet="01234")


@pytest.fixture(autouse=True, scope="module")
def _few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DRAWN", 60)
        patch.setattr(module, "SCRIBBLED", 12)
        yield


@pytest.fixture(scope="module", params=["plain-tiny", "residual-tiny", "mnist-adam"])
def files(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    torch.manual_seed(0)
    network = build_network(request.param, 5).eval()
    data = onnx_bytes(network, dataclasses.replace(CARD, has_cues=network.uses_cues).with_frame(network.frame))
    return data, quantise(data)


def test_the_card_and_the_answers_stay(files: tuple[bytes, bytes]) -> None:
    before, after = (Session.from_bytes(data) for data in files)
    assert after.card == before.card
    glyphs = normalise(synthetic_characters(40, alphabet="01234", seed=9).images, before.card.frame)
    expected, got = before.run(glyphs), after.run(glyphs)
    assert np.abs(got - expected).max() < 0.15 * float(np.ptp(expected))


def test_weights_are_bytes(files: tuple[bytes, bytes]) -> None:
    kinds = {tuple(t.dims): t.data_type for t in onnx.load_from_string(files[1]).graph.initializer if len(t.dims) > 1}
    assert set(kinds.values()) == {onnx.TensorProto.INT8}


def test_the_file_is_smaller_and_always_the_same(files: tuple[bytes, bytes]) -> None:
    before, after = files
    if len(before) > 100_000:
        assert len(after) < 0.8 * len(before)
    assert quantise(before) == after


def test_what_cannot_be_drawn_cannot_be_measured() -> None:
    data = onnx_bytes(
        build_network("mnist-adam", 2).eval(), ModelCard("x", "1", "\u4e00\u4e8c").with_frame(MNIST_FRAME)
    )
    with pytest.raises(ModelError, match="x knows no character that can be drawn"):
        quantise(data)
