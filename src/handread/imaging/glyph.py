"""The one normalisation: an ink image of one character to the network's input.

Training, evaluation, prediction and the web page all pass through `normalise`. The ink's bounding box is
scaled so that its longer side is `INK_SIDE` pixels, the aspect ratio kept, and centred in `SIZE` x `SIZE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ImageError

if TYPE_CHECKING:
    from handread.types import InkImage, ModelInput, UInt8Array

SIZE = 32
"""Height and width of the network's input in pixels."""
INK_SIDE = 26
"""Longer side of the ink inside it in pixels."""
THINNEST = 1.9
"""Strokes thinner than this many input pixels are thickened to it: a fine pen must not fade when scaled."""
INK_LEVEL = 0.35
"""Fraction of the image's peak from which a pixel belongs to the bounding box."""

_FINE = 3 * INK_SIDE
"""Longer side at which stroke width is measured in a large picture."""


def normalise(images: Sequence[InkImage] | UInt8Array) -> ModelInput:
    """Ink images, uint8 (N, H, W) or a sequence of (H, W), 0 paper .. 255 ink, to uint8 (N, 1, 32, 32).

    An image without ink gives an empty input. Raises `ImageError` for another dtype or rank.
    """
    output = np.zeros((len(images), 1, SIZE, SIZE), dtype=np.uint8)
    for image, target in zip(images, output, strict=True):
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ImageError(f"an ink image is uint8 of shape (H, W), got {image.dtype} of shape {image.shape}")
        _place(image, target[0])
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


def _place(image: InkImage, target: npt.NDArray[np.uint8]) -> None:
    bounds = ink_bounds(image)
    if bounds is None:
        return
    top, bottom, left, right = bounds
    longest = max(bottom - top, right - left)
    if longest > _FINE:  # large picture: first to a size where stroke width is cheap to measure
        image = _reduce(image[top:bottom, left:right], _FINE / longest)
        top, left = 0, 0
        bottom, right = image.shape
        longest = max(bottom, right)
    if longest > INK_SIDE * 1.25:
        image = _thicken(image[top:bottom, left:right], longest / INK_SIDE)
        top, left = 0, 0
        bottom, right = image.shape
        longest = max(bottom, right)
    scale = INK_SIDE / longest
    if scale < 0.8:
        image = _reduce(image[top:bottom, left:right], scale)
        top, left, scale = 0, 0, 1.0
        bottom, right = image.shape
    # one affine step maps the centre of the box to the centre of the input; pixel centres sit at .5
    matrix = np.array(
        [
            [scale, 0, SIZE / 2 - scale * (left + right) / 2 + (scale - 1) / 2],
            [0, scale, SIZE / 2 - scale * (top + bottom) / 2 + (scale - 1) / 2],
        ]
    )
    cv2.warpAffine(image, matrix, (SIZE, SIZE), dst=target, flags=cv2.INTER_LINEAR)
    level = _full_ink(target)
    if 0 < level < 245:  # full ink reads 255 whatever the pen and the scale
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


def _thicken(image: InkImage, pixels_per_input_pixel: float) -> InkImage:
    """Dilate strokes that would be thinner than `THINNEST` in the input, in a frame with room for it."""
    missing = THINNEST * pixels_per_input_pixel - stroke_width(image)
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
