"""Archives from strangers: what is unpacked, what is refused, and that nothing stays."""

from __future__ import annotations

import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from handread.data import archive
from handread.errors import DataError

Maker = Callable[[Path, str, bytes], None]


def make_zip(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(name, content)


def make_tar(path: Path, name: str, content: bytes) -> None:
    with tarfile.open(path, "w:gz") as target:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        target.addfile(member, io.BytesIO(content))


both = pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar"])


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files; empty when nothing was left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught, archive.unpacked(path):
        pass
    return str(caught.value)


@both
def test_unpacked_and_gone_afterwards(tmp_path: Path, room: Path, make: Maker) -> None:
    make(tmp_path / "a", "deep/er/file.txt", b"content")
    with archive.unpacked(tmp_path / "a") as folder:
        assert folder.is_relative_to(room)
        assert (folder / "deep" / "er" / "file.txt").read_bytes() == b"content"
    assert list(room.iterdir()) == []


@both
@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/out.txt", "..\\out.txt", "C:/out.txt"])
def test_names_that_leave_the_folder(tmp_path: Path, room: Path, make: Maker, name: str) -> None:
    make(tmp_path / "a", name, b"content")
    assert "points outside the archive" in refused(tmp_path / "a")
    assert list(room.iterdir()) == []
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices(tmp_path: Path, room: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as target:
        member = tarfile.TarInfo("link")
        member.type, member.linkname = kind, "/etc/hostname"
        target.addfile(member)
    assert "link or device" in refused(tmp_path / "a.tar")
    assert list(room.iterdir()) == []


def test_zip_links(tmp_path: Path) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        target.writestr(member, "/etc/hostname")
    assert "link or device" in refused(tmp_path / "a.zip")


@both
def test_too_much_content(tmp_path: Path, room: Path, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a", "big", bytes(20_000))
    monkeypatch.setattr(archive, "MAX_TOTAL", 10_000)
    assert "10000 bytes" in refused(tmp_path / "a")
    assert list(room.iterdir()) == []


@both
def test_ratio_of_a_bomb(tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a", "big", bytes(500_000))
    monkeypatch.setattr(archive, "FREE_TOTAL", 100_000)
    assert "200 times the archive" in refused(tmp_path / "a")


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        for number in range(3):
            target.writestr(str(number), "x")
    assert "more than 2 files" in refused(tmp_path / "a.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as target:
        target.writestr("x", "1")
        target.writestr("x", "2")
    assert "stands in it twice" in refused(tmp_path / "a.zip")


@both
def test_damage(tmp_path: Path, room: Path, make: Maker) -> None:
    import random

    make(tmp_path / "a", "file", random.Random(0).randbytes(4000))
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    assert "get the archive again" in refused(tmp_path / "a")
    assert list(room.iterdir()) == []


def test_tar_header_that_asks_for_all_memory(tmp_path: Path) -> None:
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, 1 << 32
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert "get the archive again" in refused(tmp_path / "a.tar")


@both
def test_litter_of_other_systems_is_left_out(tmp_path: Path, make: Maker) -> None:
    make(tmp_path / "a", "__MACOSX/._file", b"x")
    with archive.unpacked(tmp_path / "a") as folder:
        assert list(folder.rglob("*")) == []
