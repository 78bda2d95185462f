"""What a run writes down of itself, and that the same recipe leaves the same bytes in any process."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from handread import machine
from handread.errors import ModelError
from handread.training.checkpoint import load_checkpoint, save_checkpoint
from handread.training.config import SourceConfig, load_recipe
from handread.training.record import RECORD, Part, RunRecord, parts_of, read_record, weights_digest
from handread.training.run import CHECKPOINT, train_recipe
from handread.training.sources import prepare
from handread.training.surroundings import differences, git_state, surroundings
from tests.conftest import module_at

SCRIPT = Path(__file__).parent / "same_again.py"


def here(shop: Path, out: Path) -> dict[str, str]:
    found: dict[str, str] = module_at(SCRIPT).checksums(shop, out)
    return found


@pytest.fixture(scope="module")
def runs(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a run `whole` and a run `broken` that was stopped and resumed, and checksums of their files."""
    out = tmp_path_factory.mktemp("runs")
    return out, here(shop, out)


def test_stopped_and_resumed_a_run_leaves_the_same_bytes(runs: tuple[Path, dict[str, str]]) -> None:
    found = runs[1]
    names = {name.removeprefix("whole/") for name in found if name.startswith("whole/")}
    assert {"model.onnx", "last.safetensors"} <= names
    assert [name for name in names if found[f"whole/{name}"] != found[f"broken/{name}"]] == []


