"""The demo's contact sheet: every picture with a box and the reading at each character."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from handread.cli.examples import Outcome, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handread.types import Character

    Colour = tuple[int, int, int]

WIDTH = 1500
"""Width of the sheet in pixels."""

_GAP, _CAPTION, _ZOOM = 22, 58, 1.25
_GROUND, _TEXT, _FAINT = (250, 250, 248), (38, 38, 42), (128, 128, 134)
_SHADES = {"green": (22, 136, 70), "yellow": (190, 120, 0), "red": (200, 40, 48)}


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    picture: Image.Image
    outcome: Outcome
    x: int
    y: int


def contact_sheet(outcomes: Sequence[Outcome]) -> bytes:
    """All outcomes on one sheet, as the bytes of a PNG `WIDTH` pixels wide.

    A box's colour tells the confidence (green, amber, red); a refused character has a grey, crossed box. A
    picture that could not be opened is a grey tile with its name.
    """
    tiles, height = _arranged([(_annotated(outcome), outcome) for outcome in outcomes])
    sheet = Image.new("RGB", (WIDTH, height), _GROUND)
    pen = ImageDraw.Draw(sheet)
    for tile in tiles:
        sheet.paste(tile.picture, (tile.x, tile.y))
        right, bottom = tile.x + tile.picture.width, tile.y + tile.picture.height
        pen.rectangle((tile.x - 1, tile.y - 1, right, bottom), outline=(205, 205, 202))
        _caption(pen, tile)
    file = io.BytesIO()
    sheet.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _arranged(pictures: Sequence[tuple[Image.Image, Outcome]]) -> tuple[list[_Tile], int]:
    """Tiles on shelves, tall ones first, each on the first shelf with room; and the sheet's height."""
    tiles: list[_Tile] = []
    used: list[int] = []
    tops = [_GAP]
    for picture, outcome in sorted(pictures, key=lambda pair: -pair[0].height):
        wide = max(picture.width, _caption_width(outcome)) + _GAP
        shelf = next((i for i, x in enumerate(used) if x + wide <= WIDTH), len(used))
        if shelf == len(used):
            used.append(_GAP)
            tops.append(tops[-1] + picture.height + _CAPTION + _GAP)
        tiles.append(_Tile(picture, outcome, used[shelf], tops[shelf]))
        used[shelf] += wide
    return tiles, tops[-1]


def _annotated(outcome: Outcome) -> Image.Image:
    try:
        with Image.open(outcome.example.path) as file:
            picture = file.convert("RGB")
    except OSError:
        return Image.new("RGB", (200, 150), (225, 225, 222))
    zoom = min(_ZOOM, (WIDTH - 2 * _GAP) / picture.width)
    size = (max(1, round(picture.width * zoom)), max(1, round(picture.height * zoom)))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    if outcome.reading is not None:
        pen = ImageDraw.Draw(picture)
        for character in outcome.reading.characters:
            _mark(pen, character, zoom)
    return picture


def _mark(pen: ImageDraw.ImageDraw, character: Character, zoom: float) -> None:
    box = character.box
    left, top = box.x * zoom - 3, box.y * zoom - 3
    right, bottom = box.right * zoom + 3, box.bottom * zoom + 3
    if not character.accepted:
        pen.rectangle((left, top, right, bottom), outline=_FAINT, width=2)
        pen.line((left, top, right, bottom), fill=_FAINT, width=2)
        return
    colour = _SHADES[shade(character.confidence)]
    pen.rectangle((left, top, right, bottom), outline=colour, width=2)
    font = _font(17)
    width = max(16, round(font.getlength(character.text)) + 8)
    label = max(0, top - 20)
    pen.rectangle((left, label, left + width, label + 20), fill=colour)
    pen.text((left + width / 2, label + 10), character.text, fill=(255, 255, 255), font=font, anchor="mm")


def _caption(pen: ImageDraw.ImageDraw, tile: _Tile) -> None:
    y = tile.y + tile.picture.height + 10
    outcome = tile.outcome
    colour = _SHADES["green" if outcome.right else "red"]
    if outcome.right:
        pen.line([(tile.x, y + 9), (tile.x + 6, y + 15), (tile.x + 16, y + 2)], fill=colour, width=3)
    else:
        pen.line((tile.x + 2, y + 3, tile.x + 14, y + 15), fill=colour, width=3)
        pen.line((tile.x + 14, y + 3, tile.x + 2, y + 15), fill=colour, width=3)
    pen.text((tile.x + 24, y), _said(outcome), fill=_TEXT, font=_font(17))
    pen.text((tile.x, y + 25), outcome.example.path.name, fill=_FAINT, font=_font(14))


def _caption_width(outcome: Outcome) -> int:
    wide = max(24 + _font(17).getlength(_said(outcome)), _font(14).getlength(outcome.example.path.name))
    return min(WIDTH - 2 * _GAP, round(wide))


def _said(outcome: Outcome) -> str:
    if outcome.reading is None:
        return "cannot be read"
    truth = " ".join(outcome.example.truth.split())
    if outcome.right:
        return f"{truth}   {100 * outcome.confidence:.0f} %"
    accepted = "".join(c.text for c in outcome.reading.characters if c.accepted)
    return f"{accepted or 'nothing'}, not {truth}"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
