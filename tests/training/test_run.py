"""A whole run, from a recipe to a model that reads, and what a resumed run refuses."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from handread.data.atomic import ENDING
from handread.errors import ConfigError, DataError, HandreadError, ModelError
from handread.recognizer import Recognizer
from handread.runtime.session import Session
from handread.training.checkpoint import load_checkpoint
from handread.training.config import config_to, load_recipe
from handread.training.loop import Epoch
from handread.training.run import BEST, CHECKPOINT, PREVIOUS, export_run, pack_run, train_recipe
from handread.training.watcher import Watcher

FILES = {"config.json", "recipe.toml", "environment.json", "architecture.json", "sources.json", "history.csv",
         "record.json", "curves.png", CHECKPOINT, "seen.npz", "model.onnx", "report.html"}  # fmt: skip


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=10"]) == out / "model.onnx"
    return out


def test_a_run_folder_is_whole(run: Path, shop: Path) -> None:
    assert {path.name for path in run.iterdir()} == FILES
    config = json.loads((run / "config.json").read_text())
    assert config == json.loads(json.dumps(config_to(load_recipe(shop / "tiny.toml", ["epochs=10"]))))
    environment = json.loads((run / "environment.json").read_text())
    assert environment["parameters"] == 1_583
    (source,) = json.loads((run / "sources.json").read_text())
    checksum = source.pop("sha256")
    assert source == {"name": "signs.npz", "count": 96, "licence": "none", "source": ""}
    assert (len(checksum), (run / "recipe.toml").read_text()) == (64, (shop / "tiny.toml").read_text())


def test_the_history_has_a_row_an_epoch(run: Path) -> None:
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["epoch"]) for row in rows] == list(range(1, 11))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[-1]["accuracy signs.npz"]) > 0.9


def test_the_model_reads_and_says_what_it_is(run: Path, shop: Path) -> None:
    card = Session.from_bytes((run / "model.onnx").read_bytes()).card
    assert (card.name, card.alphabet, card.recipe) == ("tiny", "012", "tiny.toml")
    assert (card.has_none, card.has_cues) == (False, False)
    assert card.scores["validation accuracy, signs.npz"] > 0.9
    assert card.data[0].count == 96
    stored = np.load(shop / "signs.npz")
    labels, probabilities = Recognizer(run / "model.onnx").classify(stored["images"][:30])
    assert probabilities.shape == (30, 3)
    assert (labels == stored["labels"][:30]).mean() > 0.9


def test_a_broken_run_resumes_to_the_same_weights(run: Path, shop: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 4:
            raise Stop

    out = tmp_path / "broken"
    recipe, options = shop / "tiny.toml", ["epochs=10"]
    with pytest.raises(Stop):
        train_recipe(recipe, str(shop), out, options, watcher=Watcher(epoch=stop))
    assert (out / CHECKPOINT).exists()
    assert not (out / "model.onnx").exists()
    with pytest.raises(ConfigError, match="holds a run already; go on with --resume"):
        train_recipe(recipe, str(shop), out, options)
    train_recipe(recipe, str(shop), out, options, resume=True)
    assert (out / "model.onnx").read_bytes() == (run / "model.onnx").read_bytes()
    with (out / "history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10


def test_a_run_asked_to_stop_saves_all_and_goes_on_to_the_same_weights(run: Path, shop: Path, tmp_path: Path) -> None:
    out, asked = tmp_path / "stopped", iter([False] * 7 + [True])
    recipe, options = shop / "tiny.toml", ["epochs=10"]
    assert train_recipe(recipe, str(shop), out, options, watcher=Watcher(stop=lambda: next(asked))) is None
    assert {path.name for path in out.iterdir()} == FILES - {"seen.npz", "model.onnx", "report.html"} | {PREVIOUS}
    assert train_recipe(recipe, str(shop), out, options, resume=True) == out / "model.onnx"
    assert (out / "model.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on(
    run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third epoch finds no space; what the second left is whole, and the end is that of an unbroken run."""
    out, real, files = tmp_path / "full", os.fsync, []

    def fsync(handle: int) -> None:
        files.append(handle)
        if len(files) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    recipe, options = shop / "tiny.toml", ["epochs=10"]
    with pytest.raises(DataError, match=r"cannot write .*No space left on device; choose a folder"):
        train_recipe(recipe, str(shop), out, options)
    monkeypatch.undo()
    assert load_checkpoint(out / CHECKPOINT).epoch >= 1
    assert not [path for path in out.iterdir() if path.name.endswith(ENDING)]
    train_recipe(recipe, str(shop), out, options, resume=True)
    assert (out / "model.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_the_best_epoch_is_kept_where_the_recipe_says_so(shop: Path, tmp_path: Path) -> None:
    epochs: list[Epoch] = []
    options = ["epochs=3", 'keep="best"', "learning_rate=1e-7", "ema_decay=0", 'schedule="constant"']
    path = train_recipe(shop / "tiny.toml", str(shop), tmp_path / "best", options, watcher=Watcher(epoch=epochs.append))
    assert path is not None
    assert (tmp_path / "best" / BEST).exists()
    best = max(epoch.accuracy["signs.npz"] for epoch in epochs)
    card = Session.from_bytes(path.read_bytes()).card
    assert card.scores["validation accuracy, signs.npz"] == pytest.approx(best, abs=1e-5)


def test_the_architecture_is_written_down(run: Path) -> None:
    found = json.loads((run / "architecture.json").read_text())
    assert (found["network"], found["outputs"], found["parameters"]) == ("plain-tiny", 3, 1_583)
    assert found["input"] == {"height": 32, "width": 32, "ink": 26, "centre": "box", "window": []}
    assert [layer["kind"] for layer in found["layers"]][-1] == "Linear"
    assert sum(layer["parameters"] for layer in found["layers"]) == 1_583


def test_a_run_is_packed_to_the_same_bytes_each_time(run: Path, tmp_path: Path) -> None:
    first, second = pack_run(run, tmp_path / "a.tar.gz"), pack_run(run, tmp_path / "b.tar.gz")
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert {name.removeprefix("tiny/") for name in archive.getnames()} == FILES - {CHECKPOINT}
        model = archive.extractfile("tiny/model.onnx")
        assert model is not None
        assert model.read() == (run / "model.onnx").read_bytes()
    with pytest.raises(ModelError, match=r"holds no model\.onnx"):
        pack_run(tmp_path, tmp_path / "c.tar.gz")


def test_another_recipe_or_other_data_is_not_resumed(run: Path, shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(run, out)
    before = (out / CHECKPOINT).read_bytes()
    with pytest.raises(ConfigError, match="had another recipe; resume it with the same one"):
        train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=11"], resume=True)
    other = tmp_path / "other"
    other.mkdir()
    stored = np.load(shop / "signs.npz")
    np.savez(other / "signs.npz", images=stored["images"][::-1], labels=stored["labels"][::-1])
    with pytest.raises(ConfigError, match="saw other data; resume it with the same --data"):
        train_recipe(shop / "tiny.toml", str(other), out, ["epochs=10"], resume=True)
    assert (out / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize("facts", ["{}", '{"config": {"epoch": 1}, "data": "", "history": []}', '{"config": 3}'])
def test_a_checkpoint_without_its_facts_is_damaged(shop: Path, tmp_path: Path, facts: str) -> None:
    from handread.training.checkpoint import Checkpoint, save_checkpoint

    save_checkpoint(tmp_path / CHECKPOINT, Checkpoint(1, {}, json.loads(facts)))
    with pytest.raises(HandreadError) as caught:
        train_recipe(shop / "tiny.toml", str(shop), tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_resuming_what_never_began_begins(shop: Path, tmp_path: Path) -> None:
    said: list[str] = []
    steps: list[tuple[int, int, int]] = []
    watcher = Watcher(loading=said.append, step=lambda *done: steps.append(done))
    path = train_recipe(shop / "tiny.toml", str(shop), tmp_path / "new", ["epochs=1"], resume=True, watcher=watcher)
    assert path.exists()
    assert said == ["signs.npz"]
    assert steps == [(1, 1, 3), (1, 2, 3), (1, 3, 3)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["network=plain-tinny"], "did you mean plain-tiny"),
        (["epoch=3"], "did you mean epochs"),
        (["alphabet=01"], "'2'"),
    ],
)
def test_what_cannot_run_writes_nothing(shop: Path, tmp_path: Path, options: list[str], words: str) -> None:
    with pytest.raises(HandreadError, match=words):
        train_recipe(shop / "tiny.toml", str(shop), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_missing_data_is_named(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(HandreadError, match=r"signs\.npz"):
        train_recipe(shop / "tiny.toml", str(tmp_path), tmp_path / "out")


def test_a_finished_run_is_exported(run: Path, tmp_path: Path) -> None:
    assert export_run(run, tmp_path / "a.onnx") == tmp_path / "a.onnx"
    assert (tmp_path / "a.onnx").read_bytes() == (run / "model.onnx").read_bytes()
    export_run(run, tmp_path / "b.onnx", int8=True)
    assert Session.from_bytes((tmp_path / "b.onnx").read_bytes()).card.name == "tiny"


def test_an_unfinished_run_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder without model\.onnx; .* finish the run"):
        export_run(tmp_path, tmp_path / "a.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    for int8 in (False, True):
        with pytest.raises(ModelError):
            export_run(tmp_path, tmp_path / "a.onnx", int8=int8)
    assert not (tmp_path / "a.onnx").exists()
