"""Learning on top of a finished model: better on the new hand, the same elsewhere, new characters, nothing lost."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from handread.errors import DataError, HandreadError, ModelError
from handread.networks.build import build_network
from handread.recognizer import Recognizer
from handread.training import learning
from handread.training.finetune import LearnConfig, between, divergence
from handread.training.learning import extended, learn, shortest
from handread.training.run import train_recipe

QUICK = LearnConfig(epochs=4, batch_size=16, rehearsed=16, learning_rate=0.01)


@pytest.fixture(autouse=True)
def _few_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "DRAWN", 30)
    monkeypatch.setattr(learning, "SCRIBBLED", 10)


@pytest.fixture(scope="module")
def start(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads the signs of the shop as 0, 1 and 2."""
    path = train_recipe(shop / "tiny.toml", str(shop), tmp_path_factory.mktemp("start") / "run", ["epochs=8"])
    assert path is not None
    return path


def crosses(folder: Path, count: int, label: str, *, name: str = "own.npz") -> Path:
    """Ink that the model never saw, all of one character."""
    rng = np.random.default_rng(5)
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        place = int(rng.integers(-2, 3))
        for k in range(4, 24):
            image[k, max(0, k - 2 + place) : k + 2 + place] = 255
            image[k, 26 - k + place : 30 - k + place] = 255
    np.savez(folder / name, images=images, labels=np.zeros(count, np.int64), characters=np.array([label]))
    return folder / name


def test_a_hand_is_learned_and_the_old_one_kept(start: Path, shop: Path, tmp_path: Path) -> None:
    own = crosses(tmp_path, 210, "2")
    done = learn(str(own), start, tmp_path / "mine.onnx", config=QUICK)
    assert (done.pictures, done.held_out, done.new_characters) == (210, 42, "")
    assert done.after > done.before
    assert 0 < done.share <= 1
    stored = np.load(shop / "signs.npz")
    reader, before = Recognizer(tmp_path / "mine.onnx"), Recognizer(start)
    labels, _ = reader.classify(np.load(own)["images"])
    assert (labels == 2).mean() > 0.9
    kept = (reader.classify(stored["images"])[0] == stored["labels"]).mean()
    assert kept >= (before.classify(stored["images"])[0] == stored["labels"]).mean() - 0.1
    assert reader.card.name == "mine"
    assert reader.card.data[-1].source == "learned on top"
    assert reader.card.scores["held out of own"] == pytest.approx(done.after, abs=1e-4)


def test_a_new_character_becomes_a_class(start: Path, tmp_path: Path) -> None:
    longer = dataclasses.replace(QUICK, epochs=12, learning_rate=0.03)
    done = learn(str(crosses(tmp_path, 40, "x")), start, tmp_path / "mine.onnx", config=longer)
    assert done.new_characters == "x"
    assert math.isnan(done.before)  # eight held-out pictures would tell nothing
    reader = Recognizer(tmp_path / "mine.onnx")
    assert reader.card.alphabet == "012x"
    labels, _ = reader.classify(np.load(tmp_path / "own.npz")["images"])
    assert (labels == 3).mean() > 0.9


def test_others_may_judge(start: Path, tmp_path: Path) -> None:
    own, others = crosses(tmp_path, 60, "2"), crosses(tmp_path, 12, "2", name="others.npz")
    done = learn(str(own), start, tmp_path / "mine.onnx", config=QUICK, validate=str(others))
    assert (done.pictures, done.held_out) == (60, 12)


def test_the_seed_decides(start: Path, tmp_path: Path) -> None:
    own = crosses(tmp_path, 40, "2")
    for name in ("a.onnx", "b.onnx"):
        learn(str(own), start, tmp_path / name, config=QUICK)
    first, second = (Recognizer(tmp_path / name).classify(np.load(own)["images"])[1] for name in ("a.onnx", "b.onnx"))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [("nowhere/", DataError, "nowhere"), ("empty", HandreadError, "empty")],
)
def test_what_cannot_be_learned_leaves_nothing(
    start: Path, tmp_path: Path, data: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(error, match=words):
        learn(str(tmp_path / data), start, tmp_path / "mine.onnx", config=QUICK)
    assert not (tmp_path / "mine.onnx").exists()


def test_nothing_is_learned_on_a_foreign_model(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds none of Handread's networks"):
        learn(str(crosses(tmp_path, 40, "2")), tiny_model, tmp_path / "mine.onnx", config=QUICK)


@pytest.mark.parametrize(
    ("right", "count", "place"),
    [
        ([0.8, 0.85, 0.9, 0.905], 100, 2),
        ([0.8, 0.85, 0.9, 0.905], 100_000, 3),
        ([0.9, 0.9, 0.8], 50, 0),
        ([0, 1, 1], 9, 1),
    ],
)
def test_no_farther_than_the_held_out_pictures_can_tell(right: list[float], count: int, place: int) -> None:
    assert shortest(right, count) == place


def test_new_classes_stand_between_the_known_and_none() -> None:
    torch.manual_seed(0)
    old = build_network("residual-tiny", 11).eval()
    new = extended(old, "residual-tiny", 10, 2, True)
    images, cues = torch.rand(3, 1, 32, 32), torch.rand(3, 4)
    with torch.inference_mode():
        before, after = old(images, cues), new(images, cues)
    assert torch.allclose(after[:, :10], before[:, :10], atol=1e-6)
    assert torch.allclose(after[:, 12], before[:, 10], atol=1e-6)
    assert torch.equal(after[:, 10:12], torch.full((3, 2), learning.NEVER))
    assert old.logit_layers() == ("head", "place")


def test_between_two_networks_lie_their_mixtures() -> None:
    torch.manual_seed(1)
    old, new = build_network("plain-tiny", 3).eval(), build_network("plain-tiny", 3).eval()
    middle = between(old, new, 0.25)
    for a, b, c in zip(old.parameters(), new.parameters(), middle.parameters(), strict=True):
        assert torch.allclose(c, 0.75 * a + 0.25 * b)
    assert all(torch.equal(a, b) for a, b in zip(old.parameters(), between(old, new, 0.0).parameters(), strict=True))


def test_divergence_of_known_value() -> None:
    old = torch.log(torch.tensor([[0.5, 0.5]]))
    new = torch.log(torch.tensor([[0.25, 0.75]]))
    assert float(divergence(old, new)) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75))
    assert float(divergence(old, old + 3)) == pytest.approx(0, abs=1e-6)
