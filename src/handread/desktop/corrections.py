"""Corrections made in the window: what is said of a character of a picture, wherever it is said again.

A picture's name holds a digest of the picture it was cut from and its place there, so that labelling the same
character again replaces what was said before. `handread.data.corrections` says what lies on disk.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from handread.data.atomic import write_atomic
from handread.data.corrections import LIST, CorrectionList
from handread.desktop.view import overlap
from handread.errors import DataError
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import GrayImage

IMAGES = "images"
DIGEST = 12
"""Hexadecimal places of a picture's digest."""

_NAME = re.compile(rf"(?:^|-)([0-9a-f]{{{DIGEST}}})-(\d+)-(\d+)-(\d+)-(\d+)\.png$")
_SAME = 0.5
"""Boxes of one picture that overlap by this much are the same character."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a character stands."""

    name: str
    """File name of the picture, for people."""
    digest: str
    """The first `DIGEST` hexadecimal places of the file's SHA-256."""
    box: Box


@dataclass(frozen=True, slots=True)
class _Row:
    image: str
    label: str

    def is_of(self, origin: Origin) -> bool:
        found = _NAME.search(self.image)
        if found is None or found[1] != origin.digest:
            return False
        return overlap(Box(*(int(found[i]) for i in (2, 3, 4, 5))), origin.box) >= _SAME


class Corrections:
    """The corrections of one folder, which is made when the first is saved."""

    def __init__(self, folder: str | Path) -> None:
        """Read what is there. Raises `DataError` for a folder that holds something else."""
        self.folder = Path(folder)
        self._list = CorrectionList(self.folder, ("image", "label"))
        self._keep(self._read())

    def __len__(self) -> int:
        return len(self._rows)

    def label(self, origin: Origin) -> str | None:
        """What was said of a character; None when nothing was."""
        return next((row.label for row in self._of[origin.digest] if row.is_of(origin)), None)

    def save(self, origin: Origin, label: str, picture: GrayImage) -> None:
        """Keep `picture`, uint8 (h, w), as a `label`, in place of what was said of that character before.

        The picture is written before the list, both whole. Raises `DataError` when `label` is not one visible
        character or the folder cannot be written; the list is then what it was.
        """
        if len(label) != 1 or label.isspace() or not label.isprintable():
            raise DataError(f"{label!r} is not one visible character; type the one that stands there")
        try:
            (self.folder / IMAGES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"cannot make the folder {self.folder}: {error.strerror}; choose another with --corrections"
            ) from None
        with self._list.alone():
            kept, _ = self._without(origin)
            row = _Row(f"{IMAGES}/{_file_name(origin)}", label)
            write_atomic(self.folder / row.image, _png(picture))
            self._write([*kept, row])
            self._tidy(origin)

    def remove(self, origin: Origin) -> bool:
        """Take back what was said of a character; False when nothing was. Raises `DataError` as `save` does."""
        with self._list.alone():
            kept, removed = self._without(origin)
            if removed:
                self._write(kept)
            self._tidy(origin)
        return bool(removed)

    def relabel(self, origin: Origin, label: str) -> None:
        """Say something else of a character whose picture is there already. Raises `DataError` as `save` does."""
        with self._list.alone():
            self._write([replace(row, label=label) if row.is_of(origin) else row for row in self._read()])

    def _without(self, origin: Origin) -> tuple[list[_Row], list[_Row]]:
        rows = self._read()  # another window may have written meanwhile
        return [row for row in rows if not row.is_of(origin)], [row for row in rows if row.is_of(origin)]

    def _write(self, rows: list[_Row]) -> None:
        self._list.write((row.image, row.label) for row in rows)
        self._keep(rows)

    def _keep(self, rows: list[_Row]) -> None:
        self._rows = rows
        self._of: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            if found := _NAME.search(row.image):
                self._of[found[1]].append(row)

    def _tidy(self, origin: Origin) -> None:
        """Take away pictures of a character that the list does not name, those too that a crash has left so."""
        named = {row.image for row in self._read()}
        for path in (self.folder / IMAGES).glob(f"*{origin.digest}-*.png"):
            row = _Row(f"{IMAGES}/{path.name}", "")
            if row.image not in named and row.is_of(origin):
                with suppress(OSError):  # a picture that no list names does no harm
                    path.unlink()

    def _read(self) -> list[_Row]:
        rows = self._list.read()
        if not rows and not self._list.file.exists():
            self._check_free()
        return [_Row(*row) for row in rows]

    def _check_free(self) -> None:
        """Beside other data, a list of corrections would hide that data from whoever loads the folder."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise DataError(f"{self.folder} is a file, not a folder; choose another name for corrections")
        try:
            foreign = [f.name for f in self.folder.iterdir() if not f.name.startswith(".") and f.name != IMAGES]
        except OSError as error:
            raise DataError(f"{self.folder} cannot be read ({error}); choose another folder for corrections") from None
        if foreign:
            raise DataError(
                f"{self.folder} holds {sorted(foreign)[0]} and no {LIST}; choose a new or empty folder for corrections"
            )


def _file_name(origin: Origin) -> str:
    stem = re.sub(r"[^A-Za-z0-9]+", "-", Path(origin.name).stem).strip("-")[:32]
    place = "-".join(str(v) for v in (origin.box.x, origin.box.y, origin.box.width, origin.box.height))
    return f"{stem}-{origin.digest}-{place}.png" if stem else f"{origin.digest}-{place}.png"


def _png(picture: GrayImage) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()
