"""Kaggle's CSV, fast and careful."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handread.data import pixels
from handread.data.pixels import read_unlabelled_csv
from handread.data.readers import read_path
from handread.errors import DataError

HEAD = "label," + ",".join(f"pixel{i}" for i in range(9))
ROW = "0,0,0,0,255,7,0,10,0"


def table(tmp_path: Path, *lines: str, name: str = "set.csv", end: str = "\n") -> Path:
    path = tmp_path / name
    path.write_bytes((end.join(lines) + end).encode())
    return path


def test_values_and_order(tmp_path: Path) -> None:
    data = read_path(table(tmp_path, HEAD, f"7,{ROW}", f"3,{ROW}"))
    assert data.labels.tolist() == [7, 3]
    assert data.images[0].tolist() == [[0, 0, 0], [0, 255, 7], [0, 10, 0]]


@pytest.mark.parametrize(
    "lines",
    [
        (HEAD, f"7,{ROW}", "", f"3,{ROW}"),
        (HEAD, f"7,{ROW}", f'"3", {ROW}'),
        (HEAD, f"7,{ROW}", f"3,{ROW.replace('255', '255.0')}"),
        (f"7,{ROW}", f"3,{ROW}"),
        ("\ufeff" + HEAD, f"7,{ROW}", f"3,{ROW}"),
        (HEAD.replace("label,", "") + ",class", f"{ROW},7", f"{ROW},3"),
        (HEAD, f"07,{ROW}", f"03,{ROW.replace('255', '255')}"),
    ],
    ids=["blank line", "quotes and spaces", "floats", "no header", "byte order mark", "label last", "zeros"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_ways_to_write_the_same(tmp_path: Path, lines: tuple[str, ...], end: str) -> None:
    data = read_path(table(tmp_path, *lines, end=end))
    assert data.labels.tolist() == [7, 3]
    assert data.images[1].ravel().tolist() == [int(v) for v in ROW.split(",")]


def test_last_line_without_newline(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text(f"{HEAD}\n7,{ROW}\n3,{ROW}")
    assert read_path(path).labels.tolist() == [7, 3]


def test_characters_as_labels(tmp_path: Path) -> None:
    data = read_path(table(tmp_path, HEAD, f"A,{ROW}", f"7,{ROW}", f"z,{ROW}"))
    assert data.alphabet.name == "alphanumeric"
    assert data.characters() == ["A", "7", "z"]


@pytest.mark.parametrize(
    ("row", "phrase"),
    [
        (f"7,{ROW},0", "11 columns, expected 10"),
        ("7,0,0", "3 columns, expected 10"),
        (f"7,{ROW.replace('255', '256')}", "pixel 256 is no whole number in 0..255"),
        (f"7,{ROW.replace('255', '-1')}", "pixel -1 is no whole number"),
        (f"7,{ROW.replace('255', '1.5')}", "pixel 1.5 is no whole number"),
        (f"7,{ROW.replace('255', 'nan')}", "pixel nan is no whole number"),
        (f"7,{ROW.replace('255', 'x')}", "'x' is no pixel"),
        (f"7,{ROW.replace('255', '')}", "'' is no pixel"),
    ],
)
@pytest.mark.parametrize("before", [1, 40])
def test_bad_rows_are_named_by_line(
    tmp_path: Path, row: str, phrase: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "_BLOCK", 100)  # several blocks
    path = table(tmp_path, HEAD, *[f"1,{ROW}"] * before, row, f"2,{ROW}")
    with pytest.raises(DataError) as caught:
        read_path(path)
    assert f"{path}, line {before + 2}: " in str(caught.value)
    assert phrase in str(caught.value)


@pytest.mark.parametrize("label", ["AB", "-1", "", "1.5"])
def test_label_that_is_none(tmp_path: Path, label: str) -> None:
    with pytest.raises(DataError, match=r"line 3: label .* is neither a class number nor one character"):
        read_path(table(tmp_path, HEAD, f"1,{ROW}", f"{label},{ROW}"))


def test_header_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has a header but no rows"):
        read_path(table(tmp_path, HEAD))


def test_not_text(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(f"{HEAD}\n".encode() + b"7,\xff\xfe\n")
    with pytest.raises(DataError, match="line 2: it is not text"):
        read_path(path)


def test_unlabelled(tmp_path: Path) -> None:
    path = table(tmp_path, HEAD.removeprefix("label,"), ROW, ROW)
    assert read_unlabelled_csv(path).shape == (2, 3, 3)
    with pytest.raises(DataError, match="no label column"):
        read_path(path)


def test_unlabelled_leaves_out_a_label(tmp_path: Path) -> None:
    assert read_unlabelled_csv(table(tmp_path, HEAD, f"7,{ROW}"))[0].ravel().tolist()[4] == 255


@pytest.mark.parametrize("content", [None, b"", b"image,label\na.png,1\n", b"pixel0,pixel1\n1,2\n"])
def test_unlabelled_that_is_no_table_of_images(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "test.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError):
        read_unlabelled_csv(path)


def test_kaggle_folder(tmp_path: Path) -> None:
    table(tmp_path, HEAD, f"7,{ROW}", name="train.csv")
    table(tmp_path, HEAD.removeprefix("label,"), ROW, name="test.csv")
    table(tmp_path, "ImageId,Label", "1,0", name="sample_submission.csv")
    assert read_path(tmp_path).labels.tolist() == [7]


def test_random_tables_survive_block_borders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (50, 3, 3))
    images[:, 0] = images[:, 2] = images[:, :, 0] = images[:, :, 2] = 0  # dark borders: no inversion
    images[:, 1, 1] = random.integers(0, 256, 50)
    labels = random.integers(0, 62, 50)
    labels[0] = 61
    rows = [",".join(map(str, [label, *image.ravel()])) for label, image in zip(labels, images, strict=True)]
    monkeypatch.setattr(pixels, "_BLOCK", 37)
    data = read_path(table(tmp_path, HEAD, *rows))
    assert np.array_equal(data.images, images)
    assert np.array_equal(data.labels, labels)


def test_published_emnist_csv_is_turned_upright(tmp_path: Path) -> None:
    data = read_path(table(tmp_path, "1,0,0,0,9,255,0,0,0,0", name="emnist-letters-train.csv"))
    assert data.characters() == ["A"]
    assert data.images[0].tolist() == [[0, 9, 0], [0, 255, 0], [0, 0, 0]]
