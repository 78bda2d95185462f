"""load_unlabelled: characters nobody has named yet, in any form, for a submission.

Every form of `load_data` is taken too; its labels are left out, and `Unlabelled.labels_left_out` says so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.data import archive, catalog, idx, npz, pictures, pixels
from handread.data.arrays import as_ink
from handread.data.emnist import emnist_part
from handread.data.load import load_data
from handread.data.reader import ReadOptions, canonical_split, name_of_set, split_of_path
from handread.errors import DataError
from handread.frame import DEFAULT_FRAME, Frame

if TYPE_CHECKING:
    from handread.types import Progress

_DEEPEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Unlabelled:
    """N single characters without labels."""

    name: str
    images: npt.NDArray[np.uint8]
    """uint8 (N, H, W), 0 paper .. 255 full ink."""
    cues: npt.NDArray[np.float32] | None = None
    """float32 (N, 4), size and position inside the picture; None when lost."""
    normalised: bool = False
    """True when `images` are network inputs already."""
    files: tuple[str, ...] = ()
    """Names of the pictures below their folder, in natural order; empty for arrays."""
    labels_left_out: bool = False
    """True when there were labels, which were not used."""
    skipped: tuple[str, ...] = ()
    """Pictures that could not be read and were left out because the caller asked for it."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def ids(self) -> tuple[str, ...]:
        """What a submission calls each item: the file's name, or its number from 1 as on Kaggle."""
        return self.files or tuple(str(place) for place in range(1, len(self) + 1))


def load_unlabelled(
    spec: str | Path,
    *,
    split: str | None = None,
    frame: Frame = DEFAULT_FRAME,
    progress: Progress | None = None,
    skip_broken: bool = False,
) -> Unlabelled:
    """Load characters without labels, in the order in which they are stored.

    `spec` is a CSV ``pixel0,pixel1,...``, a folder of pictures or one picture, an IDX file of images, NPZ with
    `images` or ``x_test``, a folder or archive that holds one of these (Kaggle's zip with ``test.csv``, by `split`
    "test"), or anything that `load_data` reads. A relative path that does not exist here is looked for in the folder
    named by ``HANDREAD_DATA`` too. `frame` is how pictures are laid into network inputs. Raises `DataError` naming
    the file, and the line where there is one.
    """
    options = ReadOptions(progress, skip_broken, frame=frame)
    path = _located(spec)
    try:
        found = None if path is None else _find(path, split, options)
    except OSError as error:
        raise DataError(f"{spec} cannot be read ({error.strerror or error}); check its permissions") from None
    except MemoryError:
        raise DataError(f"{spec} does not fit into the memory of this machine; read a part of it") from None
    return found or _labelled(spec, split, options)


def _located(spec: str | Path) -> Path | None:
    path = Path(spec)
    if str(spec).strip() and path.exists():
        return path
    if str(spec) in catalog.CATALOG or path.is_absolute() or not str(spec).strip():
        return None
    return next((folder / path for folder in catalog.data_folders() if (folder / path).exists()), None)


def _labelled(spec: str | Path, split: str | None, options: ReadOptions) -> Unlabelled:
    data = load_data(spec, split=split, frame=options.frame, progress=options.progress, skip_broken=options.skip_broken)
    with_files = data.files is not None and all(data.files)
    return Unlabelled(
        data.name, data.images, data.cues, data.normalised,
        files=_short(data.files or ()) if with_files else (), labels_left_out=True, skipped=data.skipped,
    )  # fmt: skip


def _find(path: Path, split: str | None, options: ReadOptions) -> Unlabelled | None:
    # None where the path has labels, or is nothing that is known here: `load_data` reads it or says what is wrong.
    if path.is_dir():
        return _find_in(path, split, options, depth=0)
    if archive.recognise(path) and not npz.recognise(path):
        return _find_in_archive(path, split, options)
    return _read_file(path, split, options)


