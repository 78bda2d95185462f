"""Strangers: ink that is no single letter or digit, drawn to measure whether a reader refuses it.

Training draws non-characters of its own (`handread.data.synthetic.non_characters`); these are other drawings by other
means, and nothing in `handread.training` may import them: a measure that was trained for measures nothing.

>>> strangers(3, seed=1).images.shape
(3, 64, 64)
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.data.synthetic import random_pen
from handread.errors import ConfigError
from handread.evaluation.letters_unseen import SCRIPTS
from handread.imaging.draw import Pen, draw_character, draw_skeleton, draw_strokes
from handread.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from handread.types import Doubles, Floats, InkImage, Random, UInt8Array

    Points = Doubles
    Maker = Callable[[Random, int], InkImage]
    """Draws one ink image, uint8 (size, size), 0 paper .. 255 ink."""

STRANGERS: Registry[Maker] = Registry("kind of stranger")
"""Kinds by name, ``group: kind``; the groups are `GROUPS`."""

GROUPS = ("blank", "noise", "blots", "lines", "shapes", "patterns", "scripts", "pairs")
"""Empty cells with dirt, noise, blots, lines, geometric shapes, patterns, letters of other scripts, two characters."""

_PAIRED = "023456789ABDEGHKMNPQRSWXYZabdeghkmpqswyz"
# Two of these side by side never make a third, as 1 and 3 make a B.


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """N drawn strangers and what each is."""

    images: UInt8Array
    """uint8 (N, size, size), 0 paper .. 255 ink."""
    kinds: tuple[str, ...]
    """N names, of `STRANGERS`."""

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def groups(self) -> tuple[str, ...]:
        """N names, of `GROUPS`."""
        return tuple(kind.split(":")[0] for kind in self.kinds)


def strangers(n: int, *, seed: int, size: int = 64) -> Strangers:
    """`n` strangers: every group equally often, within a group every kind, in this order again and again.

    Equal seeds give equal images, and the first of many are those of few. Raises `ConfigError` for `n` below 0 or
    `size` outside 16..1024.
    """
    if n < 0:
        raise ConfigError(f"n is {n}, expected 0 or more strangers")
    if not 16 <= size <= 1024:
        raise ConfigError(f"size is {size}, expected 16 to 1024 pixels")
    kinds = {group: [kind for kind in STRANGERS if kind.startswith(f"{group}:")] for group in GROUPS}
    chosen = []
    for i in range(n):
        turn, place = divmod(i, len(GROUPS))
        own = kinds[GROUPS[place]]
        chosen.append(own[turn % len(own)])
    images = np.zeros((n, size, size), np.uint8)
    for i, kind in enumerate(chosen):
        images[i] = STRANGERS[kind](np.random.default_rng((seed, i)), size)
    return Strangers(images, tuple(chosen))


def on_paper(ink: InkImage, rng: Random) -> UInt8Array:
    """A grey picture, uint8 of the ink's shape, 0 black .. 255 white, of `ink` on unevenly lit paper with grain."""
    height, width = ink.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - rng.uniform(0, 0.2) * (1 + x * math.cos(turn := rng.uniform(0, 6.3)) + y * math.sin(turn)) / 2
    tone, pen = rng.uniform(190, 245), rng.uniform(20, 90)
    seen = (tone + (pen - tone) * (ink / 255.0)) * light + rng.normal(0, rng.uniform(0.5, 4), ink.shape)
    return np.asarray(seen.round().clip(0, 255), np.uint8)


# -- blank cells with dirt


@STRANGERS.register("blank: empty")
def _empty(rng: Random, size: int) -> InkImage:
    return _canvas(size)


@STRANGERS.register("blank: dust")
def _dust(rng: Random, size: int) -> InkImage:
    ink = _canvas(size)
    for _ in range(int(rng.integers(2, 14))):
        centre, axes = rng.uniform(0, size, 2), rng.uniform(0.004, 0.03, 2) * size
        _ellipse(ink, centre, axes, rng.uniform(0, 180), int(rng.integers(60, 220)))
    return ink


