"""The one normalisation: an ink image of one character to the network's input.

Training, evaluation, prediction and the web page all pass through `normalise`. The ink's bounding box is
scaled so that its longer side is the frame's, 26 of 32 pixels by default, the aspect ratio kept, and centred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

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

_FAINT = 8
"""Peak below which there is no ink."""

_TOGETHER = 8
"""From so many small images on they are placed together,"""
_AT_MOST = 1024
"""and so many at a time: what is computed on the way takes seven times the memory of the images."""

_DARK = 245
"""Full ink may stay as it is from this level on."""

_CLEAR = 96
"""What is not above this level counts as an edge when it is asked how dark the ink is."""

_FINE = 3
"""A large picture is first brought to this many times the ink's side, where stroke width is cheap to measure."""


def normalise(images: Sequence[InkImage] | UInt8Array, frame: Frame = DEFAULT_FRAME) -> ModelInput:
    """Ink images, uint8 (N, H, W) or a sequence of (H, W), 0 paper .. 255 ink, to uint8 (N, 1, height, width).

    An image without ink gives an empty input. Raises `ImageError` for another dtype or rank.
    """
    output = np.zeros((len(images), 1, *frame.shape), dtype=np.uint8)
    place = _show_window if frame.window else _place
    if len(images) >= _TOGETHER and _are_small(images, frame):
        for first in range(0, len(images), _AT_MOST):
            _place_some(images[first : first + _AT_MOST], output[first : first + _AT_MOST, 0], frame)
        return output
    for image, target in zip(images, output, strict=True):
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ImageError(f"an ink image is uint8 of shape (H, W), got {image.dtype} of shape {image.shape}")
        place(image, target[0], frame)
    return output


def _are_small(images: object, frame: Frame) -> TypeGuard[UInt8Array]:
    """True for an array of images not much larger than the ink is to be, as MNIST's."""
    return (
        isinstance(images, np.ndarray)
        and images.dtype == np.uint8
        and images.ndim == 3
        and min(images.shape[1:]) > 0
        and max(images.shape[1:]) <= 2 * frame.ink
        and not frame.window
    )


