"""A picture as the window shows it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.desktop.look import THUMBNAIL, load_look, part_at_full_size, thumbnail
from handread.errors import ImageError
from handread.types import Box


def half_red(size: tuple[int, int] = (80, 40)) -> Image.Image:
    picture = Image.new("RGB", size, (255, 255, 255))
    picture.paste((200, 0, 0), (0, 0, size[0] // 2, size[1]))
    return picture


def test_a_picture_keeps_its_colours_and_its_size(tmp_path: Path) -> None:
    half_red().save(tmp_path / "a.png")
    look = load_look(tmp_path / "a.png")
    assert (look.image.mode, look.image.size, look.size, look.scale) == ("RGB", (80, 40), (80, 40), 1.0)
    assert look.image.getpixel((5, 5)) == (200, 0, 0)
    assert look.gray.shape == (40, 80)
    assert look.digest == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()[:12]


def test_the_cameras_turn_is_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter
    half_red().save(tmp_path / "a.jpg", exif=exif, quality=95)
    look = load_look(tmp_path / "a.jpg")
    assert (look.size, look.image.size) == ((40, 80), (40, 80))
    red, green, _ = np.asarray(look.image)[5, 20]
    assert red > 150 > green  # the left half is the upper one now
    part = part_at_full_size(tmp_path / "a.jpg", Box(0, 0, 40, 30))
    assert part.size == (40, 30)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("1", "png"), ("L", "png"), ("P", "gif"), ("RGBA", "png"), ("CMYK", "tif"), ("I;16", "png")]
)
def test_every_kind_of_pixel_is_shown_as_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = half_red().convert("L").convert("I;16") if mode == "I;16" else half_red().convert(mode)
    picture.save(tmp_path / f"a.{suffix}")
    look = load_look(tmp_path / f"a.{suffix}")
    assert (look.image.mode, look.image.size) == ("RGB", (80, 40))
    left, right = (sum(look.image.getpixel((x, 20))) for x in (10, 70))  # type: ignore[arg-type]
    assert left < right


def test_a_large_picture_is_shown_smaller_and_cropped_at_full_size(tmp_path: Path) -> None:
    half_red((4800, 100)).save(tmp_path / "a.png")
    look = load_look(tmp_path / "a.png")
    assert (look.size, look.image.size, look.scale) == ((4800, 100), (2400, 50), 2.0)
    assert part_at_full_size(tmp_path / "a.png", Box(2000, 0, 500, 100)).size == (500, 100)


def test_a_thumbnail_is_a_small_jpeg(tmp_path: Path) -> None:
    half_red((1000, 400)).save(tmp_path / "a.png")
    small = Image.open(io.BytesIO(thumbnail(load_look(tmp_path / "a.png"))))
    assert (small.format, small.size) == ("JPEG", (THUMBNAIL[0], 45))


def test_a_file_that_vanishes_or_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="does not exist"):
        load_look(tmp_path / "a.png")
    with pytest.raises(ImageError, match="can no longer be read"):
        part_at_full_size(tmp_path / "a.png", Box(0, 0, 5, 5))
