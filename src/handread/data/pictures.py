"""Sets kept as pictures: folders named by class, and lists of file and label.

Every picture goes the road of ``handread read --one``, so that a set gives the network exactly what a single
picture gives it: network inputs and size-and-position cues.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from handread.alphabet import NAMED
from handread.data.arrays import alphabet_of_labels
from handread.data.images import LabelledImages
from handread.data.order import natural
from handread.data.reader import ReadOptions, canonical_split, choose_split, name_of_set, split_of_path
from handread.errors import DataError, ImageError, shown

if TYPE_CHECKING:
    from handread.imaging.single import Single

UNDERSTOOD = (
    "one character (A, a, 7), Sample001..Sample062 (0-9, A-Z, a-z in that order), "
    "or a letter with its case (A_upper, lower_a)"
)
"""Folder names that say a class."""

_SAMPLE = re.compile(r"sample[_-]?(\d{1,4})", re.IGNORECASE)
_CASED = re.compile(r"(?P<c>[a-z])[_-](?P<case>upper|lower)|(?P<case2>upper|lower)[_-](?P<c2>[a-z])", re.I)
_WRITER = re.compile(r"img\d{3}-(\d{1,5})$", re.IGNORECASE)
_IMAGE_NAMES = ("image", "file", "filename", "file_name", "path", "image_path")
_LABEL_NAMES = ("label", "class", "character", "text")
_MAX_LIST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class _Item:
    path: Path
    label: str
    writer: int | None = None


def class_of_folder(name: str) -> str | None:
    """The character that a folder's name means, None when it means none.

    >>> class_of_folder("Sample011"), class_of_folder("a_upper"), class_of_folder("7"), class_of_folder("x1")
    ('A', 'A', '7', None)
    """
    if len(name) == 1:
        return name if name.isprintable() and not name.isspace() and name not in "._" else None
    if match := _SAMPLE.fullmatch(name):
        place = int(match[1]) - 1
        return NAMED["alphanumeric"][place] if 0 <= place < 62 else None
    if match := _CASED.fullmatch(name):
        letter, case = match["c"] or match["c2"], (match["case"] or match["case2"]).lower()
        return letter.upper() if case == "upper" else letter.lower()
    return None


def recognise_folders(path: Path) -> bool:
    """True for a folder with folders of pictures in it, none of which is named like a split."""
    if not path.is_dir() or _list_in(path) is not None:
        return False
    folders = _folders(path)
    if any(class_of_folder(folder.name) for folder in folders):
        return True
    return any(canonical_split(f.name) is None and _has_picture(f) for f in folders)


def recognise_empty(path: Path) -> bool:
    """True for class folders without a single picture in any of them."""
    return recognise_folders(path) and not any(map(_has_picture, _folders(path)))


def read_folders(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read class folders; `DataError` for a folder of unknown meaning, an empty one, or a broken picture."""
    choose_split(path, (), split)
    items: list[_Item] = []
    for folder in _folders(path):
        label = class_of_folder(folder.name)
        pictures = pictures_in(folder)
        if label is None:
            raise DataError(f"{folder} names no class; a class folder is called {UNDERSTOOD}")
        if not pictures:
            raise DataError(f"{folder} holds no picture; add some or remove the folder")
        numbered = _SAMPLE.fullmatch(folder.name) is not None
        items += [_Item(file, label, _writer(file) if numbered else None) for file in pictures]
    order = alphabet_of_labels(item.label for item in items)
    items.sort(key=lambda item: order.index(item.label))
    return _labelled(name_of_set(path), items, options)


def recognise_list(path: Path) -> bool:
    """True for a CSV with the columns image and label, or a folder with exactly one such file."""
    return _list_in(path) is not None


