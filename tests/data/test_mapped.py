"""Images that stay in their file are those of memory, and leave memory when they have been read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from handread.data import npz
from handread.data.load import load_data
from handread.data.mapped import blocks_of, is_mapped, rows_of
from handread.errors import DataError


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAP_FROM", 0)


def ink(count: int = 700) -> np.ndarray:
    images = np.random.default_rng(0).integers(0, 256, (count, 9, 7), dtype=np.uint8)
    images[:, [0, -1]], images[:, :, [0, -1]] = 0, 0
    return images


def test_what_is_stored_as_it_is_stays_in_its_file(tmp_path: Path) -> None:
    images, labels = ink(), np.arange(700) % 10
    np.savez(tmp_path / "set.npz", labels=labels, images=images)
    found = load_data(tmp_path / "set.npz")
    assert is_mapped(found.images)
    assert np.array_equal(found.images, images)
    rows = np.array([699, 3, 3, 0])
    assert np.array_equal(rows_of(found.images, rows), images[rows])
    part = found.take(np.arange(0, 700, 2))
    assert type(part.images) is np.ndarray
    assert np.array_equal(part.images, images[::2])
    assert np.array_equal(np.concatenate(list(blocks_of(found.images))), images)


def test_a_part_of_it_is_no_longer_asked_where_it_begins(tmp_path: Path) -> None:
    images = ink()
    np.savez(tmp_path / "set.npz", labels=np.arange(700) % 10, images=images)
    part = load_data(tmp_path / "set.npz").images[100:]
    assert not is_mapped(part)
    assert np.array_equal(rows_of(part, np.array([1])), images[101:102])


@pytest.mark.parametrize("kind", ["compressed", "by columns", "other numbers", "in an archive"])
def test_what_does_not_lie_there_as_it_is_comes_into_memory(tmp_path: Path, kind: str) -> None:
    images, labels = ink(), np.arange(700) % 10
    path = tmp_path / "set.npz"
    if kind == "compressed":
        np.savez_compressed(path, labels=labels, images=images)
    elif kind == "by columns":
        np.savez(path, labels=labels, images=np.asfortranarray(images))
    else:
        np.savez(path, labels=labels, images=images.astype(np.int32) if kind == "other numbers" else images)
    if kind == "in an archive":
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
            outer.write(path, "set.npz")
        path = tmp_path / "outer.zip"
    found = load_data(path)
    assert not is_mapped(found.images)
    assert np.array_equal(found.images, images)


def test_paper_on_ink_is_turned_in_memory(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", labels=np.arange(700) % 10, images=255 - ink())
    assert np.array_equal(load_data(tmp_path / "set.npz").images, ink())


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    images = ink()
    np.savez(tmp_path / "set.npz", labels=np.arange(700) % 10, images=images)
    content = bytearray((tmp_path / "set.npz").read_bytes())
    place = content.index(images.tobytes())
    content[place + 300] ^= 1
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"set\.npz cannot be read .*CRC"):
        load_data(tmp_path / "set.npz")
