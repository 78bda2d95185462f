"""Repeating a run: yes to an honest one, no to whatever was changed, and which difference comes first."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from handread.card import METADATA_KEY
from handread.errors import ConfigError, DataError, ModelError
from handread.runtime.session import Session
from handread.training import run as module
from handread.training.loop import Epoch
from handread.training.record import RECORD, read_record, seal, write_record
from handread.training.run import CHECKPOINT, pack_run, train_recipe
from handread.training.verify import Finding, Verification, allowed_difference, verify_run
from handread.training.watcher import Watcher

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = ["epochs=3", "seed=2"]
Forge = Callable[..., Path]


@pytest.fixture(autouse=True, scope="module")
def _without_curves() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "draw_curves", lambda *history, **title: None)
        yield


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train_recipe(shop / "tiny.toml", str(shop), out, OPTIONS)
    return out


@pytest.fixture
def forge(run: Path, tmp_path: Path) -> Forge:
    """A function that copies the run, lets another change the copy, and makes all its checksums right again."""

    def forged(change: Callable[[Path], None], **fields: object) -> Path:
        copy = tmp_path / "forged"
        shutil.copytree(run, copy)
        change(copy)
        record = read_record(copy)

        seal(copy, dataclasses.replace(record, **fields))  # type: ignore[arg-type]
        return copy

    return forged


def checks(found: Verification) -> dict[str, bool | None]:
    return {finding.check: finding.holds for finding in found.findings}


def first(found: Verification) -> Finding:
    assert found.first_difference is not None
    assert not found.holds
    assert found.findings[-1] == found.first_difference  # nothing is tried after it
    return found.first_difference


def elsewhere(copy: Path) -> None:
    """The run says that it was made on another processor."""
    path = copy / "environment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"processor": "another"}))


def scored(copy: Path, accuracy: float) -> None:
    """Another file than the run's, whose card claims an accuracy."""
    model = onnx.load(str(copy / "model.onnx"))
    card = json.loads(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))
    card["scores"] = {"validation accuracy, signs.npz": accuracy}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(card)})
    (copy / "model.onnx").write_bytes(model.SerializeToString())


