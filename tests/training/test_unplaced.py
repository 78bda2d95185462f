"""Class frequencies of images alone are put right at the end; pictures and lines keep theirs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from handread.networks.build import build_network
from handread.networks.residual import Residual
from handread.training.config import config_from
from handread.training.loop import Trainer
from handread.training.sources import TrainingSet
from handread.training.unplaced import fit_shift, settle_unplaced

SURE = np.full(4000, -1)


def balanced_but_ambiguous(share: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Logits that take two classes for equally likely where `share` of the labels are the first."""
    labels = (np.random.default_rng(0).random(4000) >= share).astype(np.int64)
    return np.zeros((4000, 2), np.float32), labels


def test_the_shift_is_the_logarithm_of_the_odds() -> None:
    logits, labels = balanced_but_ambiguous(0.8)
    shift = fit_shift(logits, labels, SURE)
    odds = (labels == 0).mean() / (labels == 1).mean()
    assert float(shift[0] - shift[1]) == pytest.approx(np.log(odds), rel=0.05)


def test_all_classes_together_stay_where_they_were() -> None:
    logits, labels = balanced_but_ambiguous(0.9)
    shifted = torch.logsumexp(torch.from_numpy(logits) + fit_shift(logits, labels, SURE), dim=1)
    assert float(shifted.mean()) == pytest.approx(np.log(2), abs=1e-5)


def test_doubtful_labels_say_nothing_of_the_two() -> None:
    logits, labels = balanced_but_ambiguous(0.8)
    assert fit_shift(logits, labels, 1 - labels).abs().max() < 1e-3


def test_only_images_without_a_cue_move() -> None:
    network = build_network("residual-tiny", 5).eval()
    assert isinstance(network, Residual)
    images = torch.rand(3, 1, 32, 32)
    cues = torch.tensor([[0.0, 0, 0, 0], [1, 0, 0.6, 0.5], [0, 1, 0.4, 0.3]])
    shift = torch.tensor([1.0, -2, 0, 3, 0])
    with torch.inference_mode():
        before = network(images, cues)
        network.shift_unplaced(shift)
        after = network(images, cues)
    assert torch.allclose(after[0], before[0] + shift, atol=1e-5)
    assert torch.allclose(after[1:], before[1:], atol=1e-5)


def trainer(kind: str) -> Trainer:
    return Trainer(config_from({"network": kind, "alphabet": "digits", "sources": [{"data": "a", "prior": "cued"}]}))


def part(count: int = 40) -> TrainingSet:
    rng = np.random.default_rng(1)
    return TrainingSet(
        images=rng.integers(0, 256, (count, 1, 32, 32)).astype(np.uint8), labels=rng.integers(0, 2, count),
        alternatives=np.full(count, -1), cues=np.zeros((count, 4), np.float32), pictures=np.zeros(count, np.bool_),
        repeats=np.ones(count, np.float32), origins=np.zeros(count, np.int16),
    )  # fmt: skip


def test_after_it_the_mean_probability_is_the_share() -> None:
    one = trainer("residual-tiny")
    assert settle_unplaced(one, part(), one.config.sources)
    logits = torch.from_numpy(one.logits(part().images, np.zeros((40, 4), np.float32)))
    mean = torch.softmax(logits, dim=1).mean(dim=0)
    assert float(mean[0]) == pytest.approx((part().labels == 0).mean(), abs=0.05)
    assert float(mean[2:].sum()) < 0.05


@pytest.mark.parametrize(("kind", "prior"), [("plain-tiny", "cued"), ("residual-tiny", "learnt")])
def test_others_are_left_alone(kind: str, prior: str) -> None:
    one = trainer(kind)
    before = {name: tensor.clone() for name, tensor in one.average.state_dict().items()}
    sources = config_from({"sources": [{"data": "a", "prior": prior}]}).sources
    assert not settle_unplaced(one, part(), sources)
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.average.state_dict().items())
