"""Archives that mean harm: each is refused as a whole, soon, and leaves nothing anywhere."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import re
import stat
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from handread.data import archive
from handread.data.load import load_data
from handread.data.unlabelled import load_unlabelled
from handread.errors import DataError

Refused = Callable[..., str]
Make = Callable[[], bytes]
Draw = Callable[[str], Image.Image]

ENTRY = struct.Struct("<4s4B4HL2L5H2L")
"""One file in a zip's directory (PKWARE APPNOTE 4.3.12)."""


def zipped(*members: tuple[str, bytes], mode: int = 0, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as target, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members:
            member = zipfile.ZipInfo(name)
            member.compress_type, member.external_attr = kind, mode << 16
            target.writestr(member, content)
    return buffer.getvalue()


def directory(count: int, name: bytes = b"a") -> bytes:
    """A zip that is a directory and nothing else, all of whose files lie at its beginning."""
    entry = ENTRY.pack(b"PK\1\2", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    # the number of files that it claims is 1: only the entries themselves say how many there are
    return entry * count + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry) * count, 0, 0)


def tarred(*members: tuple[str, bytes, bytes], packed: bool = False, **fields: Any) -> bytes:
    """Name, content and type of each member; `fields` of all are set after their sizes are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if packed else "w") as target:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(content), kind, "/etc/passwd"
            for field, value in fields.items():
                setattr(member, field, value)
            target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def tar_of(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, **fields: Any) -> Make:
    return lambda: tarred((name, content, kind), **fields)


def zip_of(name: str, content: bytes = b"x", **options: Any) -> Make:
    return lambda: zipped((name, content), **options)


def tar_header_flood(kind: bytes, count: int) -> bytes:
    """Many members without content, which a gz of them is hundreds of times smaller than."""
    member = tarfile.TarInfo("d")
    member.type = kind
    return gzip.compress(member.tobuf() * count + bytes(1024), 9)


def litter_bomb() -> bytes:
    """What would be passed over still has to be unfolded to get past it."""
    squeeze = zlib.compressobj(1, wbits=31)
    member = tarfile.TarInfo("__MACOSX/zeros")
    member.size = 1 << 40
    parts = [squeeze.compress(member.tobuf())]
    parts += [squeeze.compress(bytes(1 << 20)) for _ in range(40)]
    return b"".join([*parts, squeeze.flush()])


def pax_chain() -> bytes:
    member = tarfile.TarInfo("x")
    member.type = tarfile.XHDTYPE
    record = b"12 path=aaa\n"
    member.size = len(record)
    return (member.tobuf() + record.ljust(512, b"\0")) * 3000 + bytes(1024)


def lying_tar_size() -> bytes:
    member = tarfile.TarInfo("images.npz")
    member.size = 1 << 60
    return member.tobuf() + bytes(1024)


def patched(content: bytes, at: bytes, offset: int, value: bytes) -> bytes:
    place = content.index(at) + offset
    return content[:place] + value + content[place + len(value) :]


def lying_size(size: int) -> bytes:
    """A member whose two headers both claim another size than it has."""
    whole = zipped(("a.csv", bytes(1000)))
    return patched(patched(whole, b"PK\1\2", 24, struct.pack("<L", size)), b"PK\3\4", 22, struct.pack("<L", size))


def overlapping(count: int) -> bytes:
    """Many names for one large member (Fifield 2019, A better zip bomb)."""
    member = zipfile.ZipInfo("a0")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(member, bytes(2_000_000), zipfile.ZIP_DEFLATED)
        first = target.infolist()[0]
        for number in range(1, count):
            target.filelist.append(_alias(first, f"a{number}"))
    return buffer.getvalue()


def _alias(first: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    for field in ("CRC", "compress_size", "file_size", "header_offset", "compress_type", "extract_version"):
        setattr(found, field, getattr(first, field))
    return found


def nested_zeros(depth: int, megabytes: int) -> bytes:
    content, name = bytes(megabytes << 20), "zeros"
    for level in range(depth):
        content, name = zipped((name, content)), f"{level}.zip"
    return content


def encrypted() -> bytes:
    whole = zipped(("a.png", b"x"))
    return patched(patched(whole, b"PK\1\2", 8, b"\1\0"), b"PK\3\4", 6, b"\1\0")


def lzma_dictionary() -> bytes:
    """An xz whose header asks for a dictionary of 4 GiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    whole = lzma.compress(tarred(("a.png", b"x", tarfile.REGTYPE)), format=lzma.FORMAT_XZ, filters=filters)
    # block header: size, flags, filter id 0x21, size of properties 1, dictionary size, padding, CRC-32
    head = bytearray(whole[12 : 12 + (whole[12] + 1) * 4])
    head[head.index(b"\x21\x01") + 2] = 40
    head[-4:] = struct.pack("<L", zlib.crc32(bytes(head[:-4])))
    return whole[:12] + bytes(head) + whole[12 + len(head) :]


