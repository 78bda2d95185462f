"""Every form of data by name, and the way from a path to the form it holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from handread.data import archive, idx, npz, pictures, pixels, usps
from handread.data.images import LabelledImages
from handread.data.reader import (
    Reader,
    ReadOptions,
    choose_split,
    name_of_set,
    split_of_path,
)
from handread.errors import DataError
from handread.registry import Registry

READERS: Registry[Reader] = Registry("form of data")
"""Forms by name; a path is recognised by one of them at most."""

READERS.register("idx")(Reader("IDX files (images beside labels, gz or not)", idx.recognise, idx.read))
READERS.register("npz")(Reader("an NPZ file with images and labels", npz.recognise, npz.read))
READERS.register("csv")(Reader("a CSV label,pixel0,pixel1,...", pixels.recognise, pixels.read))
READERS.register("folders")(Reader("folders named by class", pictures.recognise_folders, pictures.read_folders))
READERS.register("usps")(Reader("USPS as LIBSVM keeps it", usps.recognise, usps.read))
READERS.register("list")(Reader("a CSV image,label", pictures.recognise_list, pictures.read_list))

_DEEPEST = 4
"""Folders that branch, one inside the other, before the search ends; those with a single folder in them are free."""
_LONGEST_CHAIN = 40
_MOST_ARCHIVES = 3
"""Archives inside archives; one that holds itself would go on for ever."""


def read_path(path: Path, split: str | None = None, options: ReadOptions | None = None) -> LabelledImages:
    """Read whatever form `path` holds.

    Raises `DataError` when it is missing, empty, of no known form, lacks the split, or is damaged.
    """
    options = options or ReadOptions()
    try:
        if not path.exists():
            raise DataError(f"there is no file or folder {path}; check the path")
        if path.is_file() and not path.stat().st_size:
            raise DataError(f"{path} is empty; get the file again")
        return _read(path, split, options, depth=0)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from None
    except MemoryError:
        raise DataError(f"{path} does not fit into the memory of this machine; read a part of it") from None


def form_of(path: Path) -> str | None:
    """Name of the registered form that `path` itself holds, None when it is none or a folder around one."""
    return next((name for name in READERS if READERS[name].recognise(path)), None)


def _read(path: Path, split: str | None, options: ReadOptions, depth: int) -> LabelledImages:
    path = _unwrapped(path)
    form = form_of(path)
    if form is not None:
        return READERS[form].read(path, split, options)
    if path.is_dir() and depth < _DEEPEST:
        return _read_around(path, split, options, depth)
    if pixels.recognise_unlabelled(path):
        raise DataError(f"{path} has pixels but no label column; only labelled data can be used here")
    if path.is_file() and path.suffix.lower() == ".csv":
        raise DataError(
            f"{path} is no table of images and no list of pictures: {pixels.first_line(path)}; it must be "
            "label,pixel0,pixel1,... or image,label"
        )
    raise DataError(f"{path} holds no data that Handread knows; it reads {_forms()}")


def _read_around(folder: Path, split: str | None, options: ReadOptions, depth: int) -> LabelledImages:
    """A folder that is no form itself: one child a split, or one child that holds the data."""
    holding = [child for child in _children(folder) if _holds(child, depth + 1)]
    splits: dict[str, Path] = {}
    for child in holding:
        name = split_of_path(child)
        if name is not None and splits.setdefault(name, child) != child:
            raise DataError(f"{folder} holds the split {name} twice, {splits[name].name} and {child.name}")
    if splits:
        chosen = choose_split(folder, sorted(splits), split)
        return LabelledImages.concatenate([_read(splits[s], None, options, depth + 1) for s in chosen])
    if len(holding) > 1:  # Chars74K keeps the strokes in folders of the same names, beside the pictures
        holding = [child for child in holding if not pictures.recognise_empty(child)] or holding
    if len(holding) == 1:
        return _read(holding[0], split, options, depth + 1)
    if holding:
        listed = ", ".join(child.name for child in holding[:8])
        raise DataError(f"{folder} holds several sets ({listed}); name the one to read")
    raise DataError(f"{folder} holds no data that Handread knows; it reads {_forms()}")


def _unwrapped(path: Path) -> Path:
    """The first folder inwards that is a form or has more than one child: what archives wrap around their content."""
    for _ in range(_LONGEST_CHAIN):
        if not path.is_dir() or form_of(path) is not None:
            return path
        children = _children(path)
        if len(children) != 1 or not children[0].is_dir() or split_of_path(children[0]):
            return path
        path = children[0]
    return path


def _children(folder: Path) -> list[Path]:
    return [child for child in sorted(folder.iterdir()) if not child.name.startswith((".", "__"))]


def _holds(path: Path, depth: int) -> bool:
    path = _unwrapped(path)
    if form_of(path) is not None:
        return True
    if not path.is_dir() or depth >= _DEEPEST:
        return False
    return any(_holds(child, depth + 1) for child in _children(path))


def _forms() -> str:
    return "; ".join(READERS[name].title for name in READERS) + f"; class folders: {pictures.UNDERSTOOD}"


def _read_archive(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    if options.unpacked >= _MOST_ARCHIVES:
        raise DataError(f"{path} lies in {options.unpacked} archives one inside the other; unpack them yourself")
    stored = options.stored or path.stat().st_size
    options = dataclasses.replace(options, unpacked=options.unpacked + 1, stored=stored)
    with archive.unpacked(path, stored=stored) as folder:
        try:
            data = _read(folder, split, dataclasses.replace(options, within=folder), depth=0)
        except DataError as error:
            # The folder is gone by the time anyone reads this; the archive is what they know.
            raise DataError(str(error).replace(str(folder), str(path))) from None
        inside = data.name.replace(folder.name, name_of_set(path))

        def outside(files: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(file.replace(str(folder), str(path), 1) for file in files)

        return dataclasses.replace(
            data,
            name=inside if name_of_set(path) in inside else f"{name_of_set(path)}/{inside}",
            files=None if data.files is None else outside(data.files),
            skipped=outside(data.skipped),
        )


def _is_archive(path: Path) -> bool:
    return path.is_file() and not npz.recognise(path) and archive.recognise(path)


READERS.register("archive")(Reader("a zip or tar of any of these", _is_archive, _read_archive))
