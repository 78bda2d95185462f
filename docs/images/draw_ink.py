"""Draws the pictures of docs/ink.md from the project's own drawn handwriting, by the code that they explain, and
demo.png, the contact sheet of ``handread demo`` at a size for a web page; and photographs the window of docs/picker.md.

    python docs/images/draw_ink.py [FOLDER]

The window needs an X display: ``xvfb-run -s "-screen 0 1400x1000x24"`` before the line gives one.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont, ImageGrab

from handread.cli.contact import contact_sheet
from handread.cli.examples import attempt, read_truth
from handread.data.atomic import write_atomic
from handread.desktop.corrections import Corrections
from handread.desktop.session import Session
from handread.desktop.work import Worker
from handread.imaging.draw import Drawing, Paper, Pen, draw_text
from handread.imaging.glyph import SIZE, normalise
from handread.imaging.ink import extract_ink
from handread.imaging.read import read_image
from handread.imaging.single import single_character
from handread.recognizer import Recognizer

Bytes = npt.NDArray[np.uint8]

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "examples"
GROUND, TEXT, FAINT, RIM = (250, 250, 248), (38, 38, 42), (120, 120, 126), (205, 205, 202)
GREEN, BLUE = (22, 136, 70), (36, 92, 170)
GAP, MARGIN = 26, 30


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture on a sheet, with a line under it."""

    picture: Image.Image
    caption: str = ""


def paper(ink: Bytes) -> Image.Image:
    """Ink as people know it: dark on white."""
    return Image.fromarray(255 - ink)


def network_input(glyph: Bytes, *, pixel: int = 5) -> Image.Image:
    """A 32 x 32 input enlarged so that its pixels can be counted."""
    return Image.fromarray(255 - glyph).resize((SIZE * pixel, SIZE * pixel), Image.Resampling.NEAREST)