def _read_file(path: Path, split: str | None, options: ReadOptions) -> Unlabelled | None:
    if not path.stat().st_size:
        raise DataError(f"{path} is empty; get the file again")
    name = name_of_set(path)
    if emnist_part(path) is None and (pixels.recognise(path) or pixels.recognise_unlabelled(path)):
        return Unlabelled(name, pixels.read_unlabelled_csv(path), labels_left_out=pixels.recognise(path))
    if npz.recognise(path) and (images := npz.read_unlabelled(path, split)) is not None:
        return Unlabelled(name, images)
    if idx.recognise(path) and not idx.has_labels(path):
        return Unlabelled(name, as_ink(idx.read_images(path)))
    if pictures.is_picture(path):
        return _read_pictures(name, path.parent, [path], options)
    if path.suffix.lower() == ".csv" and not pictures.recognise_list(path):
        pixels.read_unlabelled_csv(path)  # says what its first line lacks
    return None


def _find_in(folder: Path, split: str | None, options: ReadOptions, *, depth: int) -> Unlabelled | None:
    if pictures.recognise_folders(folder) or pictures.recognise_list(folder):
        return None
    if files := pictures.pictures_in(folder):
        return _read_pictures(name_of_set(folder), folder, files, options)
    children = [child for child in sorted(folder.iterdir()) if not child.name.startswith((".", "__"))]
    if split is not None:
        wanted = canonical_split(split) or split
        children = [child for child in children if split_of_path(child) == wanted or _idx_of(child, wanted)] or children
    known = [child for child in children if _holds_unlabelled(child, depth)]
    if len(known) != 1:
        return None
    if known[0].is_dir():
        return _find_in(known[0], None, options, depth=depth + 1)
    return _read_file(known[0], None, options)


def _idx_of(path: Path, split: str) -> bool:
    return path.is_file() and idx.recognise(path) and canonical_split(path.name.split("-")[0]) == split


def _holds_unlabelled(path: Path, depth: int) -> bool:
    if path.is_dir():
        inside = (child for child in path.iterdir() if not child.name.startswith((".", "__")))
        return depth < _DEEPEST and any(_holds_unlabelled(child, depth + 1) for child in inside)
    if pixels.recognise_unlabelled(path) or pictures.is_picture(path):
        return True
    return (idx.recognise(path) and not idx.has_labels(path)) or (npz.recognise(path) and npz.is_unlabelled(path))


def _find_in_archive(path: Path, split: str | None, options: ReadOptions) -> Unlabelled | None:
    with _unpacked(path) as folder:
        found = _find_in(folder, split, options, depth=0)
        if found is None:
            return None
        skipped = tuple(name.replace(str(folder), str(path), 1) for name in found.skipped)
        return dataclasses.replace(found, name=name_of_set(path, split), skipped=skipped)


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    with archive.unpacked(path) as folder:
        try:
            yield folder
        except DataError as error:
            # The folder is gone by the time anyone reads this; the archive is what they know.
            raise DataError(str(error).replace(str(folder), str(path))) from None


def _read_pictures(name: str, folder: Path, files: list[Path], options: ReadOptions) -> Unlabelled:
    glyphs, cues, read, skipped = [], [], [], []
    for file, single in zip(files, pictures.read_singles(files, options), strict=True):
        if single is None:
            skipped.append(str(file))
            continue
        glyphs.append(single.glyph)
        cues.append(single.cue)
        read.append(file.relative_to(folder).as_posix())
    if not read:
        raise DataError(f"{folder}: none of its {len(files)} pictures can be read; the first is {files[0].name}")
    return Unlabelled(name, np.stack(glyphs), np.stack(cues), True, files=tuple(read), skipped=tuple(skipped))


def _short(files: tuple[str, ...]) -> tuple[str, ...]:
    common = os.path.commonpath([os.path.dirname(file) for file in files])
    return tuple(os.path.relpath(file, common or ".").replace(os.sep, "/") for file in files)
