"""Bad data through the command line: exit code 2, one sentence with the file and the row, nothing on stdout."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handread.data import archive

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]

HEADER = "label," + ",".join(f"pixel{i}" for i in range(16))


def row(label: object = 7, *, first: object = 0, count: int = 16) -> str:
    return ",".join(map(str, [label, first, *[9] * (count - 1)]))


def csv_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows]).encode() + b"\n"


CSV = [
    (csv_of(row(), row(count=15)), "line 3: 16 columns, expected 17 as in the first line"),
    (csv_of(row(), row(count=17)), "line 3: 18 columns, expected 17"),
    (csv_of(row(), "", row(count=15)), "line 4: 16 columns, expected 17"),
    (csv_of(row(first="ink")), "line 2: 'ink' is no pixel; expected a number 0..255"),
    (csv_of(row(first="")), "line 2: '' is no pixel"),
    (csv_of(row(first=256)), "line 2: pixel 256 is no whole number in 0..255"),
    (csv_of(row(first=-1)), "line 2: pixel -1 is no whole number in 0..255"),
    (csv_of(row(first="nan")), "line 2: pixel nan is no whole number in 0..255"),
    (csv_of(row(first="0.5")), "line 2: pixel 0.5 is no whole number in 0..255"),
    (csv_of(row(), row(62)), "line 3: label 62 is no class number 0..61"),
    (csv_of(row(), "", row("9" * 30)), "line 4: label 99999999999999999999 is no class number"),
    (csv_of(row(), row("seven")), "line 3: label 'seven' is neither a class number nor one character"),
    (csv_of(row(), "", row("")), "line 4: label '' is neither a class number nor one character"),
    (csv_of(row(), row(-1)), "line 3: label '-1' is neither a class number nor one character"),
    (csv_of(header=HEADER.removeprefix("label,")), "has pixels but no label column"),
    (csv_of(), "has a header but no rows"),
    (b"", "is empty"),
    (csv_of(row(), "7,\xff").replace("\xff".encode(), b"\xff"), "line 3: it is not text"),
]


def refusal(handread: Handread, model: Path, data: object, *more: str) -> str:
    """The one sentence on stderr."""
    outcome = handread("evaluate", model, "--data", data, *more)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("handread: ")
    assert outcome.err.count("\n") == 1
    return str(outcome.err)


@pytest.mark.parametrize(("content", "phrase"), CSV, ids=[phrase for _, phrase in CSV])
def test_a_csv_of_pixels(handread: Handread, tiny_model: Path, tmp_path: Path, content: bytes, phrase: str) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(content)
    message = refusal(handread, tiny_model, path)
    assert str(path) in message
    assert phrase in message
    assert path.read_bytes() == content


def digits(folder: Path, draw: Draw, *, sizes: tuple[float, ...] = (1.0,)) -> Path:
    """Class folders 0, 1 and 7 with a picture of each size."""
    for label in "017":
        (folder / label).mkdir(parents=True)
        for place, size in enumerate(sizes):
            picture = draw(label)
            picture.resize((int(96 * size), int(128 * size))).save(folder / label / f"{place}.png")
    return folder


def test_an_empty_class_folder(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = digits(tmp_path / "set", draw)
    (folder / "4").mkdir()
    assert f"{folder / '4'} holds no picture; add some or remove the folder" in refusal(handread, tiny_model, folder)


def test_a_folder_that_names_no_class(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = digits(tmp_path / "set", draw)
    (folder / "0").rename(folder / "nought")
    assert f"{folder / 'nought'} names no class" in refusal(handread, tiny_model, folder)


def test_one_broken_picture_among_many(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = digits(tmp_path / "set", draw, sizes=(1.0, 1.5))
    broken = folder / "1" / "9.png"
    broken.write_bytes((folder / "1" / "0.png").read_bytes()[:80])
    message = refusal(handread, tiny_model, folder)
    assert str(broken) in message
    assert "--skip-broken" in message
    outcome = handread("evaluate", tiny_model, "--data", folder, "--skip-broken")
    assert outcome.code == 0
    assert f"left out 1 of 7 items that cannot be read: {broken}" in outcome.err
    assert ": 6 characters" in outcome.out


def test_many_broken_pictures_are_counted(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = digits(tmp_path / "set", draw)
    for place in range(10, 30):
        (folder / "1" / f"{place}.png").write_bytes(b"no picture")
    outcome = handread("evaluate", tiny_model, "--data", folder, "--skip-broken")
    assert outcome.code == 0
    assert "left out 20 of 23 items that cannot be read: " in outcome.err
    assert str(folder / "1" / "10.png") in outcome.err
    assert outcome.err.endswith("and 15 more\n")
    assert str(folder / "1" / "15.png") not in outcome.err


def test_pictures_of_mixed_sizes_are_fine(handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw) -> None:
    folder = digits(tmp_path / "set", draw, sizes=(1.0, 2.0, 3.5))
    outcome = handread("evaluate", tiny_model, "--data", folder)
    assert outcome.code == 0, outcome.err
    assert ": 9 characters" in outcome.out
    assert "accuracy          100.00 %" in outcome.out


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ("3.png,7", "line 3: there is no picture"),
        ("0/0.png,", "line 3: label '' is not one character"),
        ("0/0.png,77", "line 3: label '77' is not one character"),
        ("0/0.png", "line 3: 1 columns, expected 2"),
    ],
)
def test_a_list_of_pictures(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw, line: str, phrase: str
) -> None:
    folder = digits(tmp_path / "set", draw)
    (folder / "labels.csv").write_text(f"image,label\n0/0.png,0\n{line}\n")
    assert f"{folder / 'labels.csv'}, {phrase}" in refusal(handread, tiny_model, folder / "labels.csv")


def test_arrays_of_mixed_sizes(handread: Handread, tiny_model: Path, tmp_path: Path) -> None:
    pair = np.empty(2, dtype=object)
    pair[:] = [np.zeros((3, 3)), np.zeros((4, 4))]
    np.savez(tmp_path / "set.npz", images=pair, labels=np.array([1, 2]))
    assert "holds Python objects, which are never loaded" in refusal(handread, tiny_model, tmp_path / "set.npz")


def tar_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 10) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size if kind == tarfile.REGTYPE else 0, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("bad", "phrase"),
    [
        (member("../7/0.png"), "points outside the archive; nothing was kept"),
        (member("/7/0.png"), "points outside the archive; nothing was kept"),
        (member("7/0.png", tarfile.SYMTYPE), "is a link or device; nothing was kept"),
        (member("7/0.png", tarfile.LNKTYPE), "is a link or device; nothing was kept"),
        (member("7/0.png", size=2 << 20), "unfolds"),
    ],
    ids=["climbs", "absolute", "symbolic link", "hard link", "bomb"],
)
def test_an_archive_from_a_stranger(
    handread: Handread,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bad: tarfile.TarInfo,
    phrase: str,
) -> None:
    monkeypatch.setattr(archive, "FREE_TOTAL", 1 << 20)
    path = tar_of(tmp_path / "set.tgz", bad)
    message = refusal(handread, tiny_model, path)
    assert str(path) in message
    assert phrase in message
    assert [p.name for p in tmp_path.iterdir()] == ["set.tgz"]


def test_archives_inside_archives_end(handread: Handread, tiny_model: Path, tmp_path: Path) -> None:
    content = csv_of(row())
    for _ in range(5):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("inner", content)
        content = buffer.getvalue()
    (tmp_path / "set.zip").write_bytes(content)
    assert "lies in 3 archives one inside the other" in refusal(handread, tiny_model, tmp_path / "set.zip")


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "tgz", "tbz"])
def test_class_folders_wrapped_in_others(
    handread: Handread, tiny_model: Path, tmp_path: Path, draw: Draw, form: str
) -> None:
    wrapped = tmp_path / "set" / "English" / "Hnd" / "one" / "two" / "three" / "Img"
    folder = digits(wrapped, draw)
    for label, sample in (("0", "Sample001"), ("1", "Sample002"), ("7", "Sample008")):
        (folder / label).rename(folder / sample)
    (folder.parent / "Trj").mkdir()
    (folder.parent / "Trj" / "Sample001").mkdir()  # strokes, as Chars74K has them, are no pictures
    (folder.parent / "Trj" / "Sample001" / "img001-001.m").write_text("0 0")
    path = tmp_path / "set"
    if form == "zip":
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as file:
            for inner in (tmp_path / "set").rglob("*"):
                file.write(inner, inner.relative_to(tmp_path))
    elif form != "folder":
        path = tmp_path / f"set.{form}"
        mode = {"tar": "w", "tgz": "w:gz", "tbz": "w:bz2"}[form]
        with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
            file.add(tmp_path / "set", "set")
    outcome = handread("evaluate", tiny_model, "--data", path)
    assert outcome.code == 0, outcome.err
    assert ": 3 characters" in outcome.out
