"""One character's own picture out of a page, fit to be learned from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from handread.desktop.view import clamped
from handread.imaging.shrink import shrunk_to

if TYPE_CHECKING:
    from handread.types import Box, GrayImage

LARGEST_SIDE = 1200
"""Longer sides are scaled down to this many pixels."""
_NEAR = 3
"""Neighbours on each side that tell how high the line is."""
_MARGIN = 0.3
"""Paper around the character, in heights of its line."""


def cut_out(gray: GrayImage, boxes: Sequence[Box], index: int) -> GrayImage:
    """The picture of the character in `boxes[index]`, uint8 (h, w), out of a page uint8 (H, W).

    A character alone on its page gets the whole page: its size in that frame is a cue. Of several, it gets the
    height of its line with a margin, for the same reason, and the places of its neighbours are painted over with
    the paper's own shades, so that no part of them is taken for a part of it.
    """
    if len(boxes) == 1:
        return _limited(gray)
    own = boxes[index]
    line = _line_of(own, boxes)
    top, bottom = min(b.y for b in line), max(b.bottom for b in line)
    margin = max(3, round(_MARGIN * (bottom - top)))
    size = (gray.shape[1], gray.shape[0])
    frame = clamped(own.x - margin, top - margin, own.right + margin, bottom + margin, size)
    if frame is None:
        return _limited(gray)
    part = gray[frame.y : frame.bottom, frame.x : frame.right]
    rim = max(1, round(0.03 * (bottom - top)))
    inked = np.zeros(part.shape, dtype=bool)
    for place, box in enumerate(boxes):
        if place != index:
            _mark(inked, box, frame, rim, True)
    _mark(inked, own, frame, rim, False)
    if not inked.any():
        return _limited(part)
    paper = ~inked
    _mark(paper, own, frame, rim, False)
    return _limited(np.where(inked, _paper(part, paper, sigma=max(2.0, (bottom - top) / 4)), part))


def _line_of(own: Box, boxes: Sequence[Box]) -> list[Box]:
    """The nearest boxes that stand in the same line, and `own` itself."""
    level = [
        b for b in boxes if min(b.bottom, own.bottom) - max(b.y, own.y) > 0.5 * min(b.height, own.height)
    ]  # fmt: skip
    left = sorted((b for b in level if b.x < own.x), key=lambda b: -b.x)[:_NEAR]
    right = sorted((b for b in level if b.x > own.x), key=lambda b: b.x)[:_NEAR]
    return [own, *left, *right]


def _mark(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], box: Box, frame: Box, rim: int, value: bool) -> None:
    top, left = max(0, box.y - rim - frame.y), max(0, box.x - rim - frame.x)
    mask[top : max(0, box.bottom + rim - frame.y), left : max(0, box.right + rim - frame.x)] = value


def _paper(gray: GrayImage, paper: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], *, sigma: float) -> GrayImage:
    """The paper's shade everywhere, from where paper is seen: a blur that counts only those pixels."""
    seen = paper.astype(np.float32)
    total = float(seen.sum())
    usual = float((gray * seen).sum() / total) if total else float(np.median(gray))
    weight = cv2.GaussianBlur(seen, (0, 0), sigma)
    blurred = cv2.GaussianBlur(gray.astype(np.float32) * seen, (0, 0), sigma)
    shade = np.where(weight > 0.01, blurred / np.maximum(weight, 0.01), usual)
    return np.asarray(np.round(np.clip(shade, 0, 255)), dtype=np.uint8)


def _limited(gray: GrayImage) -> GrayImage:
    return np.ascontiguousarray(shrunk_to(gray, LARGEST_SIDE, least=1))
