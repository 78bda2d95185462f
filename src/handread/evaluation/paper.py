"""What pens, paper and cameras do to a character: thirteen corruptions at five strengths each.

Every character is first written as a pen writes it on paper, 96 pixels high, dark ink on grained light paper; strength
0 is that plain picture. The numbers are ours: strength 3 is what an untidy sheet shows, 5 what people just still read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.evaluation.corruption import Change, corruption

if TYPE_CHECKING:
    from handread.types import Doubles, Floats, Random, UInt8Array


SIDE = 96
"""Height and width in pixels of the pictures; a character of MNIST is then about 70 high."""


def _listed(name: str, *, light_on_dark: bool = False) -> Callable[[Change], Change]:
    return corruption(name, "paper", light_on_dark=light_on_dark, plain=plain)


def plain(images: UInt8Array, random: Random) -> UInt8Array:
    """Characters on plain paper, uint8 (N, SIDE, SIDE), 0 black .. 255 white."""
    return _picture(*_sheets(len(images), random), strokes(images))


def strokes(images: UInt8Array) -> Floats:
    """Ink images uint8 (N, H, W) as crisp strokes, float32 (N, SIDE, SIDE), 0 paper .. 1 ink, whole and centred."""
    written = np.zeros((len(images), SIDE, SIDE), np.float32)
    for image, target in zip(images, written, strict=True):
        scale = SIDE / max(image.shape)
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        flags = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        large = cv2.resize(image.astype(np.float32) / 255, size, interpolation=flags)
        if scale > 1:
            large = cv2.GaussianBlur(large, (0, 0), 0.3 * scale)
        top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
        target[top : top + size[1], left : left + size[0]] = 1 / (1 + np.exp(-12 * (np.clip(large, 0, 1) - 0.42)))
    written[written < 0.02] = 0
    return written


def _sheets(count: int, random: Random) -> tuple[Floats, Floats]:
    """Grey of the paper with its grain, float32 (N, SIDE, SIDE), and of the ink, float32 (N, 1, 1), 0 black .. 1."""
    tone = random.uniform(0.82, 0.97, (count, 1, 1))
    grain = 0.008 * random.standard_normal((count, SIDE, SIDE), np.float32)
    return np.asarray(tone + grain, np.float32), np.asarray(random.uniform(0.1, 0.28, (count, 1, 1)), np.float32)


def _picture(paper: Floats, ink: Floats | float, drawn: Floats) -> UInt8Array:
    """Strokes drawn with ink of a grey on paper, through a lens: uint8 (N, SIDE, SIDE)."""
    seen = paper * (1 - drawn) + np.minimum(ink, paper) * drawn
    return _seen(np.stack([cv2.GaussianBlur(one, (0, 0), 0.7) for one in seen]))


def _seen(values: npt.NDArray[np.floating]) -> UInt8Array:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def _grid() -> tuple[Floats, Floats]:
    """Rows and columns counted from the middle, float32 (SIDE, SIDE)."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return y - (SIDE - 1) / 2, x - (SIDE - 1) / 2


def _across(angle: Doubles, off: Doubles) -> Floats:
    """Signed distance in pixels from lines at `angle` (N,) that pass `off` (N,) beside the middle: (N, SIDE, SIDE)."""
    y, x = _grid()
    turned = y * np.cos(angle)[:, None, None] - x * np.sin(angle)[:, None, None]
    return np.asarray(turned - off[:, None, None], np.float32)


def _rules(angle: Doubles, first: Doubles, pitch: float, width: float) -> Floats:
    """Parallel lines `width` pixels wide and `pitch` apart, 0..1, float32 (N, SIDE, SIDE)."""
    off = np.abs((_across(angle, first) + pitch / 2) % pitch - pitch / 2)
    return np.asarray(np.clip((width + 1) / 2 - off, 0, 1), np.float32)