@STRANGERS.register("blank: hair")
def _hair(rng: Random, size: int) -> InkImage:
    """A thin fibre that winds three or four times across its way, as no letter does."""
    t = np.linspace(0, 1, 90)
    bends = rng.uniform(3, 4.5)
    path = np.stack([t + 0.12 * np.cos(2 * math.pi * bends * t), 0.2 * np.sin(2 * math.pi * bends * t)], 1)
    path[:, 1] += rng.uniform(-0.3, 0.3) * t**2
    return _strokes([_turned(path, rng.uniform(-35, 35))], rng, size, thin=0.015, fill=(0.5, 0.9))


@STRANGERS.register("blank: smudge")
def _smudge(rng: Random, size: int) -> InkImage:
    hills = _hills(rng, size, cells=3)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    fade = np.exp(-3 * (x * rng.uniform(0.6, 1.4)) ** 2 - 3 * (y * rng.uniform(0.6, 1.4)) ** 2)
    return _toned(rng.uniform(20, 90) * hills * fade)


@STRANGERS.register("blank: edges of the cell")
def _edges(rng: Random, size: int) -> InkImage:
    """Two opposite sides or all four of a printed cell, off the rim by little and a little turned."""
    ink = _canvas(size)
    near, far = rng.uniform(0.03, 0.1) * size, rng.uniform(0.9, 0.97) * size
    corners = np.array([[near, near], [far, near], [far, far], [near, far]]) + rng.normal(0, 0.012 * size, (4, 2))
    sides = ((0, 2), (0, 1, 2, 3), (0, 2, 3))[int(rng.integers(3))]
    thick = max(1, round(size * rng.uniform(0.012, 0.035)))
    for side in sides:
        _line(ink, corners[side], corners[(side + 1) % 4], thick, int(rng.integers(90, 230)))
    return _speckled(ink, rng)


@STRANGERS.register("blank: show-through")
def _show_through(rng: Random, size: int) -> InkImage:
    """The other side's writing, mirrored, out of focus and faint."""
    text = "".join(rng.choice(list(_PAIRED), 4))
    pen = _pen(rng, 0.4 * size)
    lines = [np.hstack([_fitted(draw_character(c, height_px=32, pen=pen, rng=rng), 40) for c in text]) for _ in "ab"]
    whole = np.vstack(lines)[:, ::-1]
    blurred = cv2.GaussianBlur(np.ascontiguousarray(whole), (0, 0), rng.uniform(1.5, 3))
    return _toned(cv2.resize(blurred, (size, size)) * rng.uniform(0.15, 0.4))


# -- noise


@STRANGERS.register("noise: white")
def _white(rng: Random, size: int) -> InkImage:
    return _toned(rng.uniform(60, 255) * rng.random((size, size)))


@STRANGERS.register("noise: salt")
def _salt(rng: Random, size: int) -> InkImage:
    return _toned((rng.random((size, size)) < rng.uniform(0.02, 0.3)) * rng.integers(120, 256, (size, size)))


@STRANGERS.register("noise: pink")
def _pink(rng: Random, size: int) -> InkImage:
    """Amplitude falling as a power of the frequency, cut at a level."""
    down, across = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    falling = np.maximum(np.hypot(down, across), 1 / size) ** -rng.uniform(0.6, 1.2)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * falling, (size, size))
    return _toned((field / field.std() - rng.uniform(0.2, 1.2)) * 200)


@STRANGERS.register("noise: rows")
def _rows(rng: Random, size: int) -> InkImage:
    """A scanner's faulty rows or columns: each its own grey, broken by chance."""
    rows = rng.random((size, 1)) ** 3 * (rng.random((size, size)) < rng.uniform(0.6, 1))
    return _toned(255 * (rows if rng.random() < 0.5 else rows.T))


@STRANGERS.register("noise: shuffled character")
def _shuffled(rng: Random, size: int) -> InkImage:
    """A character cut into 8 x 8 squares that lie in another order."""
    ink = cv2.resize(_one(rng, 64), (64, 64))
    tiles = ink.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 8, 8)
    mixed = rng.permutation(tiles).reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(64, 64)
    return np.asarray(cv2.resize(mixed, (size, size)), np.uint8)


