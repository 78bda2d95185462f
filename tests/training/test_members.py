"""Several networks as one file: the mean of their probabilities, whatever the batch."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from handread.card import ModelCard
from handread.networks.base import Network
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training.export import onnx_bytes
from handread.training.members import merge

CARD = ModelCard(name="one", version="1", alphabet="0123456789", has_none=True, has_cues=True)


def network(seed: int) -> Network:
    torch.manual_seed(seed)
    return build_network("residual-tiny", 11).eval()


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    return [onnx_bytes(network(seed), CARD) for seed in (1, 2, 3)]


def shown() -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (70, 1, 32, 32)).astype(np.uint8), rng.random((70, 4)).astype(np.float32)


def probabilities(logits: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def test_the_mean_of_probabilities(files: list[bytes]) -> None:
    images, cues = shown()
    merged = Session.from_bytes(merge(files, CARD)).run(images, cues)
    each = [probabilities(Session.from_bytes(f).run(images, cues)) for f in files]
    assert np.allclose(probabilities(merged), np.mean(each, axis=0), atol=1e-5)


def test_one_member_alone_keeps_its_answers(files: list[bytes]) -> None:
    images, cues = shown()
    alone = Session.from_bytes(merge(files[:1], CARD)).run(images, cues)
    assert np.allclose(probabilities(alone), probabilities(Session.from_bytes(files[0]).run(images, cues)), atol=1e-5)


def test_the_card_is_the_given_one(files: list[bytes]) -> None:
    card = dataclasses.replace(CARD, name="three", temperature=1.5)
    assert Session.from_bytes(merge(files, card)).card == card
