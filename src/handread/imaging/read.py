"""Any picture to a grey image: files, bytes, streams, arrays; upright, alpha flattened, limited in size."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

    from handread.types import GrayImage

Source: TypeAlias = "str | Path | bytes | bytearray | memoryview | BinaryIO | npt.NDArray[Any] | Image.Image"

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
"""Forms that are tried, by Pillow's names; HEIF joins when pillow-heif is installed."""

SUFFIXES = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
        ".pgm",
        ".ppm",
        ".pbm",
        ".heic",
        ".heif",
    ]
)
"""File suffixes that a folder is searched for."""

MAX_PIXELS = 80_000_000
"""A picture whose header claims more is refused before it is decoded."""

WORKING_SIDE = 2400
"""Longer sides are scaled down to this many pixels: an A4 page then has 8 pixels a millimetre."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError,
           OverflowError, MemoryError, RuntimeError, struct.error, zlib.error)  # fmt: skip
"""What Pillow's decoders are seen to raise on damaged files."""

_SILENT = threading.Lock()
"""Silencing warnings is not safe among threads, and folders are read by several."""

_TWO_TONES = 64
"""Greys between the darkest and the brightest opaque pixels from which they are ink and paper, not ink alone."""

_ORIENTATION = 0x0112
"""EXIF tag of the turn that a camera asks for."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A grey picture at working size and the way back to the source's pixels."""

    gray: GrayImage
    """uint8 (H, W), 0 black .. 255 white, upright."""
    scale: float
    """Source pixels for one working pixel, at least 1."""


def read_image(source: Source, *, max_pixels: int = MAX_PIXELS) -> GrayImage:
    """Read a picture as grey uint8 (H, W), 0 black .. 255 white.

    `source` is a path, the bytes of a file, a binary stream, a PIL image, or an array: uint8, uint16,
    bool or float (0..1 or 0..255) of shape (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.
    EXIF orientation is applied, transparency flattened onto white (onto black under bright ink), a long
    side above `WORKING_SIDE` scaled down. Raises `ImageError` for what cannot be read.
    """
    return read_picture(source, max_pixels=max_pixels).gray


def read_picture(source: Source, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """As `read_image`, with the factor between working pixels and the source's."""
    if isinstance(source, np.ndarray):
        return _working_size(_gray_of_array(source, max_pixels))
    if isinstance(source, (str, Path)):
        return _read_file(Path(source), max_pixels)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(bytes(source)), f"the given {len(source)} bytes", max_pixels)
    if hasattr(source, "convert") and hasattr(source, "getbands"):
        return _gray_of_pil(source, "the given image", max_pixels, own=False)
    if hasattr(source, "read"):
        data = source.read()
        if not isinstance(data, bytes):
            raise ImageError("the given stream gives text, not bytes; open it in binary mode")
        return _decode(io.BytesIO(data), "the given stream", max_pixels)
    raise ImageError(
        f"a {type(source).__name__} is no picture; give a path, bytes, a binary stream, an array or a PIL image"
    )


def _read_file(path: Path, max_pixels: int) -> Picture:
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder, not a picture; name a file in it")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path} cannot be opened: {reason}") from None
    return _decode(io.BytesIO(data), str(path), max_pixels)


def _decode(stream: io.BytesIO, name: str, max_pixels: int) -> Picture:
    from PIL import Image, UnidentifiedImageError

    if not stream.getbuffer().nbytes:
        raise ImageError(f"{name} is empty (0 bytes); save the picture again")
    formats = FORMATS + (("HEIF",) if _heif_ready() else ())
    try:
        with _without_warnings():
            opened = Image.open(stream, formats=formats)
        with opened as image:
            return _gray_of_pil(image, name, max_pixels, own=True)
    except UnidentifiedImageError:
        hint = "; HEIC pictures need: pip install 'handread[heic]'" if not _heif_ready() else ""
        raise ImageError(
            f"{name} is not a picture that Handread reads (PNG, JPEG, WebP, TIFF, BMP, GIF){hint}"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(_too_large(name, "more than 178,956,970 pixels", max_pixels)) from None
    except _BROKEN as error:
        raise ImageError(f"{name} is damaged and cannot be decoded ({error}); save the picture again") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of sizes that are refused here anyway, and of odd tags that nothing is lost by."""
    with _SILENT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _too_large(name: str, size: str, max_pixels: int) -> str:
    return f"{name} is too large ({size}, at most {max_pixels:,}); scale it down first"


def _heif_ready() -> bool:
    global _heif
    if _heif is None:
        try:
            import pillow_heif
        except ImportError:
            _heif = False
        else:
            pillow_heif.register_heif_opener()
            _heif = True
    return _heif


_heif: bool | None = None


def _gray_of_pil(image: Any, name: str, max_pixels: int, *, own: bool) -> Picture:
    """`own` images may be changed; a caller's stays as it was."""
    from PIL import Image

    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(_too_large(name, f"{width} x {height} = {width * height:,} pixels", max_pixels))
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height}); save the picture again")
    try:
        longest = max(width, height)
        if own and image.format == "JPEG" and longest > 2 * WORKING_SIDE:
            image.draft("L", (WORKING_SIDE, WORKING_SIDE))  # decodes at a half, quarter or eighth
        image = _upright(image)
        if image.mode.startswith(("I", "F")):
            gray = _stretch(_deep_values(image))
        elif "A" in image.getbands() or "transparency" in image.info:
            gray = _flatten(np.asarray(_reduced(image.convert("RGBA"))))
        else:
            if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                image = image.convert("RGB")
            gray = np.asarray(image.convert("L"), dtype=np.uint8)
    except Image.DecompressionBombError:
        raise ImageError(_too_large(name, f"{width} x {height} pixels", max_pixels)) from None
    except _BROKEN as error:
        raise ImageError(f"{name} is damaged and cannot be decoded ({error}); save the picture again") from None
    picture = _working_size(gray)
    return Picture(picture.gray, longest / max(picture.gray.shape))


