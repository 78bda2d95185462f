"""IDX, the form of MNIST, EMNIST and their relatives: a file of images beside a file of labels, plain or gz.

Format: two zero bytes, a type byte (8: uint8), the rank, then big-endian 32-bit sizes, then the values
(LeCun, Cortes, Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from handread.data.arrays import alphabet_of_numbers, as_ink
from handread.data.bounds import MAX_ITEMS, believable
from handread.data.emnist import emnist_part
from handread.data.images import LabelledImages
from handread.data.reader import ReadOptions, canonical_split, choose_split, name_of_set
from handread.errors import DataError

_NAME = re.compile(
    r"(?:(?P<part>.+?)[-_.])?(?P<split>train|training|t10k|test|testing|validation|valid|val)"
    r"[-_.](?P<what>images|labels)(?:[-_.].*)?$",
    re.IGNORECASE,
)


_UINT8, _INT32 = 0x08, 0x0C
_KINDS: dict[int, np.dtype[Any]] = {_UINT8: np.dtype(np.uint8), _INT32: np.dtype(">i4")}
"""Type byte -> what it means; the format knows more, the sets have these."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What a file's name says: `emnist-letters`, `test`, `images`."""

    part: str
    split: str
    what: str
    path: Path


def recognise(path: Path) -> bool:
    """True for an IDX file of images, or a folder that holds at least one."""
    if path.is_dir():
        return any(_rank(named.path) == 3 for named in _named(path) if named.what == "images")
    return path.is_file() and _rank(path) == 3


