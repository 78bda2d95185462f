"""Class folders and lists of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.data.load import load_data
from handread.data.pictures import class_of_folder
from handread.errors import DataError


def picture(path: Path, *, size: tuple[int, int] = (40, 40)) -> Path:
    page = np.full(size, 255, np.uint8)
    page[size[0] // 4 : 3 * size[0] // 4, size[1] // 2 - 2 : size[1] // 2 + 2] = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).save(path)
    return path


@pytest.mark.parametrize(
    ("name", "character"),
    [
        ("A", "A"),
        ("a", "a"),
        ("7", "7"),
        ("Sample001", "0"),
        ("Sample010", "9"),
        ("Sample011", "A"),
        ("sample037", "a"),
        ("Sample062", "z"),
        ("A_upper", "A"),
        ("a_lower", "a"),
        ("upper_A", "A"),
        ("lower-q", "q"),
        ("a_upper", "A"),
        ("Sample000", None),
        ("Sample063", None),
        ("apple", None),
        ("10", None),
        ("_", None),
        (" ", None),
    ],
)
def test_names_of_class_folders(name: str, character: str | None) -> None:
    assert class_of_folder(name) == character


def test_pictures_of_all_sizes_in_natural_order(tmp_path: Path) -> None:
    for number, size in ((10, (40, 40)), (2, (90, 60)), (1, (300, 200))):
        picture(tmp_path / "b" / f"{number}.png", size=size)
    picture(tmp_path / "A" / "x.jpg")
    (tmp_path / "A" / "notes.txt").write_text("no picture")
    seen: list[tuple[int, int]] = []
    data = load_data(tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert [Path(f).name for f in data.files or ()] == ["x.jpg", "1.png", "2.png", "10.png"]
    assert data.characters() == ["A", "b", "b", "b"]
    assert data.images.shape == (4, 32, 32)
    assert data.normalised
    assert data.cues is not None
    assert data.cues[:, 0].tolist() == [1, 1, 1, 1]
    assert data.writers is None
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_chars74k_names_tell_the_writer(tmp_path: Path) -> None:
    for writer in (23, 4):
        picture(tmp_path / "Sample011" / f"img011-{writer:03d}.png")
    data = load_data(tmp_path)
    assert data.writers is not None
    assert data.writers.tolist() == [4, 23]


def test_numbers_from_zero_are_no_writers(tmp_path: Path) -> None:
    for number in (0, 1):
        picture(tmp_path / "Sample011" / f"img011-{number:03d}.png")
    assert load_data(tmp_path).writers is None


def test_splits_as_folders(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "Sample001" / "a.png")
    picture(tmp_path / "validation" / "Sample002" / "a.png")
    assert load_data(tmp_path, split="train").characters() == ["0"]
    assert load_data(tmp_path, split="validation").characters() == ["1"]
    assert load_data(tmp_path, split="all").characters() == ["0", "1"]
    with pytest.raises(DataError, match="no split 'test'; it has train, validation"):
        load_data(tmp_path, split="test")


def test_unknown_folder_name(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "x.png")
    picture(tmp_path / "apple" / "x.png")
    with pytest.raises(DataError, match=r"apple names no class; .* Sample001\.\.Sample062"):
        load_data(tmp_path)


def test_empty_class_folder(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "x.png")
    (tmp_path / "B").mkdir()
    with pytest.raises(DataError, match="B holds no picture"):
        load_data(tmp_path)


def test_broken_picture_is_named_or_skipped(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "1.png")
    broken = tmp_path / "A" / "2.png"
    broken.write_bytes((tmp_path / "A" / "1.png").read_bytes()[:60])
    with pytest.raises(DataError) as caught:
        load_data(tmp_path)
    assert str(broken) in str(caught.value)
    data = load_data(tmp_path, skip_broken=True)
    assert len(data) == 1
    assert data.skipped == (str(broken),)


def test_nothing_but_broken_pictures(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    (tmp_path / "A" / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of its 1 pictures can be read"):
        load_data(tmp_path, skip_broken=True)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "A" / "1.png")
    picture(tmp_path / "A" / "._1.png")
    picture(tmp_path / ".cache" / "1.png")
    assert len(load_data(tmp_path)) == 1


def test_list_keeps_its_order_and_quotes(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a, b.png")
    picture(tmp_path / "images" / "c.png")
    rows = 'label,image,remark\nx,"images/a, b.png",good\nB,images/c.png,"two\nlines"\n'
    (tmp_path / "labels.csv").write_text(rows)
    data = load_data(tmp_path)
    assert data.characters() == ["x", "B"]
    assert [Path(f).name for f in data.files or ()] == ["a, b.png", "c.png"]


@pytest.mark.parametrize(
    ("row", "phrase"),
    [
        ("a.png,42", "line 3: label '42' is not one character; read pictures of several"),
        ("a.png,", "line 3: label '' is not one character"),
        ("b.png,4", "line 3: there is no picture"),
        (",4", "line 3: there is no picture"),
        ("a.png", "line 3: 1 columns, expected 2"),
    ],
)
def test_list_rows_that_cannot_be_used(tmp_path: Path, row: str, phrase: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text(f"image,label\na.png,1\n{row}\n")
    with pytest.raises(DataError) as caught:
        load_data(tmp_path)
    assert f"{tmp_path / 'labels.csv'}, {phrase}" in str(caught.value)


def test_characters_beyond_alphanumeric(tmp_path: Path) -> None:
    for name in ("+", "é", "1"):
        picture(tmp_path / name / "1.png")
    data = load_data(tmp_path)
    assert "".join(data.alphabet) == "+1é"
    assert data.characters() == ["+", "1", "é"]