@_listed("ruled-lines")
def ruled_lines(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Lines 26 pixels apart, 12, 20, 30, 42 or 55 % darker than the paper, 1 to 2 pixels wide, through the character."""
    dark, width = ((0.12, 1.0), (0.2, 1.2), (0.3, 1.5), (0.42, 1.7), (0.55, 2.0))[strength - 1]
    paper, ink = _sheets(len(images), random)
    angle, first = random.normal(0, 0.015, len(images)), random.uniform(0, 26, len(images))
    return _picture(paper * (1 - dark * _rules(angle, first, 26, width)), ink, strokes(images))


@_listed("squared-paper")
def squared_paper(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Squares of 22 pixels, their lines 10, 17, 25, 35 or 45 % darker than the paper, through the character."""
    dark, width = ((0.1, 1.0), (0.17, 1.1), (0.25, 1.3), (0.35, 1.5), (0.45, 1.7))[strength - 1]
    paper, ink = _sheets(len(images), random)
    angle, first = random.normal(0, 0.015, len(images)), random.uniform(0, 22, (2, len(images)))
    level, upright = (_rules(angle + turn, start, 22, width) for turn, start in zip((0, np.pi / 2), first, strict=True))
    lines = np.asarray(np.maximum(level, upright), np.float32)
    return _picture(paper * (1 - dark * lines), ink, strokes(images))


@_listed("shadow-edge")
def shadow_edge(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A shadow that takes 25, 40, 53, 65 or 75 % of the light, its edge through the character."""
    dark = (0.25, 0.4, 0.53, 0.65, 0.75)[strength - 1]
    paper, ink = _sheets(len(images), random)
    angle = random.uniform(0, 2 * np.pi, len(images))
    off, soft = random.uniform(-18, 18, len(images)), random.uniform(1, 5, len(images))
    shadow = 1 / (1 + np.exp(-np.clip(_across(angle, off) / soft[:, None, None], -30, 30)))
    light = 1 - dark * shadow
    return _picture(np.asarray(paper * light, np.float32), np.asarray(ink * light, np.float32), strokes(images))


@_listed("thin-pen")
def thin_pen(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """The middle line of the strokes, drawn 5, 4, 3, 2 or 1.3 pixels wide in a character 70 pixels high."""
    width = (5.0, 4.0, 3.0, 2.0, 1.3)[strength - 1]
    paper, ink = _sheets(len(images), random)
    lines = _middle_lines(strokes(images) > 0.5)
    drawn = []
    for line in lines:
        off = cv2.distanceTransform(1 - line.astype(np.uint8), cv2.DIST_L2, 5)
        drawn.append(np.clip((width + 1) / 2 - off, 0, 1))
    return _picture(paper, ink, np.asarray(drawn, np.float32).reshape(lines.shape))


def _middle_lines(inked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Lines one pixel wide in the middle of strokes, bool (N, H, W): the thinning of Zhang and Suen (1984)."""
    thin = np.pad(inked, ((0, 0), (1, 1), (1, 1)))
    changed = True
    while changed:
        changed = False
        for turn in (0, 1):
            ring = [
                thin[:, 1 + dy : thin.shape[1] - 1 + dy, 1 + dx : thin.shape[2] - 1 + dx]
                for dy, dx in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            ]
            held = np.sum(ring, axis=0, dtype=np.uint8)
            steps = np.sum([~a & b for a, b in zip(ring, ring[1:] + ring[:1], strict=True)], axis=0, dtype=np.uint8)
            north, east, south, west = ring[::2]
            sides = (
                ~(north & east & south) & ~(east & south & west)
                if turn == 0
                else ~(north & east & west) & ~(north & south & west)
            )
            gone = thin[:, 1:-1, 1:-1] & (held >= 2) & (held <= 6) & (steps == 1) & sides
            if gone.any():
                changed = True
                thin[:, 1:-1, 1:-1] &= ~gone
    return thin[:, 1:-1, 1:-1]


@_listed("thick-pen")
def thick_pen(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Strokes 2, 4, 6, 8 or 10 pixels wider in a character 70 pixels high: a felt pen."""
    more = (2, 4, 6, 8, 10)[strength - 1]
    paper, ink = _sheets(len(images), random)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (more + 1, more + 1))
    return _picture(paper, ink, np.stack([cv2.dilate(one, disc) for one in strokes(images)]))


@_listed("faint-pencil")
def faint_pencil(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A hard pencil that darkens grained paper by 42, 30, 22, 15 or 11 %, unevenly."""
    dark = (0.42, 0.30, 0.22, 0.15, 0.11)[strength - 1]
    paper, _ = _sheets(len(images), random)
    rough = random.standard_normal(paper.shape, np.float32)
    grip = np.clip(1 + 0.35 * np.stack([cv2.GaussianBlur(one, (0, 0), 0.8) for one in rough]) * 2, 0.2, 1.5)
    return _picture(paper, 0.0, np.asarray(strokes(images) * dark * grip, np.float32))


@_listed("fold")
def fold(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A crease through the character: a dark and a bright line, and the half beyond it 6 to 30 % darker."""
    dark, line = ((0.06, 0.12), (0.1, 0.2), (0.16, 0.3), (0.22, 0.4), (0.3, 0.5))[strength - 1]
    paper, ink = _sheets(len(images), random)
    angle, off = random.uniform(0, 2 * np.pi, len(images)), random.uniform(-20, 20, len(images))
    far = _across(angle, off)
    light = 1 - dark * (far > 0) * np.exp(-np.maximum(far, 0) / 40)
    light = light - line * np.exp(-((far / 1.1) ** 2)) + 0.5 * line * np.exp(-(((far + 2.5) / 1.1) ** 2))
    return _picture(np.asarray(paper * light, np.float32), np.asarray(ink * light, np.float32), strokes(images))


@_listed("bleed-through")
def bleed_through(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Another character shines through from the back, mirrored and blurred, 6, 11, 17, 24 or 32 % darker."""
    dark = (0.06, 0.11, 0.17, 0.24, 0.32)[strength - 1]
    paper, ink = _sheets(len(images), random)
    drawn = strokes(images)
    shift = random.uniform(-14, 14, (len(images), 2))
    behind = []
    for one, (x, y) in zip(np.roll(drawn, 1, axis=0)[:, :, ::-1], shift, strict=True):
        moved = cv2.warpAffine(np.ascontiguousarray(one), np.array([[1, 0, x], [0, 1, y]]), (SIDE, SIDE))
        behind.append(cv2.GaussianBlur(moved, (0, 0), 1.6))
    return _picture(np.asarray(paper * (1 - dark * np.stack(behind)), np.float32), ink, drawn)


@_listed("low-resolution")
def low_resolution(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """The picture in 32, 24, 18, 14 or 11 pixels: a character of MNIST is then 23 to 8 pixels high."""
    side = (32, 24, 18, 14, 11)[strength - 1]
    paper, ink = _sheets(len(images), random)
    large = _picture(paper, ink, strokes(images))
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in large])


@_listed("jpeg")
def jpeg(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Kept as JPEG of quality 30, 20, 12, 7 or 4."""
    quality = (30, 20, 12, 7, 4)[strength - 1]
    paper, ink = _sheets(len(images), random)
    kept = []
    for one in _picture(paper, ink, strokes(images)):
        _, file = cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, quality])
        kept.append(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE))
    return np.asarray(kept, dtype=np.uint8)


@_listed("polarity", light_on_dark=True)
def polarity(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Chalk on a board: bright strokes on a ground of 43 to 14 % grey, standing out by 50 to 30 % of white."""
    ground, chalk = ((0.43, 0.5), (0.35, 0.46), (0.27, 0.42), (0.2, 0.36), (0.14, 0.3))[strength - 1]
    count = len(images)
    board = ground + 0.02 * random.standard_normal((count, SIDE, SIDE), np.float32)
    grip = np.clip(1 + 0.25 * random.standard_normal((count, SIDE, SIDE), np.float32), 0.3, 1.4)
    seen = board + chalk * grip * strokes(images)
    return _seen(np.stack([cv2.GaussianBlur(one, (0, 0), 0.7) for one in np.asarray(seen, np.float32)]))


@_listed("off-centre")
def off_centre(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Pushed towards a side or a corner through 20, 40, 60, 80 or 100 % of the room there is, up to 2 pixels from it."""
    share = strength / 5
    paper, ink = _sheets(len(images), random)
    aim = random.choice([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)], len(images))
    drawn = strokes(images)
    moved = []
    for one, (across, down) in zip(drawn, aim, strict=True):
        x, y, width, height = cv2.boundingRect((one > 0.1).astype(np.uint8))
        dx = share * max(0, SIDE - 2 - x - width if across > 0 else x - 2) * across
        dy = share * max(0, SIDE - 2 - y - height if down > 0 else y - 2) * down
        moved.append(cv2.warpAffine(one, np.array([[1, 0, dx], [0, 1, dy]]), (SIDE, SIDE)))
    return _picture(paper, ink, np.asarray(moved, np.float32).reshape(drawn.shape))


@_listed("aspect")
def aspect(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Made 1.2, 1.4, 1.6, 1.8 or 2 times as narrow or as low as it was, by chance."""
    share = 1 / (1.2, 1.4, 1.6, 1.8, 2.0)[strength - 1]
    paper, ink = _sheets(len(images), random)
    narrow = random.random(len(images)) < 0.5
    middle = (SIDE - 1) / 2
    drawn = []
    for one, across in zip(strokes(images), narrow, strict=True):
        sx, sy = (share, 1.0) if across else (1.0, share)
        matrix = np.array([[sx, 0, middle * (1 - sx)], [0, sy, middle * (1 - sy)]])
        drawn.append(cv2.warpAffine(one, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA))
    return _picture(paper, ink, np.asarray(drawn, np.float32).reshape(len(images), SIDE, SIDE))


NAMES = (
    "ruled-lines", "squared-paper", "shadow-edge", "thin-pen", "thick-pen", "faint-pencil", "fold", "bleed-through",
    "low-resolution", "jpeg", "polarity", "off-centre", "aspect",
)  # fmt: skip
"""Paper first, then the pen, then the camera and the frame."""
