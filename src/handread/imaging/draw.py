"""Drawing: handwriting with a pen on paper, from the project's own stroke skeletons.

Everything random comes from the caller's generator, so equal seeds draw equal pictures. Heights are the
height of a capital in pixels; small letters are smaller and descenders hang below the baseline.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ConfigError, ImageError
from handread.imaging.strokes import CAP_HEIGHT, Skeleton, compile_skeleton, variants
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import Floats, InkImage, Random

PenKind = Literal["ballpoint", "pencil", "felt"]
PaperKind = Literal["plain", "ruled", "squared", "boxes"]

_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV's line drawing takes."""


@dataclass(frozen=True, slots=True)
class Pen:
    """A pen and the hand that holds it. Raises `ConfigError` for a value out of range."""

    width_px: float = 3.0
    """Mean width of the line in pixels, 0.3 to 200."""
    pressure: float = 0.2
    """How much the width varies along a stroke, 0 (never) to 1."""
    slant: float = 0.0
    """Lean in degrees, positive to the right, -45 to 45."""
    jitter: float = 0.025
    """Spread of the control points as a share of the capitals' height, 0 (the skeleton itself) to 0.3."""
    wobble: float = 0.006
    """Amplitude of the tremor along a stroke as a share of the capitals' height, 0 to 0.1."""
    darkness: float = 0.9
    """Strength of the ink, above 0 (invisible) to 1."""
    kind: PenKind = "ballpoint"
    colour: tuple[int, int, int] | None = None
    """Red, green, blue (0..255) of the ink; a text drawn with it becomes a colour picture."""

    def __post_init__(self) -> None:
        _within("width_px", self.width_px, 0.3, 200)
        _within("pressure", self.pressure, 0, 1)
        _within("slant", self.slant, -45, 45)
        _within("jitter", self.jitter, 0, 0.3)
        _within("wobble", self.wobble, 0, 0.1)
        _within("darkness", self.darkness, 0.01, 1)
        _among("kind", self.kind, _TEXTURES)


@dataclass(frozen=True, slots=True)
class Paper:
    """What is written on, and how the camera saw it. Raises `ConfigError` for a value out of range.

    A tone below 128 is a dark ground, such as a blackboard; the ink is then bright.
    """

    kind: PaperKind = "plain"
    tone: int = 245
    """Grey of the ground, 0 black .. 255 white."""
    texture: float = 0.0
    """Standard deviation of the paper's grain in grey levels, 0 to 40."""
    shadow: float = 0.0
    """How much light the darkest place loses, 0 (even light) to 0.95."""
    shadow_angle: float = 30.0
    """Direction in degrees in which it gets darker, 0 right, 90 down."""
    noise: float = 0.0
    """Standard deviation of the sensor's noise in grey levels, 0 to 60."""
    jpeg: int | None = None
    """JPEG quality 1 to 100 that the picture went through once, or None."""
    blur: float = 0.0
    """Standard deviation of the defocus in pixels, 0 to 20."""

    def __post_init__(self) -> None:
        _among("kind", self.kind, ("plain", "ruled", "squared", "boxes"))
        _within("tone", self.tone, 0, 255)
        _within("texture", self.texture, 0, 40)
        _within("shadow", self.shadow, 0, 0.95)
        _within("shadow_angle", self.shadow_angle, -360, 360)
        _within("noise", self.noise, 0, 60)
        _within("blur", self.blur, 0, 20)
        if self.jpeg is not None:
            _within("jpeg", self.jpeg, 1, 100)


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A drawn picture and what stands where in it."""

    image: npt.NDArray[np.uint8]
    """uint8 (H, W), or (H, W, 3) in red, green, blue when the pen has a colour."""
    boxes: tuple[tuple[str, Box], ...]
    """Each character with its ink's box, in reading order; spaces and newlines have none."""


def draw_character(character: str, *, height_px: float, pen: Pen, rng: Random) -> InkImage:
    """One handwritten character, uint8 (H, W), 0 paper .. 255 full ink, cut to its ink with 2 px around it.

    `height_px` (4 to 4000) is the height of a capital. Raises `AlphabetError` for an unknown character.
    """
    _within("height_px", height_px, 4, 4000)
    ways = variants(character, step=_step(height_px))
    return _draw(ways[int(rng.integers(len(ways)))], height_px, pen, rng).ink


