"""Any picture to a grey image: files, bytes, streams, arrays; upright, alpha flattened, limited in size."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ImageError
from handread.imaging.limits import (
    MAX_BYTES,
    MAX_PIXELS,
    check_array,
    check_bytes,
    check_head,
    check_size,
    costly_tags,
    too_large,
)

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

_STRIP = 1_000_000
"""Pixels that are converted at a time: a second copy of 80 megapixels would take 320 MB."""


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
        size = source.nbytes if isinstance(source, memoryview) else len(source)
        name = f"the given {size} bytes"
        check_bytes(size, name)
        return _decode(bytes(source), name, max_pixels)
    if hasattr(source, "convert") and hasattr(source, "getbands"):
        return _gray_of_pil(source, "the given image", max_pixels, own=False)
    if hasattr(source, "read"):
        return _decode(_all_of(source), "the given stream", max_pixels)
    raise ImageError(
        f"a {type(source).__name__} is no picture; give a path, bytes, a binary stream, an array or a PIL image"
    )


def _read_file(path: Path, max_pixels: int) -> Picture:
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder, not a picture; name a file in it")
        with path.open("rb") as file:  # a device may have no end
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"{path} does not exist; check the name") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"{path} cannot be opened: {reason}") from None
    return _decode(data, str(path), max_pixels)


def _all_of(stream: Any) -> bytes:
    parts: list[bytes] = []
    left = MAX_BYTES + 1
    try:
        while left > 0 and (part := stream.read(left)):
            if not isinstance(part, bytes):
                raise ImageError(f"the given stream gives {type(part).__name__}, not bytes; open it in binary mode")
            parts.append(part)
            left -= len(part)
    except (OSError, ValueError) as error:
        raise ImageError(f"the given stream cannot be read: {error}") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decode(data: bytes, name: str, max_pixels: int) -> Picture:
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError(f"{name} is empty (0 bytes); save the picture again")
    check_bytes(len(data), name)
    check_head(data, name)
    formats = FORMATS + (("HEIF",) if _heif_ready() else ())
    try:
        with _without_warnings():
            opened = Image.open(io.BytesIO(data), formats=formats)
        with opened as image:
            check_size(image, data, name, max_pixels)
            warns = image.format == "TIFF" or (image.format == "PNG" and b"acTL" in data)
            return _gray_of_pil(image, name, max_pixels, own=True, warns=warns)
    except UnidentifiedImageError:
        hint = "; HEIC pictures need: pip install 'handread[heic]'" if not _heif_ready() else ""
        raise ImageError(
            f"{name} is not a picture that Handread reads (PNG, JPEG, WebP, TIFF, BMP, GIF){hint}"
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(too_large(name, "more than 178,956,970 pixels", max_pixels)) from None
    except _BROKEN as error:
        raise ImageError(_damaged(name, error)) from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of sizes that are refused here anyway, and of odd tags that nothing is lost by."""
    with _SILENT, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _damaged(name: str, error: BaseException) -> str:
    return f"{name} is damaged and cannot be decoded ({error}); save the picture again"


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


def _gray_of_pil(image: Any, name: str, max_pixels: int, *, own: bool, warns: bool = True) -> Picture:
    """`own` images may be changed; a caller's stays as it was. Decoding one that `warns` waits for the others."""
    from PIL import Image

    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(too_large(name, f"{width} x {height} = {width * height:,} pixels", max_pixels))
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels ({width} x {height}); save the picture again")
    try:
        longest = max(width, height)
        if own and image.format == "JPEG" and longest > 2 * WORKING_SIDE:
            image.draft("L", (WORKING_SIDE, WORKING_SIDE))  # decodes at a half, quarter or eighth
        promised = sorted(image.size)
        image = _upright(image, own=own, warns=warns)
        if sorted(image.size) != promised:  # a HEIC's pixels may be of another size than its head
            raise ValueError(f"its head promises {width} x {height} pixels, it has {image.width} x {image.height}")
        if image.mode.startswith(("I", "F")):
            gray = _stretch(_deep_values(image))
        elif "A" in image.getbands() or "transparency" in image.info:
            gray = _flatten(_reduced_rgba(image))
        else:
            gray = _plain_gray(image)
    except Image.DecompressionBombError:
        raise ImageError(too_large(name, f"{width} x {height} pixels", max_pixels)) from None
    except _BROKEN as error:
        raise ImageError(_damaged(name, error)) from None
    picture = _working_size(gray)
    return Picture(picture.gray, longest / max(picture.gray.shape))