def test_another_process_leaves_the_same_bytes(runs: tuple[Path, dict[str, str]], shop: Path, tmp_path: Path) -> None:
    """With another seed of Python's hashes and in another working folder."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    command = [sys.executable, str(SCRIPT), os.path.relpath(shop, tmp_path), "out"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == runs[1]


def test_a_run_writes_down_what_it_was(runs: tuple[Path, dict[str, str]], shop: Path) -> None:
    run = runs[0] / "whole"
    record = read_record(run)
    assert (record.recipe, record.overrides, record.data) == ("tiny.toml", ("epochs=3",), str(shop))
    assert [(part.name, part.count) for part in (*record.sources, *record.validation)] == [
        ("signs.npz", 96), ("signs.npz", 24)
    ]  # fmt: skip
    (source,) = json.loads((run / "sources.json").read_text())
    assert source["sha256"] == record.sources[0].sha256
    assert len(set(record.weights)) == 3
    assert set(record.files) == {path.name for path in run.iterdir()} - {RECORD, "report.html"}
    for name, checksum in record.files.items():
        assert hashlib.sha256((run / name).read_bytes()).hexdigest() == checksum
    environment = json.loads((run / "environment.json").read_text())
    assert {"handread", "code", "python", "torch", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "pillow",
            "processor", "cores", "instructions", "threads", "system", "kernels", "bfloat16"} <= set(environment)  # fmt: skip
    assert (environment["threads"], environment["torch"]) == (1, torch.__version__)


def test_the_last_epochs_checksum_is_that_of_the_weights_kept(runs: tuple[Path, dict[str, str]]) -> None:
    run = runs[0] / "broken"
    saved = load_checkpoint(run / CHECKPOINT)
    average = {name.removeprefix("average."): tensor for name, tensor in saved.tensors.items() if "average." in name}
    assert len(average) > 3
    assert weights_digest(average) == read_record(run).weights[-1]


def test_how_long_an_epoch_took_outlives_a_stop(runs: tuple[Path, dict[str, str]]) -> None:
    with (runs[0] / "broken" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["epoch", "loss", "seconds", "learning_rate"]
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert len(rows) == 3


def test_a_checkpoint_of_an_older_version_goes_on(
    runs: tuple[Path, dict[str, str]], shop: Path, tmp_path: Path
) -> None:
    """It has times in its history and no checksums."""
    out = tmp_path / "older"
    shutil.copytree(runs[0] / "whole", out)
    saved = load_checkpoint(out / CHECKPOINT)
    facts = {name: value for name, value in saved.facts.items() if name != "weights"}
    facts["history"] = [{"epoch": row["epoch"], "loss": row["loss"], "seconds": 7.0, **row} for row in facts["history"]]
    save_checkpoint(out / CHECKPOINT, dataclasses.replace(saved, facts=facts))
    train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=3"], resume=True)
    assert read_record(out).weights == ("", "", "")
    assert (out / "model.onnx").read_bytes() == (runs[0] / "whole" / "model.onnx").read_bytes()


def test_a_run_that_goes_on_elsewhere_says_so(runs: tuple[Path, dict[str, str]], shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "moved"
    shutil.copytree(runs[0] / "whole", out)
    before = json.loads((out / "environment.json").read_text())
    before |= {"processor": "another", "system": "another"}
    (out / "environment.json").write_text(json.dumps(before))
    train_recipe(shop / "tiny.toml", str(shop), out, ["epochs=3"], resume=True)
    after = json.loads((out / "environment.json").read_text())
    assert after["processor"] == machine.processor()
    assert after["earlier"] == [before]


def test_a_source_is_known_by_its_content(shop: Path, tmp_path: Path) -> None:
    config = load_recipe(shop / "tiny.toml")
    drawn = SourceConfig(data="synthetic", count=5)
    config = dataclasses.replace(config, sources=(*config.sources, drawn), reject=True)
    first, held_out = parts_of(prepare(config, str(shop)))
    assert [(part.name, part.count) for part in first] == [("signs.npz", 96), ("synthetic", 5)]
    stored = np.load(shop / "signs.npz")
    for name, changed in (("same", 0), ("other", 1)):
        images = stored["images"].copy()
        images[:, 14, 14] ^= changed
        (tmp_path / name).mkdir()
        np.savez_compressed(tmp_path / name / "signs.npz", labels=stored["labels"], images=images)
    assert parts_of(prepare(config, str(tmp_path / "same"))) == (first, held_out)
    other, held_out_there = parts_of(prepare(config, str(tmp_path / "other")))
    assert (other[0] == first[0], other[1] == first[1], held_out_there == held_out) == (False, True, False)
    again = parts_of(prepare(dataclasses.replace(config, seed=2), str(shop)))[0]
    assert again[1].sha256 != first[1].sha256


WHOLE = json.loads(RunRecord("a.toml", sources=(Part("s", 1, "00"),), files={"model.onnx": "00"}).to_json())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "it is a list"),
        (json.dumps(WHOLE | {"format": 2}), "has format 2; upgrade Handread"),
        (json.dumps(WHOLE | {"more": 1}), "'more'"),
        (json.dumps({name: value for name, value in WHOLE.items() if name != "weights"}), "'weights'"),
        (json.dumps(WHOLE | {"recipe": "../a.toml"}), "not the name of a file"),
        (json.dumps(WHOLE | {"recipe": ".."}), "not the name of a file"),
        (json.dumps(WHOLE | {"files": {"../../x": "00"}}), "no file of a run"),
        (json.dumps(WHOLE | {"sources": [{"name": "s", "count": "1", "sha256": "00"}]}), "is none"),
        (json.dumps(WHOLE | {"weights": [1]}), "is none"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ModelError, match=words) as caught:
        read_record(tmp_path)
    assert RECORD in str(caught.value)


def test_a_record_is_read_as_it_was_written() -> None:
    record = RunRecord.from_json(json.dumps(WHOLE))
    assert record == RunRecord("a.toml", sources=(Part("s", 1, "00"),), files={"model.onnx": "00"})


def test_the_state_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_state(tmp_path / "nowhere") == {}
    if shutil.which("git") is None:
        pytest.skip("git is absent")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    assert git_state(tmp_path) == {}

    def git(*words: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True,
                       capture_output=True)  # fmt: skip

    git("init", "--quiet")
    assert git_state(tmp_path) == {}  # nothing is committed yet
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "--quiet", "-m", "first")
    (tmp_path / "b").write_text("what git does not know")
    found = git_state(tmp_path)
    assert (len(str(found["commit"])), found["changed"]) == (40, False)
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == found | {"changed": True}
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert git_state(tmp_path) == {}


def test_what_differs_between_two_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    now = surroundings()
    assert now["settings"] == "ONEDNN_MAX_CPU_ISA=AVX2"
    then = now | {"numpy": "1.0", "commit": "0", "cores": 99} | {"torch": "2.0"}
    del then["settings"]
    assert differences(then, now) == {
        "numpy": ("1.0", now["numpy"]), "torch": ("2.0", None), "settings": (None, "ONEDNN_MAX_CPU_ISA=AVX2")
    }  # fmt: skip


def test_the_processor_is_told_as_the_system_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "processor\t: 0\nmodel name\t: Some  Chip 9\nflags\t\t: fpu avx2 amx_int8 avx512\n\nmodel name\t: Other\n"
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    assert (machine.processor(), machine.instructions()) == ("Some Chip 9", ("avx2", "amx_int8"))
    (tmp_path / "cpuinfo").write_text("processor : 0\nFeatures : fp asimd bf16\n")
    assert machine.instructions() == ("asimd", "bf16")
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "absent")
    assert machine.processor()
    assert machine.instructions() == ()
    assert machine.cores() >= 1
