"""Unlabelled characters in every form."""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.data.unlabelled import load_unlabelled
from handread.errors import DataError
from handread.frame import MNIST_FRAME

Draw = Callable[[str], Image.Image]

HEAD = ",".join(f"pixel{i}" for i in range(9))
ROWS = ("0,0,0,0,255,7,0,10,0", "0,0,0,255,0,0,0,0,0", "0,0,0,0,0,255,0,0,0")
IMAGES = np.array([[int(v) for v in row.split(",")] for row in ROWS], np.uint8).reshape(3, 3, 3)


def csv_file(path: Path, *, label: bool = False) -> Path:
    head = f"label,{HEAD}" if label else HEAD
    rows = [f"{i},{row}" if label else row for i, row in enumerate(ROWS)]
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def idx_file(path: Path, values: np.ndarray) -> Path:
    head = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def forms(folder: Path) -> dict[str, tuple[Path, str | None]]:
    """The three images in every form of arrays without labels, and the split to ask for."""
    np.savez(folder / "bare.npz", images=IMAGES)
    np.savez(folder / "keras.npz", x_train=IMAGES[:1], y_train=np.zeros(1, np.int64), x_test=IMAGES)
    home = folder / "kaggle"
    home.mkdir()
    csv_file(home / "test.csv")
    csv_file(home / "train.csv", label=True)
    (home / "sample_submission.csv").write_text("ImageId,Label\n1,0\n2,0\n3,0\n")
    with zipfile.ZipFile(folder / "digit-recognizer.zip", "w") as file:
        for child in home.iterdir():
            file.write(child, child.name)
    return {
        "csv": (csv_file(folder / "plain.csv"), None),
        "npz": (folder / "bare.npz", None),
        "keras": (folder / "keras.npz", "test"),
        "idx": (idx_file(folder / "t10k-images-idx3-ubyte.gz", IMAGES), None),
        "folder": (home, "test"),
        "folder, no split": (home, None),
        "zip": (folder / "digit-recognizer.zip", "test"),
    }


@pytest.mark.parametrize("form", ["csv", "npz", "keras", "idx", "folder", "folder, no split", "zip"])
def test_arrays_keep_their_order_and_are_counted_from_one(tmp_path: Path, form: str) -> None:
    path, split = forms(tmp_path)[form]
    items = load_unlabelled(path, split=split)
    np.testing.assert_array_equal(items.images, IMAGES)
    assert items.ids == ("1", "2", "3")
    assert not items.labels_left_out
    assert not items.normalised


def test_labels_are_left_out_and_that_is_told(tmp_path: Path) -> None:
    items = load_unlabelled(csv_file(tmp_path / "train.csv", label=True))
    np.testing.assert_array_equal(items.images, IMAGES)
    assert items.labels_left_out


def test_idx_images_with_labels_beside_them(tmp_path: Path) -> None:
    idx_file(tmp_path / "train-images-idx3-ubyte", IMAGES)
    idx_file(tmp_path / "train-labels-idx1-ubyte", np.array([1, 2, 3]))
    for spec in (tmp_path, tmp_path / "train-images-idx3-ubyte"):
        items = load_unlabelled(spec)
        assert (len(items), items.labels_left_out) == (3, True)


def test_published_emnist_is_turned_upright(tmp_path: Path) -> None:
    path = idx_file(tmp_path / "emnist-digits-test-images-idx3-ubyte", IMAGES)
    np.testing.assert_array_equal(load_unlabelled(path).images, IMAGES.transpose(0, 2, 1))


def test_pictures_go_by_their_names_in_natural_order(tmp_path: Path, draw: Draw) -> None:
    for name in ("10.png", "2.png", "1.png"):
        draw("7").save(tmp_path / name)
    items = load_unlabelled(tmp_path)
    assert items.ids == ("1.png", "2.png", "10.png")
    assert items.images.shape == (3, 32, 32)
    assert items.normalised
    assert items.cues is not None
    assert load_unlabelled(tmp_path, frame=MNIST_FRAME).images.shape == (3, 28, 28)
    assert load_unlabelled(tmp_path / "2.png").ids == ("2.png",)


def test_class_folders_are_read_without_their_labels(tmp_path: Path, draw: Draw) -> None:
    for label in "07":
        (tmp_path / label).mkdir()
        draw(label).save(tmp_path / label / "a.png")
    items = load_unlabelled(tmp_path)
    assert items.ids == ("0/a.png", "7/a.png")
    assert items.labels_left_out


def test_a_broken_picture_is_named_or_skipped(tmp_path: Path, draw: Draw) -> None:
    draw("7").save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no picture")
    with pytest.raises(DataError, match=r"2\.png"):
        load_unlabelled(tmp_path)
    items = load_unlabelled(tmp_path, skip_broken=True)
    assert items.ids == ("1.png",)
    assert [Path(name).name for name in items.skipped] == ["2.png"]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((HEAD, ROWS[0], "1,2,3"), "line 3: 3 columns, expected 9"),
        ((HEAD, ROWS[0].replace("255", "256")), "line 2: pixel 256 is no whole number in 0..255"),
        ((HEAD, ROWS[0].replace("255", "-1")), "line 2: pixel -1"),
        ((HEAD, ROWS[0].replace("255", "ink")), "line 2: 'ink' is no pixel"),
        ((HEAD,), "a header but no rows"),
        ((HEAD + ",pixel9,pixel10", ROWS[0] + ",0,0"), "its first line has 11 columns"),
        (("hello",), "its first line begins with 'hello'"),
    ],
)
def test_a_bad_table_is_named_with_its_line(tmp_path: Path, lines: tuple[str, ...], reason: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as caught:
        load_unlabelled(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["missing.csv", "empty.csv", "empty.npz", "hollow"])
def test_what_holds_nothing_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.csv").touch()
    np.savez(tmp_path / "empty.npz", images=np.zeros((0, 3, 3), np.uint8))
    (tmp_path / "hollow").mkdir()
    with pytest.raises(DataError, match=name):
        load_unlabelled(tmp_path / name)


def test_an_archive_is_named_where_its_table_is_bad(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr("test.csv", f"{HEAD}\n1,2\n")
    with pytest.raises(DataError, match=r"set\.zip/test\.csv, line 2"):
        load_unlabelled(tmp_path / "set.zip", split="test")