# -- blots


@STRANGERS.register("blots: drops")
def _drops(rng: Random, size: int) -> InkImage:
    """A large drop and what splashed from it."""
    ink = _canvas(size)
    middle = rng.uniform(0.4, 0.6, 2) * size
    _ellipse(ink, middle, rng.uniform(0.15, 0.3, 2) * size, rng.uniform(0, 180), 255)
    for _ in range(int(rng.integers(2, 9))):
        turn, far = rng.uniform(0, 6.3), rng.uniform(0.25, 0.48) * size
        place = middle + far * np.array([math.cos(turn), math.sin(turn)])
        _ellipse(ink, place, rng.uniform(0.01, 0.05, 2) * size, math.degrees(turn), 255)
    return ink


@STRANGERS.register("blots: splash")
def _splash(rng: Random, size: int) -> InkImage:
    """A filled outline with many tongues."""
    turn = np.linspace(0, 2 * math.pi, 90, endpoint=False)
    waves = np.arange(3, 10)[:, None]
    tongues = (rng.uniform(0.05, 0.2, (7, 1)) * np.cos(waves * turn + rng.uniform(0, 6.3, (7, 1)))).sum(axis=0)
    radius = (0.3 + 0.35 * tongues) * size
    return _filled([_round_path(turn, radius) + size / 2], size)


@STRANGERS.register("blots: smear")
def _smear(rng: Random, size: int) -> InkImage:
    """A blot wiped to one side while wet."""
    ink = _drops(rng, size).astype(np.float32)
    length = int(rng.integers(size // 4, size // 2))
    kernel = np.linspace(1, 0, length, dtype=np.float32)[None, :]
    wiped = cv2.filter2D(ink, -1, kernel / kernel.sum() * rng.uniform(1, 2), anchor=(0, 0))
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 360), 0.9)
    return _toned(cv2.warpAffine(np.maximum(ink, wiped), matrix, (size, size)))


@STRANGERS.register("blots: scribbled over")
def _blacked(rng: Random, size: int) -> InkImage:
    """A word blacked out with a broad pen, back and forth."""
    count = int(rng.integers(9, 16))
    y = np.linspace(-0.35, 0.35, count) + rng.normal(0, 0.02, count)
    x = np.where(np.arange(count) % 2, 0.5, -0.5) + rng.normal(0, 0.05, count)
    path = _turned(np.stack([x, y], 1), rng.uniform(-20, 20))
    return _strokes([path], rng, size, thin=0.1, fill=(0.7, 0.95))


@STRANGERS.register("blots: fingerprint")
def _fingerprint(rng: Random, size: int) -> InkImage:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    far = np.hypot(x * 1.3, y - 0.2) + 0.12 * _hills(rng, size, cells=4)
    ridges = np.sin(far * rng.uniform(22, 36)) > rng.uniform(-0.2, 0.4)
    return _toned(rng.uniform(120, 255) * ridges * (np.hypot(x * 1.4, y) < rng.uniform(0.7, 0.95)))


# -- lines


@STRANGERS.register("lines: ruled")
def _ruled(rng: Random, size: int) -> InkImage:
    ink = _canvas(size)
    tilt, thick = rng.normal(0, 0.03) * size, max(1, round(size * rng.uniform(0.012, 0.04)))
    for level in np.linspace(rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95), int(rng.integers(3, 6))) * size:
        _line(ink, (0, level - tilt), (size, level + tilt), thick, int(rng.integers(120, 256)))
    return ink


@STRANGERS.register("lines: single")
def _single(rng: Random, size: int) -> InkImage:
    """One line, nearer to level than to upright, so that it is no 1."""
    t = np.linspace(-0.5, 0.5, 30)
    path = _turned(np.stack([t, 0.03 * np.sin(3 * t + rng.uniform(0, 6.3))], 1), rng.uniform(-38, 38))
    return _strokes([path], rng, size, thin=rng.uniform(0.03, 0.09), fill=(0.6, 0.95))


