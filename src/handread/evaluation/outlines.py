"""What a character's shape is to a light classifier: where its outline runs in which direction.

Histograms of oriented gradients (Dalal and Triggs 2005, CVPR) over a grid of cells, without any learning.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from handread.errors import DataError

CELLS = 8
"""Cells along each side of the image."""
DIRECTIONS = 8
"""Directions of the gradient, all around."""
LENGTH = CELLS * CELLS * DIRECTIONS
"""Numbers that describe one image."""

_SHARPNESS = 3
"""A gradient counts for a direction by the cosine between the two to this power plus one."""
_BATCH = 512


def gradient_features(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Features float32 (N, 512), each row of length 1, of images uint8 (N, H, W) with at least 8 x 8 pixels.

    An image without ink gives zeros. Square roots of the sums are taken, so that one dark stroke does not outweigh
    the rest. Raises `DataError` for another dtype, rank or size.
    """
    if images.dtype != np.uint8 or images.ndim != 3 or min(images.shape[1:]) < CELLS:
        raise DataError(
            f"shapes are measured on uint8 (N, H, W) of at least {CELLS} x {CELLS} pixels, "
            f"got {images.dtype} of shape {images.shape}"
        )
    features = np.empty((len(images), LENGTH), np.float32)
    for start in range(0, len(images), _BATCH):
        features[start : start + _BATCH] = _features(images[start : start + _BATCH])
    return features


def _features(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    across, down = _gradients(images)
    strength = np.hypot(across, down) + np.float32(1e-6)
    rows, columns = (np.linspace(0, side, CELLS, endpoint=False).astype(np.int64) for side in images.shape[1:])
    sums = []
    for angle in np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS):
        along = np.maximum(across * np.float32(np.cos(angle)) + down * np.float32(np.sin(angle)), 0)
        along *= (along / strength) ** _SHARPNESS
        sums.append(np.add.reduceat(np.add.reduceat(along, columns, axis=2), rows, axis=1))
    features = np.sqrt(np.stack(sums, axis=1)).reshape(len(images), LENGTH)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(length, 1e-6), dtype=np.float32)


def _gradients(images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    # Central differences of the image smoothed by 1 2 1 both ways, inside a rim of paper.
    x = np.pad(images, ((0, 0), (2, 2), (2, 2))).astype(np.float32)
    x = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]
    x = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
    return x[:, 1:-1, 2:] - x[:, 1:-1, :-2], x[:, 2:, 1:-1] - x[:, :-2, 1:-1]