def test_an_honest_run_holds(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    heard: list[Epoch] = []
    found = verify_run(run, watcher=Watcher(epoch=heard.append))
    assert (found.holds, found.exact, found.whole, found.epochs) == (True, True, True, 3)
    assert checks(found) == {"files": True, "recipe": True, "data": True, "machine": None, "weights": True,
                             "history": True, "model.onnx": True}  # fmt: skip
    assert [epoch.epoch for epoch in heard] == [1, 2, 3]
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_the_first_epochs_alone(run: Path, shop: Path) -> None:
    found = verify_run(run, str(shop), epochs=1)
    assert (found.holds, found.exact, found.whole, found.epochs) == (True, True, False, 1)
    assert list(checks(found)) == ["files", "recipe", "data", "machine", "weights", "history"]
    found = verify_run(run, epochs=0)
    assert (found.holds, found.exact, found.epochs) == (True, False, 0)
    assert list(checks(found)) == ["files", "recipe", "data"]


@pytest.mark.parametrize(
    "name", ["model.onnx", "history.csv", "recipe.toml", "config.json", "environment.json", CHECKPOINT, "sources.json"]
)
def test_a_changed_file_is_named(run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(run, tmp_path / "copy")
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "copy" / name).write_bytes(content)
    found = verify_run(tmp_path / "copy")
    assert first(found) == Finding("files", False, f"{name} is not the file that the run wrote")


def test_a_missing_file_is_named(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    (tmp_path / "copy" / "history.csv").unlink()
    assert first(verify_run(tmp_path / "copy")).said == "history.csv is not there"


def test_other_data_are_told_apart(run: Path, shop: Path, tmp_path: Path) -> None:
    stored = np.load(shop / "signs.npz")
    images = stored["images"].copy()
    images[:, 14, 14] ^= 1
    np.savez(tmp_path / "signs.npz", images=images, labels=stored["labels"])
    found = first(verify_run(run, str(tmp_path)))
    assert (found.check, found.said) == (
        "data", "source 1 (signs.npz) holds other images or labels than the run had, 96 as then"
    )  # fmt: skip
    np.savez(tmp_path / "signs.npz", images=images[:60], labels=stored["labels"][:60])
    assert first(verify_run(run, str(tmp_path))).said == "source 1 (signs.npz) has 48 images, the run had 96"


def test_a_forged_recipe_is_found(forge: Forge) -> None:
    def change(copy: Path) -> None:
        path = copy / "recipe.toml"
        path.write_text(path.read_text().replace("learning_rate = 0.03", "learning_rate = 0.02"))

    found = first(verify_run(forge(change)))
    assert (found.check, found.said) == ("recipe", "recipe.toml does not come to the options in config.json")


def test_forged_weights_are_found_at_their_epoch(forge: Forge, run: Path) -> None:
    weights = read_record(run).weights
    copy = forge(lambda copy: None, weights=(weights[0], "0" * 64, weights[2]))
    found = verify_run(copy)
    assert first(found).check == "weights"
    assert first(found).said.startswith("other weights after epoch 2, though machine")
    assert found.epochs == 2  # the third would tell nothing more
    assert verify_run(copy, epochs=1).holds


def test_a_forged_history_is_found(forge: Forge) -> None:
    def change(copy: Path) -> None:
        with (copy / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        rows[0]["accuracy signs.npz"] = "1.0" if float(rows[0]["accuracy signs.npz"]) < 1 else "0.99"
        with (copy / "history.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)

    found = first(verify_run(forge(change), epochs=1))
    assert (found.check, found.said) == ("history", "history.csv tells other numbers of epoch 1")


def test_a_forged_model_is_found(forge: Forge) -> None:
    found = first(verify_run(forge(lambda copy: scored(copy, 0.999))))
    assert (found.check, found.said.partition(",")[0]) == ("model.onnx", "another file")


@pytest.mark.parametrize(("claimed", "holds"), [(0.97, True), (0.6, False)])
def test_elsewhere_the_accuracy_decides(forge: Forge, run: Path, claimed: float, holds: bool) -> None:
    """All 24 held out are read rightly; 0.6 is out of reach by chance."""
    assert Session.from_bytes((run / "model.onnx").read_bytes()).card.scores["validation accuracy, signs.npz"] == 1.0

    def change(copy: Path) -> None:
        elsewhere(copy)
        scored(copy, claimed)

    weights = read_record(run).weights
    found = verify_run(forge(change, weights=(*weights[:2], "0" * 64)))
    assert found.holds is holds
    assert found.exact is False
    assert found.epochs == 3
    assert checks(found) == {"files": True, "recipe": True, "data": True, "machine": None, "weights": None,
                             "model.onnx": None, "accuracy": holds}  # fmt: skip
    told = {finding.check: finding.said for finding in found.findings}
    assert told["machine"].startswith("not the same: processor another then, ")
    assert f"{100 * claimed:.2f} % then, 100.00 % now" in told["accuracy"]


def test_elsewhere_with_nothing_held_out_nothing_is_confirmed(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text((shop / "tiny.toml").read_text().replace("held_out_fraction = 0.2", ""))
    train_recipe(tmp_path / "all.toml", str(shop), tmp_path / "run", ["epochs=1"])
    elsewhere(tmp_path / "run")

    record = dataclasses.replace(read_record(tmp_path / "run"), weights=("0" * 64,))
    seal(tmp_path / "run", record)
    assert first(verify_run(tmp_path / "run", epochs=1)).said.startswith("nothing was held out")


def test_what_a_run_began_with_must_be_there(run: Path, shop: Path, tmp_path: Path) -> None:
    before = tmp_path / "before"
    shutil.copytree(run, before)
    teacher = before / "model.onnx"
    options = ["epochs=1", f"start={before}", f"teacher={teacher}"]
    train_recipe(shop / "tiny.toml", str(shop), tmp_path / "run", options)
    found = verify_run(tmp_path / "run")
    assert found.exact
    assert {"start", "teacher"} <= set(checks(found))
    shutil.copy(shop / "signs.npz", teacher)
    assert first(verify_run(tmp_path / "run")) == Finding("teacher", False, f"{teacher} is not what the run had")
    (before / CHECKPOINT).write_bytes(b"other")
    assert first(verify_run(tmp_path / "run")) == Finding("start", False, f"{before} is not what the run had")
    (before / CHECKPOINT).unlink()
    with pytest.raises(ConfigError, match=r"begins with the weights of .*bring it back, or check .* --epochs-only 0"):
        verify_run(tmp_path / "run")
    assert verify_run(tmp_path / "run", epochs=0).holds


def test_members_are_verified_one_by_one_and_together(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "both"
    train_recipe(shop / "tiny.toml", str(shop), out, ["members=2", "epochs=1"])
    found = verify_run(out)
    assert found.exact
    assert {"member 1: weights", "member 2: weights", "model.onnx"} <= set(checks(found))
    shutil.rmtree(out / "member-2")
    shutil.copytree(out / "member-1", out / "member-2")
    assert first(verify_run(out, epochs=0)).check == "member 2: recipe"


def test_a_baseline_is_verified_by_its_file(shop: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the extra 'train'")
    (tmp_path / "near.toml").write_text(
        'name = "near"\nnetwork = "k-nearest-neighbours"\nalphabet = "012"\n[[sources]]\ndata = "signs.npz"\n'
        "held_out_fraction = 0.2\n"
    )
    train_recipe(tmp_path / "near.toml", str(shop), tmp_path / "run")
    found = verify_run(tmp_path / "run")
    assert found.exact
    assert checks(found)["model.onnx"]
    assert verify_run(tmp_path / "run", epochs=0).holds
    with pytest.raises(ConfigError, match="has no epochs; leave --epochs-only out"):
        verify_run(tmp_path / "run", epochs=1)


def test_an_archive_without_its_checkpoints_is_verified_too(run: Path, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "run.tar.gz")
    with tarfile.open(tmp_path / "run.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    found = verify_run(tmp_path / "tiny", epochs=0)
    assert found.holds
    assert found.findings[0].said.endswith("(packed, without its checkpoints)")


def test_what_cannot_be_verified_says_why(
    run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=f"holds no {RECORD}, so it is no run folder"):
        verify_run(shop)
    moved = tmp_path / "moved"
    shutil.copytree(run, moved)
    write_record(moved, dataclasses.replace(read_record(moved), data=str(tmp_path / "gone")))
    with pytest.raises(DataError, match=r"\(the run's data were .*gone; --data says where they are now\)"):
        verify_run(moved)
    write_record(moved, dataclasses.replace(read_record(moved), files={}))
    with pytest.raises(ModelError, match=r"is not finished; go on with handread train \.\.\. --resume"):
        verify_run(moved)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(ConfigError, match="start it without torchrun"):
        verify_run(run)


def test_seeds_of_one_recipe_lie_within_what_is_allowed() -> None:
    """The measured spread of MNIST: five seeds, each on the 10,000 test digits."""
    with (ROOT / "benchmarks/results/mnist_accuracy.csv").open(newline="") as file:
        shares = [float(row["accuracy"]) / 100 for row in csv.DictReader(file) if row["kind"] == "single"]
    assert len(shares) >= 5
    limit = allowed_difference(float(np.mean(shares)), 10_000)
    assert limit == pytest.approx(0.0016, abs=0.0001)
    assert max(shares) - min(shares) < limit
    assert allowed_difference(1.0, 24) > 1 / 24  # one error more in a small set is chance
