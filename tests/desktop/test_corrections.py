"""Corrections on disk."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from handread.data.load import load_data
from handread.desktop.corrections import Corrections, Origin
from handread.errors import DataError
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import GrayImage

DIGEST = "0123456789ab"


def stroke(column: int = 20) -> GrayImage:
    page = np.full((40, 40), 240, np.uint8)
    page[6:34, column - 2 : column + 2] = 20
    return page


def origin(x: int = 0, *, digest: str = DIGEST, name: str = "my page.jpg") -> Origin:
    return Origin(name, digest, Box(x, 5, 20, 30))


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_what_is_saved_is_data_with_the_right_labels(tmp_path: Path) -> None:
    saved = Corrections(tmp_path / "new" / "folder")
    for x, label in enumerate('aA"7,='):
        saved.save(origin(100 * x), label, stroke(12 + x))
    data = load_data(tmp_path / "new" / "folder")
    assert data.characters() == list('aA"7,=')
    assert len(saved) == 6
    # no two names differ by case alone
    assert len({name.lower() for name in files(saved.folder)}) == 7


def test_saying_it_again_replaces_it(tmp_path: Path) -> None:
    saved = Corrections(tmp_path)
    saved.save(origin(0), "a", stroke())
    saved.save(origin(100), "b", stroke())
    saved.save(origin(0), "a", stroke())
    saved.save(origin(2), "c", stroke())  # the same character, its box found a little differently
    assert (tmp_path / "labels.csv").read_text() == (
        f"image,label\nimages/my-page-{DIGEST}-100-5-20-30.png,b\nimages/my-page-{DIGEST}-2-5-20-30.png,c\n"
    )
    assert len(files(tmp_path)) == 3
    assert (saved.label(origin(0)), saved.label(origin(100)), saved.label(origin(50))) == ("c", "b", None)
    assert saved.label(origin(0, digest="f" * 12)) is None


def test_another_window_and_another_day_know_what_was_said(tmp_path: Path) -> None:
    one, other = Corrections(tmp_path), Corrections(tmp_path)
    one.save(origin(0), "a", stroke())
    other.save(origin(100), "b", stroke())
    assert Corrections(tmp_path).label(origin(0)) == "a"
    assert len(other) == 2


def test_two_windows_at_once_lose_nothing(tmp_path: Path) -> None:
    def say(window: int) -> None:
        saved = Corrections(tmp_path)
        for number in range(8):
            saved.save(origin(100 * (8 * window + number)), "a", stroke())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(say, range(2)))
    assert len(Corrections(tmp_path)) == 16


def test_what_was_said_can_be_taken_back(tmp_path: Path) -> None:
    saved = Corrections(tmp_path)
    saved.save(origin(0), "a", stroke())
    saved.save(origin(100), "b", stroke())
    saved.relabel(origin(100), "B")
    assert saved.remove(origin(0))
    assert not saved.remove(origin(0))
    assert (saved.label(origin(0)), saved.label(origin(100)), len(saved)) == (None, "B", 1)
    assert files(tmp_path) == [f"images/my-page-{DIGEST}-100-5-20-30.png", "labels.csv"]


def test_a_list_of_ones_own_is_continued(tmp_path: Path) -> None:
    Image.fromarray(stroke()).save(tmp_path / "mine.png")
    (tmp_path / "labels.csv").write_text("image,label\nmine.png,1\n")
    Corrections(tmp_path).save(origin(), "l", stroke())
    assert load_data(tmp_path).characters() == ["1", "l"]


@pytest.mark.parametrize("label", ["", "ab", " ", "\n", "\x07"])
def test_a_label_is_one_visible_character(tmp_path: Path, label: str) -> None:
    with pytest.raises(DataError, match="is not one visible character"):
        Corrections(tmp_path / "folder").save(origin(), label, stroke())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda f: (f / "A").mkdir(), "holds A and no labels.csv"),
        (lambda f: (f / "labels.csv").write_text("name,label\nx.png,a\n"), "columns image,label"),
        (lambda f: (f / "labels.csv").write_text("image,label\nx.png\n"), "columns image,label"),
        (lambda f: (f / "labels.csv").write_text(""), "columns image,label"),
        (lambda f: (f / "labels.csv").write_bytes(b"image,label\n\xff\xfe,a\n"), "cannot be read"),
    ],
    ids=["class folders", "other columns", "short row", "empty", "not text"],
)
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, make: object, sentence: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    with pytest.raises(DataError, match=sentence):
        Corrections(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "corrections").write_text("mine")
    with pytest.raises(DataError, match="is a file, not a folder"):
        Corrections(tmp_path / "corrections")


def test_a_full_disk_leaves_the_list_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Corrections(tmp_path)
    saved.save(origin(0), "a", stroke())
    before = (tmp_path / "labels.csv").read_bytes()
    real = os.replace

    def full(source: str, target: Path) -> None:
        if target.name == "labels.csv":
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="No space left"):
        saved.save(origin(100), "b", stroke())
    assert (tmp_path / "labels.csv").read_bytes() == before
    assert (saved.label(origin(0)), saved.label(origin(100)), len(saved)) == ("a", None, 1)
