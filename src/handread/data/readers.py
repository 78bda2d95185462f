"""Every form of data by name, and the way from a path to the form it holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from handread.data import archive, idx, npz, pictures, pixels
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
READERS.register("list")(Reader("a CSV image,label", pictures.recognise_list, pictures.read_list))

_DEEPEST = 4


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


def form_of(path: Path) -> str | None:
    """Name of the registered form that `path` itself holds, None when it is none or a folder around one."""
    return next((name for name in READERS if READERS[name].recognise(path)), None)


def _read(path: Path, split: str | None, options: ReadOptions, depth: int) -> LabelledImages:
    form = form_of(path)
    if form is not None:
        return READERS[form].read(path, split, options)
    if path.is_dir() and depth < _DEEPEST:
        return _read_around(path, split, options, depth)
    if pixels.recognise_unlabelled(path):
        raise DataError(f"{path} has pixels but no label column; only labelled data can be used here")
    raise DataError(f"{path} holds no data that Handread knows; it reads {_forms()}")


def _read_around(folder: Path, split: str | None, options: ReadOptions, depth: int) -> LabelledImages:
    """A folder that is no form itself: one child a split, or one child that holds the data."""
    children = [f for f in sorted(folder.iterdir()) if not f.name.startswith((".", "__"))]
    holding = [child for child in children if _holds(child, depth + 1)]
    splits: dict[str, Path] = {}
    for child in holding:
        name = split_of_path(child)
        if name is not None and splits.setdefault(name, child) != child:
            raise DataError(f"{folder} holds the split {name} twice, {splits[name].name} and {child.name}")
    if splits:
        chosen = choose_split(folder, sorted(splits), split)
        return LabelledImages.concatenate([_read(splits[s], None, options, depth + 1) for s in chosen])
    if len(holding) == 1:
        return _read(holding[0], split, options, depth + 1)
    if holding:
        listed = ", ".join(child.name for child in holding[:8])
        raise DataError(f"{folder} holds several sets ({listed}); name the one to read")
    raise DataError(f"{folder} holds no data that Handread knows; it reads {_forms()}")


def _holds(path: Path, depth: int) -> bool:
    if form_of(path) is not None:
        return True
    if not path.is_dir() or depth >= _DEEPEST:
        return False
    return any(_holds(child, depth + 1) for child in path.iterdir() if not child.name.startswith((".", "__")))


def _forms() -> str:
    return "; ".join(READERS[name].title for name in READERS) + f"; class folders: {pictures.UNDERSTOOD}"


def _read_archive(path: Path, split: str | None, options: ReadOptions) -> LabelledImages:
    with archive.unpacked(path) as folder:
        try:
            data = _read(folder, split, options, depth=0)
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