@STRANGERS.register("lines: crossing")
def _crossing(rng: Random, size: int) -> InkImage:
    """Four to seven lines from rim to rim in all directions."""
    ink = _canvas(size)
    for turn in np.linspace(0, math.pi, int(rng.integers(4, 8)), endpoint=False) + rng.uniform(0, 3):
        along = np.array([math.cos(turn), math.sin(turn)]) * size
        middle = rng.uniform(0.3, 0.7, 2) * size
        thick = max(1, round(size * rng.uniform(0.015, 0.05)))
        _line(ink, middle - along, middle + along, thick, int(rng.integers(150, 256)))
    return ink


@STRANGERS.register("lines: dashed")
def _dashed(rng: Random, size: int) -> InkImage:
    """A row of dashes, or two, nearer to level than to upright."""
    turn, paths = rng.uniform(-30, 30), []
    for level in (0.0, 0.35) if rng.random() < 0.4 else (0.0,):
        for start in np.arange(-0.5, 0.5, rng.uniform(0.15, 0.25)):
            paths.append(_turned(np.array([[start, level], [start + 0.09, level]]), turn))
    return _strokes(paths, rng, size, thin=0.05, fill=(0.8, 0.98))


@STRANGERS.register("lines: fan")
def _fan(rng: Random, size: int) -> InkImage:
    """Five or more strokes out of one point."""
    turns = np.linspace(0, rng.uniform(70, 150), int(rng.integers(5, 9))) + rng.uniform(0, 360)
    ray = np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]])
    return _strokes([_turned(ray * rng.uniform(0.8, 1), float(turn)) for turn in turns], rng, size, thin=0.03)


@STRANGERS.register("lines: squared paper")
def _squared(rng: Random, size: int) -> InkImage:
    ink = _canvas(size)
    pitch, thick = size * rng.uniform(0.16, 0.3), max(1, round(size * rng.uniform(0.012, 0.03)))
    for place in np.arange(rng.uniform(0, pitch), size, pitch):
        _line(ink, (place, 0), (place, size), thick, 190)
    for place in np.arange(rng.uniform(0, pitch), size, pitch):
        _line(ink, (0, place), (size, place), thick, 190)
    return ink


# -- shapes


@STRANGERS.register("shapes: filled polygon")
def _filled_polygon(rng: Random, size: int) -> InkImage:
    return _filled([_polygon(rng, int(rng.integers(3, 9)), size)], size)


@STRANGERS.register("shapes: polygon in polygon")
def _nested(rng: Random, size: int) -> InkImage:
    """Two outlines of three to six corners, one in the other."""
    outline = _polygon(rng, int(rng.integers(3, 7)), size)
    inner = size / 2 + (outline - size / 2) * rng.uniform(0.35, 0.65)
    return _strokes([_closed(outline), _closed(inner)], rng, size, thin=0.035)


@STRANGERS.register("shapes: wide rectangle")
def _wide_rectangle(rng: Random, size: int) -> InkImage:
    high = rng.uniform(0.2, 0.5)
    corners = np.array([[-0.5, -high / 2], [0.5, -high / 2], [0.5, high / 2], [-0.5, high / 2]])
    return _strokes([_closed(_turned(corners, rng.uniform(-15, 15)))], rng, size, thin=0.04)


@STRANGERS.register("shapes: six-pointed star")
def _hexagram(rng: Random, size: int) -> InkImage:
    corners = [_round_path(np.arange(3.0) * 2.0944 + start, np.full(3, 0.5)) for start in (0.52, 1.57)]
    turn = rng.uniform(-12, 12)
    return _strokes([_closed(_turned(triangle, turn)) for triangle in corners], rng, size, thin=0.04)


@STRANGERS.register("shapes: cube")
def _cube(rng: Random, size: int) -> InkImage:
    front = np.array([[0.0, 0.3], [0.6, 0.3], [0.6, 0.9], [0.0, 0.9]]) + rng.normal(0, 0.015, (4, 2))
    back = front + np.array([rng.uniform(0.2, 0.35), -rng.uniform(0.2, 0.35)])
    edges = [np.stack([front[i], back[i]]) for i in range(4)]
    return _strokes([_closed(front), _closed(back), *edges], rng, size, thin=0.03)


