"""Draws the sheet of docs/robustness.md: every corruption of a stress test, on a digit of Handread's own pen.

python docs/images/draw_stress.py [FOLDER]
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from handread.data.atomic import write_atomic
from handread.evaluation.corruption import CORRUPTIONS
from handread.evaluation.stress import steps
from handread.frame import MNIST_FRAME
from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.glyph import normalise
from handread.imaging.ink import extract_ink

HERE = Path(__file__).resolve().parent
LEVELS = (1, 3, 5)
GROUND, TEXT, FAINT = (250, 250, 248), (38, 38, 42), (120, 120, 126)
SIDE, GAP, MARGIN, COLUMNS = 84, 8, 28, 4
NAME = 26


def digits(text: str) -> npt.NDArray[np.uint8]:
    """Drawn characters as MNIST's makers laid out theirs, uint8 (N, 28, 28)."""
    sheets = [
        draw_text(one, height_px=120, pen=Pen(width_px=13, jitter=0.02, wobble=0.004), paper=Paper(), rng=np.random.default_rng(5))
        for one in text
    ]  # fmt: skip
    return normalise([extract_ink(sheet.image) for sheet in sheets], MNIST_FRAME)[:, 0]


def tile(picture: npt.NDArray[np.uint8]) -> Image.Image:
    """A picture enlarged so that its pixels can be seen."""
    kept = Image.Resampling.NEAREST if max(picture.shape) < SIDE else Image.Resampling.LANCZOS
    return Image.fromarray(picture).resize((SIDE, SIDE), kept)


def stress() -> Image.Image:
    """Name and three strengths of each corruption, in four columns."""
    shown = digits("25")
    names = [name for name, _, _ in steps([3])[2:]]
    group = len(LEVELS) * (SIDE + 3) - 3
    rows = -(-len(names) // COLUMNS)
    width = 2 * MARGIN + COLUMNS * group + (COLUMNS - 1) * 30
    page = Image.new("RGB", (width, 2 * MARGIN + rows * (NAME + SIDE + 16) - 16), GROUND)
    pen = ImageDraw.Draw(page)
    for place, name in enumerate(names):
        row, column = divmod(place, COLUMNS)
        x, y = MARGIN + column * (group + 30), MARGIN + row * (NAME + SIDE + 16)
        pen.text((x, y + NAME // 2), name, fill=TEXT, font=ImageFont.load_default(17), anchor="lm")
        pen.text((x + group, y + NAME // 2), "1   3   5", fill=FAINT, font=ImageFont.load_default(13), anchor="rm")
        for step, level in enumerate(LEVELS):
            page.paste(tile(CORRUPTIONS[name](shown, level, seed=2)[0]), (x + step * (SIDE + 3), y + NAME))
    return page


PICTURES: dict[str, Callable[[], Image.Image]] = {"stress.png": stress}


def main(folder: Path) -> None:
    """Draw all."""
    for name, draw in PICTURES.items():
        file = io.BytesIO()
        draw().quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        write_atomic(folder / name, file.getvalue())
        print(f"{folder / name}  {file.tell():,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
