"""Corrections that people make, kept as a labelled set: pictures and a list, as training and learning read them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handread.data.alone import alone_in
from handread.data.atomic import sweep, write_atomic
from handread.errors import ConfigError, DataError
from handread.imaging.read import read_image
from handread.web.problems import ProblemError

LIST = "labels.csv"
FOLDER = "pictures"
COLUMNS = ("image", "label", "read")

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
        """Open or make `folder`; `ConfigError` where that fails or it holds something else."""
        self.folder = folder
        self.most_bytes = most_bytes
        self._lock = threading.Lock()
        try:
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"corrections cannot be kept in {folder}: {error.strerror or error}; choose a folder that can be written"
            ) from None
        with self._alone():
            sweep(folder / FOLDER)
            rows = self._rows()
            if not (folder / LIST).exists():
                self._write(rows)

    def keep(self, picture: bytes, label: str, read: str) -> Kept:
        """Write a picture, made anew from its pixels alone, and its label; a picture kept before gets the new label.

        Raises `ImageError` for what is no picture, `ProblemError` 409 where the folder is full, `DataError` where it
        cannot be written.
        """
        gray = read_image(picture, max_pixels=MOST_PIXELS)
        factor = max(gray.shape) / LONGEST_SIDE
        if factor > 1:
            size = max(1, round(gray.shape[1] / factor)), max(1, round(gray.shape[0] / factor))
            gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        content = cv2.imencode(".png", gray)[1].tobytes()
        name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:20]}.png"
        with self._alone():
            rows = self._rows()
            path = self.folder / name
            if not path.exists() and self._bytes() + len(content) > self.most_bytes:
                raise ProblemError(
                    409, "full",
                    f"the collection has reached the {self.most_bytes / 1e6:g} MB that its operator allows; tell them",
                )  # fmt: skip
            rows[name] = (label, read)
            write_atomic(path, content)
            self._write(rows)
        return Kept(name, len(rows))

    def _bytes(self) -> int:
        with os.scandir(self.folder / FOLDER) as entries:
            return sum(entry.stat().st_size for entry in entries)

    def _rows(self) -> dict[str, tuple[str, str]]:
        path = self.folder / LIST
        if not path.exists():
            return {}
        try:
            if path.stat().st_size > _MOST_LIST_BYTES:
                raise DataError(f"{path} is too long to be a list of corrections; choose another folder")
            with open(path, encoding="utf-8", newline="") as file:
                table = csv.reader(file, strict=True)
                if tuple(next(table, ())) != COLUMNS:
                    raise DataError(f"{path} is another list; choose an empty folder for corrections")
                return {image: (label, read) for image, label, read in table}
        except (OSError, ValueError, csv.Error) as error:
            raise DataError(f"{path} is damaged ({error}); repair it or choose another folder") from None

    def _write(self, rows: dict[str, tuple[str, str]]) -> None:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows((image, *rest) for image, rest in rows.items())
        write_atomic(self.folder / LIST, text.getvalue().encode())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread of one process at a time."""
        with self._lock, contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone_in(self.folder))
            except OSError as error:
                raise DataError(f"{self.folder} cannot be opened: {error.strerror or error}; make it again") from None
            yield
