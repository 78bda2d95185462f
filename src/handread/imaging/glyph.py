"""The one normalisation: an ink image of one character to the network's input.

Training, evaluation, prediction and the web page all pass through `normalise`. The ink's bounding box is
scaled so that its longer side is the frame's, 26 of 32 pixels by default, the aspect ratio kept, and centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ImageError
from handread.frame import DEFAULT_FRAME, Frame

if TYPE_CHECKING:
    from handread.types import InkImage, ModelInput, UInt8Array

SIZE = DEFAULT_FRAME.height
"""Height and width of the default input in pixels."""
THINNEST = 1.9 / 26
"""Strokes thinner than this fraction of the ink's longer side are thickened to it: a fine pen must not fade when
scaled."""
INK_LEVEL = 0.35
"""Fraction of the image's peak from which a pixel belongs to the bounding box."""

_FINE = 3
"""A large picture is first brought to this many times the ink's side, where stroke width is cheap to measure."""


def normalise(images: Sequence[InkImage] | UInt8Array, frame: Frame = DEFAULT_FRAME) -> ModelInput:
    """Ink images, uint8 (N, H, W) or a sequence of (H, W), 0 paper .. 255 ink, to uint8 (N, 1, height, width).

    An image without ink gives an empty input. Raises `ImageError` for another dtype or rank.
    """
    output = np.zeros((len(images), 1, *frame.shape), dtype=np.uint8)
    place = _show_window if frame.window else _place
    for image, target in zip(images, output, strict=True):
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ImageError(f"an ink image is uint8 of shape (H, W), got {image.dtype} of shape {image.shape}")
        place(image, target[0], frame)
    return output


def ink_bounds(image: InkImage) -> tuple[int, int, int, int] | None:
    """Top, bottom, left, right (half open) of the ink, or None where there is none."""
    peak = int(image.max()) if image.size else 0
    if peak < 8:
        return None
    mask = image >= max(1.0, INK_LEVEL * peak)
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _place(image: InkImage, target: npt.NDArray[np.uint8], frame: Frame) -> None:
    bounds = ink_bounds(image)
    if bounds is None:
        return
    top, bottom, left, right = bounds
    longest = max(bottom - top, right - left)
    if longest > _FINE * frame.ink:
        image = _reduce(image[top:bottom, left:right], _FINE * frame.ink / longest)
        top, left = 0, 0
        bottom, right = image.shape
        longest = max(bottom, right)
    if longest > frame.ink * 1.25:
        image = _thicken(image[top:bottom, left:right], THINNEST * longest)
        top, left = 0, 0
        bottom, right = image.shape
        longest = max(bottom, right)
    scale = frame.ink / longest
    if scale < 0.8:
        image = _reduce(image[top:bottom, left:right], scale)
        top, left, scale = 0, 0, 1.0
        bottom, right = image.shape
    # one affine step maps the centre of the ink to the centre of the input; pixel centres sit at .5
    x, y = (left + right) / 2, (top + bottom) / 2
    if frame.centre == "mass":
        x, y = _centre_of_mass(image, scale, (top, bottom, left, right), frame)
    across = frame.width / 2 - scale * x + (scale - 1) / 2
    down = frame.height / 2 - scale * y + (scale - 1) / 2
    if scale == 1.0 and frame.centre == "mass":  # as MNIST's makers did: whole pixels, nothing interpolated
        across, down = float(round(across)), float(round(down))
    matrix = np.array([[scale, 0, across], [0, scale, down]])
    cv2.warpAffine(image, matrix, (frame.width, frame.height), dst=target, flags=cv2.INTER_LINEAR)
    _fill_up(target)


