"""USPS as LIBSVM's collection keeps it: a line an image, ``label index:value index:value ...``, plain or bz2.

Labels count from 1 (digit 0) to 10 (digit 9), indices from 1 to 256 row by row, values from -1 (paper) to 1
(ink); a value that is missing is 0 (Hull 1994, A Database for Handwritten Text Recognition Research).
"""

from __future__ import annotations

import bz2
import re
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.data.reader import ReadOptions, choose_split, name_of_set
from handread.errors import DataError, shown

SIDE = 16
"""Height and width of an image in pixels."""

_PIXELS = SIDE * SIDE
_MAX_LINE = 1 << 13
"""Bytes; 256 values of 17 characters and their numbers are half as many."""
_MAX_LINES = 20_000
_FIRST = re.compile(rb"(?:10|[1-9])(?:\.0*)?(?: \d{1,3}:[-+.\deE]+){16,256} *\r?\n?")


def recognise(path: Path) -> bool:
    """True for a file whose first line is a class 1..10 and up to 256 numbered values."""
    if not path.is_file():
        return False
    try:
        with _open(path) as file:
            return _FIRST.fullmatch(file.readline(_MAX_LINE)) is not None
    except (OSError, EOFError, ValueError):
        return False


def read(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read one file, images uint8 (N, 16, 16); `DataError` with file and line for what is no image."""
    choose_split(path, (), split)
    images, labels = [], []
    try:
        with _open(path) as file:
            for number in range(1, _MAX_LINES + 2):
                line = file.readline(_MAX_LINE)
                if not line:
                    break
                if number > _MAX_LINES:
                    raise DataError(f"{path} has more than {_MAX_LINES:,} lines; USPS has 9,298 in all")
                if len(line) == _MAX_LINE:
                    raise DataError(f"{path}, line {number}: it is longer than {_MAX_LINE} bytes; get the file again")
                if not line.endswith(b"\n"):
                    raise DataError(f"{path}, line {number}: the file ends in the middle of it; get the file again")
                if line.strip():
                    label, image = _image(path, number, line)
                    labels.append(label)
                    images.append(image)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); get the file again") from None
    return LabelledImages(name_of_set(path), np.stack(images), np.array(labels, dtype=np.int64), Alphabet.of("digits"))


def _image(path: Path, line: int, text: bytes) -> tuple[int, npt.NDArray[np.uint8]]:
    try:
        label, *pairs = text.split()
        digit = int(float(label)) - 1
        table = np.array([pair.split(b":") for pair in pairs], dtype=np.float64).reshape(-1, 2)
    except (ValueError, OverflowError):
        raise DataError(f"{path}, line {line}: it is not of the form label index:value index:value") from None
    numbers, values = table[:, 0], table[:, 1]
    if not 0 <= digit <= 9:
        raise DataError(f"{path}, line {line}: label {shown(digit + 1)} is outside 1..10")
    if not ((numbers >= 1) & (numbers <= _PIXELS)).all():  # nor what is no number
        raise DataError(f"{path}, line {line}: an index is outside 1..{_PIXELS}")
    if not (np.abs(values) <= 1).all():
        raise DataError(f"{path}, line {line}: a value is outside -1..1")
    image = np.zeros(_PIXELS)
    image[numbers.astype(np.int64) - 1] = values
    return digit, np.round((image + 1) * 127.5).astype(np.uint8).reshape(SIDE, SIDE)


def _open(path: Path) -> BinaryIO:
    with open(path, "rb") as file:
        packed = file.read(3) == b"BZh"
    return cast(BinaryIO, bz2.open(path)) if packed else open(path, "rb")
