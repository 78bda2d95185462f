"""Int8 weights: a smaller file that says nearly the same."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from handread.card import ModelCard
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training.export import onnx_bytes
from handread.training.quantise import SMALLEST, quantise

CARD = ModelCard(name="tiny", version="1", alphabet="01234", height=32, width=32)


@pytest.fixture(scope="module", params=["plain-tiny", "residual-tiny"])
def files(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    torch.manual_seed(0)
    network = build_network(request.param, 5).eval()
    data = onnx_bytes(network, dataclasses.replace(CARD, has_cues=network.uses_cues))
    return data, quantise(data)


def test_the_card_and_the_answers_stay(files: tuple[bytes, bytes]) -> None:
    before, after = (Session.from_bytes(data) for data in files)
    assert after.card == before.card
    images = np.random.default_rng(1).integers(0, 256, (9, 1, 32, 32)).astype(np.uint8)
    cues = np.zeros((9, 4), dtype=np.float32) if before.card.has_cues else None
    expected, got = before.run(images, cues), after.run(images, cues)
    assert np.abs(got - expected).max() < 0.1 * max(1.0, float(np.abs(expected).max()))


def test_large_kernels_are_bytes_with_a_scale_a_channel(files: tuple[bytes, bytes]) -> None:
    weights = {t.name: t for t in onnx.load_from_string(files[1]).graph.initializer}
    stored = {name: t for name, t in weights.items() if name.endswith(".int8")}
    assert stored
    for name, tensor in stored.items():
        values = numpy_helper.to_array(tensor)
        scale = numpy_helper.to_array(weights[name + ".scale"])
        assert values.dtype == np.int8
        assert values.size >= SMALLEST
        assert len(scale) in values.shape
        assert (scale > 0).all()
        assert not numpy_helper.to_array(weights[name + ".zero"]).any()
        assert abs(int(values.min())) <= 127
    for name, tensor in weights.items():
        if tensor.data_type == onnx.TensorProto.FLOAT16:
            assert len(tensor.dims) < 2, name


def test_the_file_is_smaller(files: tuple[bytes, bytes]) -> None:
    before, after = files
    if len(before) > 50_000:
        assert len(after) < 0.7 * len(before)
