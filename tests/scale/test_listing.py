from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from handread.errors import DataError
from handread.scale.entry import Rows
from handread.scale.listing import MARK, entries


def test_a_folder_gives_its_pictures_at_any_depth_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "b/1.jpg", "b/01.jpg", "a.txt", ".hidden.png", ".git/3.png", "9/x.TIFF"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [str(tmp_path / name) for name in ("2.png", "9/x.TIFF", "10.png", "b/01.jpg", "b/1.jpg")]
    assert list(entries([str(tmp_path)])) == names


def test_a_folder_of_readings_is_no_input(tmp_path: Path) -> None:
    for name in ("1.png", f"read/{MARK}", "read/part-00000.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(entries([str(tmp_path)])) == [str(tmp_path / "1.png")]


def test_inputs_follow_each_other_as_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.png").touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.png").touch()
    named = [str(tmp_path / "b.png"), str(tmp_path / "a")]
    assert list(entries(named)) == [named[0], str(tmp_path / "a" / "c.png")]
    assert list(entries(named[::-1])) == [str(tmp_path / "a" / "c.png"), named[0]]


def test_a_list_is_seen_from_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a/1.png\n\n  s3://bucket/2.png \r\n/photos/3.png\n", encoding="utf-8-sig")
    found = list(entries([str(tmp_path / "list.txt")]))
    assert found == [str(tmp_path / "a/1.png"), "s3://bucket/2.png", "/photos/3.png"]


def test_a_csv_gives_one_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('number,image,scan\n1,"a, b.png",x.png\n\n2,c.png,\n')
    assert list(entries([str(path)])) == [str(tmp_path / "a, b.png"), str(tmp_path / "c.png")]
    assert list(entries([str(path)], "scan")) == [str(tmp_path / "x.png")]


def test_a_parquet_file_is_a_run_of_rows(tmp_path: Path, as_parquet: Callable[..., Path]) -> None:
    file = as_parquet(tmp_path / "a.parquet", [b"x"] * 5)
    as_parquet(tmp_path / "b.parquet", [])
    assert list(entries([str(tmp_path)])) == [Rows(str(file), "image", 0, 5, file.stat().st_size)]


@pytest.mark.parametrize(
    "cells",
    [[b"x"], ["1.png"], [{"bytes": b"x", "path": None}], [{"path": "1.png"}]],
    ids=["bytes", "text", "hf", "path"],
)
def test_columns_that_can_hold_pictures(tmp_path: Path, as_parquet: Callable[..., Path], cells: list[object]) -> None:
    assert len(list(entries([str(as_parquet(tmp_path / "a.parquet", cells))]))) == 1


@pytest.mark.parametrize(
    ("name", "content", "column", "said"),
    [
        ("none", None, "image", "none does not exist; check the name"),
        ("list.csv", b"a,b\n", "image", "no column 'image' in its first line, but 'a', 'b'; name one with --column"),
        ("list.csv", b"", "image", "no column 'image' in its first line, but none"),
        ("list.csv", b"image,b\n1\n", "image", "line 2: 1 columns, the first line has 2"),
        ("list.csv", b'image\n"x', "image", "no readable list"),
        ("list.txt", b"\xff\xfe\n", "image", "no readable list"),
        ("a.parquet", b"PAR1", "image", "no whole Parquet file"),
        ("a.parquet", b"", "image", "no whole Parquet file"),
    ],
)
def test_what_is_no_input_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, column: str, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as told:
        list(entries([str(tmp_path / name)], column))
    assert str(tmp_path / name) in str(told.value)


@pytest.mark.parametrize(("column", "said"), [("picture", "but 'label', 'image'; name one"), ("label", "holds int64;")])
def test_a_wrong_column_of_a_parquet_file(
    tmp_path: Path, as_parquet: Callable[..., Path], column: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        list(entries([str(as_parquet(tmp_path / "a.parquet", [b"x"]))], column))


def test_urls_are_walked_like_folders(as_parquet: Callable[..., Path], tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    file = as_parquet(tmp_path / "x.parquet", [b"x"])
    for name, content in (
        ("2.png", b"x"), ("10.png", b"x"), ("deep/a.png", b"x"), ("deep/x.parquet", file.read_bytes()),
        ("list.txt", b"2.png\nhttps://host/3.png"),
    ):  # fmt: skip
        store.pipe_file(f"/listing/{name}", content)
    root = "memory://listing"
    found = list(entries([f"{root}/", f"{root}/list.txt"]))
    rows = Rows(f"{root}/deep/x.parquet", "image", 0, 1, file.stat().st_size)
    names = ["2.png", "10.png", "deep/a.png"]
    assert found == [*(f"{root}/{name}" for name in names), rows, f"{root}/2.png", "https://host/3.png"]


@pytest.mark.parametrize(
    ("address", "said"),
    [("nowhere://x/1.png", "Protocol not known: nowhere.*check what stands before ://"),
     ("memory://none/there", "memory://none/there does not exist")],
)  # fmt: skip
def test_a_url_that_leads_nowhere(address: str, said: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(DataError, match=said):
        list(entries([address]))
