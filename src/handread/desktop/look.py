"""A picture as the window shows it, and as the recogniser sees it; read once, off the window's thread."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handread.desktop.corrections import DIGEST
from handread.errors import ImageError
from handread.imaging.read import FORMATS, WORKING_SIDE, read_picture

if TYPE_CHECKING:
    from PIL import Image

    from handread.types import Box, GrayImage

THUMBNAIL = (112, 84)
"""Most pixels of a thumbnail, width and height."""
_PLAIN = {"1", "L", "P", "RGB", "CMYK", "YCbCr"}
"""Pillow's modes of which a screen shows the colours as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture in memory."""

    image: Image.Image
    """RGB, upright, the longer side at most `WORKING_SIDE` pixels."""
    gray: GrayImage
    """uint8 (H, W) as the recogniser works on it."""
    scale: float
    """Source pixels for one pixel of `gray`, at least 1."""
    size: tuple[int, int]
    """Width and height of the source, upright."""
    digest: str
    """Beginning of the file's SHA-256."""


def load_look(path: Path) -> Look:
    """Read a picture for showing and reading; raises `ImageError` as `read_image` does."""
    picture = read_picture(path)
    height, width = picture.gray.shape
    size = (round(width * picture.scale), round(height * picture.scale))
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST]
    except OSError as error:
        raise ImageError(f"{path} cannot be opened: {error.strerror}") from None
    return Look(_in_colour(path, picture.gray), picture.gray, picture.scale, size, digest)


def part_at_full_size(path: Path, box: Box) -> Image.Image:
    """The part of a picture in `box` (source pixels) with all pixels that the file has; `ImageError` as above."""
    from PIL import ImageOps

    try:
        with _opened(path) as file:
            upright = ImageOps.exif_transpose(file)
            return upright.crop((box.x, box.y, box.right, box.bottom))
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{path} can no longer be read ({error}); open it again") from None


def thumbnail(look: Look) -> bytes:
    """A small picture as JPEG: a few kilobytes, so that thousands may be kept."""
    from PIL import Image

    small = look.image.copy()
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()


def _in_colour(path: Path, gray: GrayImage) -> Image.Image:
    """The picture in its colours; where they need interpreting, the grey that was made of it."""
    from PIL import Image, ImageOps

    shown = Image.fromarray(gray)
    try:
        with _opened(path) as file:
            if file.mode in _PLAIN and "transparency" not in file.info:
                if file.format == "JPEG" and max(file.size) > 2 * WORKING_SIDE:
                    file.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
                shown = ImageOps.exif_transpose(file)
                if shown.mode == "P":
                    shown = shown.convert("RGB")
    except (OSError, ValueError, SyntaxError):  # the recogniser had no trouble with it: show what it saw
        shown = Image.fromarray(gray)
    size = (gray.shape[1], gray.shape[0])
    if shown.size != size:
        shown = shown.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return shown.convert("RGB")


def _opened(path: Path) -> Image.Image:
    from PIL import Image

    # pillow-heif has registered itself, where it is installed, when the recogniser's own reader ran
    Image.init()
    return Image.open(path, formats=[f for f in (*FORMATS, "HEIF") if f in Image.OPEN])
