"""Draws the example pictures and their truth, bit for bit the same each time.

    python examples/draw_examples.py [FOLDER]

The pens, papers and lights are those of `handread.imaging.draw`; nothing here was scanned or photographed.
"""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from handread.data.atomic import write_atomic
from handread.imaging.draw import Paper, Pen, draw_text

BLUE = (32, 52, 138)
BLACK = (28, 28, 32)
RED = (176, 30, 42)


@dataclass(frozen=True, slots=True)
class Example:
    """One picture: what is written, with what, on what, and what should be read."""

    name: str
    text: str
    alphabet: str
    seed: int
    pen: Pen
    paper: Paper
    height_px: float = 64
    one: bool = False
    unread: str = field(default="")
    """Characters that are drawn but are no class, so that they are not in the truth."""
    quality: int = 82
    """JPEG quality, for a name that ends in .jpg."""

    @property
    def truth(self) -> str:
        """What a perfect reading says."""
        return "".join(c for c in self.text if c not in self.unread)


EXAMPLES = (
    Example(
        "seven-shadow.jpg", "7", "digits", 5, one=True, height_px=120,
        pen=Pen(width_px=6, slant=8, colour=BLUE, darkness=0.85),
        paper=Paper(tone=214, texture=4, shadow=0.62, shadow_angle=25, noise=4, blur=0.8),
    ),
    Example(
        "four-chalk.jpg", "4", "digits", 3, one=True, height_px=130,
        pen=Pen(width_px=11, kind="pencil", slant=3, jitter=0.03, darkness=0.9),
        paper=Paper(tone=52, texture=7, noise=5, shadow=0.25, shadow_angle=-60),
    ),
    Example(
        "g-squared.png", "g", "lower", 4, one=True, height_px=84,
        pen=Pen(width_px=3.6, kind="pencil", slant=5, darkness=0.62, wobble=0.008),
        paper=Paper(kind="squared", tone=238, texture=1.5),
    ),
    Example(
        "r-felt.png", "R", "upper", 8, one=True, height_px=110,
        pen=Pen(width_px=17, kind="felt", slant=6, jitter=0.035, colour=RED, darkness=1),
        paper=Paper(tone=250),
    ),
    Example(
        "b-faint.jpg", "b", "letters", 2, one=True, height_px=110,
        pen=Pen(width_px=3.2, kind="pencil", slant=-4, darkness=0.34),
        paper=Paper(tone=226, texture=3, noise=3, shadow=0.2, shadow_angle=100),
    ),
    Example(
        "date.jpg", "24.12.2026", "digits", 21, unread=".", height_px=62,
        pen=Pen(width_px=3.6, slant=10, colour=BLUE),
        paper=Paper(tone=232, texture=2, shadow=0.3, shadow_angle=160, noise=2.5, blur=0.5),
    ),
    Example(
        "postcode.png", "80634", "digits", 6, height_px=58,
        pen=Pen(width_px=3.8, slant=2), paper=Paper(kind="boxes", tone=247),
    ),
    Example(
        "sum.jpg", "12+30", "digits", 15, unread="+", height_px=70,
        pen=Pen(width_px=4.2, kind="pencil", slant=4, darkness=0.7),
        paper=Paper(kind="squared", tone=236, texture=2, noise=2),
    ),
    Example(
        "telephone.jpg", "0176 4482 935", "digits", 32, height_px=56,
        pen=Pen(width_px=3.2, slant=14, colour=BLACK, jitter=0.03),
        paper=Paper(kind="ruled", tone=228, texture=2, noise=2, shadow=0.35, shadow_angle=50),
    ),
    Example(
        "shopping.jpg", "bread milk eggs", "lower", 11, height_px=66,
        pen=Pen(width_px=3.8, slant=6, colour=BLUE, jitter=0.022),
        paper=Paper(kind="ruled", tone=240, texture=2, noise=2),
    ),
    Example(
        "name.png", "ANNA WEBER", "upper", 12, height_px=54,
        pen=Pen(width_px=3.4, slant=0, kind="ballpoint"), paper=Paper(kind="boxes", tone=244),
    ),
    Example(
        "hex.png", "7AC3E9", "hex", 17, height_px=64,
        pen=Pen(width_px=7, kind="felt", slant=4, darkness=0.95), paper=Paper(tone=246, texture=1),
    ),
    Example(
        "prices.jpg", "385\n472\n960", "digits", 14, height_px=54,
        pen=Pen(width_px=3.4, slant=7, darkness=0.8),
        paper=Paper(tone=200, texture=5, shadow=0.55, shadow_angle=70, noise=4, blur=0.6),
    ),
    Example(
        "ticket.jpg", "Gate B42\nRow 37", "alphanumeric", 19, height_px=64,
        pen=Pen(width_px=4.4, slant=3, colour=BLACK, jitter=0.02),
        paper=Paper(tone=235, texture=2, noise=2, shadow=0.25, shadow_angle=-30),
    ),
)  # fmt: skip


def draw_all() -> dict[str, bytes]:
    """Every file of the folder, name -> content: the pictures and ``truth.csv``."""
    files = {example.name: _encoded(example) for example in EXAMPLES}
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["image", "label", "alphabet", "one"])
    rows.writerows([e.name, e.truth, e.alphabet, int(e.one)] for e in EXAMPLES)
    files["truth.csv"] = table.getvalue().encode()
    return files


def _encoded(example: Example) -> bytes:
    drawing = draw_text(
        example.text, height_px=example.height_px, pen=example.pen, paper=example.paper,
        rng=np.random.default_rng(example.seed),
    )  # fmt: skip
    image = drawing.image if drawing.image.ndim == 2 else np.ascontiguousarray(drawing.image[..., ::-1])
    suffix = Path(example.name).suffix
    options = [cv2.IMWRITE_JPEG_QUALITY, example.quality] if suffix == ".jpg" else []
    return cv2.imencode(suffix, image, options)[1].tobytes()


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, content in draw_all().items():
        write_atomic(folder / name, content)
        print(f"{folder / name}  {len(content):,} bytes")
