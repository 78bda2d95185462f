"""Export: one file that computes what torch computes, carries its card, or is not written at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from handread.card import METADATA_KEY, ModelCard
from handread.errors import ModelError
from handread.frame import DEFAULT_FRAME
from handread.networks.base import Network
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training import export
from handread.training.export import export_network, onnx_bytes, verify

CARD = ModelCard(name="tiny", version="1", alphabet="01234", height=32, width=32, temperature=1.25)


def network(name: str = "plain-tiny") -> Network:
    torch.manual_seed(3)
    return build_network(name, 5).eval()


def card(name: str = "plain-tiny") -> ModelCard:
    return dataclasses.replace(CARD, has_cues=network(name).uses_cues)


def test_the_file_carries_its_card_and_reads_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_network(network(), CARD, path)
    session = Session.from_bytes(path.read_bytes())
    assert session.card == CARD
    assert session.run(np.zeros((3, 1, 32, 32), dtype=np.uint8), None).shape == (3, 5)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    model = onnx.load(path)
    assert model.producer_name == "handread"
    assert [prop.key for prop in model.metadata_props] == [METADATA_KEY]


@pytest.mark.parametrize("name", ["plain-tiny", "residual-tiny"])
def test_onnxruntime_computes_what_torch_computes(name: str) -> None:
    built = network(name)
    images = np.random.default_rng(1).integers(0, 256, (7, 1, 32, 32)).astype(np.uint8)
    cues = np.random.default_rng(2).random((7, 4)).astype(np.float32)
    with torch.inference_mode():
        expected = built(torch.from_numpy(images).float() / 255, torch.from_numpy(cues)).numpy()
    got = Session.from_bytes(onnx_bytes(built, card(name))).run(images, cues if built.uses_cues else None)
    assert got == pytest.approx(expected, abs=0.02)


def test_large_weights_are_stored_in_half_precision() -> None:
    model = onnx.load_from_string(onnx_bytes(network("residual-tiny"), card("residual-tiny")))
    kinds = {int(np.prod(t.dims)) >= 256: set() for t in model.graph.initializer}
    for tensor in model.graph.initializer:
        kinds[int(np.prod(tensor.dims)) >= 256].add(tensor.data_type)
    assert kinds[True] == {onnx.TensorProto.FLOAT16}
    assert onnx.TensorProto.FLOAT16 not in kinds[False]


class Sly(nn.Module):
    """A network that computes something else when it is not being exported."""

    frame = DEFAULT_FRAME
    uses_cues = False

    def __init__(self, inner: Network) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        logits: Tensor = self.inner(image, cues)
        return logits if torch.onnx.is_in_onnx_export() else logits + 1


def test_disagreement_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"torch and onnxruntime disagree about tiny .*nothing was written"):
        export_network(Sly(network()), CARD, tmp_path / "model.onnx")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("answer", [np.zeros((64, 4), np.float32), np.full((64, 5), np.nan, np.float32)])
def test_another_shape_or_nan_is_refused(monkeypatch: pytest.MonkeyPatch, answer: np.ndarray) -> None:
    data = onnx_bytes(network(), CARD)
    monkeypatch.setattr(export.Session, "run", lambda self, images, cues=None: answer)
    with pytest.raises(ModelError, match="disagree"):
        verify(network(), data, CARD)


def test_a_card_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        export_network(network(), dataclasses.replace(CARD, alphabet="012"), tmp_path / "model.onnx")
    with pytest.raises(ModelError):
        export_network(network(), dataclasses.replace(CARD, has_cues=True), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
