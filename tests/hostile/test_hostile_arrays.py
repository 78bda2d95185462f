"""Arrays and tables that mean harm: NPZ, IDX, CSV, USPS and lists of pictures."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handread.data import npz
from handread.data.load import load_data
from handread.data.unlabelled import load_unlabelled
from handread.errors import DataError

Refused = Callable[..., str]
Make = Callable[[], bytes]

LABELS = np.arange(4) % 10
IMAGES = np.zeros((4, 4, 4), np.uint8)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def npy_with(header: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """An array whose header says what it likes."""
    text = header.encode("latin-1")
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\1\0" else "<L", len(text)) + text + content


def head(shape: str, kind: str = "|u1", order: str = "False") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}}}"


def npz_of(kind: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Make:
    """A set whose members are these; images and labels that are not among them are good ones."""

    def make() -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", kind) as target:
            for name, content in ({"images": npy(IMAGES), "labels": npy(LABELS)} | members).items():
                target.writestr(f"{name}.npy", content)
        return buffer.getvalue()

    return make


class Owned:
    """What a pickle does when it is loaded."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("owned",)


def pickled() -> bytes:
    return npy(np.array([Owned()], dtype=object))


def images_twice() -> bytes:
    content = npz_of(images2=npy(IMAGES))()
    return content.replace(b"images2.npy", b"images.npy\0")


def idx(*shape: int, content: bytes = b"", kind: int = 8, rank: int | None = None) -> bytes:
    return struct.pack(f">2xBB{len(shape)}I", kind, len(shape) if rank is None else rank, *shape) + content