def _upright(image: Any, *, own: bool, warns: bool) -> Any:
    if not warns:
        image.load()  # outside the lock, beside others
    with _without_warnings():
        image.load()
        turn = _turn_of(image)
        if turn is None:
            return image
        turned = image.transpose(turn)
    if own:
        image.close()  # its pixels are not needed beside the turned ones
    return turned


def _turn_of(image: Any) -> Any:
    """How the pixels must be turned, by what the camera noted; None where they stand upright."""
    from PIL.Image import Transpose

    if costly_tags(image.info.get("exif") or b""):
        return None
    try:
        noted = image.getexif().get(_ORIENTATION, 1)
    except _BROKEN:
        return None  # a damaged tag is no reason to refuse whole pixels
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return turns.get(noted) if isinstance(noted, int) else None


def _strips(image: Any, multiple: int = 1) -> Iterator[tuple[int, Any]]:
    """Top row and image of each strip of `image`, from the top; all but the last a `multiple` of rows high."""
    width, height = image.size
    rows = max(1, _STRIP // width // multiple) * multiple
    if rows >= height:
        yield 0, image
        return
    for top in range(0, height, rows):
        yield top, image.crop((0, top, width, min(top + rows, height)))


def _plain_gray(image: Any) -> GrayImage:
    width, height = image.size
    gray = np.empty((height, width), dtype=np.uint8)
    for top, strip in _strips(image):
        if strip.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            strip = strip.convert("RGB")
        gray[top : top + strip.height] = np.asarray(strip.convert("L"))
    return gray


def _reduced_rgba(image: Any) -> npt.NDArray[np.uint8]:
    """RGBA of a picture, uint8 (H, W, 4), a large one at a whole fraction of its size."""
    factor = max(1, max(image.size) // WORKING_SIDE)
    width, height = (-(-side // factor) for side in image.size)
    rgba = np.empty((height, width, 4), dtype=np.uint8)
    for top, strip in _strips(image, factor):
        strip = strip.convert("RGBA")
        part = np.asarray(strip.reduce(factor) if factor > 1 else strip)
        rgba[top // factor : top // factor + part.shape[0]] = part
    return rgba


def _deep_values(image: Any) -> npt.NDArray[np.float64]:
    width, height = image.size
    factor = max(width, height) // WORKING_SIDE
    if factor <= 1:
        with np.errstate(invalid="ignore"):  # of what is no number at all `_stretch` tells
            return np.asarray(image, dtype=np.float64)
    values = np.empty((height, width), dtype=np.float32)
    for top, strip in _strips(image):
        values[top : top + strip.height] = np.asarray(strip)
    size = (max(1, width // factor), max(1, height // factor))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), dtype=np.float64)


def _working_size(gray: GrayImage) -> Picture:
    height, width = gray.shape
    factor = max(height, width) / WORKING_SIDE
    if factor <= 1:
        return Picture(gray, 1.0)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return Picture(np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), factor)


def _gray_of_array(array: npt.NDArray[Any], max_pixels: int) -> GrayImage:
    if isinstance(array, np.ma.MaskedArray):
        raise ImageError("a masked array has no value where it is masked; give array.filled(255)")
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ImageError(f"an array of shape {array.shape} is no picture; expected (H, W), (H, W, 3) or (H, W, 4)")
    if 0 in array.shape:
        raise ImageError(f"an array of shape {array.shape} has no pixels")
    check_array(array.shape, max_pixels)
    as_bytes = _bytes_of(array)
    if array.ndim == 3 and array.shape[2] == 4:
        if array.dtype == np.uint8 and array.flags.c_contiguous:
            return _flatten(array)
        rgba = np.empty(array.shape, dtype=np.uint8)
        for rows in _blocks(array.shape):
            rgba[rows] = as_bytes(array[rows])
        return _flatten(rgba)
    gray = np.empty(array.shape[:2], dtype=np.uint8)
    for rows in _blocks(array.shape):
        part = as_bytes(array[rows])
        gray[rows] = part if part.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    return gray


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of an array (H, W) or (H, W, C), `_STRIP` pixels at a time."""
    step = max(1, _STRIP // shape[1])
    return (slice(top, top + step) for top in range(0, shape[0], step))


def _bytes_of(array: npt.NDArray[Any]) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
    """What turns rows of `array` into uint8, by the range that all of it has."""
    kind = array.dtype
    if kind == np.uint8:
        return lambda part: part
    if kind == np.bool_:
        return lambda part: part.astype(np.uint8) * 255
    if kind == np.uint16:
        if array.ndim == 3:
            return lambda part: (part >> 8).astype(np.uint8)
        least, most = float(array.min()), float(array.max())
        return lambda part: _stretched(part.astype(np.float64), least, most)
    if kind.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise ImageError("the array holds NaN or infinite values; replace them before reading")
        if low < 0 or high > 255:
            raise ImageError(f"the array's values run from {low:g} to {high:g}; expected 0..1 or 0..255")
        scale = 255 if high <= 1 else 1
        return lambda part: np.round(part * scale).astype(np.uint8)
    raise ImageError(f"an array of dtype {kind} is no picture; expected uint8, uint16, bool or float (0..1 or 0..255)")


def _stretch(values: npt.NDArray[np.float64]) -> GrayImage:
    """Deep grey values to bytes over the range they use: many 16-bit scanners fill only 12 bits."""
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError("its pixels are not plain grey numbers")
    return _stretched(values, float(values.min()), float(values.max()))


def _stretched(values: npt.NDArray[np.float64], low: float, high: float) -> GrayImage:
    if high == low:
        return np.full(values.shape, 255 if high > 0 else 0, dtype=np.uint8)
    return np.asarray(np.round((values - low) * (255.0 / (high - low))), dtype=np.uint8)


def _flatten(rgba: npt.NDArray[np.uint8]) -> GrayImage:
    """Lay transparent pictures on white, on black where the visible ink itself is bright, or on their own paper."""
    gray = np.empty(rgba.shape[:2], dtype=np.uint8)
    for rows in _blocks(rgba.shape):
        gray[rows] = cv2.cvtColor(rgba[rows], cv2.COLOR_RGBA2GRAY)
    alpha = rgba[:, :, 3]
    if int(alpha.min()) == 255:
        return gray
    ground = _paper_shown(gray[alpha > 250], alpha.size)
    if ground is None:
        total = int(alpha.sum(dtype=np.int64))
        weighed = sum(
            int(np.multiply(gray[rows], alpha[rows], dtype=np.uint16).sum(dtype=np.int64))
            for rows in _blocks(rgba.shape)
        )
        bright_ink = total > 0 and weighed / total > 160
        ground = 0.0 if bright_ink else 255.0
    for rows in _blocks(rgba.shape):
        share = alpha[rows].astype(np.float32) / 255
        gray[rows] = np.round(gray[rows] * share + ground * (1 - share))
    return gray


def _paper_shown(solid: npt.NDArray[np.uint8], count: int) -> float | None:
    """Grey of the paper where a picture brings its own, as one with rounded corners does; None where all is ink."""
    if len(solid) < 0.5 * count:
        return None
    low, middle, high = (float(v) for v in np.percentile(solid, (1, 50, 99)))
    return middle if high - low > _TWO_TONES else None