def draw_skeleton(skeleton: str, *, height_px: float, pen: Pen, rng: Random) -> InkImage:
    """Like `draw_character`, for a skeleton in the notation of `handread.imaging.strokes`."""
    _within("height_px", height_px, 4, 4000)
    return _draw(compile_skeleton(skeleton, _step(height_px)), height_px, pen, rng).ink


def draw_strokes(strokes: Sequence[npt.ArrayLike], *, size: int, width_px: float) -> InkImage:
    """Strokes recorded elsewhere (a mouse, a finger) as ink, uint8 (size, size), antialiased.

    Each stroke is (n, 2) points x, y in any unit, y down; all together are scaled by one factor and centred,
    with an eighth of `size` (8 to 4096) free at every side. Raises `ImageError` when there is no point, a
    stroke has another shape, or a coordinate is not finite.
    """
    _within("size", size, 8, 4096)
    _within("width_px", width_px, 0.3, 200)
    paths = [_recorded(stroke, number) for number, stroke in enumerate(strokes)]
    paths = [path for path in paths if len(path)]
    if not paths:
        raise ImageError("the drawing has no stroke; draw at least one point")
    points = np.concatenate(paths)
    low, high = points.min(0), points.max(0)
    span = float((high - low).max())
    scale = 0.75 * size / span if span > 0 else 0.0
    placed = (points - (low + high) / 2) * scale + size / 2
    owners = np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    return _raster(placed, np.full(len(placed), width_px), owners, (size, size))


def draw_text(text: str, *, height_px: float, pen: Pen, paper: Paper, rng: Random) -> Drawing:
    """Handwritten text on paper by one hand, which writes a character the same way throughout.

    A newline begins a new line. `height_px` (8 to 1000) is the height of a capital. Raises `AlphabetError`
    for a character without a skeleton and `ImageError` when there is nothing to draw.
    """
    _within("height_px", height_px, 8, 1000)
    if not text.strip():
        raise ImageError(f"the text {text!r} has no character to draw; give at least one")
    layout = _layout(text, height_px, pen, boxed=paper.kind == "boxes", rng=rng)
    ink = np.zeros((layout.height, layout.width), np.uint8)
    boxes = []
    for character, piece, x, y in layout.pieces:
        window = ink[y : y + piece.shape[0], x : x + piece.shape[1]]
        np.maximum(window, piece, out=window)
        boxes.append((character, _ink_box(piece, x, y)))
    printed = _printed_lines(layout, paper, height_px)
    return Drawing(_photograph(ink, printed, pen, paper, rng), tuple(boxes))


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    ink: InkImage
    left: int
    """Column of the ink image's left rim, from the character's origin."""
    top: int
    """Row of the ink image's upper rim, from the baseline; negative is above."""
    advance: float


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    pieces: list[tuple[str, InkImage, int, int]]
    width: int
    height: int
    baselines: list[float]
    cells: list[tuple[float, float, float, float]]
    """Printed boxes: left, top, right, bottom."""


