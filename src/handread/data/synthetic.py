"""Synthetic data: characters drawn by the project's own pens, and ink that is no character at all.

>>> from handread.data.synthetic import synthetic_characters
>>> synthetic_characters(3, alphabet="digits", seed=1).images.shape
(3, 64, 64)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.data.foreign import LETTERS, SHAPES, SIGNS
from handread.data.images import LabelledImages
from handread.errors import AlphabetError, ConfigError
from handread.imaging.draw import Pen, PenKind, draw_character, draw_skeleton, draw_strokes
from handread.imaging.strokes import CHARACTERS
from handread.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from handread.types import InkImage, Random

    Maker = Callable[[Random, int], InkImage]
    """Draws one ink image, uint8 (size, size), that is no character."""

NON_CHARACTERS: Registry[Maker] = Registry("kind of non-character")
"""What is no character, by kind; `non_characters` draws every kind, by the shares of `SHARES`."""

SHARES = {"foreign": 4.0, "scribble": 2.0, "beside": 3.0, "overlaid": 2.0, "shape": 2.0, "sign": 2.0}
"""How often a kind is drawn, relative to 1 for each kind that is not named."""

SAME_SHAPE = "ckmopsuvwxyzCKMOPSUVWXYZ"
"""Letters whose two cases differ by size alone, which an image cut to its ink has lost."""

_BULKY = "2345689ABDEGHKMNQRSWXZabdeghkmpqwyz"
# Characters of which two together never make a third, as c and l make a d.

_ROUND = "235689GSaegs"
# Characters without a straight upright at their rim, of which a piece could be an l.


def synthetic_characters(
    n: int, *, alphabet: Alphabet | str = "alphanumeric", seed: int, size: int = 64
) -> LabelledImages:
    """`n` drawn characters, every class equally often, in random order; ink uint8 (n, size, size).

    Each has its own pen, lean and hand, and fills 70 to 95 % of the image (its size is not kept, so
    `case_known` is False for c and C, s and S and their like). Equal seeds give equal sets. Raises
    `AlphabetError` for a character that cannot be drawn and `ConfigError` for `n` below 0 or `size` outside
    16..1024.
    """
    wanted = Alphabet.of(alphabet)
    unknown = [c for c in wanted if c not in CHARACTERS]
    if unknown:
        raise AlphabetError(f"{unknown[0]!r} cannot be drawn: the renderer knows {CHARACTERS}")
    _check(n, size)
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.int64) % len(wanted))
    images = np.zeros((n, size, size), np.uint8)
    for i, label in enumerate(labels.tolist()):
        ink = draw_character(wanted[label], height_px=1.1 * size, pen=random_pen(rng, size), rng=rng)
        images[i] = _placed(ink, size, rng, share=(0.7, 0.95))
    told = np.array([c not in SAME_SHAPE for c in wanted])
    return LabelledImages("synthetic", images, labels, wanted, case_known=told[labels])


def non_characters(n: int, *, seed: int, size: int = 64) -> npt.NDArray[np.uint8]:
    """`n` ink images, uint8 (n, size, size), of what is no letter and no digit, of every kind, shuffled.

    Nothing in them could be meant as one of the 62 classes: no upright bar (1, l, I), no lone ring (0, o),
    no c, v or x. Every image has some ink. Equal seeds give equal images. Raises `ConfigError` for `n` below
    0 or `size` outside 16..1024.
    """
    _check(n, size)
    rng = np.random.default_rng(seed)
    kinds = list(NON_CHARACTERS)
    weights = np.array([SHARES.get(kind, 1.0) for kind in kinds])
    chosen = rng.choice(len(kinds), n, p=weights / weights.sum())
    images = np.zeros((n, size, size), np.uint8)
    for i, kind in enumerate(chosen.tolist()):
        images[i] = NON_CHARACTERS[kinds[kind]](rng, size)
    return images


def random_pen(rng: Random, size: int) -> Pen:
    """A pen as people hold them, for characters about `size` (16 to 1024) pixels high."""
    kinds: tuple[PenKind, ...] = ("ballpoint", "pencil", "felt")
    return Pen(
        width_px=max(0.8, size * float(np.exp(rng.uniform(math.log(0.025), math.log(0.13))))),
        pressure=float(rng.uniform(0, 0.5)),
        slant=float(np.clip(rng.normal(5, 10), -22, 32)),
        jitter=float(rng.uniform(0.012, 0.05)),
        wobble=float(rng.uniform(0, 0.012)),
        darkness=float(rng.uniform(0.75, 1)),
        kind=kinds[int(rng.integers(len(kinds)))],
    )


@NON_CHARACTERS.register("specks")
def _specks(rng: Random, size: int) -> InkImage:
    ink = _blank(size)
    for x, y in rng.uniform(0.05, 0.95, (int(rng.integers(1, 9)), 2)) * size:
        _disc(ink, x, y, size * rng.uniform(0.006, 0.025), int(rng.integers(90, 256)))
    return ink


@NON_CHARACTERS.register("dot")
def _dot(rng: Random, size: int) -> InkImage:
    ink = _blank(size)
    x, y = rng.uniform(0.3, 0.7, 2) * size
    _disc(ink, x, y, size * rng.uniform(0.03, 0.2), int(rng.integers(150, 256)))
    return ink


@NON_CHARACTERS.register("noise")
def _noise(rng: Random, size: int) -> InkImage:
    cells = max(4, int(size * rng.uniform(0.15, 1)))
    grain = cv2.resize(rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    level = rng.uniform(0.35, 0.85)
    return np.asarray((grain > level) * (120 + 135 * grain), np.uint8)


@NON_CHARACTERS.register("blot")
def _blot(rng: Random, size: int) -> InkImage:
    cells = int(rng.integers(4, 9))
    hills = cv2.resize(rng.random((cells, cells), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    stretch = rng.uniform(0.6, 1.6)
    shape = rng.uniform(0.5, 0.8) - np.hypot(x * stretch, y / stretch) + 0.9 * (hills - 0.5)
    ink = np.asarray((shape * size / 3).clip(0, 1) * 255, np.uint8)
    return ink if ink.any() else _dot(rng, size)


@NON_CHARACTERS.register("pattern")
def _pattern(rng: Random, size: int) -> InkImage:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    waves = rng.uniform(3, 9)
    angle = rng.uniform(0, math.pi)
    along = np.sin(2 * math.pi * waves * (x * math.cos(angle) + y * math.sin(angle)))
    across = np.sin(2 * math.pi * waves * (y * math.cos(angle) - x * math.sin(angle)))
    field = (along, along * across, np.maximum(along, across), along + across)[int(rng.integers(4))]
    if field is along and angle < math.pi / 6 and waves < 4:
        field = along * across
    return np.asarray(((field - rng.uniform(-0.2, 0.5)) * 4).clip(0, 1) * rng.integers(140, 256), np.uint8)


@NON_CHARACTERS.register("line")
def _line(rng: Random, size: int) -> InkImage:
    # 40 degrees or more from upright, a leaning 1 or l is never that far over; side by side, never crossed
    lean = rng.uniform(40, 140)
    gap = rng.uniform(0.15, 0.4) * np.array([math.cos(math.radians(lean)), math.sin(math.radians(lean))])
    count = int(rng.choice([1, 1, 2, 3]))
    return _stroked([_bar(rng, lean + rng.normal(0, 3)) + i * gap for i in range(count)], rng, size)


@NON_CHARACTERS.register("curve")
def _curve(rng: Random, size: int) -> InkImage:
    t = np.linspace(0, 1, 60)
    if rng.random() < 0.4:  # a shallow bow; a deep one is a c or u
        path = np.stack([t, rng.choice([-1, 1]) * rng.uniform(0.08, 0.2) * np.sin(math.pi * t)], 1)
    else:
        bends = rng.uniform(4, 9)
        path = np.stack([t, rng.uniform(0.04, 0.15) * np.sin(math.pi * bends * t + rng.uniform(0, 6))], 1)
    return _stroked([_turned(path, rng.uniform(-35, 35))], rng, size)


@NON_CHARACTERS.register("rim")
def _rim(rng: Random, size: int) -> InkImage:
    """Sides and corners of a printed box around an empty middle; never one upright, L, U or 7 alone."""
    left, top = rng.uniform(0.02, 0.15, 2)
    right, bottom = rng.uniform(0.85, 0.98, 2)
    tip = rng.uniform(0.06, 0.25)
    above, below = (left, top, right, top), (left, bottom, right, bottom)
    before, after = (left, top, left, bottom), (right, top, right, bottom)
    corners = tuple(
        line
        for x, inward in ((left, tip), (right, -tip))
        for y, down in ((top, tip), (bottom, -tip))
        for line in ((x, y, x + inward, y), (x, y, x, y + down))
    )
    sides = (
        (above,),
        (below,),
        (above, below),
        (above, below, after),
        (above, below, before, after),
        corners,
    )
    ink = _blank(size)
    thick = max(1, round(size * rng.uniform(0.015, 0.05)))
    tone = int(rng.integers(120, 256))
    for side in sides[int(rng.integers(len(sides)))]:
        x0, y0, x1, y1 = np.round((np.array(side) + rng.normal(0, 0.006, 4)) * size * 16).astype(int).tolist()
        cv2.line(ink, (x0, y0), (x1, y1), tone, thick, cv2.LINE_AA, 4)
    return ink


@NON_CHARACTERS.register("hatching")
def _hatching(rng: Random, size: int) -> InkImage:
    angle = float(rng.uniform(0, 180))
    paths = []
    for turn in (0.0, 90.0) if rng.random() < 0.6 else (0.0,):
        for place in np.linspace(-0.5, 0.5, int(rng.integers(4, 8))):
            path = np.array([[place, -0.5], [place, 0.5]]) + rng.normal(0, 0.02, (2, 2))
            paths.append(_turned(path, angle + turn))
    return _stroked(paths, rng, size, thin=True)


@NON_CHARACTERS.register("zigzag")
def _zigzag(rng: Random, size: int) -> InkImage:
    turns = int(rng.integers(8, 17))
    x = np.linspace(0, 1, turns)
    y = np.where(np.arange(turns) % 2, 0.5, -0.5) * rng.uniform(0.3, 1) + rng.normal(0, 0.06, turns)
    return _stroked([_turned(np.stack([x, y], 1), rng.uniform(-40, 40))], rng, size, thin=True)


@NON_CHARACTERS.register("spiral")
def _spiral(rng: Random, size: int) -> InkImage:
    turns = rng.uniform(2.6, 5)
    t = np.linspace(0, 1, 140)
    angle = 2 * math.pi * turns * t * rng.choice([-1, 1]) + rng.uniform(0, 6)
    radius = 0.08 + t
    return _stroked([np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)], rng, size, thin=True)


@NON_CHARACTERS.register("scribble")
def _scribble(rng: Random, size: int) -> InkImage:
    count = int(rng.integers(13, 28))
    corners = rng.random((count, 2)) * (1, rng.uniform(0.5, 1.4))
    return _stroked([_smooth(corners) if rng.random() < 0.75 else corners], rng, size, thin=True)


@NON_CHARACTERS.register("scratched out")
def _scratched(rng: Random, size: int) -> InkImage:
    below = _character(rng.choice(list(_BULKY)), rng, size)
    turns = int(rng.integers(7, 15))
    x = np.linspace(0, 1, turns) + rng.normal(0, 0.03, turns)
    y = np.where(np.arange(turns) % 2, 0.55, -0.55) + rng.normal(0, 0.12, turns)
    crossing = _turned(np.stack([x, y], 1), rng.uniform(-60, 60))
    over = _stroked([crossing], rng, size, share=(0.8, 1.0))
    return np.asarray(np.maximum(below, over), np.uint8)


@NON_CHARACTERS.register("shape")
def _shape(rng: Random, size: int) -> InkImage:
    return _skeleton(SHAPES, rng, size)


@NON_CHARACTERS.register("sign")
def _sign(rng: Random, size: int) -> InkImage:
    return _skeleton(SIGNS, rng, size, lean=0.3)


@NON_CHARACTERS.register("foreign")
def _foreign(rng: Random, size: int) -> InkImage:
    return _skeleton(LETTERS, rng, size)


@NON_CHARACTERS.register("invented")
def _invented(rng: Random, size: int) -> InkImage:
    """Five to nine different strokes between the points of a grid, mostly joined: a sign of no script."""
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(3, 5))
    grid = np.stack(np.meshgrid(np.linspace(0, 0.7, columns), np.linspace(0, 1, rows)), -1).reshape(-1, 2)
    grid = grid + rng.normal(0, 0.04, grid.shape)
    here = int(rng.integers(len(grid)))
    paths, drawn = [], set()
    for _ in range(int(rng.integers(6, 11))):
        there = int((here + rng.integers(1, len(grid))) % len(grid))
        if frozenset((here, there)) in drawn:
            continue
        drawn.add(frozenset((here, there)))
        kind = rng.random()
        if kind < 0.5:
            paths.append(np.linspace(grid[here], grid[there], 12))
        elif kind < 0.9:  # a bow between the two points
            bend = (grid[here] + grid[there]) / 2 + rng.normal(0, 0.25, 2)
            t = np.linspace(0, 1, 24)[:, None]
            paths.append((1 - t) ** 2 * grid[here] + 2 * t * (1 - t) * bend + t**2 * grid[there])
        else:
            angle = np.linspace(0, 2 * math.pi, 28)
            paths.append(grid[here] + rng.uniform(0.03, 0.16) * np.stack([np.cos(angle), np.sin(angle)], 1))
        here = there if rng.random() < 0.75 else int(rng.integers(len(grid)))
    return _stroked(paths, rng, size, thin=True)


@NON_CHARACTERS.register("beside")
def _beside(rng: Random, size: int) -> InkImage:
    """Two or three characters in one frame."""
    pen = random_pen(rng, size)
    pieces = [
        draw_character(c, height_px=0.8 * size, pen=pen, rng=rng)
        for c in rng.choice(list(_BULKY), int(rng.integers(2, 4))).tolist()
    ]
    gap = rng.uniform(-0.04, 0.2) * size
    return _row(pieces, gap, size, rng)


@NON_CHARACTERS.register("overlaid")
def _overlaid(rng: Random, size: int) -> InkImage:
    """Two characters written over each other, well apart so that one does not hide in the other."""
    first, second = rng.choice(list(_BULKY), 2, replace=False)
    ink = np.zeros((2 * size, 2 * size), np.uint8)
    half = size // 2
    ink[half : half + size, half : half + size] = _character(first, rng, size)
    dx, dy = rng.uniform((0.28, -0.28), (0.5, 0.28)) * size * (rng.choice([-1, 1]), 1)
    y, x = half + round(dy), half + round(dx)
    window = ink[y : y + size, x : x + size]
    np.maximum(window, _character(second, rng, size), out=window)
    return _placed(_cut(ink), size, rng, share=(0.75, 0.98))


@NON_CHARACTERS.register("neighbours")
def _neighbours(rng: Random, size: int) -> InkImage:
    """What the characters on both sides leave at the rims of a frame whose middle is empty."""
    ink = _blank(size)
    for left in (True, False):
        piece = _cut(_character(rng.choice(list(_ROUND)), rng, size))
        width = min(piece.shape[1], max(3, round(piece.shape[1] * rng.uniform(0.25, 0.4))))
        piece = piece[:, -width:] if left else piece[:, :width]
        top = int(rng.integers(0, size - piece.shape[0] + 1))
        place = slice(0, width) if left else slice(size - width, size)
        ink[top : top + piece.shape[0], place] = piece
    return ink if ink.any() else _dot(rng, size)


@NON_CHARACTERS.register("line above")
def _line_above(rng: Random, size: int) -> InkImage:
    """The feet of the line above, or the heads of the line below, cut off by the frame."""
    pen = random_pen(rng, size)
    pieces = [
        draw_character(c, height_px=0.5 * size, pen=pen, rng=rng)
        for c in rng.choice(list(_ROUND + "AHKMNRWXhkmw"), int(rng.integers(3, 6)))
    ]
    row = _row(pieces, 0.04 * size, size, rng)
    row = _cut(row)
    height = max(3, round(row.shape[0] * rng.uniform(0.25, 0.5)))
    ink = _blank(size)
    if rng.random() < 0.5:
        ink[:height, : row.shape[1]] = row[-height:]
    else:
        ink[size - height :, : row.shape[1]] = row[:height]
    return ink if ink.any() else _dot(rng, size)


def _blank(size: int) -> InkImage:
    return np.zeros((size, size), np.uint8)


def _disc(ink: InkImage, x: float, y: float, radius: float, tone: int) -> None:
    centre = (round(x * 16), round(y * 16))
    cv2.circle(ink, centre, max(8, round(radius * 16)), tone, -1, cv2.LINE_AA, 4)


def _character(character: str, rng: Random, size: int) -> InkImage:
    ink = draw_character(character, height_px=size, pen=random_pen(rng, size), rng=rng)
    return _placed(ink, size, rng, share=(0.7, 0.95))


def _skeleton(source: dict[str, str], rng: Random, size: int, *, lean: float = 1.0) -> InkImage:
    names = list(source)
    pen = random_pen(rng, size)
    pen = Pen(
        width_px=min(pen.width_px, 0.08 * size), pressure=pen.pressure, slant=lean * pen.slant,
        jitter=0.7 * pen.jitter, wobble=pen.wobble, darkness=pen.darkness, kind=pen.kind,
    )  # fmt: skip
    ink = draw_skeleton(source[names[int(rng.integers(len(names)))]], height_px=0.9 * size, pen=pen, rng=rng)
    return _placed(ink, size, rng, share=(0.6, 0.95))


def _stroked(
    paths: list[npt.NDArray[np.float64]],
    rng: Random,
    size: int,
    *,
    thin: bool = False,
    share: tuple[float, float] = (0.5, 0.95),
) -> InkImage:
    width = max(0.8, size * float(np.exp(rng.uniform(math.log(0.02), math.log(0.05 if thin else 0.11)))))
    rough = [p + rng.normal(0, 0.004, p.shape) for p in paths]
    ink = draw_strokes(rough, size=size, width_px=width)
    faint = np.asarray(ink * rng.uniform(0.7, 1), np.uint8)
    return _placed(_cut(faint), size, rng, share=share)


def _bar(rng: Random, degrees_from_upright: float) -> npt.NDArray[np.float64]:
    angle = math.radians(degrees_from_upright)
    t = np.linspace(0, rng.uniform(0.6, 1), 12)
    return np.stack([t * math.sin(angle), -t * math.cos(angle)], 1)


def _turned(path: npt.NDArray[np.float64], degrees: float) -> npt.NDArray[np.float64]:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray(path @ np.array([[cosine, sine], [-sine, cosine]]))


def _smooth(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round the corners by cutting them three times (Chaikin 1974)."""
    for _ in range(3):
        near, far = 0.75 * corners[:-1] + 0.25 * corners[1:], 0.25 * corners[:-1] + 0.75 * corners[1:]
        corners = np.stack([near, far], 1).reshape(-1, 2)
    return corners


