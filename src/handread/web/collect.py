"""Corrections that visitors send, kept as a labelled set within the limits that the operator sets."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2

from handread.data.atomic import sweep, write_atomic
from handread.data.corrections import CorrectionList
from handread.errors import ConfigError, DataError
from handread.imaging.read import read_image
from handread.imaging.shrink import shrunk_to
from handread.web.problems import ProblemError

FOLDER = "pictures"

MOST_PIXELS = 4_000_000
"""Of one picture."""
LONGEST_SIDE = 512
"""Pixels to which a larger picture is scaled down: a character needs no more."""
_MOST_LIST_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A correction that has been written."""

    image: str
    """The picture's path in the folder."""
    count: int
    """Corrections in the folder."""


class Collection:
    """A folder of corrections, safe to use from several threads and processes."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Open or make `folder`; `ConfigError` where that fails, `DataError` where its list is another one."""
        self.folder = folder
        self.most_bytes = most_bytes
        self._list = CorrectionList(folder, ("image", "label", "read"), most_bytes=_MOST_LIST_BYTES)
        try:
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"corrections cannot be kept in {folder}: {error.strerror or error}; choose a folder that can be written"
            ) from None
        with self._list.alone():
            sweep(folder / FOLDER)
            rows = self._rows()
            if not self._list.file.exists():
                self._list.write(rows.values())

    def keep(self, picture: bytes, label: str, read: str) -> Kept:
        """Write a picture, made anew from its pixels alone, and its label; a picture kept before gets the new label.

        Raises `ImageError` for what is no picture, `ProblemError` 409 where the folder is full, `DataError` where it
        cannot be written.
        """
        gray = shrunk_to(read_image(picture, max_pixels=MOST_PIXELS), LONGEST_SIDE, least=1)
        content = cv2.imencode(".png", gray)[1].tobytes()
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:20]}.png"
        with self._list.alone():
            rows = self._rows()
            path = self.folder / name
            if not path.exists() and self._bytes() + len(content) > self.most_bytes:
                raise ProblemError(
                    409, "full",
                    f"the collection has reached the {self.most_bytes / 1e6:g} MB that its operator allows; tell them",
                )  # fmt: skip
            rows[name] = (name, label, read)
            write_atomic(path, content)
            self._list.write(rows.values())
        return Kept(name, len(rows))

    def _bytes(self) -> int:
        try:
            with os.scandir(self.folder / FOLDER) as entries:
                return sum(entry.stat().st_size for entry in entries)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be opened: {error.strerror or error}; make it again") from None

    def _rows(self) -> dict[str, tuple[str, ...]]:
        """Picture -> its row."""
        return {row[0]: row for row in self._list.read()}