def _draw(skeleton: Skeleton, height_px: float, pen: Pen, rng: Random) -> _Drawn:
    points = _path(skeleton, height_px, pen, rng)
    widths = _widths(points, skeleton.point_stroke, pen, rng)
    pad = float(widths.max()) / 2 + 3
    low = np.floor(points.min(0) - pad)
    shape = np.ceil(points.max(0) + pad) - low
    ink = _raster(points - low, widths, skeleton.point_stroke, (int(shape[1]), int(shape[0])))
    ink = _TEXTURES[pen.kind](ink, pen, rng)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):  # a line so thin and faint that nothing is left of it
        rows, columns = np.array([0]), np.array([0])
    top, left = int(rows[0]), int(columns[0])
    cut = ink[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    return _Drawn(np.pad(cut, 2), int(low[0]) + left - 2, int(low[1]) + top - 2, float(points[:, 0].max()))


def _path(skeleton: Skeleton, height_px: float, pen: Pen, rng: Random) -> npt.NDArray[np.float64]:
    """The pen's path in pixels, float64 (P, 2), y down, the baseline at 0."""
    controls = skeleton.controls / CAP_HEIGHT
    if pen.jitter:
        controls = _personal(controls, skeleton.control_stroke, pen.jitter, rng)
    points = skeleton.basis @ controls
    if pen.jitter and len(points) > 4:  # a hasty hand rounds its corners
        haste = rng.uniform(0, 0.3)
        inside = skeleton.point_stroke[:-2] == skeleton.point_stroke[2:]
        middle = (points[:-2] + points[2:]) / 2 - points[1:-1]
        points[1:-1] += haste * middle * inside[:, None]
    if pen.wobble:
        along = np.arange(len(points))[:, None] * rng.uniform(0.35, 0.9, (1, 2))
        points += pen.wobble * np.sin(along + rng.uniform(0, 2 * math.pi, (1, 2)))
    points[:, 0] += math.tan(math.radians(pen.slant)) * points[:, 1]
    return np.asarray(points * (height_px, -height_px))


def _personal(
    controls: npt.NDArray[np.float64],
    strokes: npt.NDArray[np.intp],
    jitter: float,
    rng: Random,
) -> npt.NDArray[np.float64]:
    """Move the controls as a hand does: the whole in proportion, tilt and bend, and each stroke and point."""
    noise = rng.normal(0, jitter, controls.shape) * 0.55
    noise[1:-1] = (noise[:-2] + 2 * noise[1:-1] + noise[2:]) / 3  # neighbours move together: no lumps
    shifts = rng.normal(0, jitter * 0.5, (int(strokes[-1]) + 1, 2))
    moved = controls + noise + shifts[strokes]
    middle = moved.mean(0)
    x, y = (moved - middle).T
    angle = rng.normal(0, jitter * 1.2)
    stretch = np.exp(rng.normal(0, (2.5 * jitter, jitter)))
    bend = rng.normal(0, jitter * 2.0, (2, 2))
    x, y = (
        stretch[0] * (x * math.cos(angle) - y * math.sin(angle)) + bend[0, 0] * y * y + bend[0, 1] * x * y,
        stretch[1] * (x * math.sin(angle) + y * math.cos(angle)) + bend[1, 0] * x * x + bend[1, 1] * x * y,
    )
    return np.asarray(np.stack([x, y], 1) + middle)


def _widths(
    points: npt.NDArray[np.float64], strokes: npt.NDArray[np.intp], pen: Pen, rng: Random
) -> npt.NDArray[np.float64]:
    """Line width in pixels at every path point, float64 (P,): heavier downwards, lighter at the ends."""
    widths = np.full(len(points), pen.width_px)
    if not pen.pressure:
        return widths
    down = np.gradient(points[:, 1])
    down = np.clip(down / (np.abs(down).max() + 1e-6), -1, 1)
    along = np.arange(len(points)) * rng.uniform(0.08, 0.3) + rng.uniform(0, 2 * math.pi)
    ends = np.ones(len(points))
    first = np.flatnonzero(np.diff(strokes, prepend=-1))
    last = np.append(first[1:], len(points)) - 1
    lifted = 0.9 * rng.random()
    written = last - first >= 3  # a dot is pressed, not drawn out
    ends[first] -= np.where(written, 0.5, -0.5) * pen.pressure
    ends[last] -= np.where(written, lifted, -0.5) * pen.pressure
    factor = 1 + pen.pressure * (0.35 * down + 0.45 * np.sin(along))
    return np.asarray(np.maximum(widths * factor * ends, 0.3))


def _raster(
    points: npt.NDArray[np.float64],
    widths: npt.NDArray[np.float64],
    strokes: npt.NDArray[np.intp],
    shape: tuple[int, int],
) -> InkImage:
    """Strokes as antialiased ink, uint8 `shape` (rows, columns): drawn enlarged, then averaged down.

    Every stroke has at least two points.
    """
    enlarge = 4 if shape[0] * shape[1] <= 40_000 else 2
    canvas = np.zeros((shape[0] * enlarge, shape[1] * enlarge), np.uint8)
    places = np.round((points * enlarge - 0.5) * (1 << _SHIFT)).astype(np.int32)
    thick = np.maximum(np.round((widths[:-1] + widths[1:]) * enlarge / 2), 1).astype(int)
    # a run ends where the width or the stroke changes; one OpenCV call draws a whole run
    changes = np.flatnonzero((np.diff(thick) != 0) | (np.diff(strokes[:-1]) != 0)) + 1
    edges = [0, *changes.tolist(), len(thick)]
    for first, last in itertools.pairwise(edges):
        stop = last + 1 if last < len(points) and strokes[last] == strokes[first] else last
        run = places[first:stop]
        if len(run) == 1:
            run = np.repeat(run, 2, axis=0)
        cv2.polylines(canvas, [run], False, 255, int(thick[first]), cv2.LINE_8, _SHIFT)
    return np.asarray(cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _ballpoint(ink: InkImage, pen: Pen, rng: Random) -> InkImage:
    flow = _patches(ink.shape, 6, rng)
    return np.asarray(ink * (pen.darkness * (1 - 0.14 * np.abs(flow)).clip(0, 1)), np.uint8)


def _pencil(ink: InkImage, pen: Pen, rng: Random) -> InkImage:
    grain = 0.35 * rng.standard_normal(ink.shape, np.float32) + _patches(ink.shape, 1.6, rng)
    return np.asarray(ink * (pen.darkness * (0.86 + 0.16 * grain).clip(0.2, 1)), np.uint8)


def _felt(ink: InkImage, pen: Pen, rng: Random) -> InkImage:
    bled = cv2.GaussianBlur(ink, (0, 0), max(0.3, pen.width_px * 0.05))
    soaked = 1 - 0.05 * np.abs(_patches(ink.shape, 8, rng))
    return np.asarray(bled * (pen.darkness * soaked.clip(0, 1)), np.uint8)


_TEXTURES: dict[str, Callable[[InkImage, Pen, Random], InkImage]] = {
    "ballpoint": _ballpoint,
    "pencil": _pencil,
    "felt": _felt,
}


def _patches(shape: tuple[int, ...], cell_px: float, rng: Random) -> Floats:
    """Smooth noise of unit spread at its cells, float32 `shape`, with patches about `cell_px` wide."""
    rows, columns = (max(2, int(side / cell_px) + 2) for side in shape[:2])
    coarse = rng.standard_normal((rows, columns), np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def _layout(text: str, height_px: float, pen: Pen, *, boxed: bool, rng: Random) -> _Layout:
    choice: dict[str, int] = {}
    rows: list[list[tuple[str, InkImage, float, float]]] = []
    baselines: list[float] = []
    cells: list[tuple[float, float, float, float]] = []
    margin = 0.55 * height_px
    baseline = margin + 1.1 * height_px
    for line in text.split("\n"):
        row: list[tuple[str, InkImage, float, float]] = []
        x = margin
        drift = rng.normal(0, 0.012) if not boxed else 0.0
        pitch = 1.25 * height_px
        for character in line:
            if character == " ":
                x += pitch if boxed else height_px * rng.uniform(0.42, 0.58)
                continue
            ways = variants(character, step=_step(height_px))
            way = choice.setdefault(character, int(rng.integers(len(ways))))
            drawn = _draw(ways[way], height_px * float(np.exp(rng.normal(0, 0.03))), pen, rng)
            y = baseline + drift * (x - margin) + rng.normal(0, 0.018) * height_px
            if boxed:
                centre = x + pitch / 2 + rng.normal(0, 0.03) * height_px
                row.append((character, drawn.ink, centre - drawn.ink.shape[1] / 2, y + drawn.top))
                cells.append((x, baseline - 1.2 * height_px, x + pitch, baseline + 0.22 * height_px))
                x += pitch
            else:
                row.append((character, drawn.ink, x, y + drawn.top))
                x += drawn.ink.shape[1] - 4 + height_px * rng.uniform(0.1, 0.2)
        rows.append(row)
        baselines.append(baseline)
        baseline += 1.75 * height_px
    placed = [(c, ink, max(0, round(x)), max(0, round(y))) for row in rows for c, ink, x, y in row]
    right = max([x + ink.shape[1] for _, ink, x, _ in placed] + [round(c[2]) for c in cells])
    bottom = max([y + ink.shape[0] for _, ink, _, y in placed] + [round(baselines[-1] + 0.35 * height_px)])
    return _Layout(placed, round(right + margin), round(bottom + margin * 0.7), baselines, cells)


def _ink_box(ink: InkImage, x: int, y: int) -> Box:
    strong = ink > int(ink.max()) // 3
    rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
    if not len(rows):
        return Box(x, y, ink.shape[1], ink.shape[0])
    return Box(
        x + int(columns[0]), y + int(rows[0]),
        int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1,
    )  # fmt: skip


def _printed_lines(layout: _Layout, paper: Paper, height_px: float) -> Floats:
    """The paper's own print, float32 (H, W), 0 none .. 1 full line."""
    canvas = np.zeros((layout.height, layout.width), np.uint8)
    thickness = max(1, round(height_px / 60))

    def line(x0: float, y0: float, x1: float, y1: float) -> None:
        ends = [(round(x * 16), round(y * 16)) for x, y in ((x0, y0), (x1, y1))]
        cv2.line(canvas, ends[0], ends[1], 255, thickness, cv2.LINE_AA, _SHIFT)

    if paper.kind == "ruled":
        pitch = 1.75 * height_px
        y = (layout.baselines[0] + 0.04 * height_px) % pitch
        while y < layout.height:
            line(0, y, layout.width, y)
            y += pitch
    elif paper.kind == "squared":
        pitch = 0.55 * height_px
        for x in np.arange(pitch * 0.4, layout.width, pitch):
            line(float(x), 0, float(x), layout.height)
        for y in np.arange((layout.baselines[0] + 0.03 * height_px) % pitch, layout.height, pitch):
            line(0, float(y), layout.width, float(y))
    for left, top, right, bottom in layout.cells:
        for x0, y0, x1, y1 in (
            (left, top, right, top), (left, bottom, right, bottom),
            (left, top, left, bottom), (right, top, right, bottom),
        ):  # fmt: skip
            line(x0, y0, x1, y1)
    return np.asarray(canvas, np.float32) / np.float32(255)


def _photograph(ink: InkImage, printed: Floats, pen: Pen, paper: Paper, rng: Random) -> npt.NDArray[np.uint8]:
    """Ink and print on the ground, in its light, through lens, sensor and file."""
    ground = np.full(ink.shape, float(paper.tone), np.float32)
    if paper.texture:
        grain = 0.5 * rng.standard_normal(ink.shape, np.float32) + 0.9 * _patches(ink.shape, 5, rng)
        ground += paper.texture * cv2.GaussianBlur(grain, (0, 0), 0.8)
    dark_ground = paper.tone < 128
    coloured = pen.colour is not None
    tints = ((-26, -14, 0), (0.0, -2.0, -9.0)) if coloured else ((0,), (0.0,))
    alpha = ink.astype(np.float32) / 255
    channels = []
    for place, (print_tint, warmth) in enumerate(zip(*tints, strict=True)):
        # print is paler than ink, as on school paper
        line = ground + (60 if dark_ground else -62) + print_tint
        channel = ground + warmth + printed * 0.8 * (line - ground)
        full = float(pen.colour[place]) if pen.colour else (248.0 if dark_ground else 18.0)
        channels.append(channel + alpha * (full - channel))
    picture = np.stack(channels, -1) * _light(ink.shape, paper, rng)[..., None]
    if paper.blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), paper.blur), np.float32).reshape(picture.shape)
    if paper.noise:
        picture = picture + paper.noise * rng.standard_normal(picture.shape, np.float32)
    seen = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    if paper.jpeg is not None:
        seen = _through_jpeg(seen, paper.jpeg)
    return np.ascontiguousarray(seen if coloured else seen.reshape(ink.shape))


