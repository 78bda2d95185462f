"""A run, its members and what is learned on top of it say what they saw, and an evaluation finds it out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from handread.card import FORMAT
from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.data.synthetic import synthetic_characters
from handread.evaluation.leak import FILE, SeenList, image_hashes, joined_sketch, list_beside, seen_list
from handread.evaluation.report import EvaluationReport, evaluate, examine
from handread.frame import DEFAULT_FRAME
from handread.recognizer import Recognizer
from handread.training import learning
from handread.training.config import SourceConfig, TrainConfig, load_recipe
from handread.training.finetune import LearnConfig
from handread.training.learning import learn
from handread.training.run import train_recipe
from handread.training.seen import seen_by, seen_of_recipe, with_seen
from handread.training.sources import TrainingSet, prepare
from handread.training.stored import stored


@pytest.fixture(scope="module")
def shop(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny recipe with data of which no two items are alike, as the signs of the other tests are."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "tiny.toml").write_bytes((shop / "tiny.toml").read_bytes())
    drawn = synthetic_characters(120, alphabet="012", seed=1, size=28)
    np.savez(folder / "signs.npz", images=drawn.images, labels=drawn.labels)
    return folder


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=1"])
    return out


def parts(shop: Path) -> tuple[TrainingSet, TrainingSet]:
    """What the recipe of the shop learns from, and what it holds out."""
    prepared = prepare(load_recipe(shop / "tiny.toml"), str(shop))
    return prepared.training, prepared.validation["signs.npz"]


def test_a_run_keeps_the_list_and_its_model_the_sample(run: Path, shop: Path) -> None:
    training, held_out = parts(shop)
    listed, card = SeenList.load(run / FILE), Recognizer(run / "model.onnx").card
    assert (listed.count, listed.complete) == (96, True)
    assert np.array_equal(listed.images, np.unique(image_hashes(training.images)))
    assert card.seen == listed.sketch()
    assert len(listed.images) == 96
    assert not np.isin(image_hashes(held_out.images), listed.images).any()
    beside = list_beside(run / "model.onnx", card.seen)
    assert beside is not None
    assert beside.count == 96
    assert seen_of_recipe(shop / "tiny.toml", str(shop)).sketch() == card.seen


def test_an_evaluation_of_the_training_data_is_warned_of(run: Path, shop: Path) -> None:
    items = load_data(shop / "signs.npz")
    reader = Recognizer(run / "model.onnx")
    by_list = examine(reader, items, seen=SeenList.load(run / FILE)).report
    by_card = evaluate(reader, items)
    for report in (by_list, by_card):  # of so few the card holds all
        assert report.leak is not None
        assert (report.leak.known, report.leak.leaks, report.leak.trained_on) == ("list", True, 96)
        assert EvaluationReport.from_json(report.to_json()) == report
    assert by_list.leak is not None
    assert by_list.leak.same is not None
    assert (by_list.leak.same.found, by_list.leak.n) == (96, 120)
    held_out = parts(shop)[1]
    honest = LabelledImages("held out", held_out.images[:, 0], held_out.labels, items.alphabet, frame=DEFAULT_FRAME)
    for seen in (SeenList.load(run / FILE), None):
        leak = examine(reader, honest, seen=seen).report.leak
        assert leak is not None
        assert not leak.leaks


def test_drawn_ones_and_those_that_are_none_and_those_never_shown_are_not_listed(shop: Path) -> None:
    training, _ = parts(shop)
    config = TrainConfig(alphabet="012", reject=True, sources=(SourceConfig(data="a"), SourceConfig(data="synthetic")))
    changed = dataclasses.replace(
        training,
        labels=np.where(np.arange(96) < 10, 3, training.labels),
        origins=np.where(np.arange(96) >= 70, 1, 0).astype(np.int16),
        repeats=np.where(np.arange(96) == 30, 0, 1).astype(np.float32),
    )
    listed = seen_by(config, changed)
    assert listed.count == 59
    kept = [row for row in range(10, 70) if row != 30]
    assert np.array_equal(listed.images, np.unique(image_hashes(training.images[kept])))


def test_a_stored_set_leaves_the_same_list(shop: Path) -> None:
    ink = np.load(shop / "signs.npz")["images"]
    rows = np.arange(0, 120, 2)
    there = seen_list(stored(ink, rows, DEFAULT_FRAME))
    here = seen_list(LabelledImages("x", ink, np.zeros(120, np.int64), load_data(shop / "signs.npz").alphabet)
                     .take(rows).as_input(DEFAULT_FRAME).images[:, None])  # fmt: skip
    assert np.array_equal(there.images, here.images)
    assert np.array_equal(there.looks, here.looks)


def test_a_run_that_begins_with_anothers_weights_saw_its_images_too(run: Path, shop: Path, tmp_path: Path) -> None:
    training, _ = parts(shop)
    half = training.take(np.arange(40))
    config = TrainConfig(network="plain-tiny", alphabet="012", start=str(run))
    assert np.array_equal(seen_by(config, half).images, SeenList.load(run / FILE).images)
    unknown = seen_by(dataclasses.replace(config, start=str(tmp_path)), half)
    assert (unknown.count, unknown.complete) == (40, False)


def test_what_is_learned_on_top_joins_the_sample(
    run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "DRAWN", 20)
    rng = np.random.default_rng(3)
    images = np.zeros((30, 28, 28), np.uint8)
    for image in images:
        image[4:24, 6:22] = rng.integers(0, 2, (20, 16)) * 255
    np.savez(tmp_path / "own.npz", images=images, labels=np.full(30, 2, np.int64))
    quick = LearnConfig(epochs=1, batch_size=16, rehearsed=4)
    old = Recognizer(run / "model.onnx").card.seen
    own = seen_list(load_data(tmp_path / "own.npz").as_input(DEFAULT_FRAME).images)
    learn(str(tmp_path / "own.npz"), run / "model.onnx", tmp_path / "mine.onnx", config=quick)
    assert Recognizer(tmp_path / "mine.onnx").card.seen == joined_sketch(old, own.sketch())
    report = evaluate(Recognizer(tmp_path / "mine.onnx"), load_data(tmp_path / "own.npz"))
    assert report.leak is not None
    assert report.leak.leaks
    assert report.leak.complete


def test_a_sample_is_put_into_a_finished_model(build_model: Callable[..., Path], shop: Path) -> None:
    content = build_model().read_bytes()
    loaded = onnx.load_from_string(content)
    loaded.metadata_props.add(key="other", value="kept")
    listed = seen_list(parts(shop)[0].images)
    made = with_seen(loaded.SerializeToString(), listed.sketch())
    back = onnx.load_from_string(made)
    assert {entry.key: entry.value for entry in back.metadata_props}["other"] == "kept"
    assert back.graph.SerializeToString() == loaded.graph.SerializeToString()
    card = json.loads({entry.key: entry.value for entry in back.metadata_props}["handread.card"])
    assert (card["format"], card["seen"]["count"]) == (FORMAT, 96)
    assert len(made) - len(content) < 8_500
