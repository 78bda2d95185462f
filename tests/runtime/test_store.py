from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from handread.errors import ModelError, UnknownNameError
from handread.runtime import store


@pytest.fixture
def shelf(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models in the place of the real one, with one model called "tiny"."""
    shutil.copy(tiny_model, tmp_path / "tiny.onnx")
    record = {"tiny.onnx": store.checksum(tiny_model.read_bytes())}
    (tmp_path / store.CHECKSUMS).write_text(json.dumps(record))
    monkeypatch.setattr(store, "WEIGHTS", tmp_path)
    return tmp_path


def test_a_shipped_name_leads_to_its_file(shelf: Path, tiny_bytes: bytes) -> None:
    assert store.shipped() == ("tiny",)
    assert store.locate("tiny") == shelf / "tiny.onnx"
    assert store.load("tiny") == tiny_bytes


def test_a_misspelt_name_gets_the_near_one(shelf: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"no shipped model called 'tinny'; did you mean tiny\?"):
        store.load("tinny")


def test_a_path_is_taken_as_it_is(
    shelf: Path, tiny_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.onnx").write_bytes(tiny_bytes)
    (own / "suffixless").write_bytes(tiny_bytes)
    monkeypatch.chdir(own)
    for path in (own / "mine.onnx", str(own / "mine.onnx"), "mine.onnx", "./mine.onnx", "suffixless"):
        assert store.load(path) == tiny_bytes


@pytest.mark.parametrize("content", [b"", b"other"])
def test_a_damaged_shipped_file_is_refused(shelf: Path, content: bytes) -> None:
    (shelf / "tiny.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"tiny\.onnx is damaged.*install Handread again"):
        store.load("tiny")


def test_a_shipped_file_without_a_checksum_is_refused(shelf: Path) -> None:
    (shelf / store.CHECKSUMS).unlink()
    with pytest.raises(ModelError, match="has no checksum"):
        store.load("tiny")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_damaged_checksums_are_named(shelf: Path, text: str) -> None:
    (shelf / store.CHECKSUMS).write_text(text)
    with pytest.raises(ModelError, match=r"checksums\.json is damaged"):
        store.load("tiny")


def test_a_folder_is_the_run_that_made_a_model(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "mine"
    run.mkdir()
    with pytest.raises(ModelError, match=r"mine is a folder without model\.onnx; .* finish the run"):
        store.load("mine")
    (run / "model.onnx").write_bytes(b"weights")
    assert store.load("mine") == store.load(run) == store.load("./mine") == b"weights"
    (tmp_path / "tiny").mkdir()  # a shipped name stays the shipped model
    (tmp_path / "tiny" / "model.onnx").write_bytes(b"weights")
    assert store.load("tiny") != b"weights"


def test_a_missing_path_is_named(shelf: Path) -> None:
    with pytest.raises(ModelError, match=r"missing\.onnx does not exist"):
        store.load(shelf / "missing.onnx")


def test_the_real_shelf_records_every_file_it_holds() -> None:
    assert set(store.checksums()) == {f"{name}{store.SUFFIX}" for name in store.shipped()}
