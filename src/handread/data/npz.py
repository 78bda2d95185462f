"""NPZ: a set as named numpy arrays in one zip, never pickled.

Keys: `images` (N, H, W) and `labels` (N,), optional `case_known` (N,), `writers` (N,) and `characters` (one
string, the classes in order). Keras keeps several splits in one file (`x_train, y_train, x_test, y_test`);
that is read too.
"""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handread.data import bounds
from handread.data.arrays import alphabet_of_characters, alphabet_of_numbers, as_ink
from handread.data.bounds import MAX_ITEMS, believable, opened_zip
from handread.data.images import LabelledImages
from handread.data.mapped import MAP_FROM, mapped
from handread.data.reader import ReadOptions, choose_split, name_of_set
from handread.errors import DataError, shown

_KERAS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test"), "validation": ("x_val", "y_val")}
_DAMAGE = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
_NO_HEADER = (
    ValueError, TypeError, KeyError, SyntaxError, tokenize.TokenError, OverflowError, RecursionError, MemoryError,
)  # fmt: skip
"""What numpy is seen to raise on headers, which it has Python parse."""
_MOST_ARRAYS = 1000
_BLOCK = 4 << 20
_FORM = "an NPZ set needs the arrays `images` (N, H, W) and `labels` (N,)"


def recognise(path: Path) -> bool:
    """True for a zip whose members are all numpy arrays."""
    if not path.is_file():
        return False
    try:
        with opened_zip(path, _MOST_ARRAYS) as file:
            names = file.namelist()
    except (*_DAMAGE, DataError):
        return False
    return bool(names) and all(name.endswith(".npy") and "/" not in name for name in names)