def _upright(image: Any) -> Any:
    from PIL import ImageOps

    if image.format != "TIFF":  # whose decoder warns, the others decode outside the lock
        image.load()
    with _without_warnings():
        image.load()
        try:
            turned = image.getexif().get(_ORIENTATION, 1) != 1
        except _BROKEN:
            return image  # a damaged tag is no reason to refuse whole pixels
        return ImageOps.exif_transpose(image) if turned else image


def _reduced(image: Any) -> Any:
    """A whole fraction of a large picture: flattening 50 megapixels as they are would take 2 GB."""
    factor = max(image.size) // WORKING_SIDE
    return image.reduce(factor) if factor > 1 else image


def _deep_values(image: Any) -> npt.NDArray[np.float64]:
    values = np.asarray(image)
    factor = max(values.shape) // WORKING_SIDE
    if factor > 1:
        size = (max(1, values.shape[1] // factor), max(1, values.shape[0] // factor))
        values = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(values, dtype=np.float64)


def _working_size(gray: GrayImage) -> Picture:
    height, width = gray.shape
    factor = max(height, width) / WORKING_SIDE
    if factor <= 1:
        return Picture(gray, 1.0)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return Picture(np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), factor)


def _gray_of_array(array: npt.NDArray[Any], max_pixels: int) -> GrayImage:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"an array of shape {array.shape} is no picture; expected (H, W), (H, W, 3) or (H, W, 4)")
    if 0 in array.shape:
        raise ImageError(f"an array of shape {array.shape} has no pixels")
    if array.shape[0] * array.shape[1] > max_pixels:
        raise ImageError(_too_large("the array", f"{array.shape[1]} x {array.shape[0]} pixels", max_pixels))
    array = _as_bytes(array)
    if array.ndim == 2:
        return np.ascontiguousarray(array)
    if array.shape[2] == 4:
        return _flatten(array)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _as_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint16:
        return _stretch(array.astype(np.float64)) if array.ndim == 2 else (array >> 8).astype(np.uint8)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ImageError("the array holds NaN or infinite values; replace them before reading")
        low, high = float(array.min()), float(array.max())
        if low < 0 or high > 255:
            raise ImageError(f"the array's values run from {low:g} to {high:g}; expected 0..1 or 0..255")
        return np.round(array * (255 if high <= 1 else 1)).astype(np.uint8)
    raise ImageError(
        f"an array of dtype {array.dtype} is no picture; expected uint8, uint16, bool or float (0..1 or 0..255)"
    )


def _stretch(values: npt.NDArray[np.float64]) -> GrayImage:
    """Deep grey values to bytes over the range they use: many 16-bit scanners fill only 12 bits."""
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("its pixels are not plain grey numbers")
    low, high = values.min(), values.max()
    if high == low:
        return np.full(values.shape, 255 if high > 0 else 0, dtype=np.uint8)
    return np.asarray(np.round((values - low) * (255.0 / (high - low))), dtype=np.uint8)


def _flatten(rgba: npt.NDArray[np.uint8]) -> GrayImage:
    """Lay transparent pictures on white, on black where the visible ink itself is bright, or on their own paper."""
    gray = cv2.cvtColor(np.ascontiguousarray(rgba[:, :, :3]), cv2.COLOR_RGB2GRAY)
    alpha = rgba[:, :, 3]
    if int(alpha.min()) == 255:
        return np.asarray(gray, dtype=np.uint8)
    weight = alpha.astype(np.float32) / 255
    ground = _paper_shown(gray[alpha > 250], alpha.size)
    if ground is None:
        total = float(weight.sum())
        bright_ink = total > 0 and float((gray * weight).sum()) / total > 160
        ground = 0.0 if bright_ink else 255.0
    return np.asarray(np.round(gray * weight + ground * (1 - weight)), dtype=np.uint8)


def _paper_shown(solid: npt.NDArray[np.uint8], count: int) -> float | None:
    """Grey of the paper where a picture brings its own, as one with rounded corners does; None where all is ink."""
    if len(solid) < 0.5 * count:
        return None
    low, middle, high = (float(v) for v in np.percentile(solid, (1, 50, 99)))
    return middle if high - low > _TWO_TONES else None