def _place_some(images: UInt8Array, targets: UInt8Array, frame: Frame) -> None:
    """What `_place` does to each of `images`, uint8 (N, H, W), bit for bit, and most of it at once: of half the time for
    one small image was Python's."""
    inked, bounds = bounds_of_all(images)
    top, bottom, left, right = bounds
    scale = frame.ink / np.maximum(bottom - top, right - left).astype(np.float64)
    x, y = (left + right) / 2, (top + bottom) / 2
    large, whole = scale < 0.8, (scale == 1.0) & (frame.centre == "mass")
    if frame.centre == "mass":
        x, y = _centres_of_mass(images, scale, bounds, frame)
    across = frame.width / 2 - scale * x + (scale - 1) / 2
    down = frame.height / 2 - scale * y + (scale - 1) / 2
    if whole.any():
        across, down = (np.where(whole, np.rint(value), value) for value in (across, down))
    matrices = np.zeros((len(images), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = scale
    matrices[:, 0, 2], matrices[:, 1, 2] = across, down
    size = (frame.width, frame.height)
    for place in np.flatnonzero(inked & whole).tolist():
        _move(images[place], targets[place], int(across[place]), int(down[place]))
    for place in np.flatnonzero(inked & ~large & ~whole).tolist():
        cv2.warpAffine(images[place], matrices[place], size, dst=targets[place], flags=cv2.INTER_LINEAR)
    clear = np.count_nonzero(targets > _CLEAR, axis=(1, 2))
    faint = clear - np.count_nonzero(targets >= _DARK, axis=(1, 2))
    for place in np.flatnonzero((faint > (3 * clear) // 4) | (clear == 0)).tolist():
        _fill_up(targets[place])
    for place in np.flatnonzero(inked & large).tolist():
        _place(images[place], targets[place], frame)


def _move(image: UInt8Array, target: UInt8Array, across: int, down: int) -> None:
    """What `cv2.warpAffine` comes to where nothing but whole pixels are moved, in a fifth of its time."""
    top, left = max(0, down), max(0, across)
    part = image[top - down : target.shape[0] - down, left - across : target.shape[1] - across]
    target[top : top + part.shape[0], left : left + part.shape[1]] = part


def bounds_of_all(images: UInt8Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """`ink_bounds` of uint8 (N, H, W): where there is ink, bool (N,), and the bounds, int64 (4, N), elsewhere all of it."""
    count, height, width = images.shape
    # upright, the maximum of each row is one of whole rows: half the time
    lines = images.reshape(count * height, width)
    rows = (cv2.transpose(lines).max(axis=0) if count else lines.max(axis=1)).reshape(count, height)
    columns = images.max(axis=1)
    peaks = columns.max(axis=1)
    least = np.maximum(1.0, INK_LEVEL * peaks)[:, None]
    inked = peaks >= _FAINT
    bounds = np.empty((4, len(images)), dtype=np.int64)
    for place, side in ((0, rows), (2, columns)):
        there = side >= least
        there[~inked] = True
        bounds[place] = there.argmax(axis=1)
        bounds[place + 1] = side.shape[1] - there[:, ::-1].argmax(axis=1)
    return inked, bounds


def ink_bounds(image: InkImage) -> tuple[int, int, int, int] | None:
    """Top, bottom, left, right (half open) of the ink, or None where there is none."""
    if not image.size:
        return None
    peak = cv2.minMaxLoc(image)[1]
    if peak < _FAINT:
        return None
    least = math.ceil(max(1.0, INK_LEVEL * peak))
    left, top, width, height = cv2.boundingRect(cv2.threshold(image, least - 1, 255, cv2.THRESH_BINARY)[1])
    return top, top + height, left, left + width


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
        _move(image, target, round(across), round(down))
    else:
        matrix = np.array([[scale, 0, across], [0, scale, down]])
        cv2.warpAffine(image, matrix, (frame.width, frame.height), dst=target, flags=cv2.INTER_LINEAR)
    _fill_up(target)


def _centre_of_mass(
    image: InkImage, scale: float, bounds: tuple[int, int, int, int], frame: Frame
) -> tuple[float, float]:
    """Column and row that are to stand in the middle: the ink's centre of mass, or so near to it that the ink's box
    stays inside. MNIST's makers let it fall on pixel 14 of 0 to 27, half a pixel right of and below the middle."""
    top, bottom, left, right = bounds
    ink = cv2.moments(image[top:bottom, left:right])
    total = ink["m00"]
    x = left + (ink["m10"] + total / 2) / total - 0.5 / scale
    y = top + (ink["m01"] + total / 2) / total - 0.5 / scale
    half_width, half_height = frame.width / 2 / scale, frame.height / 2 / scale
    x = min(max(x, right - half_width), left + half_width)
    return x, min(max(y, bottom - half_height), top + half_height)


def _centres_of_mass(
    images: UInt8Array, scale: npt.NDArray[np.float64], bounds: npt.NDArray[np.int64], frame: Frame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """`_centre_of_mass` of uint8 (N, H, W)."""
    top, bottom, left, right = bounds
    rows, columns = np.arange(images.shape[1]), np.arange(images.shape[2])
    high, wide = _within(rows, top, bottom), _within(columns, left, right)
    ink = images.astype(np.float32)  # exact: no sum of a row or column comes near 2 ** 24
    across = ((high[:, None] @ ink)[:, 0] * wide).astype(np.float64)
    down = ((ink @ wide[:, :, None])[:, :, 0] * high).astype(np.float64)
    total = np.maximum(across.sum(axis=1), 1)
    x = left + (across @ columns - left * across.sum(axis=1) + total / 2) / total - 0.5 / scale
    y = top + (down @ rows - top * down.sum(axis=1) + total / 2) / total - 0.5 / scale
    half_width, half_height = frame.width / 2 / scale, frame.height / 2 / scale
    x = np.minimum(np.maximum(x, right - half_width), left + half_width)
    return x, np.minimum(np.maximum(y, bottom - half_height), top + half_height)


def _within(
    places: npt.NDArray[np.int64], first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """float32 (N, P): 1 from the first place to before the last, else 0."""
    return np.asarray((places >= first[:, None]) & (places < last[:, None]), dtype=np.float32)


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
    if 0 < level < _DARK:
        cv2.convertScaleAbs(target, dst=target, alpha=255.0 / level)


def _full_ink(target: npt.NDArray[np.uint8]) -> int:
    """The level that three quarters of the clear ink do not exceed."""
    counts = np.bincount(target.ravel(), minlength=256).cumsum()
    inked = int(counts[-1] - counts[_CLEAR])
    if not inked:
        return int(target.max())
    return int(counts.searchsorted(counts[_CLEAR] + (3 * inked) // 4, side="right"))


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