def read_list(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    """Read a list; paths in it are relative to it. `DataError` with its line for what cannot be used."""
    choose_split(path, (), split)
    file = _list_in(path)
    if file is None:
        raise DataError(f"{path} is no list of pictures; its first line must name the columns image,label")
    items = []
    for line, image, label in _list_rows(file):
        if len(label) != 1 or label.isspace():
            raise DataError(
                f"{file}, line {line}: label {shown(label)} is not one character; "
                "read pictures of several characters with handread read"
            )
        picture = file.parent / image
        if options.within is not None and not _is_below(picture, options.within):
            raise DataError(f"{file}, line {line}: {shown(image)} points outside the archive; nothing was read")
        if not image or not picture.is_file():
            raise DataError(f"{file}, line {line}: there is no picture {shown(image)}; correct the path or the list")
        items.append(_Item(picture, label))
    if not items:
        raise DataError(f"{file} has a header but no rows; it lists no pictures")
    return _labelled(name_of_set(path), items, options)


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _labelled(name: str, items: Sequence[_Item], options: ReadOptions) -> LabelledImages:
    alphabet = alphabet_of_labels(item.label for item in items)
    read: list[tuple[_Item, Single]] = []
    skipped: list[str] = []
    for item, single in zip(items, read_singles([item.path for item in items], options), strict=True):
        if single is None:
            skipped.append(str(item.path))
        else:
            read.append((item, single))
    if not read:
        raise DataError(f"{name}: none of its {len(items)} pictures can be read; the first is {items[0].path}")
    writers = [item.writer or 0 for item, _ in read]
    return LabelledImages(
        name=name,
        images=np.stack([single.glyph for _, single in read]),
        labels=np.array([alphabet.index(item.label) for item, _ in read], dtype=np.int64),
        alphabet=alphabet,
        # Chars74K counts its writers from 1; a set that counts from 0 only borrowed the names.
        writers=np.array(writers, dtype=np.int32) if all(writers) else None,
        cues=np.stack([single.cue for _, single in read]),
        frame=options.frame,
        files=tuple(str(item.path) for item, _ in read),
        skipped=tuple(skipped),
    )


def read_singles(files: Sequence[Path], options: ReadOptions) -> Iterator[Single | None]:
    """The one character of each picture, in order; None for a broken one where `options` skip them.

    Raises `DataError` naming the first broken one where they do not.
    """
    from handread.imaging.single import single_character  # OpenCV, only where pictures are read

    def one(file: Path) -> Single | None:
        try:
            return single_character(file, options.frame)
        except ImageError as error:
            if options.skip_broken:
                return None
            place = "" if str(file) in str(error) else f"{file}: "
            raise DataError(f"{place}{error} (--skip-broken leaves such pictures out)") from None

    # OpenCV and Pillow work outside the interpreter's lock, so that threads share the cores.
    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        for done, single in enumerate(pool.map(one, files), start=1):
            if options.progress is not None:
                options.progress(done, len(files))
            yield single
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _list_in(path: Path) -> Path | None:
    if path.is_file():
        return path if _columns(path) else None
    if not path.is_dir():
        return None
    lists = [f for f in path.iterdir() if f.suffix.lower() == ".csv" and not split_of_path(f) and _columns(f)]
    return lists[0] if len(lists) == 1 else None


def _columns(path: Path) -> tuple[int, int] | None:
    # Places of the image and the label column, from the first line.
    try:
        with open(path, "rb") as file:
            line = file.readline(1 << 16).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    fields = [field.strip(' "\r\n').lower() for field in line.split(",")]
    image = next((n for n in _IMAGE_NAMES if n in fields), None)
    label = next((n for n in _LABEL_NAMES if n in fields), None)
    return (fields.index(image), fields.index(label)) if image and label else None


def _list_rows(file: Path) -> Iterator[tuple[int, str, str]]:
    columns = _columns(file)
    if columns is None or file.stat().st_size > _MAX_LIST_BYTES:
        raise DataError(f"{file} is no list of pictures of a usable size; it needs the columns image,label")
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream, strict=True)
            width = len(next(rows))
            for row in rows:
                if not row:
                    continue
                if len(row) != width:
                    raise DataError(
                        f"{file}, line {rows.line_num}: {len(row)} columns, expected {width} as in the "
                        "header; repair or remove the row"
                    )
                yield rows.line_num, row[columns[0]].strip(), row[columns[1]].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is no readable CSV ({error}); save it as UTF-8 CSV") from None


def _folders(path: Path) -> list[Path]:
    visible = (f for f in path.iterdir() if f.is_dir() and not f.name.startswith((".", "__")))
    return sorted(visible, key=_by_name)


def is_picture(path: Path) -> bool:
    """True for a file that is named like a picture."""
    from handread.imaging.read import SUFFIXES

    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def pictures_in(folder: Path) -> list[Path]:
    """The pictures directly in a folder, 2.png before 10.png."""
    return sorted(filter(is_picture, folder.iterdir()), key=_by_name)


def _has_picture(folder: Path) -> bool:
    from handread.imaging.read import SUFFIXES

    return any(f.suffix.lower() in SUFFIXES for f in folder.iterdir())


def _by_name(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    return natural(path.name)


def _writer(file: Path) -> int | None:
    # Chars74K (de Campos et al. 2009): img011-023.png is class 11 by writer 23.
    match = _WRITER.match(file.stem)
    return int(match[1]) if match else None
