"""Whatever a picture's file says beside its pixels stays behind: place, owner, comments, thumbnails, profiles."""

from __future__ import annotations

import base64
import io
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, PngImagePlugin, TiffImagePlugin

from handread.cli.contact import contact_sheet
from handread.cli.examples import Example, Outcome
from handread.data.explore import explore
from handread.data.load import load_data
from handread.desktop.corrections import Corrections, Origin
from handread.desktop.cutout import cut_out
from handread.desktop.look import load_look
from handread.reports.exploration import exploration_page
from handread.types import Box
from tests.conftest import drawn

SECRET = b"Villa Sanssouci, 52.404 N, 13.038 E"
_BARE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
"""Chunks of a PNG file that draw it."""


def talkative(form: str) -> bytes:
    """A drawn 7 whose file tells the secret in every way that `form` has."""
    picture, file, words = drawn("7").convert("RGB"), io.BytesIO(), SECRET.decode()
    exif = Image.Exif()
    exif[0x010E] = words  # description
    exif[0x013B] = words  # artist
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 24.0, 14.0)
    exif.get_ifd(0x8825)[29] = words
    profile, xmp = b"\0" * 128 + SECRET, b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>"
    if form == "PNG":
        said = PngImagePlugin.PngInfo()
        said.add_text("Author", words)
        said.add_text("Comment", words, zip=True)
        said.add_itxt("XML:com.adobe.xmp", words)
        picture.save(file, form, pnginfo=said, exif=exif, icc_profile=profile)
    elif form == "TIFF":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[0x010E] = tags[0x013B] = words
        picture.save(file, form, tiffinfo=tags, icc_profile=profile)
    elif form == "GIF":
        picture.save(file, form, comment=SECRET)
    else:
        picture.save(file, form, exif=exif, icc_profile=profile, xmp=xmp, comment=SECRET, quality=95)
    assert file.getvalue().count(SECRET) >= (1 if form == "GIF" else 2)
    return file.getvalue()


def chunks(png: bytes) -> Iterator[bytes]:
    """The kinds of a PNG file's chunks, to the last byte."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8]
        at += length + 12
    assert at == len(png)


def by_the_page(path: Path, place: Path) -> list[bytes]:
    """A correction sent to a server."""
    pytest.importorskip("fastapi")
    from handread.web.collect import Collection

    kept = Collection(place, most_bytes=10**6).keep(path.read_bytes(), "7", "1")
    return [(place / kept.image).read_bytes()]


def by_the_window(path: Path, place: Path) -> list[bytes]:
    """Corrections made on the desktop: of one character alone, and of one among others."""
    look, saved = load_look(path), Corrections(place)
    boxes = [Box(10, 10, 40, 100), Box(60, 10, 30, 100)]
    saved.save(Origin("7.jpg", look.digest, boxes[0]), "7", cut_out(look.gray, boxes[:1], 0))
    saved.save(Origin("7.jpg", look.digest, boxes[1]), "1", cut_out(look.gray, boxes, 1))
    return [path.read_bytes() for path in sorted((place / "images").iterdir())]


def by_the_demo(path: Path, place: Path) -> list[bytes]:
    """The contact sheet, with the picture in its colours."""
    return [contact_sheet([Outcome(Example(path, "7", "digits", True), None)])]


def by_a_report(path: Path, place: Path) -> list[bytes]:
    """The page of a data set, with pictures of it."""
    for label in "17":
        (place / "set" / label).mkdir(parents=True)
        (place / "set" / label / path.name).write_bytes(path.read_bytes())
    data = load_data(place / "set")
    page = exploration_page(explore(data), data)
    return [base64.b64decode(code) for code in re.findall(r"data:image/png;base64,([\w+/=]+)", page)]


@pytest.mark.parametrize("save", [by_the_page, by_the_window, by_the_demo, by_a_report])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_what_is_saved_of_a_picture_are_its_pixels(
    form: str, save: Callable[[Path, Path], list[bytes]], tmp_path: Path
) -> None:
    path, place = tmp_path / f"7.{form.lower()}", tmp_path / "place"
    path.write_bytes(talkative(form))
    place.mkdir()
    saved = save(path, place)
    assert saved
    for content in saved:
        assert SECRET not in content
        assert set(chunks(content)) <= _BARE
    for file in place.rglob("*.csv"):
        assert SECRET not in file.read_bytes()


def test_a_chunk_too_many_is_noticed() -> None:
    assert set(chunks(talkative("PNG"))) - _BARE == {b"iCCP", b"iTXt", b"tEXt", b"zTXt", b"eXIf"}


def test_the_thumbnail_inside_a_photograph_is_not_shown_in_its_place(tmp_path: Path) -> None:
    """A cropped photograph may carry the whole one as a small picture: none of it is read or kept."""
    whole, cropped = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(cropped).line((10, 10, 50, 50), fill="black", width=6)
    small, file = io.BytesIO(), io.BytesIO()
    whole.save(small, "JPEG")
    tiff = b"II*\0" + struct.pack("<IHI", 8, 0, 14)  # no first directory, and a second one with the thumbnail
    entries = [(0x0201, 4, 1, 14 + 2 + 24 + 4), (0x0202, 4, 1, len(small.getvalue()))]
    tiff += struct.pack("<H", 2) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + struct.pack("<I", 0)
    cropped.save(file, "JPEG", exif=b"Exif\0\0" + tiff + small.getvalue())
    assert small.getvalue() in file.getvalue()
    (tmp_path / "cropped.jpg").write_bytes(file.getvalue())
    for content in by_the_window(tmp_path / "cropped.jpg", tmp_path / "place"):
        with Image.open(io.BytesIO(content)) as image:
            assert image.getpixel((0, 0)) == 255
        assert set(chunks(content)) <= _BARE