def _centre_of_mass(
    image: InkImage, scale: float, bounds: tuple[int, int, int, int], frame: Frame
) -> tuple[float, float]:
    """Column and row that are to stand in the middle: the ink's centre of mass, or so near to it that the ink's box
    stays inside. MNIST's makers let it fall on pixel 14 of 0 to 27, half a pixel right of and below the middle."""
    top, bottom, left, right = bounds
    ink = image[top:bottom, left:right].astype(np.float64)
    total = ink.sum()
    x = left + float(ink.sum(axis=0) @ (np.arange(right - left) + 0.5)) / total - 0.5 / scale
    y = top + float(ink.sum(axis=1) @ (np.arange(bottom - top) + 0.5)) / total - 0.5 / scale
    half_width, half_height = frame.width / 2 / scale, frame.height / 2 / scale
    x = min(max(x, right - half_width), left + half_width)
    return x, min(max(y, bottom - half_height), top + half_height)


def _show_window(image: InkImage, target: npt.NDArray[np.uint8], frame: Frame) -> None:
    """The frame's window of a picture, widened to hold all ink and to the input's shape."""
    bounds = ink_bounds(image)
    if bounds is None:
        return
    height, width = image.shape
    top, bottom, left, right = bounds
    above, before, below, behind = frame.window
    top, bottom = min(top, above * height), max(bottom, below * height)
    left, right = min(left, before * width), max(right, behind * width)
    scale = min(frame.height / (bottom - top), frame.width / (right - left))
    x, y = (left + right) / 2, (top + bottom) / 2
    if scale < 0.8:
        image = _reduce(image, scale)
        x, y = x * image.shape[1] / width, y * image.shape[0] / height
        scale = 1.0
    across = frame.width / 2 - scale * x + (scale - 1) / 2
    down = frame.height / 2 - scale * y + (scale - 1) / 2
    matrix = np.array([[scale, 0, across], [0, scale, down]])
    cv2.warpAffine(image, matrix, (frame.width, frame.height), dst=target, flags=cv2.INTER_LINEAR)
    _fill_up(target)


def _fill_up(target: npt.NDArray[np.uint8]) -> None:
    """Let full ink read 255 whatever the pen and the scale."""
    level = _full_ink(target)
    if 0 < level < 245:
        cv2.convertScaleAbs(target, dst=target, alpha=255.0 / level)


def _full_ink(target: npt.NDArray[np.uint8]) -> int:
    """The level that three quarters of the clear ink do not exceed."""
    inked = target[target > 96]
    if not inked.size:
        return int(target.max())
    place = (3 * inked.size) // 4
    return int(np.partition(inked, place)[place])


def _reduce(image: InkImage, scale: float) -> InkImage:
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    peak = int(small.max())
    if 0 < peak < 230:  # thin strokes fade in the mean; their shape is what counts
        small = cv2.convertScaleAbs(small, alpha=255.0 / peak)
    return np.asarray(small, dtype=np.uint8)


def _thicken(image: InkImage, thinnest: float) -> InkImage:
    """Dilate strokes that are thinner than `thinnest` pixels, with room for it around."""
    missing = thinnest - stroke_width(image)
    if missing < 0.75:
        return image
    grow = round(missing)
    padded = cv2.copyMakeBorder(image, grow, grow, grow, grow, cv2.BORDER_CONSTANT, value=0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow + 1, grow + 1))
    return np.asarray(cv2.dilate(padded, kernel)[grow // 2 : -(grow // 2) or None, grow // 2 : -(grow // 2) or None],
                      dtype=np.uint8)  # fmt: skip


def stroke_width(image: InkImage) -> float:
    """Mean stroke width in pixels: twice the ink's area over the length of its outline; 0 without ink."""
    mask = (image > 100).astype(np.uint8)
    area = int(mask.sum())
    if not area:
        return 0.0
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    across = int((framed[:, 1:] != framed[:, :-1]).sum())
    along = int((framed[1:, :] != framed[:-1, :]).sum())
    # counting pixel edges overstates a slanted outline by up to 4 / pi on average
    return 2.0 * area / ((across + along) * np.pi / 4)
