"""Baselines: files that answer as scikit-learn does, in run folders like any other."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from handread.card import ModelCard
from handread.errors import ConfigError, ModelError, UnknownNameError
from handread.frame import MNIST_FRAME
from handread.imaging.glyph import normalise
from handread.recognizer import Recognizer
from handread.runtime.session import Session
from handread.training import baseline as module
from handread.training.baseline import BASELINES, FRAME, train_baseline
from handread.training.baseline_graphs import narrowest
from handread.training.config import AugmentConfig, BaselineConfig, TrainConfig, config_from
from handread.training.loop import Epoch
from handread.training.rewire import Wiring, read_foreign, wired
from handread.training.sources import Prepared, prepare
from handread.training.watcher import Watcher

pytest.importorskip("sklearn", reason="needs the extra 'train'")
pytest.importorskip("skl2onnx", reason="needs the extra 'train'")

SMALL = BaselineConfig(trees=5, iterations=20)


def signs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Upright bars, level bars and rings, with rows of noise; a few labels are wrong."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    for image, label in zip(images, labels.tolist(), strict=True):
        high, wide = (22, 6) if label == 0 else (6, 22) if label == 1 else (22, 20)
        image[3 : 3 + high, 3 : 3 + wide] = rng.integers(120, 256, (high, wide))
        if label == 2:
            image[9:19, 9:17] = 0
    labels[::15] = (labels[::15] + 1) % 3
    return images, labels


def recipe(name: str, **changes: object) -> TrainConfig:
    return dataclasses.replace(
        TrainConfig(name=name, network=name, alphabet="012", baseline=SMALL),
        **changes,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    path = tmp_path_factory.mktemp("data") / "signs.npz"
    images, labels = signs(120)
    np.savez(path, images=images, labels=labels)
    return prepare(recipe("random-forest"), str(path), frame=FRAME)


@pytest.mark.parametrize("name", BASELINES)
def test_a_run_is_like_any_other(name: str, prepared: Prepared, tmp_path: Path) -> None:
    heard: list[object] = []
    watcher = Watcher(begin=lambda config, images, done: heard.append(images), epoch=heard.append)
    path = train_baseline(recipe(name), prepared, "mine.toml", tmp_path, watcher)
    assert path == tmp_path / "model.onnx"
    images = len(prepared.training)
    assert heard[0] == images == 108
    epoch = heard[1]
    assert isinstance(epoch, Epoch)
    (validation,) = prepared.validation.items()
    with (tmp_path / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row) == [
        "epoch",
        "loss",
        "seconds",
        "learning_rate",
        f"accuracy {validation[0]}",
        f"loss {validation[0]}",
    ]
    assert float(row[f"accuracy {validation[0]}"]) == epoch.accuracy[validation[0]] >= 0.5
    assert json.loads((tmp_path / "environment.json").read_text())["device"] == "cpu"
    reader = Recognizer(path)
    assert reader.card.frame == MNIST_FRAME
    assert (reader.card.name, reader.card.recipe, reader.card.data) == (name, "mine.toml", prepared.sources)
    labels, _ = reader.classify(signs(30, seed=5)[0])
    assert (labels == np.arange(30) % 3).mean() > 0.7
    assert {file.name for file in tmp_path.iterdir()} == {"model.onnx", "seen.npz", "history.csv", "environment.json"}
    (tmp_path / "again").mkdir()
    again = train_baseline(recipe(name), prepared, "mine.toml", tmp_path / "again", Watcher())
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", BASELINES)
def test_the_graph_answers_as_scikit_learn_does(name: str, classes: int) -> None:
    images, labels = signs(90)
    labels = labels % classes
    pixels = normalise(images, FRAME).reshape(90, -1)
    fitted = BASELINES[name](pixels, labels, SMALL, 1)
    some = normalise(signs(20, seed=3)[0], FRAME)
    card = ModelCard(name, "1", "012"[:classes], FRAME.height, FRAME.width, FRAME.ink, FRAME.centre)
    wiring = Wiring("flat", 1, 0.0, fitted.ink, fitted.output)
    got = Session.from_bytes(wired(read_foreign(fitted.graph, name), wiring, card)).run(some)
    assert got == pytest.approx(fitted.answers(some.reshape(20, -1)), abs=1e-3)


def test_votes_weigh_alike_where_the_recipe_says_so() -> None:
    pixels = np.array([[0], [10], [200]], np.uint8).repeat(3, axis=1)
    fitted = BASELINES["k-nearest-neighbours"](pixels, np.array([0, 1, 1]), BaselineConfig(weighted=False), 1)
    assert fitted.answers(np.array([[1, 1, 1]], np.uint8)).tolist() == [[pytest.approx(1 / 3), pytest.approx(2 / 3)]]


def test_the_narrowest_win_counts() -> None:
    decisions = np.array([[0.5, -0.25, 1.0]])  # 0 beats 1, loses to 2; 1 beats 2
    assert narrowest(decisions, 3).tolist() == [[-2.0, -4.0, -8.0]]


def test_the_same_seed_grows_the_same_forest(prepared: Prepared, tmp_path: Path) -> None:
    contents = []
    for place, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / place).mkdir()
        path = train_baseline(recipe("random-forest", seed=seed), prepared, "r", tmp_path / place, Watcher())
        made = onnx.load(path)
        contents.append(
            [node.SerializeToString() for node in made.graph.node if node.op_type == "TreeEnsembleClassifier"]
        )
    assert contents[0] == contents[1] != contents[2]


def test_fewer_images_may_be_learnt(prepared: Prepared, tmp_path: Path) -> None:
    heard: list[int] = []
    limited = dataclasses.replace(SMALL, training_images=40)
    watcher = Watcher(begin=lambda config, images, done: heard.append(images))
    train_baseline(recipe("k-nearest-neighbours", baseline=limited), prepared, "r", tmp_path, watcher)
    assert heard == [40]


def test_without_validation_nothing_is_calibrated(prepared: Prepared, tmp_path: Path) -> None:
    alone = dataclasses.replace(prepared, validation={})
    card = Recognizer(train_baseline(recipe("random-forest"), alone, "r", tmp_path, Watcher())).card
    assert (card.temperature, card.accept_above, card.scores) == (1.0, 0.0, {})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reject": True}, "cannot learn what is no character; leave reject = true out"),
        ({"augment": AugmentConfig(noise=0.1)}, r"leave \[augment\] out"),
        ({"alphabet": "012ab"}, "no image of 'a', 'b' to learn from; narrow the recipe's alphabet"),
        ({"baseline": BaselineConfig(neighbours=500)}, "baseline.neighbours is 500, but there are 108 images"),
    ],
)
def test_what_a_baseline_cannot_do_is_refused(
    prepared: Prepared, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        train_baseline(recipe("k-nearest-neighbours", **changes), prepared, "r", tmp_path, Watcher())
    assert not list(tmp_path.iterdir())


def test_disagreement_with_scikit_learn_is_refused(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BASELINES["random-forest"]

    def sly(*arguments: object) -> module.Fitted:
        fitted = real(*arguments)  # type: ignore[arg-type]
        return dataclasses.replace(fitted, answers=lambda pixels: fitted.answers(pixels)[:, ::-1])

    monkeypatch.setitem(BASELINES._entries, "random-forest", sly)
    with pytest.raises(ModelError, match=r"scikit-learn and onnxruntime disagree about .* nothing was written"):
        train_baseline(recipe("random-forest"), prepared, "r", tmp_path, Watcher())
    assert not list(tmp_path.iterdir())


def test_options_come_from_the_recipe() -> None:
    config = config_from({"network": "k-nearest-neighbours", "baseline": {"neighbours": 5}})
    assert config.baseline == BaselineConfig(neighbours=5)
    for wrong, sentence in (({"neigbours": 5}, r"baseline\.neighbours"), ({"gamma": 0}, "baseline.gamma is 0")):
        with pytest.raises(ConfigError, match=sentence):
            config_from({"baseline": wrong})
    with pytest.raises(UnknownNameError, match="k-nearest-neighbours"):
        BASELINES["k-nearest-neighbors"]