def read(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read one set or split; `DataError` for objects, lying sizes, wrong dtypes, ranks or counts."""
    keys = _keys(path)
    available = [] if "images" in keys else [name for name, pair in _KERAS.items() if keys.issuperset(pair)]
    if "labels" not in keys and not available:
        raise DataError(f"{path} holds the arrays {shown(sorted(keys))}; {_FORM}")
    chosen = choose_split(path, available, split)
    if not chosen:
        return _read(path, name_of_set(path), "images", "labels", options)
    return LabelledImages.concatenate([_read(path, name_of_set(path, s), *_KERAS[s], options) for s in chosen])


def is_unlabelled(path: Path) -> bool:
    """True for an NPZ with `images` or ``x_test`` and no labels to them."""
    return bool(_unlabelled(_keys(path)))


def read_unlabelled(path: Path, split: str | None = None) -> npt.NDArray[np.uint8] | None:
    """The images of an NPZ without labels as ink, uint8 (N, H, W); None where there are labels or no images.

    With `split` those of the split alone (``x_test``). Raises `DataError` as `read` does.
    """
    found = _unlabelled(_keys(path))
    if not found:
        return None
    chosen = choose_split(path, [name for name in found if name], split)
    try:
        with opened_zip(path, _MOST_ARRAYS) as file:
            _check_sizes(path, file)
            parts = [_images(path, _array(path, file, found[name])) for name in chosen or ("",)]
    except _DAMAGE as error:
        raise DataError(f"{path} cannot be read ({str(error)[:200]}); get the file again") from None
    images = np.concatenate(parts)
    if not len(images):
        raise DataError(f"{path} holds no images; {_FORM}")
    return as_ink(images)


def _unlabelled(keys: set[str]) -> dict[str, str]:
    # Split -> key of its images; "" for an undivided set.
    if "images" in keys:
        return {} if "labels" in keys else {"": "images"}
    return {split: x for split, (x, y) in _KERAS.items() if x in keys and y not in keys}


def _read(path: Path, name: str, images_key: str, labels_key: str, options: ReadOptions) -> LabelledImages:
    try:
        with opened_zip(path, _MOST_ARRAYS) as file:
            # What an archive was unpacked to is gone before the images would be read.
            there = None if options.unpacked else _mapped(path, file, images_key)
            _check_sizes(path, file, "" if there is None else f"{images_key}.npy")
            wanted = {images_key, labels_key, *_OPTIONAL} & {m.removesuffix(".npy") for m in file.namelist()}
            stored = {} if there is None else {images_key: there}
            stored |= {key: _array(path, file, key) for key in sorted(wanted - set(stored))}
    except _DAMAGE as error:
        raise DataError(f"{path} cannot be read ({str(error)[:200]}); get the file again") from None
    images = _images(path, stored[images_key])
    labels = _integers(path, labels_key, stored[labels_key])
    if not len(images):
        raise DataError(f"{path} holds no images; {_FORM}")
    if "characters" in stored:
        alphabet = alphabet_of_characters(str(path), _text(path, stored["characters"]))
    else:
        alphabet = alphabet_of_numbers(str(path), labels)
    known, writers = stored.get("case_known"), stored.get("writers")
    if known is not None and known.dtype != np.bool_:
        raise DataError(f"{path}: case_known is {known.dtype}, expected bool; save it with astype(bool)")
    return LabelledImages(
        name=name,
        images=as_ink(images),
        labels=labels,
        alphabet=alphabet,
        case_known=known,
        writers=None if writers is None else _integers(path, "writers", writers).astype(np.int32),
    )


_OPTIONAL = ("case_known", "characters", "writers")


def _keys(path: Path) -> set[str]:
    try:
        with opened_zip(path, _MOST_ARRAYS) as file:
            names = [name.removesuffix(".npy") for name in file.namelist()]
    except _DAMAGE as error:
        raise DataError(f"{path} cannot be read ({str(error)[:200]}); {_FORM}") from None
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path} holds the array {shown(twice)} twice; save it again with numpy.savez")
    return set(names)


def _mapped(path: Path, file: zipfile.ZipFile, key: str) -> npt.NDArray[Any] | None:
    """The array left where it lies, where it is large, not compressed, and uint8 (N, H, W) row by row; else None."""
    member = file.getinfo(f"{key}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size < MAP_FROM:
        return None
    with file.open(member) as stream:
        try:
            if np.lib.format.read_magic(stream) != (1, 0):
                return None
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
        except _NO_HEADER:  # as an ordinary array it is told what is wrong with it
            return None
        begin = stream.tell()
        if (
            dtype != np.uint8
            or by_columns
            or len(shape) != 3
            or min(shape) < 1
            or begin + math.prod(shape) != member.file_size
        ):
            return None
        while stream.read(_BLOCK):  # to its end, where the checksum is compared
            pass
    with open(path, "rb") as whole:
        whole.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", whole.read(4))
    return mapped(path, member.header_offset + 30 + name + extra + begin, shape)


def _check_sizes(path: Path, file: zipfile.ZipFile, unread: str = "") -> None:
    for member in file.infolist():
        if member.filename == unread:
            continue
        if not believable(member.file_size, member.compress_size):
            raise DataError(
                f"{path}: {shown(member.filename)} promises {member.file_size} bytes out of {member.compress_size}; "
                f"Handread unfolds at most {bounds.MAX_BYTES} bytes or {bounds.MAX_RATIO} times what is stored"
            )


def _array(path: Path, file: zipfile.ZipFile, key: str) -> npt.NDArray[Any]:
    name = f"{key}.npy"
    size = file.getinfo(name).file_size
    try:
        # The array's own header is judged before numpy allocates what it promises.
        with file.open(name) as member:
            version = np.lib.format.read_magic(member)
            header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            if version not in header:
                raise DataError(f"{path}: {name} has the array format {version}; save it with numpy.savez")
            shape, _, dtype = header[version](member)
            if dtype.hasobject:
                raise DataError(f"{path}: {name} holds Python objects, which are never loaded; store numbers")
            if not dtype.itemsize or math.prod(shape[:1]) > MAX_ITEMS or any(side < 0 for side in shape):
                raise DataError(f"{path}: {name} promises {shape} of {dtype}; Handread takes up to {MAX_ITEMS} items")
            if math.prod(shape) * dtype.itemsize + member.tell() != size:
                raise DataError(f"{path}: {name} promises {shape} of {dtype} but holds {size} bytes; it is damaged")
        with file.open(name) as member:
            array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            return array
    except _NO_HEADER as error:
        raise DataError(f"{path}: {name} is no numpy array ({str(error)[:200]}); save it with numpy.savez") from None


def _images(path: Path, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if images.ndim == 4 and 1 in (images.shape[1], images.shape[3]):
        images = images[:, 0] if images.shape[1] == 1 else images[..., 0]
    if images.ndim != 3 or 0 in images.shape[1:]:
        raise DataError(f"{path}: images have shape {images.shape}; {_FORM}")
    if images.dtype == np.bool_:
        return images.astype(np.uint8)
    if images.dtype != np.uint8:
        whole = np.issubdtype(images.dtype, np.integer)
        if not whole or (images.size and not (images.min() >= 0 and images.max() <= 255)):
            raise DataError(
                f"{path}: images are {images.dtype}, expected uint8 in 0..255; multiply fractions by 255 and round"
            )
    return images.astype(np.uint8, copy=False)


def _integers(path: Path, key: str, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"{path}: {key} are {values.dtype} of shape {values.shape}, expected integers (N,)")
    return values.astype(np.int64)


def _text(path: Path, characters: npt.NDArray[Any]) -> str:
    if characters.dtype.kind != "U" or characters.ndim > 1:
        raise DataError(f"{path}: characters are {characters.dtype}, expected one string of all classes")
    return "".join(characters.reshape(-1).tolist())
