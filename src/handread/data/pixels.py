"""Kaggle's CSV: one image a row, `label,pixel0..pixel783`; also without labels, for a submission.

The label column may stand anywhere under the name `label` (or `class`, `digit`, `character`); a file without
a header has it first. Labels are class numbers or the characters themselves.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from handread.alphabet import NAMED
from handread.data.arrays import alphabet_of_labels, alphabet_of_numbers, as_ink
from handread.data.emnist import emnist_part
from handread.data.images import LabelledImages
from handread.data.reader import ReadOptions, choose_split, name_of_set
from handread.errors import DataError

_LABEL_NAMES = ("label", "class", "digit", "character")
_PIXEL_NAME = re.compile(r"[a-z_ ]*\d+(?:[x._]\d+)?")
_MAX_LINE = 8 << 20
_MAX_COLUMNS = 512 * 512 + 1
_BLOCK = 1 << 20
_COMMA, _NEWLINE, _ZERO, _NINE = 44, 10, 48, 57
_FEWEST_PIXELS = 9
_CLASSES = len(NAMED["alphanumeric"])


@dataclass(frozen=True, slots=True)
class _Layout:
    """What the first line tells."""

    columns: int
    label: int | None
    """Column of the label, None where there is none."""
    has_header: bool

    @property
    def side(self) -> int:
        """Height and width of an image in pixels."""
        return math.isqrt(self.columns - (self.label is not None))


def recognise(path: Path) -> bool:
    """True for a text file whose first line fits a label and a square number of pixels."""
    layout = _layout(path)
    return layout is not None and layout.label is not None


def recognise_unlabelled(path: Path) -> bool:
    """True for the same without a label column, such as Kaggle's ``test.csv``."""
    layout = _layout(path)
    return layout is not None and layout.label is None


def read(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read a labelled CSV; `DataError` with file and line for ragged rows, text, values outside 0..255."""
    choose_split(path, (), split)
    layout = _layout(path)
    if layout is None or layout.label is None:
        raise DataError(f"{path} has no label column; its first line must be label,pixel0,pixel1,...")
    images, labels = _rows(path, layout)
    name = name_of_set(path)
    if not all(text.isdecimal() and text.isascii() for text in labels if isinstance(text, str)):
        return _with_characters(path, layout, images, [str(label) for label in labels])
    numbers = np.array([_class_number(label) for label in labels], dtype=np.int64)
    outside = np.flatnonzero(numbers >= _CLASSES)
    if outside.size:
        place = int(outside[0])
        raise DataError(
            f"{path}, line {_line_of(path, layout, place)}: label {str(labels[place])[:20]} is no class number "
            f"0..{_CLASSES - 1} (digits, capitals, small letters); correct it, or write the character itself"
        )
    part = None if layout.has_header else emnist_part(path)
    if part is not None:
        return part.labelled(name, images, numbers)
    return LabelledImages(name, as_ink(images), numbers, alphabet_of_numbers(str(path), numbers))


def read_unlabelled_csv(path: str | Path) -> npt.NDArray[np.uint8]:
    """Images of a CSV as ink, uint8 (N, H, W), in row order; a label column, if there is one, is left out.

    Raises `DataError` with file and line for ragged rows, text, and values outside 0..255.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file} is no file; name a CSV with the columns pixel0,pixel1,...")
    layout = _layout(file)
    if layout is None:
        raise DataError(f"{file} is no table of square images: {first_line(file)}; it must be pixel0,pixel1,...")
    images, _ = _rows(file, layout)
    return as_ink(images)


