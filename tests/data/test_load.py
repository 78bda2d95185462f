"""load_data: names, several at once, and the catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import handread
from handread.data import catalog
from handread.data.load import load_data
from handread.errors import DataError, MissingExtraError


def write_set(path: Path, labels: list[int], *, side: int = 6, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = np.zeros((len(labels), side, side), np.uint8)
    images[:, 1:-1, 2] = 200
    np.savez(path, images=images, labels=np.array(labels), **more)  # type: ignore[arg-type]
    return path


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder and a home of the test's own."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv(catalog.FOLDER_VARIABLE, str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def test_is_public() -> None:
    assert handread.load_data is load_data


def test_several_are_joined(tmp_path: Path) -> None:
    first = write_set(tmp_path / "one.npz", [1, 2], writers=np.array([3, 4]))
    second = write_set(tmp_path / "two.npz", [0, 1], characters="xy")
    data = load_data(f"{first}, {second}")
    assert data.alphabet.name == "alphanumeric"
    assert data.characters() == ["1", "2", "x", "y"]
    assert data.name == "one,two"
    assert data.writers is not None
    assert data.writers.tolist() == [0, 1, -1, -1]
    assert not data.normalised


def test_sizes_that_differ_become_inputs(tmp_path: Path) -> None:
    first, second = write_set(tmp_path / "a.npz", [1]), write_set(tmp_path / "b.npz", [2], side=9)
    data = load_data(f"{first},{second}")
    assert data.normalised
    assert data.images.shape == (2, 32, 32)


def test_a_path_may_hold_a_comma(tmp_path: Path) -> None:
    assert load_data(str(write_set(tmp_path / "a,b.npz", [7]))).labels.tolist() == [7]


@pytest.mark.parametrize("spec", ["", " ", "digits,", ",", "digits,,digits"])
def test_a_name_that_is_missing(spec: str) -> None:
    with pytest.raises(DataError, match="names no data"):
        load_data(spec)


def test_data_folder_is_looked_into(own_folders: Path) -> None:
    write_set(own_folders / "mnist" / "train.npz", [4])
    write_set(own_folders / "mine" / "set.npz", [5])
    assert load_data("mnist", split="train").labels.tolist() == [4]
    assert load_data("mnist", split="train").name == "mnist/train"
    assert load_data("mine/set.npz").labels.tolist() == [5]


def test_cache_is_looked_into(tmp_path: Path) -> None:
    write_set(tmp_path / "home" / ".cache" / "handread" / "usps.npz", [6])
    assert load_data("usps").labels.tolist() == [6]


def test_catalogue_set_that_is_not_here(own_folders: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_data("mnist")
    assert "http://yann.lecun.com/exdb/mnist/" in str(caught.value)
    assert str(own_folders) in str(caught.value)


def test_a_typo_gets_a_suggestion() -> None:
    with pytest.raises(DataError, match=r"no file or folder minst.*did you mean mnist"):
        load_data("minst")


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"no file or folder nowhere/set\.npz; check the path"):
        load_data("nowhere/set.npz")


def test_emnist_part_is_found_among_others(own_folders: Path) -> None:
    for part, label in (("letters", 3), ("digits", 3)):
        for split in ("train", "test"):
            stem = own_folders / "emnist" / f"emnist-{part}-{split}-"
            stem.parent.mkdir(exist_ok=True)
            pixels = np.zeros(9, np.uint8).tobytes()
            head = b"\0\0\x08\x03\0\0\0\x01\0\0\0\x03\0\0\0\x03"
            Path(f"{stem}images-idx3-ubyte").write_bytes(head + pixels)
            Path(f"{stem}labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\x01" + bytes([label]))
    assert load_data("emnist-letters", split="test").characters() == ["C"]
    assert load_data("emnist-digits", split="test").characters() == ["3"]
    with pytest.raises(DataError, match="has the splits test, train"):
        load_data("emnist-letters")


def test_every_entry_says_what_it_is() -> None:
    for name, entry in catalog.CATALOG.items():
        assert entry.name == name
        assert entry.title
        assert entry.licence
        assert entry.source.startswith(("http://", "https://"))


def test_digits_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.zeros((3, 8, 8))
    images[:, 4, 4] = [16, 8, 1]
    bunch = SimpleNamespace(images=images, target=np.array([7, 0, 9]))
    datasets = SimpleNamespace(load_digits=lambda: bunch)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", datasets)  # the real one takes seconds to import
    data = load_data("digits")
    assert data.images[:, 4, 4].tolist() == [255, 128, 16]
    assert data.characters() == ["7", "0", "9"]


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        load_data("digits")