ARRAYS: list[tuple[str, Make, str]] = [
    ("pickled images", npz_of(images=pickled()), "holds Python objects, which are never loaded"),
    ("pickled labels", npz_of(labels=pickled()), "holds Python objects, which are never loaded"),
    ("pickled characters", npz_of(characters=pickled()), "holds Python objects, which are never loaded"),
    ("objects inside a record", npz_of(images=npy_with("{'descr': [('a', '|O')], 'fortran_order': False, "
                                                       "'shape': (4,)}", b"x")), "Python objects"),
    ("a bare pickle", npz_of(images=pickle.dumps(Owned())), "is no numpy array"),
    ("code as a header", npz_of(images=npy_with("__import__('os').mkdir('owned')")), "is no numpy array"),
    ("a deep header", npz_of(images=npy_with("(" * 4000)), "is no numpy array"),
    ("a long header", npz_of(images=npy_with(head("(4,4,4)") + " " * 20_000)), "is no numpy array"),
    ("a header that lies about its shape", npz_of(images=npy_with(head("(9,9,9)"), b"x")), "promises"),
    ("a shape without end", npz_of(images=npy_with(head(f"({2**40},{2**40},{2**40})"), b"x")), "promises"),
    ("a shape beyond all numbers", npz_of(images=npy_with(head(f"({10**400},4,4)"), b"x")), "promises|no numpy array"),
    ("a negative shape", npz_of(images=npy_with(head("(-4,-4,4)"), bytes(64))), "promises"),
    ("a shape that is no number", npz_of(images=npy_with(head("('a',4,4)"), b"x")), "no numpy array|damaged"),
    ("values of no bytes", npz_of(characters=npy_with(head("(1000000000,)", "<U0"))), "promises"),
    ("a type beyond all numbers", npz_of(images=npy_with(head("(1,1,1)", f"|V{2**31 - 1}"), b"x")),
     "promises|no numpy array"),
    ("a type that is none", npz_of(images=npy_with(head("(4,4,4)", "|quux"), bytes(64))), "no numpy array"),
    ("numbers that are no pixels", npz_of(images=npy(IMAGES.astype(np.float32) + np.nan)), "expected uint8"),
    ("images without pixels", npz_of(images=npy_with(head(f"({2**40},0,4)"))), "promises|have shape"),
    ("fewer labels", npz_of(labels=npy(LABELS[:3])), "3 labels for 4 images"),
    ("labels outside every alphabet", npz_of(labels=npy(LABELS + 2**60)), "label 1152921504606846979 is outside"),
    ("every character there is", npz_of(characters=npy(np.array("".join(map(chr, range(0x20000, 0x25000)))))),
     "20,480 characters is too large"),
    ("characters that move the cursor", npz_of(characters=npy(np.array("0\x1b23"))), r"'\\x1b' cannot be a class"),
    ("a version nobody knows", npz_of(images=npy_with(head("(4,4,4)"), bytes(64), b"\x09\0")), "no numpy array|format"),
    ("an array twice", images_twice, "holds the array 'images' twice|holds no data"),
    ("a bomb", npz_of(images=npy(np.zeros((30_000, 32, 32), np.uint8))), "promises 30720128 bytes out of"),
    ("encrypted", lambda: npz_of()().replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"), "encrypted"),
    ("a name of kilobytes inside", lambda: npz_of(zipfile.ZIP_STORED, images=npy(np.full((4, 40, 40), 1, np.uint8)))()
     .replace(b"\x0a\0\0\0images.npy", b"\0\x10\0\0images.npy", 1), "cannot be read .File name in directory"),
    ("cut off", lambda: npz_of(zipfile.ZIP_STORED)()[:-300], "get the archive again|holds no data"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), [a[1:] for a in ARRAYS], ids=[a[0] for a in ARRAYS])
def test_an_npz_that_means_harm(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, make: Make, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "set.npz"
    path.write_bytes(make())
    assert re.search(sentence, refused(DataError, load_data, path))
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "images",
    [
        b"no numpy at all",
        npy_with(head("(-4,-4,4)"), bytes(64)),
        npy_with(head("(9,9,9)"), bytes(64)),
        npy_with(head("(4,4,4)", "|O"), bytes(64)),
        npy_with("__import__('os').mkdir('owned')", bytes(64)),
    ],
)
def test_what_would_stay_in_its_file_is_judged_alike(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, images: bytes
) -> None:
    monkeypatch.setattr(npz, "MAP_FROM", 0)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "set.npz"
    path.write_bytes(npz_of(zipfile.ZIP_STORED, images=images)())
    assert "images.npy" in refused(DataError, load_data, path)
    assert not (tmp_path / "owned").exists()


def test_columns_first_is_an_order_not_an_attack(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 90, (4, 5, 6), np.uint8)
    np.savez(tmp_path / "set.npz", images=np.asfortranarray(images), labels=LABELS)
    assert np.array_equal(load_data(tmp_path / "set.npz").images, images)


IDX: list[tuple[str, Make, Make, str]] = [
    ("2**31 images", lambda: idx(2**31, 28, 28), lambda: idx(4), "promises 2147483648 x 28 x 28 values in 16 bytes"),
    ("2**96 pixels", lambda: idx(*(2**32 - 1,) * 3), lambda: idx(4), "its header lies"),
    ("images without pixels", lambda: idx(2**32 - 1, 0, 28), lambda: idx(2**32 - 1), "its header lies|holds images of"),
    ("few images without pixels", lambda: idx(9, 0, 28), lambda: idx(9, content=bytes(9)), "holds images of 0 x 28"),
    ("images of a pixel", lambda: gzip.compress(idx(60_000_000, 1, 1)), lambda: idx(4), "its header lies"),
    ("a bomb", lambda: gzip.compress(idx(30_000, 32, 32, content=bytes(30_000 * 1024))), lambda: idx(4), "header lies"),
    ("2**31 labels", lambda: idx(4, 4, 4, content=bytes(64)), lambda: idx(2**31), "promises 2147483648 values"),
    ("more labels", lambda: idx(4, 4, 4, content=bytes(64)), lambda: idx(5, content=bytes(5)), "4 images but .* 5 lab"),
    ("another rank inside", lambda: idx(4, 4, 4, content=bytes(64)), lambda: idx(2, 2, content=bytes(4)), "rank 1"),
    ("fewer values", lambda: idx(4, 4, 4, content=bytes(63)), lambda: idx(4, content=bytes(4)), "holds fewer"),
    ("more values", lambda: idx(4, 4, 4, content=bytes(65)), lambda: idx(4, content=bytes(4)), "holds more"),
    ("a gz cut off", lambda: gzip.compress(idx(4, 4, 4, content=bytes(range(64))))[:-20],
     lambda: idx(4, content=bytes(4)), "cannot be read"),
    ("rubbish behind a gz", lambda: gzip.compress(idx(4, 4, 4, content=bytes(64))) + b"x" * 99,
     lambda: idx(4, content=bytes(4)), "cannot be read"),
    ("a table without columns", lambda: idx(4, 4, 4, content=bytes(64)), lambda: idx(2**32 - 1, 0, kind=12),
     "its header lies|table of 0 columns"),
]  # fmt: skip


@pytest.mark.parametrize(("images", "labels", "sentence"), [a[1:] for a in IDX], ids=[a[0] for a in IDX])
def test_an_idx_that_means_harm(tmp_path: Path, refused: Refused, images: Make, labels: Make, sentence: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train-images-idx3-ubyte").write_bytes(images())
    (tmp_path / "set" / "train-labels-idx1-ubyte").write_bytes(labels())
    assert re.search(sentence, refused(DataError, load_data, tmp_path / "set"))


def test_an_idx_of_images_alone_makes_no_numbers_for_images_without_pixels(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "images.idx").write_bytes(idx(2**26, 0, 0))
    assert "its header lies" in refused(DataError, load_unlabelled, tmp_path / "images.idx")


PIXELS = ",".join(f"pixel{i}" for i in range(16))
HEADER = f"label,{PIXELS}\n".encode()
ROW = b"7," + b"0," * 15 + b"9\n"


def cell(text: bytes, label: bytes = b"7") -> bytes:
    return HEADER + ROW + label + b"," + text + b",0" * 15 + b"\n"


TABLES: list[tuple[str, Make, str]] = [
    ("ten million columns", lambda: b"1," * 10_000_000 + b"1\n", "no table of images|columns"),
    ("a million columns", lambda: b"1," * 1_000_000 + b"1\n" + ROW, "has 1,000,001 columns, at most 262,145"),
    ("a line without end", lambda: HEADER + ROW + b"1" * 10_000_000, "line 3: 1 columns, expected 17"),
    ("a header without end", lambda: b"label," + b"p" * 9_000_000, "no table of images"),
    ("a row without end", lambda: HEADER + ROW + b"1," * 1_000_000, "line 3: .* columns, expected 17"),
    ("NUL", lambda: cell(b"\0"), "'\\\\x00' is no pixel"),
    ("a file of NUL", lambda: bytes(1_000_000), "holds no data|no table"),
    ("NUL in the header", lambda: HEADER.replace(b"pixel3", b"pix\0el") + ROW, "no table of images"),
    ("UTF-16", lambda: (HEADER + ROW).decode().encode("utf-16"), "cannot be read as text"),
    ("Latin-1", lambda: HEADER + ROW + b"\xe4" + ROW[1:], "line 3: it is not text"),
    ("a quote that is never closed", lambda: cell(b'"' + b"1" * 3_000_000), "is no pixel|whole number"),
    ("1e400", lambda: cell(b"1e400"), "pixel 1e400 is no whole number"),
    ("nan", lambda: cell(b"nan"), "pixel nan is no whole number"),
    ("-inf", lambda: cell(b"-inf"), "pixel -inf is no whole number"),
    ("a number of a million digits", lambda: cell(b"9" * 1_000_000), "is no whole number in 0..255"),
    ("a formula", lambda: cell(b"=cmd|'/C calc'!A0"), "is no pixel"),
    ("control characters", lambda: cell(b"\x1b[2J"), r"\\x1b"),
    ("a label of a million digits", lambda: cell(b"0", b"9" * 1_000_000), "is no class number"),
    ("a flood of labels", lambda: HEADER + b"".join(
        chr(0x20000 + n).encode() + ROW[1:] for n in range(10_001)), "10,001 characters is too large"),
    ("labels that cannot be seen", lambda: cell(b"0", "\u202e".encode()), r"u202e"),
    ("a list with a quote that is never closed", lambda: b'image,label\n"a,7\n' + b"b,7\n" * 100_000,
     "is no readable CSV"),
    ("a list with a line without end", lambda: b"image,label\n" + b"a" * 3_000_000 + b",7\n", "is no readable CSV"),
    ("a list with NUL", lambda: b"image,label\na\0.png,7\n", "line 2: there is no picture"),
    ("a list of devices", lambda: b"image,label\n/dev/zero,7\n", "line 2: there is no picture '/dev/zero'"),
    ("a list of what is no picture", lambda: b"image,label\n/etc/passwd,7\n", "/etc/passwd|no picture"),
    ("USPS, values without end", lambda: bz2.compress(
        b"1 " + b"1:0.5 " * 16 + b"\n" + b"1 " + b"1:0.5 " * 20_000 + b"\n"), "line 2: it is longer than"),
    ("USPS, lines without end", lambda: bz2.compress(b"1 " + b"1:0.5 " * 16 + b"\n" + b"\n" * 500_000),
     "more than 20,000 lines"),
    ("USPS, an index without end", lambda: b"1 " + b"1:0.5 " * 16 + b"\n1 " + b"9" * 400 + b":0.5\n", "line 2"),
    ("USPS, numbers that are none", lambda: b"1 " + b"1:0.5 " * 16 + b"\n1 1:nan\n", "line 2: a value is outside"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "sentence"), [a[1:] for a in TABLES], ids=[a[0] for a in TABLES])
def test_a_table_that_means_harm(tmp_path: Path, refused: Refused, make: Make, sentence: str) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(make())
    assert re.search(sentence, refused(DataError, load_data, path))
