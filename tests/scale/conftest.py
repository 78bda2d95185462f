"""Pictures by the dozen, as files and as Parquet, for the room of the millions."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NEEDED = {"pyarrow": "test_*.py", "ray": "test_cluster.py"}
"""Package of the extra ``scale`` -> what cannot be tested without it."""

collect_ignore_glob = [files for package, files in NEEDED.items() if find_spec(package) is None]

Draw = Callable[[str], Image.Image]


def as_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def png(draw: Draw) -> dict[str, bytes]:
    """PNG files of "0", "1", "7" and an empty page, by what is drawn."""
    return {what: as_png(draw(what)) for what in ("0", "1", "7", "")}


@pytest.fixture
def folder(tmp_path: Path, png: dict[str, bytes]) -> Path:
    """1.png ... 7.png with 7 1 0 7 1 0 7, and one that is no picture, 4.png."""
    place = tmp_path / "photos"
    place.mkdir()
    for number, what in enumerate("7107107", start=1):
        (place / f"{number}.png").write_bytes(png[what])
    (place / "4.png").write_bytes(b"no picture")
    return place


@pytest.fixture
def as_parquet() -> Callable[..., Path]:
    """A function that writes a column of cells into a Parquet file: (path, cells, name="image", rows=2 a group)."""

    def write(path: Path, cells: Sequence[Any], name: str = "image", rows: int = 2) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"label": list(range(len(cells))), name: list(cells)}), path, row_group_size=rows)
        return path

    return write


@pytest.fixture
def rows() -> Callable[[Path], list[dict[str, Any]]]:
    """A function that gives all rows of a folder of shards, in order."""

    def read(place: Path) -> list[dict[str, Any]]:
        import pyarrow.parquet as pq

        return [row for part in sorted(place.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]

    return read
