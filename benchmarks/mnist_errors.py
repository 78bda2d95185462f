"""The test digits of MNIST that a model reads otherwise than they are labelled, as a picture and a table.

    python -m benchmarks.run mnist-errors --data FOLDER --model NAME --out errors.png

FOLDER holds mnist/ (the four IDX files). The picture stays with whoever makes it: it shows images of the set, and this
project carries none of any. With --update-page the table goes into docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.mnist_accuracy import right_counts, word
from benchmarks.results import RESULTS, ROOT, Row, markdown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from handread.data.images import LabelledImages

FILE = RESULTS / "mnist_errors.csv"
PAGE = ROOT / "docs" / "accuracy.md"
COLUMNS = ("place", "label", "read", "confidence", "raters", "accepted", "model", "version", "weights")

_TILE, _COLUMNS = 150, 6


def find(items: LabelledImages, model: str) -> list[Row]:
    """One row for each of MNIST's 10,000 test images that is read otherwise than labelled, in the file's order."""
    import hashlib

    from handread.recognizer import Recognizer
    from handread.runtime import store

    reader = Recognizer(model)
    weights = hashlib.sha256(store.load(model)).hexdigest()[:12]
    scores = reader.score(items.images, alphabet="digits")
    right_counts(items.labels, scores.labels)  # an error for any other set
    rows: list[Row] = []
    for place in (scores.labels != items.labels).nonzero()[0].tolist():
        values = (
            str(place), str(items.labels[place]), str(scores.labels[place]), f"{scores.confidence[place]:.4f}",
            word(place), "yes" if scores.accepted[place] else "no", reader.card.name, reader.card.version, weights,
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The errors for people, the surest first."""
    ranked = sorted(rows, key=lambda row: -float(row["confidence"]))
    lines = [
        [row["place"], row["label"], row["read"], f"{100 * float(row['confidence']):.1f} %", row["raters"]]
        for row in ranked
    ]
    return markdown(["place in the file", "label", "read as", "confidence", "five people said"], lines, right=[0, 3])


def sheet(images: npt.NDArray[np.uint8], rows: Sequence[Row]) -> bytes:
    """A PNG of the errors, the surest first, each with its place, label, reading and what the five said."""
    import io

    from PIL import Image, ImageDraw, ImageFont

    ranked = sorted(rows, key=lambda row: -float(row["confidence"]))
    lines = -(-len(ranked) // _COLUMNS)
    page = Image.new("RGB", (_COLUMNS * (_TILE + 20) + 20, max(1, lines) * (_TILE + 66) + 20), (250, 250, 248))
    pen = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(15), ImageFont.load_default(11.5)
    for number, row in enumerate(ranked):
        x, y = 20 + number % _COLUMNS * (_TILE + 20), 20 + number // _COLUMNS * (_TILE + 66)
        tile = Image.fromarray(255 - images[int(row["place"])]).resize((_TILE, _TILE), Image.Resampling.NEAREST)
        page.paste(tile, (x, y))
        pen.rectangle((x - 1, y - 1, x + _TILE, y + _TILE), outline=(205, 205, 202))
        sure = f"{100 * float(row['confidence']):.1f} %"
        pen.text((x, y + _TILE + 5), f"{row['label']} read as {row['read']}", (38, 38, 42), large)
        pen.text((x + _TILE, y + _TILE + 8), sure, (120, 120, 126), small, anchor="ra")
        pen.text((x, y + _TILE + 25), f"place {row['place']}", (120, 120, 126), small)
        pen.text((x, y + _TILE + 39), row["raters"], (120, 120, 126), small)
    file = io.BytesIO()
    page.save(file, "PNG", optimize=True)
    return file.getvalue()


def run(data: Path, model: str, out: Path | None) -> list[Row]:
    """Find the errors, and write the picture where `out` says."""
    from handread import load_data
    from handread.data.atomic import write_atomic

    items = load_data(data / "mnist", split="test")
    rows = find(items, model)
    if out is not None:
        write_atomic(out, sheet(items.images, rows))
    return rows
