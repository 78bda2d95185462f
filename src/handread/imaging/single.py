"""One picture that holds exactly one character: the road of ``read --one`` and of labelled pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from handread.frame import DEFAULT_FRAME, Frame
from handread.imaging.cues import picture_cue, unknown_cues
from handread.imaging.glyph import normalise
from handread.imaging.ink import extract_ink
from handread.imaging.read import Source, read_picture
from handread.imaging.repair import repaired
from handread.imaging.rules import LEVEL, remove_dots, remove_rim, remove_rules
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import Cues, InkImage, UInt8Array

_DECISION_SIDE = 480
"""Longer side in pixels at which it is decided what belongs to the character."""

_SMALLEST = 4
"""Ink whose longer side has fewer pixels than this is a speck, not a character."""


@dataclass(frozen=True, slots=True)
class Single:
    """The network's input for a picture of one character, and where the character stands."""

    glyph: UInt8Array
    """uint8 (height, width) normalised input; zeros when the picture is empty."""
    cue: Cues
    """float32 (4,), see `handread.imaging.cues`."""
    box: Box
    """In source pixels; the whole picture when it is empty."""
    empty: bool
    """True when no ink was found."""


def single_character(source: Source, frame: Frame = DEFAULT_FRAME) -> Single:
    """Find the one character in a picture and lay it into `frame`. Raises `ImageError` as `read_image` does."""
    return single_with_ink(source, frame)[0]


def single_with_ink(source: Source, frame: Frame = DEFAULT_FRAME) -> tuple[Single, InkImage]:
    """As `single_character`, and the ink of that character in its picture, uint8 (H, W), 0 paper .. 255 ink."""
    picture = read_picture(source)
    height, width = picture.gray.shape
    ink = isolate(remove_rules(remove_dots(extract_ink(repaired(picture.gray), remove_rules=False))))
    found = cv2.boundingRect((ink > LEVEL).astype(np.uint8))
    if max(found[2:]) < _SMALLEST:
        whole = Box(0, 0, round(width * picture.scale), round(height * picture.scale))
        return Single(np.zeros(frame.shape, dtype=np.uint8), unknown_cues(1)[0], whole, True), ink
    x, y, w, h = found
    box = Box(*(round(v * picture.scale) for v in (x, y, w, h)))
    cue = picture_cue(Box(x, y, w, h), height)
    shown = ink if frame.window else ink[y : y + h, x : x + w]
    return Single(normalise([shown], frame)[0, 0], cue, box, False), ink


def isolate(ink: InkImage) -> InkImage:
    """The ink of the one character in a picture, all other ink taken out; decided on a smaller copy if large."""
    factor = max(ink.shape) / _DECISION_SIDE
    if factor <= 1:
        return main_ink(remove_rim(ink))
    size = (max(3, round(ink.shape[1] / factor)), max(3, round(ink.shape[0] / factor)))
    # a hairline fades in the mean; twice its weight keeps it over the level of ink
    small = cv2.convertScaleAbs(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), alpha=2.0)
    kept = main_ink(remove_rim(np.asarray(small, dtype=np.uint8)))
    near = cv2.dilate((kept > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    mask = cv2.resize(near, (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.multiply(ink, mask), dtype=np.uint8)


def main_ink(ink: InkImage) -> InkImage:
    """Keep the ink of the one character: the heaviest component near the middle and what belongs to it.

    Dots of i and j and broken strokes lie near the main component and are not much smaller than the stroke
    is wide; specks and parts of neighbours that lean in at the rim are dropped.
    """
    mask = (ink > LEVEL).astype(np.uint8)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return ink
    height, width = ink.shape
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.float64)
    off = np.hypot((centres[1:, 0] - width / 2) / width, (centres[1:, 1] - height / 2) / height)
    main = int(np.argmax(areas * (1.2 - off))) + 1
    keep = np.zeros(count, dtype=bool)
    keep[main] = True
    x0, y0, w0, h0 = (int(v) for v in stats[main][:4])
    span = max(w0, h0)
    for index in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[index])
        gap = np.hypot(max(0, x - x0 - w0, x0 - x - w), max(0, y - y0 - h0, y0 - y - h))
        at_rim = x <= 0 or y <= 0 or x + w >= width or y + h >= height
        heavy = area >= (0.12 if at_rim else 0.022) * areas[main - 1]
        # nothing of a character hangs as a speck below it; dots stand above
        below = y > y0 + h0 and area < 0.15 * areas[main - 1]
        keep[index] |= heavy and gap < 0.6 * span and not below
    allowed = cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(allowed > 0, ink, 0).astype(np.uint8)
