"""What every form of data offers: it is recognised from content and read, whole or one split of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handread.data.images import LabelledImages
from handread.errors import DataError
from handread.frame import DEFAULT_FRAME, Frame

if TYPE_CHECKING:
    from handread.types import Progress

ALL = "all"
"""The split that means every split together."""

TRAINING = "training part"
"""The split that means ``train`` where there is one, else everything."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}
_ENDINGS = (".npz", ".csv", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".bz2")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a caller may ask of a reader beside the split."""

    progress: Progress | None = None
    skip_broken: bool = False
    """Leave out pictures that cannot be read (they are named in `LabelledImages.skipped`)."""
    part: str = ""
    """Which of several sets in one folder is meant (``emnist-letters``); "" where there is one."""
    frame: Frame = DEFAULT_FRAME
    """How pictures are laid into network inputs; arrays are kept as they are."""
    unpacked: int = 0
    """Archives that were opened on the way to what is read."""
    stored: int = 0
    """Bytes of the outermost of them."""
    within: Path | None = None
    """Folder to which the innermost was unpacked: lists in it name nothing outside. None: a list may name any file."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One form of data."""

    title: str
    """What the form is called in messages."""
    recognise: Callable[[Path], bool]
    """True when the path holds this form; looks at content, opens little, never raises."""
    read: Callable[[Path, str | None, ReadOptions], LabelledImages]
    """Read one split (None: the only one); raises `DataError`."""


def canonical_split(name: str) -> str | None:
    """``train``, ``test`` or ``validation`` for the ways people spell them, None for another name."""
    return _SPLITS.get(name.lower())


def split_of_path(path: Path) -> str | None:
    """The split that a file's or folder's own name tells (``train.npz``, ``val/``), else None."""
    name = path.name.lower()
    ending = next((e for e in sorted(_ENDINGS, key=len, reverse=True) if name.endswith(e)), "")
    return canonical_split(name.removesuffix(ending))


def choose_split(path: Path, available: Sequence[str], wanted: str | None) -> tuple[str, ...]:
    """The splits to read: the one `wanted`, the only one there is, or all of them for "all".

    An undivided set (`available` empty) gives () for None, "all", or the split that its own name tells.
    Raises `DataError` listing the splits there are.
    """
    if wanted == TRAINING:
        wanted = "train" if "train" in available else ALL
    split = None if wanted is None else (canonical_split(wanted) or wanted)
    if not available:
        if split in (None, ALL, split_of_path(path)):
            return ()
        raise DataError(f"{path} has no split {wanted!r}: it is one undivided set, read it without a split")
    listed = ", ".join(sorted(available))
    if split == ALL:
        return tuple(sorted(available))
    if split is None:
        if len(available) > 1:
            raise DataError(f"{path} has the splits {listed}; say which one to read, or 'all'")
        return (available[0],)
    if split not in available:
        raise DataError(f"{path} has no split {wanted!r}; it has {listed}")
    return (split,)


def name_of_set(path: Path, split: str | None = None) -> str:
    """A short name for messages and reports: the last part of the path, with its parent where that helps."""
    absolute = Path(os.path.abspath(path))
    name = absolute.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    if canonical_split(name) and absolute.parent.name:
        name = f"{absolute.parent.name}/{name}"
    return f"{name}/{split}" if split else name