def _row(pieces: list[InkImage], gap: float, size: int, rng: Random) -> InkImage:
    """Pieces side by side on one line, fitted into the frame."""
    starts, x = [], 0.0
    for piece in pieces:
        starts.append(round(x))
        x += max(1.0, piece.shape[1] - 4 + gap)
    width = max(start + piece.shape[1] for start, piece in zip(starts, pieces, strict=True))
    strip = np.zeros((max(p.shape[0] for p in pieces), width), np.uint8)
    for start, piece in zip(starts, pieces, strict=True):
        window = strip[strip.shape[0] - piece.shape[0] :, start : start + piece.shape[1]]
        np.maximum(window, piece, out=window)
    return _placed(_cut(strip), size, rng, share=(0.8, 0.98))


def _cut(ink: InkImage) -> InkImage:
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return ink
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _placed(ink: InkImage, size: int, rng: Random, *, share: tuple[float, float]) -> InkImage:
    """Scale so that the longer side fills a share of the frame, and set it down near the middle."""
    scale = rng.uniform(*share) * size / max(ink.shape)
    width, height = (max(1, min(size, round(side * scale))) for side in ink.shape[::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(ink, (width, height), interpolation=how)
    free = np.array([size - height, size - width])
    top, left = np.round(free * np.clip(rng.normal(0.5, 0.15, 2), 0, 1)).astype(int).tolist()
    frame = _blank(size)
    frame[top : top + height, left : left + width] = fitted
    return frame


def _check(n: int, size: int) -> None:
    if n < 0:
        raise ConfigError(f"n is {n}, expected 0 or more images")
    if not 16 <= size <= 1024:
        raise ConfigError(f"size is {size}, expected 16 to 1024 pixels")