def read(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read a folder's split, or the pair that an images file belongs to.

    Raises `DataError` when a header lies, a file is damaged, labels are missing or the counts differ.
    """
    pairs = _pairs_of_folder(path, options.part) if path.is_dir() else _pair_of_file(path)
    chosen = choose_split(path, [s for s in pairs if s], split)
    parts = [_read_pair(*pairs[s]) for s in (chosen or ("",))]
    parts = [replace(p, name=name_of_set(path, s)) for p, s in zip(parts, chosen or (None,), strict=True)]
    return LabelledImages.concatenate(parts)


def has_labels(path: Path) -> bool:
    """True for an IDX file of images that has its labels beside it."""
    try:
        _pair_of_file(path)
    except (DataError, OSError):
        return False
    return True


def read_images(path: Path) -> npt.NDArray[np.uint8]:
    """The images of one file, uint8 (N, H, W), upright, as stored; `DataError` as `read`, or where there are none."""
    images = _load(path, rank=3).astype(np.uint8, copy=False)
    if not len(images):
        raise DataError(f"{path} holds no images; get the file again")
    # As published, every image of EMNIST lies transposed (`handread.data.emnist`).
    return images if emnist_part(path) is None else np.ascontiguousarray(images.transpose(0, 2, 1))


def _read_pair(images_file: Path, labels_file: Path) -> LabelledImages:
    images = _load(images_file, rank=3).astype(np.uint8, copy=False)
    labels, writers = _labels(labels_file)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} holds {len(images)} images but {labels_file.name} {len(labels)} labels; "
            "the two files must belong together"
        )
    if not len(images):
        raise DataError(f"{images_file} holds no images; get the file again")
    part = emnist_part(images_file)
    if part is None:
        alphabet = alphabet_of_numbers(str(labels_file), labels)
        return LabelledImages(images_file.name, as_ink(images), labels, alphabet, writers)
    return part.labelled(images_file.name, images, labels)


def _labels(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32] | None]:
    # QMNIST (Yadav and Bottou 2019, arXiv 1905.10498) has a table: class, series, writer, and five columns more.
    if not _head(path).startswith(bytes((0, 0, _INT32, 2))):
        return _load(path, rank=1).astype(np.int64), None
    table = _load(path, rank=2, kind=_INT32)
    if table.shape[1] < 3:
        raise DataError(f"{path} is a table of {table.shape[1]} columns; expected class, series, writer as in QMNIST")
    return table[:, 0].astype(np.int64), table[:, 2].astype(np.int32)


def _pairs_of_folder(folder: Path, part: str) -> dict[str, tuple[Path, Path]]:
    files = _named(folder)
    parts = sorted({file.part for file in files if file.what == "images" and part in ("", file.part)})
    if len(parts) > 1:
        listed = ", ".join(part or "one without a prefix" for part in parts)
        raise DataError(f"{folder} holds several sets ({listed}); name the images file of the one you want")
    pairs = _pairs([file for file in files if file.part in parts])
    if not pairs:
        raise DataError(f"{folder} has IDX images without labels; put the labels file (train-labels-idx1-ubyte) beside")
    return pairs


def _pair_of_file(path: Path) -> dict[str, tuple[Path, Path]]:
    this = _name(path)
    if this is not None:
        pairs = _pairs([f for f in _named(path.parent) if (f.part, f.split) == (this.part, this.split)])
        if pairs:
            return {this.split: (path, pairs[this.split][1])}
    other = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if other == path or not other.is_file():
        raise DataError(
            f"{path} has no labels beside it; name the pair ...-images-idx3-ubyte and ...-labels-idx1-ubyte"
        )
    return {"": (path, other)}


def _pairs(files: list[_Named]) -> dict[str, tuple[Path, Path]]:
    # Where a plain file lies beside its own .gz the plain one counts: it sorts first.
    images = {f.split: f.path for f in reversed(files) if f.what == "images"}
    labels = {f.split: f.path for f in reversed(files) if f.what == "labels"}
    return {split: (images[split], labels[split]) for split in sorted(images.keys() & labels.keys())}


def _named(folder: Path) -> list[_Named]:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return [named for file in files if (named := _name(file)) is not None]


def _name(path: Path) -> _Named | None:
    match = _NAME.match(path.name)
    if match is None:
        return None
    split = canonical_split(match["split"]) or match["split"]
    return _Named((match["part"] or "").lower(), split, match["what"].lower(), path)


def _open(path: Path) -> BinaryIO:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if packed else open(path, "rb")


def _rank(path: Path) -> int:
    # 0 when it is no IDX file of bytes.
    head = _head(path)
    return head[3] if len(head) == 4 and head[:3] == bytes((0, 0, _UINT8)) else 0


def _head(path: Path) -> bytes:
    try:
        with _open(path) as file:
            return file.read(4)
    except (OSError, EOFError, zlib.error):
        return b""


def _load(path: Path, *, rank: int, kind: int = _UINT8) -> npt.NDArray[Any]:
    try:
        stored = path.stat().st_size
        with _open(path) as file:
            head = file.read(4 + 4 * rank)
            if len(head) < 4 + 4 * rank or head[:4] != bytes((0, 0, kind, rank)):
                raise DataError(
                    f"{path} is no IDX file of {_KINDS[kind].name} with rank {rank}: it begins with {head[:4].hex(' ')!r}"
                )
            shape = struct.unpack(f">{rank}I", head[4:])
            count = math.prod(shape) * _KINDS[kind].itemsize
            # Before anything is allocated: could this file hold what its header promises?
            if not believable(count, stored) or shape[0] > MAX_ITEMS:
                raise DataError(
                    f"{path} promises {' x '.join(map(str, shape))} values in {stored} bytes; "
                    "its header lies, get the file again"
                )
            values = file.read(count)
            if len(values) != count or file.read(1):
                raise DataError(
                    f"{path} promises {count} bytes of values and holds "
                    f"{'fewer' if len(values) != count else 'more'}; it is damaged, get the file again"
                )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); get the file again") from None
    if rank == 3 and shape[0] and 0 in shape[1:]:
        raise DataError(f"{path} holds images of {shape[1]} x {shape[2]} pixels; get the file again")
    return np.frombuffer(values, _KINDS[kind]).reshape(shape).copy()