def fitted(picture: Image.Image, width: int, height: int) -> Image.Image:
    """Scaled to fit, proportions kept."""
    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    kept = Image.Resampling.NEAREST if scale > 3 else Image.Resampling.LANCZOS
    return picture.resize(size, kept)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own, so that every machine draws the same."""
    return ImageFont.load_default(size)


def sheet(rows: list[list[Tile]], *, heads: list[str], width: int, cell: tuple[int, int]) -> Image.Image:
    """Rows of tiles in equal cells, an arrow from each to the next, headings on top."""
    cell_width, cell_height = cell
    columns = max(len(row) for row in rows)
    captions = 26 if any(tile.caption for row in rows for tile in row) else 0
    top = MARGIN + (34 if heads else 0)
    height = top + len(rows) * (cell_height + captions + GAP) - GAP + MARGIN
    page = Image.new("RGB", (width, height), GROUND)
    pen = ImageDraw.Draw(page)
    pitch = (width - 2 * MARGIN - columns * cell_width) / max(1, columns - 1) + cell_width
    for column, head in enumerate(heads):
        middle = MARGIN + column * pitch + cell_width / 2
        pen.text((middle, MARGIN + 4), head, fill=TEXT, font=font(18), anchor="mm")
    for place, row in enumerate(rows):
        y = top + place * (cell_height + captions + GAP)
        for column, tile in enumerate(row):
            picture = fitted(tile.picture, cell_width, cell_height)
            x = round(MARGIN + column * pitch + (cell_width - picture.width) / 2)
            above = y + (cell_height - picture.height) // 2
            page.paste(picture, (x, above))
            pen.rectangle((x - 1, above - 1, x + picture.width, above + picture.height), outline=RIM)
            middle = MARGIN + column * pitch + cell_width / 2
            if tile.caption:
                pen.text((middle, y + cell_height + 15), tile.caption, fill=FAINT, font=font(15), anchor="mm")
            if column:
                arrow(pen, MARGIN + column * pitch - (pitch - cell_width) / 2, y + cell_height / 2)
    return page


def arrow(pen: ImageDraw.ImageDraw, x: float, y: float) -> None:
    """A small arrow to the right around a point."""
    pen.line((x - 10, y, x + 6, y), fill=FAINT, width=2)
    pen.polygon([(x + 10, y), (x + 2, y - 5), (x + 2, y + 5)], fill=FAINT)


def road() -> Image.Image:
    """Five pictures of one character on their way to the network."""
    names = {
        "seven-shadow.jpg": "pen, a shadow across the page",
        "four-chalk.jpg": "chalk on a board",
        "g-squared.png": "pencil on squared paper",
        "r-felt.png": "felt pen",
        "b-faint.jpg": "hard pencil, hardly pressed",
    }
    rows = []
    for name, caption in names.items():
        path = EXAMPLES / name
        gray = read_image(path)
        with Image.open(path) as file:
            picture = file.convert("RGB")
        single = single_character(path)
        rows.append([
            Tile(picture, caption),
            Tile(paper(extract_ink(gray)), "0 paper .. 255 full ink"),
            Tile(network_input(single.glyph, pixel=7), "32 x 32 pixels"),
        ])  # fmt: skip
    return sheet(rows, heads=["picture", "ink", "what the network sees"], width=900, cell=(240, 224))


def rules() -> Image.Image:
    """Ruled and squared paper and a box: ink with the print still in it, and without."""
    rows = []
    for kind, caption, text in (
        ("ruled", "ruled", "Egg 48"), ("squared", "squared", "57+29"), ("boxes", "the edges of a form's box", "4"),
    ):  # fmt: skip
        picture = drawing(text, kind).image
        if kind == "boxes":  # as a cell is cut out of a form
            picture = np.ascontiguousarray(picture[26:118, 32:114])
        gray = read_image(picture)
        rows.append([
            Tile(Image.fromarray(picture), caption),
            Tile(paper(extract_ink(gray, remove_rules=False)), "print and pen alike"),
            Tile(paper(extract_ink(gray)), "lines taken out where they are alone"),
        ])  # fmt: skip
    return sheet(rows, heads=["picture", "ink as it is found", "ink as it is used"], width=1180, cell=(340, 150))


def drawing(text: str, kind: str) -> Drawing:
    """A line of text on printed paper, grey."""
    pen = Pen(width_px=4.6, slant=5, darkness=0.42, kind="pencil")
    sheet_of = Paper(kind=kind, tone=240, texture=1, noise=1)  # type: ignore[arg-type]
    return draw_text(text, height_px=62, pen=pen, paper=sheet_of, rng=np.random.default_rng(7))


def lines() -> Image.Image:
    """A page of two lines with the boxes that are found, and below each box what goes to the network."""
    path = EXAMPLES / "ticket.jpg"
    reading = Recognizer().read(path)
    gray = read_image(path)
    ink = extract_ink(gray)
    with Image.open(path) as file:
        picture = file.convert("RGB")
    zoom = 2
    shown = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(shown)
    for number, character in enumerate(reading.characters, start=1):
        box = character.box
        rim = (zoom * box.x - 4, zoom * box.y - 4, zoom * box.right + 4, zoom * box.bottom + 4)
        pen.rectangle(rim, outline=GREEN, width=3)
        pen.text((rim[0] + 2, rim[1] - 2), str(number), fill=GREEN, font=font(20), anchor="lb")
    count = len(reading.characters)
    side = 64
    pitch = side + 12
    width = max(shown.width, count * pitch - 12) + 2 * MARGIN
    page = Image.new("RGB", (width, shown.height + side + 66 + 2 * MARGIN), GROUND)
    page.paste(shown, ((width - shown.width) // 2, MARGIN))
    pen = ImageDraw.Draw(page)
    y = MARGIN + shown.height + 24
    first = (width - count * pitch + 12) // 2
    for number, character in enumerate(reading.characters, start=1):
        box, x = character.box, first + (number - 1) * pitch
        glyph = normalise([ink[box.y : box.bottom, box.x : box.right]])[0, 0]
        page.paste(network_input(glyph, pixel=2), (x, y))
        pen.rectangle((x - 1, y - 1, x + side, y + side), outline=RIM)
        pen.text((x + side / 2, y + side + 14), f"{number}", fill=GREEN, font=font(15), anchor="mm")
        pen.text((x + side / 2, y + side + 34), character.text, fill=TEXT, font=font(20), anchor="mm")
    return page


def cues() -> Image.Image:
    """Capital and small letters of one shape: equal inputs, told apart by the cue alone."""
    text = "cCsSoOvV"
    drawn = draw_text(
        text, height_px=110, pen=Pen(width_px=7, jitter=0.012, wobble=0.003), paper=Paper(texture=1.5),
        rng=np.random.default_rng(3),
    )  # fmt: skip
    boxes = [box for _, box in drawn.boxes]
    top, bottom = min(b.y for b in boxes), max(b.bottom for b in boxes)
    ink = extract_ink(drawn.image)
    picture = Image.fromarray(drawn.image).convert("RGB")
    pen = ImageDraw.Draw(picture)
    pen.line((0, bottom, picture.width, bottom), fill=BLUE, width=2)
    pen.line((0, top, picture.width, top), fill=BLUE, width=2)
    side = SIZE * 3
    width = max(picture.width, len(boxes) * (side + 14)) + 2 * MARGIN
    page = Image.new("RGB", (width, picture.height + side + 70 + 2 * MARGIN), GROUND)
    left = (width - picture.width) // 2
    page.paste(picture, (left, MARGIN))
    pen = ImageDraw.Draw(page)
    y = MARGIN + picture.height + 26
    pitch = (width - 2 * MARGIN) / len(boxes)
    for place, box in enumerate(boxes):
        middle = MARGIN + (place + 0.5) * pitch
        x = round(middle - side / 2)
        page.paste(network_input(normalise([ink[box.y : box.bottom, box.x : box.right]])[0, 0], pixel=3), (x, y))
        pen.rectangle((x - 1, y - 1, x + side, y + side), outline=RIM)
        share = box.height / (bottom - top)
        pen.text((middle, y + side + 18), f"height {share:.2f}", fill=BLUE, font=font(16), anchor="mm")
    return page


def demo() -> Image.Image:
    """What `handread demo` writes, two thirds as large."""
    reader = Recognizer()
    outcomes = [attempt(reader, example) for example in read_truth(EXAMPLES)]
    page = Image.open(io.BytesIO(contact_sheet(outcomes)))
    return page.resize((page.width * 2 // 3, page.height * 2 // 3), Image.Resampling.LANCZOS)


def picker() -> Image.Image:
    """The window of ``handread pick`` on the examples, a character of a ticket selected."""
    from handread.desktop.display import open_root
    from handread.desktop.theme import Skin
    from handread.desktop.window import Window

    reader = Recognizer()
    session = Session(reader.alphabet, Corrections(HERE / "none"), reader.alphabet)
    session.add(example.path for example in read_truth(EXAMPLES))
    session.go(len(session.items) - 1)
    root = open_root()
    worker = Worker(reader)
    try:
        window = Window(root, session, worker, Skin(root, "light", dots_an_inch=96))
        while worker.busy or session.next_job() is not None:
            root.update()
        window.select(2)
        window.canvas.focus_force()
        root.update()
        left, top = root.winfo_rootx(), root.winfo_rooty()
        seen = (left, top, left + root.winfo_width(), top + root.winfo_height())
        return ImageGrab.grab(seen, xdisplay=os.environ["DISPLAY"])
    finally:
        worker.stop()
        root.destroy()


PICTURES: dict[str, Callable[[], Image.Image]] = {
    "demo.png": demo,
    "picker.png": picker,
    "ink-road.png": road,
    "ink-rules.png": rules,
    "ink-lines.png": lines,
    "ink-cues.png": cues,
}


def main(folder: Path) -> None:
    """Draw all."""
    for name, draw in PICTURES.items():
        file = io.BytesIO()
        # 256 colours are enough for grey paper and a few pens, at a third of the size
        draw().quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        write_atomic(folder / name, file.getvalue())
        print(f"{folder / name}  {file.tell():,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