def first_line(path: Path) -> str:
    """What is wrong with the first line of a CSV, for people."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_MAX_LINE).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return "its first line cannot be read as text"
    columns = line.count(",") + 1
    side = math.isqrt(columns)
    if columns > _MAX_COLUMNS:
        return f"its first line has {columns:,} columns, at most {_MAX_COLUMNS:,} are read"
    if columns < _FEWEST_PIXELS or side**2 == columns:
        return f"its first line begins with {line[:20]!r}" if line else "its first line is empty"
    return f"its first line has {columns} columns (28 x 28 pixels are 784, with a label 785)"


def _layout(path: Path) -> _Layout | None:
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            line = file.readline(_MAX_LINE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    whole, line = len(line) < _MAX_LINE, line.strip()
    if not whole or not line.isprintable() or line.count(",") >= _MAX_COLUMNS:
        return None
    fields = [field.strip(' "').lower() for field in line.split(",")]
    columns = len(fields)
    named = [place for place, field in enumerate(fields) if field in _LABEL_NAMES]
    if named:
        return _Layout(columns, named[0], True) if _square(columns - 1) else None
    # Without names: a label goes first where one column is left over from a square.
    bare = all(map(str.isdecimal, fields[1:])) and (fields[0].isdecimal() or len(fields[0]) == 1)
    if not bare and not all(map(_PIXEL_NAME.fullmatch, fields)):
        return None
    if _square(columns):
        return _Layout(columns, None, not bare)
    return _Layout(columns, 0, not bare) if _square(columns - 1) else None


def _square(count: int) -> bool:
    return count >= _FEWEST_PIXELS and math.isqrt(count) ** 2 == count


def _rows(path: Path, layout: _Layout) -> tuple[npt.NDArray[np.uint8], list[int | str]]:
    # Images (N, side, side) and the labels as they stand: numbers, or text where a row needed care.
    pixels: list[npt.NDArray[np.uint8]] = []
    labels: list[int | str] = []
    line = 1
    try:
        with open(path, "rb") as file:
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
            if layout.has_header:
                file.readline()
                line = 2
            for block, table in _side_by_side(_blocks(file), layout.columns):
                if table is None:
                    table, texts = _careful(path, block, layout, line)
                    labels += texts
                elif layout.label is not None:
                    labels += table[:, layout.label].tolist()
                pixels.append(table if layout.label is None else np.delete(table, layout.label, axis=1))
                line += block.count(b"\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); check the file") from None
    count = sum(map(len, pixels))
    if not count:
        raise DataError(f"{path} has a header but no rows; it holds no images")
    side = layout.side
    return np.concatenate(pixels).reshape(count, side, side), labels


def _side_by_side(blocks: Iterator[bytes], columns: int) -> Iterator[tuple[bytes, npt.NDArray[np.uint8] | None]]:
    # numpy works outside the interpreter's lock: two blocks at a time take little more than half as long as one.
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        while some := list(itertools.islice(blocks, 4 * workers)):
            yield from zip(some, pool.map(lambda block: _fast(block, columns), some), strict=True)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    # Whole lines, about _BLOCK bytes at a time: the arrays made from one then stay in the cache.
    while block := file.read(_BLOCK):
        block += file.readline(_MAX_LINE)
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield block if block.endswith(b"\n") else block + b"\n"


def _fast(block: bytes, columns: int) -> npt.NDArray[np.uint8] | None:
    # 42,000 rows of 785 in 0.6 s: whole arrays of bytes at once. None for anything but plain numbers 0..255.
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text < _ZERO)
    if len(ends) % columns or text.max() > _NINE:
        return None
    marks = text[ends].reshape(-1, columns)
    if (marks[:, :-1] != _COMMA).any() or (marks[:, -1] != _NEWLINE).any():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    values = (text[ends - 1] - _ZERO).astype(np.uint16)
    tens = np.flatnonzero(lengths >= 2)
    values[tens] += 10 * (text[ends[tens] - 2] - _ZERO).astype(np.uint16)
    hundreds = np.flatnonzero(lengths == 3)
    values[hundreds] += 100 * (text[ends[hundreds] - 3] - _ZERO).astype(np.uint16)
    if values.max() > 255:
        return None
    return values.astype(np.uint8).reshape(-1, columns)


def _careful(path: Path, block: bytes, layout: _Layout, line: int) -> tuple[npt.NDArray[np.uint8], list[str]]:
    # Row by row: finds the row that is wrong, and reads what is odd but clear (spaces, quotes, 0.0, letters).
    rows, texts = [], []
    for number, raw in enumerate(block.split(b"\n")[:-1], start=line):
        if not raw.strip():
            continue
        try:
            fields = [field.strip(' "') for field in raw.decode("utf-8").split(",")]
        except UnicodeDecodeError:
            raise DataError(f"{path}, line {number}: it is not text; save the table as UTF-8 CSV") from None
        if len(fields) != layout.columns:
            raise DataError(
                f"{path}, line {number}: {len(fields)} columns, expected {layout.columns} as in the first "
                "line; repair or remove the row"
            )
        if layout.label is not None:
            texts.append(fields[layout.label])
            fields[layout.label] = "0"
        rows.append([_pixel(path, number, field) for field in fields])
    return np.array(rows, np.uint8).reshape(len(rows), layout.columns), texts


def _pixel(path: Path, line: int, field: str) -> int:
    try:
        value = float(field)
    except ValueError:
        raise DataError(f"{path}, line {line}: {field[:20]!r} is no pixel; expected a number 0..255") from None
    if not 0 <= value <= 255 or value != int(value):
        raise DataError(f"{path}, line {line}: pixel {field[:20]} is no whole number in 0..255")
    return int(value)


def _class_number(label: int | str) -> int:
    return int(label) if isinstance(label, int) or len(label) <= 9 else _CLASSES


def _with_characters(path: Path, layout: _Layout, images: npt.NDArray[np.uint8], texts: list[str]) -> LabelledImages:
    for place, text in enumerate(texts):
        if len(text) != 1 or text.isspace():
            raise DataError(
                f"{path}, line {_line_of(path, layout, place)}: label {text[:20]!r} is neither a class number nor "
                "one character; correct it or remove the row"
            )
    alphabet = alphabet_of_labels(texts)
    labels = np.array([alphabet.index(text) for text in texts], dtype=np.int64)
    return LabelledImages(name_of_set(path), as_ink(images), labels, alphabet)


def _line_of(path: Path, layout: _Layout, place: int) -> int:
    """Line, counted from 1, of the image at `place`: blank lines count, but hold none."""
    line = 1 + layout.has_header
    with open(path, "rb") as file:
        if layout.has_header:
            file.readline()
        for block in _blocks(file):
            for raw in block.split(b"\n")[:-1]:
                if raw.strip():
                    if not place:
                        return line
                    place -= 1
                line += 1
    return line