def _light(shape: tuple[int, ...], paper: Paper, rng: Random) -> Floats:
    """Share of the light at each place, float32 (H, W), 1 - shadow .. 1: a slope and a soft edge."""
    if not paper.shadow:
        return np.ones(shape[:2], np.float32)
    angle = math.radians(paper.shadow_angle)
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    along = x * math.cos(angle) + y * math.sin(angle)
    edge = 1 / (1 + np.exp(-(along - rng.uniform(-0.3, 0.4)) / rng.uniform(0.08, 0.3)))
    slope = (along - along.min()) / max(float(np.ptp(along)), 1e-6)
    return np.asarray(1 - paper.shadow * (0.55 * edge + 0.45 * slope), np.float32)


def _through_jpeg(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    colour = picture.shape[2] == 3
    swapped = np.ascontiguousarray(picture[..., ::-1])
    _, packed = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE))
    return np.asarray(back[..., ::-1] if colour else back, np.uint8)


def _recorded(stroke: npt.ArrayLike, number: int) -> npt.NDArray[np.float64]:
    try:
        points = np.asarray(stroke, np.float64)
    except (TypeError, ValueError):
        raise ImageError(f"stroke {number} is not a list of numbers x, y; give an (n, 2) array") from None
    if points.size == 0:
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ImageError(f"stroke {number} has shape {points.shape}; give an (n, 2) array of x, y")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e9:
        raise ImageError(f"stroke {number} has a coordinate that is not a finite number; leave it out")
    return np.repeat(points, 2, axis=0) if len(points) == 1 else points  # a tap is a dot


def _step(height_px: float) -> float:
    """Frame units between path points: about 4 pixels, so that large characters stay round."""
    return 6.0 if height_px <= 90 else 3.0 if height_px <= 300 else 1.0


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also refuses NaN
        raise ConfigError(f"{name} is {value!r}, expected {low} to {high}")


def _among(name: str, value: str, known: object) -> None:
    names = list(known)  # type: ignore[call-overload]
    if value not in names:
        raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(names)}")