LONG = "a" * 5000
DEEP = "/".join("a" * 33)

ATTACKS: list[tuple[str, Make, str]] = [
    # where members would go
    ("zip, climbing", zip_of("../../out.txt"), "points outside"),
    ("zip, climbing in the middle", zip_of("a/b/../../../out.txt"), "points outside"),
    ("zip, absolute", zip_of("/etc/out.txt"), "'/etc/out.txt' points outside"),
    ("zip, backslashes", zip_of("..\\..\\out.txt"), "points outside"),
    ("zip, a drive", zip_of("C:\\out.txt"), "points outside"),
    ("zip, a link", zip_of("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "link or device"),
    ("zip, a device", zip_of("device", mode=stat.S_IFCHR | 0o666), "link or device"),
    ("zip, a pipe", zip_of("pipe", mode=stat.S_IFIFO | 0o666), "link or device"),
    ("zip, climbing under a NUL", zip_of("a.png\0/../../../out.txt"), "holds no data|points outside"),
    ("tar, climbing", tar_of("../out.txt"), "points outside"),
    ("tar, absolute", tar_of("/tmp/out.txt"), "points outside"),
    ("tar, a symbolic link", tar_of("link", b"", tarfile.SYMTYPE), "link or device"),
    ("tar, a hard link", tar_of("link", b"", tarfile.LNKTYPE), "link or device"),
    ("tar, a character device", tar_of("device", b"", tarfile.CHRTYPE), "link or device"),
    ("tar, a block device", tar_of("device", b"", tarfile.BLKTYPE), "link or device"),
    ("tar, a pipe", tar_of("pipe", b"", tarfile.FIFOTYPE), "link or device"),
    ("tar, a sparse file", tar_of("sparse", b"", tarfile.GNUTYPE_SPARSE), "link or device|cannot be unpacked"),
    ("tar, a NUL in a name", tar_of("x", pax_headers={"path": "a\0b"}), "cannot be unpacked"),
    # names
    ("zip, a name twice", lambda: zipped(("a", b"1"), ("a", b"2")), "'a' stands in it twice"),
    ("tar, a name twice", lambda: tarred(("a", b"1", b"0"), ("a", b"2", b"0")), "'a' stands in it twice"),
    ("zip, a file that is a folder too", lambda: zipped(("a", b"1"), ("a/b", b"2")), "cannot be unpacked"),
    ("zip, a name too long", zip_of(LONG), "cannot be unpacked .*too long"),
    ("tar, a name too long", tar_of(LONG), "cannot be unpacked .*too long"),
    ("zip, folders too deep", zip_of(f"{DEEP}/x"), "lies 34 folders deep"),
    ("tar, folders too deep", tar_of("a/" * 2000 + "x"), "lies 2001 folders deep"),
    ("zip, control characters", zip_of("\x1b[2J\x1b]0;owned\a/../x"), r"\\x1b"),
    ("tar, a name that is no text", tar_of("\udcff\udcfe/../x"), r"\\udcff"),
    # how much
    ("tar.gz, zeros as litter", litter_bomb, "unfolds .* or more"),
    ("zip, zeros", zip_of("zeros", bytes(20 << 20)), "unfolds .* or more"),
    ("zip, one content under many names", lambda: overlapping(50), "unfolds .* or more"),
    ("zip, sizes without end", lambda: lying_size(0xFFFFFFFE), "unfolds .* or more"),
    ("zip in zip in zip", lambda: nested_zeros(3, 20), "unfolds .* or more"),
    ("tar, a size without end", lying_tar_size, "unfolds .* or more"),
    ("tar, headers of headers", pax_chain, "cannot be unpacked"),
    ("xz, a dictionary without end", lzma_dictionary, "cannot be unpacked|holds no data"),
    # damage
    ("zip, a size that is too small", lambda: lying_size(10), "cannot be unpacked"),
    ("zip, encrypted", encrypted, "'a.png' is encrypted"),
    ("zip, cut off", lambda: zipped(("a", random.Random(1).randbytes(999)))[:-200], "cannot be unpacked"),
    ("zip, a name that is no UTF-8", lambda: patched(zipped(("ä", b"")), b"PK\1\2", 46, b"\xff\xff"),
     "cannot be unpacked"),
    ("zip, another name inside", lambda: patched(zipped(("aaaa", b"1")), b"PK\3\4", 30, b"bbbb"), "cannot be unpacked"),
    ("zip, a method nobody knows", lambda: patched(zipped(("a", b"1")), b"PK\1\2", 10, b"\x63\0"),
     "cannot be unpacked"),
    ("zip, nothing in it", lambda: zipped(), "holds no data"),
    ("gz of nothing", lambda: gzip.compress(b""), "holds no data"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), [a[1:] for a in ATTACKS], ids=[a[0] for a in ATTACKS])
def test_an_archive_that_means_harm(tmp_path: Path, refused: Refused, make: Make, sentence: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "set.zip"
    path.write_bytes(make())
    said = refused(DataError, load_data, path)
    assert str(path) in said
    assert re.search(sentence, said)
    assert not list(tmp_path.rglob("out.txt"))


def test_members_without_content_unfold_too(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FREE_TOTAL", 1 << 20)
    (tmp_path / "set.tgz").write_bytes(tar_header_flood(tarfile.DIRTYPE, 3000))
    assert "unfolds" in refused(DataError, load_data, tmp_path / "set.tgz")


def test_folders_are_counted_like_files(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 40)
    (tmp_path / "set.zip").write_bytes(zipped(*((f"{n}/{'a/' * 20}x", b"") for n in range(3))))
    assert "more than 40 files and folders" in refused(DataError, load_data, tmp_path / "set.zip")


@pytest.mark.parametrize("member", ["../../test.csv", "zeros"])
def test_what_has_no_labels_is_unpacked_by_the_same_rules(tmp_path: Path, refused: Refused, member: str) -> None:
    path = tmp_path / "set.zip"
    path.write_bytes(zipped((member, bytes(20 << 20 if member == "zeros" else 20))))
    assert str(path) in refused(DataError, load_unlabelled, path)


def test_a_list_in_an_archive_names_nothing_outside_it(tmp_path: Path, refused: Refused, draw: Draw) -> None:
    draw("7").save(tmp_path / "private.png")
    for place in (tmp_path / "private.png", "../../private.png", "a/../../../private.png"):
        path = tmp_path / "set.zip"
        path.write_bytes(zipped(("set/labels.csv", f"image,label\n{place},7\n".encode())))
        assert re.search(r"labels.csv, line 2: '.*private.png' points outside", refused(DataError, load_data, path))


@pytest.mark.parametrize("joins", [False, True])
def test_names_that_differ_in_case_alone(
    tmp_path: Path, refused: Refused, draw: Draw, monkeypatch: pytest.MonkeyPatch, joins: bool
) -> None:
    buffer = io.BytesIO()
    draw("7").save(buffer, "PNG")
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(("a/1.png", buffer.getvalue()), ("A/2.png", buffer.getvalue())))
    if joins:  # a disk that takes a and A for one would make one class of two
        monkeypatch.setattr(archive, "_same", lambda first, second: True)
        assert "call them a_lower and A_upper" in refused(DataError, load_data, path)
    else:
        assert sorted(load_data(path).characters()) == ["A", "a"]


BOMBS = """
import sys, resource
from pathlib import Path
from handread.data.load import load_data
from handread.errors import DataError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        load_data(path)
    except DataError as error:
        print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_bombs_take_neither_memory_nor_disk(tmp_path: Path) -> None:
    bombs = {
        "1.zip": nested_zeros(2, 40),
        "2.zip": directory(archive.MAX_FILES + 1),
        "3.tgz": litter_bomb(),
        "4.gz": gzip.compress(struct.pack(">2xBB3I", 8, 3, 40_000, 32, 32) + bytes(40_000 * 1024), 1),
    }
    (tmp_path / "in").mkdir()
    for name, content in bombs.items():
        (tmp_path / "in" / name).write_bytes(content)
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BOMBS, str(tmp_path / "in")], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )  # fmt: skip
    *sentences, grown = done.stdout.splitlines()
    assert [name for name, said in zip(bombs, sentences, strict=True) if name in said] == list(bombs)
    assert sentences[1].endswith("holds more than 1000000 files; unpack it yourself")
    assert int(grown) < 200
    assert list((tmp_path / "temporary").iterdir()) == []