@STRANGERS.register("shapes: wheel")
def _wheel(rng: Random, size: int) -> InkImage:
    """A ring with three or more diameters."""
    ring = _round_path(np.linspace(0, 6.4, 40), np.full(40, 0.5))
    turns = np.linspace(0, 180, int(rng.integers(3, 5)), endpoint=False) + rng.uniform(0, 90)
    spokes = [_turned(np.array([[-0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]), float(turn)) for turn in turns]
    return _strokes([ring, *spokes], rng, size, thin=0.035)


@STRANGERS.register("shapes: block arrow")
def _block_arrow(rng: Random, size: int) -> InkImage:
    outline = np.array([[-1, -0.3], [0.1, -0.3], [0.1, -0.8], [1, 0], [0.1, 0.8], [0.1, 0.3], [-1, 0.3]])
    outline = _turned(outline, rng.uniform(0, 360)) * size * 0.42 + size / 2
    if rng.random() < 0.5:
        return _filled([outline], size)
    return _strokes([_closed(outline)], rng, size, thin=0.035)


@STRANGERS.register("shapes: three rings")
def _rings(rng: Random, size: int) -> InkImage:
    places = np.array([[-0.6, 0.0], [0.6, 0.0], [0.0, 0.9]]) * rng.uniform(0.7, 1.3)
    ring = _round_path(np.linspace(0, 6.4, 30), np.full(30, 0.75))
    return _strokes([ring + place for place in places], rng, size, thin=0.035)


# -- patterns


@STRANGERS.register("patterns: checks")
def _checks(rng: Random, size: int) -> InkImage:
    y, x = np.mgrid[0:size, 0:size] / size
    cells, turn = rng.uniform(4, 9), rng.uniform(0, 0.8)
    a, b = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return _toned(255.0 * ((np.floor(a * cells) + np.floor(b * cells)) % 2))


@STRANGERS.register("patterns: hatching")
def _hatching(rng: Random, size: int) -> InkImage:
    """Hatched by hand within a slanted field."""
    count = int(rng.integers(6, 13))
    paths = []
    for place in np.linspace(0, 1, count):
        ends = np.array([[place, 0.0], [place + 0.3, rng.uniform(0.7, 1)]]) + rng.normal(0, 0.015, (2, 2))
        paths.append(ends)
    turn = rng.uniform(0, 180)
    return _strokes([_turned(path, turn) for path in paths], rng, size, thin=0.025)


@STRANGERS.register("patterns: dots")
def _dots(rng: Random, size: int) -> InkImage:
    """Dots in rows, or a halftone whose dots grow to one side."""
    ink = _canvas(size)
    pitch, growing = size * rng.uniform(0.11, 0.22), rng.random() < 0.5
    for row, y in enumerate(np.arange(pitch / 2, size, pitch)):
        for x in np.arange(pitch / 2 * (1 + row % 2), size, pitch):
            radius = pitch * (0.1 + 0.35 * x / size if growing else 0.28)
            _ellipse(ink, np.array([x, y]), np.full(2, radius), 0, 255)
    return ink


@STRANGERS.register("patterns: bricks")
def _bricks(rng: Random, size: int) -> InkImage:
    ink = _canvas(size)
    high, wide, thick = size * rng.uniform(0.14, 0.25), size * rng.uniform(0.3, 0.45), max(1, size // 28)
    for row, y in enumerate(np.arange(rng.uniform(0, high), size, high)):
        _line(ink, (0, y), (size, y), thick, 230)
        for x in np.arange(wide / 2 * (row % 2), size, wide):
            _line(ink, (x, y), (x, y + high), thick, 230)
    return ink


@STRANGERS.register("patterns: circles")
def _circles(rng: Random, size: int) -> InkImage:
    """Circles around one point, four or more."""
    count = int(rng.integers(4, 7))
    rings = [_round_path(np.linspace(0, 6.4, 50), np.full(50, r)) for r in np.linspace(0.15, 1, count)]
    return _strokes(rings, rng, size, thin=0.025)


@STRANGERS.register("patterns: zebra")
def _zebra(rng: Random, size: int) -> InkImage:
    """Winding stripes: the band between two blurs of noise."""
    grain = rng.standard_normal((size, size)).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(grain, (0, 0), size * width) for width in (0.035, 0.055))
    return _toned(255.0 * (fine - coarse > 0))


@STRANGERS.register("patterns: bar code")
def _bar_code(rng: Random, size: int) -> InkImage:
    bars = np.repeat(rng.random(int(rng.integers(18, 32))) < 0.5, 8)
    row = cv2.resize(bars.astype(np.uint8)[None, :] * 255, (size, 1), interpolation=cv2.INTER_AREA)
    ink = _canvas(size)
    top, bottom = round(size * rng.uniform(0, 0.25)), round(size * rng.uniform(0.75, 1))
    ink[top:bottom] = row
    return ink


@STRANGERS.register("patterns: matrix code")
def _matrix_code(rng: Random, size: int) -> InkImage:
    cells = int(rng.integers(9, 17))
    code = (rng.random((cells, cells)) < 0.5).astype(np.uint8) * 255
    return np.asarray(cv2.resize(code, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8)


# -- letters of other scripts


def _of_script(letters: dict[str, str]) -> Maker:
    names = list(letters)

    def make(rng: Random, size: int) -> InkImage:
        pen = _pen(rng, size)
        pen = dataclasses.replace(pen, width_px=min(pen.width_px, 0.09 * size), slant=0.6 * pen.slant)
        letter = letters[names[int(rng.integers(len(names)))]]
        return _fitted(draw_skeleton(letter, height_px=0.9 * size, pen=pen, rng=rng), size, rng.uniform(0.65, 0.95))

    return make


for _name, _letters in SCRIPTS.items():
    STRANGERS.register(f"scripts: {_name}")(_of_script(_letters))


# -- two characters in one box


@STRANGERS.register("pairs: apart")
def _apart(rng: Random, size: int) -> InkImage:
    return _pair(rng, size, rng.uniform(0.06, 0.3))


@STRANGERS.register("pairs: touching")
def _touching(rng: Random, size: int) -> InkImage:
    return _pair(rng, size, -rng.uniform(0.02, 0.15))


@STRANGERS.register("pairs: above each other")
def _above(rng: Random, size: int) -> InkImage:
    pen = _pen(rng, 0.6 * size)
    first, second = (_cut(draw_character(c, height_px=size, pen=pen, rng=rng)) for c in _two(rng))
    return _joined(first.T, second.T, rng.uniform(-0.05, 0.2), size).T.copy()


def _pair(rng: Random, size: int, gap: float) -> InkImage:
    pen = _pen(rng, 0.8 * size)
    first, second = (_cut(draw_character(c, height_px=size, pen=pen, rng=rng)) for c in _two(rng))
    return _joined(first, second, gap, size)


def _two(rng: Random) -> list[str]:
    # as people fill a box: mostly numbers
    among = "023456789" if rng.random() < 0.5 else _PAIRED
    return [str(c) for c in rng.choice(list(among), 2)]


def _joined(first: InkImage, second: InkImage, gap: float, size: int) -> InkImage:
    """Side by side, their middles at one height, `gap` times the first's height between them, fitted."""
    tall = max(len(first), len(second))
    space = round(gap * len(first))
    row = np.zeros((tall, max(first.shape[1] + space, 1) + second.shape[1]), np.uint8)
    for piece, left in ((first, 0), (second, max(first.shape[1] + space, 1))):
        top = (tall - len(piece)) // 2
        window = row[top : top + len(piece), left : left + piece.shape[1]]
        np.maximum(window, piece, out=window)
    return _fitted(row, size, 0.92)


# -- the means


def _canvas(size: int) -> InkImage:
    return np.zeros((size, size), np.uint8)


def _toned(field: npt.NDArray[np.floating] | npt.NDArray[np.integer]) -> InkImage:
    return np.asarray(np.clip(field, 0, 255), np.uint8)


def _hills(rng: Random, size: int, *, cells: int) -> Floats:
    """Smooth noise 0..1, float32 (size, size)."""
    return np.asarray(cv2.resize(rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC))


def _ellipse(ink: InkImage, centre: Points, axes: Points, degrees: float, tone: int) -> None:
    middle = (round(float(centre[0]) * 16), round(float(centre[1]) * 16))
    half = (max(8, round(float(axes[0]) * 16)), max(8, round(float(axes[1]) * 16)))
    cv2.ellipse(ink, middle, half, degrees, 0, 360, tone, -1, cv2.LINE_AA, 4)


def _line(ink: InkImage, start: npt.ArrayLike, end: npt.ArrayLike, thick: int, tone: int) -> None:
    (x0, y0), (x1, y1) = (np.round(np.asarray(p, np.float64) * 16).astype(int).tolist() for p in (start, end))
    cv2.line(ink, (x0, y0), (x1, y1), tone, thick, cv2.LINE_AA, 4)


def _speckled(ink: InkImage, rng: Random) -> InkImage:
    return np.maximum(ink, _dust(rng, len(ink))) if rng.random() < 0.5 else ink


def _filled(outlines: list[Points], size: int) -> InkImage:
    large = np.zeros((4 * size, 4 * size), np.uint8)
    cv2.fillPoly(large, [np.round(outline * 4).astype(np.int32) for outline in outlines], 255)
    return np.asarray(cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _polygon(rng: Random, corners: int, size: int) -> Points:
    turns = (np.arange(corners) + rng.normal(0, 0.07, corners)) * 2 * math.pi / corners + rng.uniform(0, 6.3)
    return _round_path(turns, rng.uniform(0.36, 0.46, corners) * size) + size / 2


def _round_path(turns: Doubles, radius: Doubles) -> Points:
    return np.stack([radius * np.cos(turns), radius * np.sin(turns)], 1)


def _closed(corners: Points) -> Points:
    """The outline with points along its sides, back at its start."""
    ring = np.concatenate([corners, corners[:1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    return np.concatenate([*(a + t * (b - a) for a, b in itertools.pairwise(ring)), ring[-1:]])


def _turned(path: Points, degrees: float) -> Points:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray(path @ np.array([[cosine, sine], [-sine, cosine]]))


def _strokes(
    paths: list[Points], rng: Random, size: int, *, thin: float, fill: tuple[float, float] = (0.65, 0.95)
) -> InkImage:
    """Pen strokes about `thin` times the frame wide, shaken a little, filling a share of the frame."""
    span = max(float(np.ptp(np.concatenate(paths), axis=0).max()), 1e-6)
    shaken = [path + rng.normal(0, 0.006 * span, path.shape) for path in paths]
    width = max(0.8, size * thin * rng.uniform(0.8, 1.5))
    ink = draw_strokes(shaken, size=size, width_px=width)
    return _fitted(np.asarray(ink * rng.uniform(0.75, 1), np.uint8), size, rng.uniform(*fill))


def _pen(rng: Random, size: float) -> Pen:
    return random_pen(rng, max(16, round(size)))


def _one(rng: Random, size: int) -> InkImage:
    return _fitted(draw_character(str(rng.choice(list(_PAIRED))), height_px=size, pen=_pen(rng, size), rng=rng), size)


def _cut(ink: InkImage) -> InkImage:
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return ink
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fitted(ink: InkImage, size: int, share: float = 0.9) -> InkImage:
    """Cut to its ink, the longer side a share of the frame, in the middle."""
    ink = _cut(ink)
    scale = share * size / max(ink.shape)
    width, height = (max(1, min(size, round(side * scale))) for side in ink.shape[::-1])
    small = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    frame = _canvas(size)
    top, left = (size - height) // 2, (size - width) // 2
    frame[top : top + height, left : left + width] = small
    return frame
