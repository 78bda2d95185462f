"""load_data: the one door for data. A name, a path or several, in any form; the form is recognised."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from handread.data import catalog
from handread.data.images import LabelledImages
from handread.data.reader import ReadOptions, choose_split
from handread.data.readers import read_path
from handread.errors import DataError
from handread.frame import DEFAULT_FRAME, Frame
from handread.registry import unknown

if TYPE_CHECKING:
    from handread.types import Progress


def load_data(
    spec: str | Path,
    *,
    split: str | None = None,
    progress: Progress | None = None,
    skip_broken: bool = False,
    frame: Frame = DEFAULT_FRAME,
) -> LabelledImages:
    """Load labelled characters.

    `spec` is a catalogue name (``mnist``, ``digits``), a path to class folders, an ``image,label`` list, a
    CSV of pixels, IDX files, NPZ, or a zip or tar of any of these; or several of them joined by commas. A
    relative path that does not exist here is looked for in the folder named by ``HANDREAD_DATA`` too.

    `split` picks ``train``, ``validation`` or ``test`` where the data has splits, and ``all`` joins them; it
    must be given where there are several. `progress` is called with pictures done and their total;
    `skip_broken` leaves out pictures that cannot be read and names them in `skipped`.

    Images come as ink, bright on dark. Arrays keep their size; pictures come as the inputs of a network that
    takes `frame` (`card.frame`), with cues (`normalised` is True). Raises `DataError` for what is missing, damaged or of no known form, and
    `MissingExtraError` for a catalogue set that needs a package which is not installed.
    """
    options = ReadOptions(progress, skip_broken, frame=frame)
    if isinstance(spec, Path) or (spec.strip() and Path(spec).exists()):
        return read_path(Path(spec), split, options)
    names = [part.strip() for part in spec.split(",")]
    if not all(names):
        raise DataError(f"{spec!r} names no data; write a name, a path, or several joined by single commas")
    return LabelledImages.concatenate([_load_one(name, split, options) for name in names])


def _load_one(name: str, split: str | None, options: ReadOptions) -> LabelledImages:
    if Path(name).exists():
        return read_path(Path(name), split, options)
    if name == "digits":
        choose_split(Path(name), (), split)
        return catalog.sklearn_digits()
    if name in catalog.CATALOG:
        part = catalog.CATALOG[name].part
        return replace(
            read_path(catalog.locate(name), split, replace(options, part=part)),
            name=f"{name}/{split}" if split else name,
        )
    for folder in catalog.data_folders():
        if (folder / name).exists() and not Path(name).is_absolute():
            return read_path(folder / name, split, options)
    if Path(name).suffix or len(Path(name).parts) > 1:
        raise DataError(f"there is no file or folder {name}; check the path")
    raise DataError(f"there is no file or folder {name}, and {unknown('data set', name, catalog.CATALOG)}")
