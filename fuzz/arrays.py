"""What else may be handed over as a picture: arrays of odd types, shapes, strides and values, images, streams."""

from __future__ import annotations

import io
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fuzz.seeds import Seed

_TYPES = ("u1", "u1", "u1", "?", "u2", ">u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", ">f4", "f8", ">f8",
          np.longdouble, "c8", "c16", "O", "S3", "U2", "M8[s]", "m8[s]", "V4", [("a", "u1"), ("b", "f4")])  # fmt: skip
_VALUES = (0.0, 1.0, 0.5, -1.0, 255.0, 256.0, 1e-310, 1e38, float("nan"), float("inf"), -float("inf"), -0.0, 65535.0)
_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La",
          "I;16", "I;16B", "I;16L")  # fmt: skip


def odd_source(seed: Seed, rng: np.random.Generator) -> tuple[Any, str]:
    """Something to read, and what it is."""
    kind = int(rng.integers(10))
    if kind < 6:
        return _array(rng)
    if kind < 8:
        return _image(rng)
    return _other(seed, rng)


def _array(rng: np.random.Generator) -> tuple[npt.NDArray[Any], str]:
    chosen = _TYPES[int(rng.integers(len(_TYPES)))]
    dtype = np.dtype(chosen)
    shape = _shape(rng)
    made = _filled(shape, dtype, rng)
    view = int(rng.integers(10))
    if view == 0 and made.ndim:
        made = made[::-1]
    elif view == 1 and made.ndim > 1:
        made = made[:, ::2]
    elif view == 2 and made.ndim > 1:
        made = np.asfortranarray(made)
    elif view == 3 and made.ndim > 1:
        made = np.swapaxes(made, 0, 1)
    elif view == 4 and made.size:
        made = np.broadcast_to(made.reshape(-1)[0], tuple(int(v) for v in rng.integers(1, 200, 2)))
    elif view == 5:
        made.flags.writeable = False
    elif view == 6 and dtype.kind in "bufi" and made.ndim > 1:
        made = np.ma.masked_array(made, mask=rng.random(made.shape) < 0.3)
    elif view == 7 and made.ndim == 2 and dtype.kind in "bufi":
        made = np.asarray(made).view(np.matrix)
    return made, f"array {dtype.str if dtype.names is None else 'record'} {'x'.join(map(str, shape))}"


def _shape(rng: np.random.Generator) -> tuple[int, ...]:
    odd = (0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 23, 24, 32, 63, 64, 65, 127, 129)
    height, width = (odd[int(rng.integers(len(odd)))] for _ in range(2))
    kind = int(rng.integers(12))
    if kind == 0:
        return ((), (width,), (height, width, 3, 1), (1,) * 5)[int(rng.integers(4))]
    if kind < 5:
        return height, width, int(rng.choice((0, 1, 2, 3, 3, 4, 4, 5)))
    if kind == 5:
        return ((1, 60_000), (60_000, 1), (3, 20_000), (20_000, 3))[int(rng.integers(4))]
    return height, width


def _filled(shape: tuple[int, ...], dtype: np.dtype[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    if dtype.kind not in "bufic":
        return np.zeros(shape, dtype)
    with np.errstate(all="ignore"):
        if rng.random() < 0.3:
            return np.full(shape, _VALUES[int(rng.integers(len(_VALUES)))]).astype(dtype)
        scale = (1.0, 255.0, 1.0, 300.0, 65535.0)[int(rng.integers(5))] if dtype.kind in "fc" else 255.0
        values = rng.random(shape) * scale
        if rng.random() < 0.6 and len(shape) > 1 and min(shape[:2]) > 8:  # a stroke on paper
            values = np.full(shape, 0.9 * scale)
            values[2:-2, shape[1] // 2 - 1 : shape[1] // 2 + 1] = 0.1 * scale
        if dtype.kind in "fc" and values.size and rng.random() < 0.3:
            values.reshape(-1)[int(rng.integers(values.size))] = _VALUES[int(rng.integers(len(_VALUES)))]
        return np.asarray(values).astype(dtype)


def _image(rng: np.random.Generator) -> tuple[Image.Image, str]:
    mode = _MODES[int(rng.integers(len(_MODES)))]
    size = tuple(int(v) for v in rng.choice((0, 1, 2, 7, 12, 40, 64), 2, p=(0.05, 0.1, 0.1, 0.15, 0.2, 0.2, 0.2)))
    image = Image.new(mode, (size[0], size[1]))
    if 0 not in size:
        image.putpixel((size[0] // 2, size[1] // 2), image.getpixel((0, 0)) or 0)
    if rng.random() < 0.3:
        image.info["transparency"] = (0, (1, 2, 3), b"\0\1", "x", None)[int(rng.integers(5))]
    if rng.random() < 0.2:
        image.info["exif"] = rng.bytes(30)
    return image, f"image {mode} {size[0]}x{size[1]}"


class _Stream(io.RawIOBase):
    """A stream that does not keep what streams promise."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self, size: int = -1) -> Any:
        """Give the answer, or raise it."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _other(seed: Seed, rng: np.random.Generator) -> tuple[Any, str]:
    data = seed.data
    closed = io.BytesIO(data)
    closed.close()
    sources: tuple[tuple[Any, str], ...] = (
        (None, "none"),
        (7, "number"),
        ([1, 2], "list"),
        ("", "empty path"),
        ("a\0b", "path with a zero byte"),
        ("x" * 300, "long path"),
        ("\ud800", "path of half a character"),
        (Path(), "folder"),
        (b"", "no bytes"),
        (bytearray(data), "bytearray"),
        (memoryview(data)[::2], "every other byte"),
        (memoryview(array("f", [0.5] * 9)), "memory of numbers"),
        (io.BytesIO(data), "stream"),
        (io.StringIO("text"), "text stream"),
        (closed, "closed stream"),
        (_Stream(None), "stream of nothing"),
        (_Stream(OSError(5, "no answer")), "broken stream"),
        (_Stream(bytearray(data)), "stream of a bytearray"),
    )
    return sources[int(rng.integers(len(sources)))]
