"""The fifteen corruptions of MNIST-C, written anew from their definitions, each at five strengths.

Mu and Gilmer 2019, MNIST-C: A Robustness Benchmark for Computer Vision (arXiv 1906.02337). Their set has one fixed
severity a corruption; strength 3 here has the parameters of that severity as its authors published them, and the other
four lie around it. Their set's random numbers are not ours, so figures can be compared, single pictures cannot.
Lengths are in pixels of a 28 pixel picture and grow with the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.evaluation.corruption import Change, corruption

if TYPE_CHECKING:
    from handread.types import Doubles, Random, UInt8Array


_SIDE = 28
_FOG_MAP = 256
"""Side in pixels of the cloud of which a picture shows a corner."""
_LINE_REACH = 2.3
"""Vertical distance in pixels from a drawn line at which nothing of it is left."""


def _listed(name: str) -> Callable[[Change], Change]:
    return corruption(name, "mnist-c", light_on_dark=True, plain=lambda images, random: images.copy())


def _bytes(values: npt.NDArray[np.floating]) -> UInt8Array:
    return np.asarray(np.rint(np.clip(values, 0, 1) * 255), dtype=np.uint8)


def _unit(images: UInt8Array) -> float:
    return float(min(images.shape[1:]) / _SIDE)


def _sign(count: int, random: Random) -> Doubles:
    return np.where(random.random(count) < 0.5, -1.0, 1.0)


@_listed("shot-noise")
def shot_noise(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Light counted in few particles: each pixel is a Poisson number of 12, 6, 3, 2 or 1.5 at full brightness."""
    most = (12, 6, 3, 2, 1.5)[strength - 1]
    return _bytes(random.poisson(images / 255 * most) / most)


@_listed("impulse-noise")
def impulse_noise(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Salt and pepper: 6, 11, 17, 22 or 27 % of the pixels become full white or black, half each."""
    share = (0.06, 0.11, 0.17, 0.22, 0.27)[strength - 1]
    chance = random.random(images.shape)
    noisy = images.copy()
    noisy[chance < share / 2] = 255
    noisy[chance > 1 - share / 2] = 0
    return noisy


@_listed("glass-blur")
def glass_blur(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A blur, pixels swapped with near ones at random, and the blur again: frosted glass."""
    sigma, reach, rounds = ((0.4, 1, 1), (0.55, 1, 2), (0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3))[strength - 1]
    unit = _unit(images)
    shaken = _blurred(images / 255, sigma * unit)
    count, height, width = images.shape
    every = np.arange(count)
    reach = max(1, round(reach * unit))
    for _ in range(rounds):
        for row in range(height - 1 - reach, reach, -1):
            for column in range(width - 1 - reach, reach, -1):
                swapped = random.random(count) < 0.5
                down, across = random.integers(-reach, reach, (2, count))
                there = every[swapped], (row + down)[swapped], (column + across)[swapped]
                here = shaken[swapped, row, column]
                shaken[swapped, row, column] = shaken[there]
                shaken[there] = here
    return _bytes(_blurred(shaken, sigma * unit))


def _blurred(values: Doubles, sigma: float) -> Doubles:
    return np.stack([cv2.GaussianBlur(one, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) for one in values])


@_listed("motion-blur")
def motion_blur(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Smeared to one side along a line up to 45 degrees from level, fading over 1.5, 2.2, 3, 4 or 5 pixels."""
    sigma = (1.5, 2.2, 3.0, 4.0, 5.0)[strength - 1] * _unit(images)
    angles = np.radians(random.uniform(-45, 45, len(images)))
    smeared = [cv2.filter2D(one, -1, _trail(sigma, angle)) for one, angle in zip(images, angles, strict=True)]
    return np.asarray(smeared, dtype=np.uint8).reshape(images.shape)


def _trail(sigma: float, angle: float) -> npt.NDArray[np.float32]:
    reach = int(np.ceil(3 * sigma))
    steps = np.arange(0, reach, 0.25)
    x, y = reach + steps * np.cos(angle), reach + steps * np.sin(angle)
    kernel = np.zeros((2 * reach + 2, 2 * reach + 2))
    weight = np.exp(-(steps**2) / (2 * sigma**2))
    for right in (0, 1):
        for below in (0, 1):
            part = np.abs(1 - right - x % 1) * np.abs(1 - below - y % 1)
            np.add.at(kernel, (y.astype(int) + below, x.astype(int) + right), weight * part)
    kernel = kernel[:-1, :-1]
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _mapped(images: UInt8Array, matrices: Doubles) -> UInt8Array:
    """Images seen through linear maps (N, 2, 2) around their middle."""
    height, width = images.shape[1:]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = []
    for image, matrix in zip(images, matrices, strict=True):
        whole = np.column_stack([matrix, middle - matrix @ middle])
        moved.append(cv2.warpAffine(image, whole, (width, height), flags=cv2.INTER_LINEAR))
    return np.asarray(moved, dtype=np.uint8).reshape(images.shape)


@_listed("shear")
def shear(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Slanted to the left or the right by 0.15, 0.27, 0.4, 0.55 or 0.7 radians."""
    slant = np.tan((0.15, 0.27, 0.4, 0.55, 0.7)[strength - 1]) * _sign(len(images), random)
    matrices = np.tile(np.eye(2), (len(images), 1, 1))
    matrices[:, 0, 1] = slant
    return _mapped(images, matrices)


@_listed("scale")
def scale(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Shrunk to 90, 80, 70, 60 or 50 % around the middle."""
    share = (0.9, 0.8, 0.7, 0.6, 0.5)[strength - 1]
    return _mapped(images, np.tile(np.eye(2) * share, (len(images), 1, 1)))


@_listed("rotate")
def rotate(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Turned to the left or the right by 0.13, 0.27, 0.4, 0.5 or 0.6 radians."""
    angle = (0.13, 0.27, 0.4, 0.5, 0.6)[strength - 1] * _sign(len(images), random)
    cosine, sine = np.cos(angle), np.sin(angle)
    return _mapped(images, np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1))


@_listed("brightness")
def brightness(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Every pixel brighter by 20, 35, 50, 60 or 70 % of white, cut off there."""
    return _bytes(images / 255 + (0.2, 0.35, 0.5, 0.6, 0.7)[strength - 1])


@_listed("translate")
def translate(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Moved by 1 to 5 pixels along a diagonal; what leaves the picture is lost."""
    step = strength * _unit(images)
    across, down = _sign(len(images), random) * step, _sign(len(images), random) * step
    height, width = images.shape[1:]
    moved = [
        cv2.warpAffine(image, np.array([[1, 0, x], [0, 1, y]]), (width, height))
        for image, x, y in zip(images, across, down, strict=True)
    ]
    return np.asarray(moved, dtype=np.uint8).reshape(images.shape)


@_listed("stripe")
def stripe(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Light and dark change places in the outer 3, 5, 7, 8 or 9 columns on both sides."""
    band = max(1, round((3, 5, 7, 8, 9)[strength - 1] * images.shape[2] / _SIDE))
    striped = images.copy()
    striped[:, :, :band] = 255 - images[:, :, :band]
    striped[:, :, -band:] = 255 - images[:, :, -band:]
    return striped


@_listed("fog")
def fog(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A cloud 1, 2, 3, 4 or 5 times as bright as the ink is laid over it, and both are dimmed to fit."""
    thick = float(strength)
    peak = images.max(axis=(1, 2), keepdims=True) / 255
    return _bytes((images / 255 + thick * _cloud(images.shape, random)) * peak / np.maximum(peak + thick, 1e-6))


def _cloud(shape: tuple[int, ...], random: Random) -> Doubles:
    """A piece of a plasma fractal of `_FOG_MAP` pixels for each image, 0..1: octaves of half the size and of
    1 / 1.96 of the height of the one before."""
    count, height, width = shape
    cloud = np.zeros((count, height, width))
    variance = 0.0
    for octave in range(1, 9):
        pitch = _FOG_MAP / 2**octave
        amount = 1.96 ** -(octave - 1)
        rows, columns = (_between(side, pitch * side / _SIDE) for side in (height, width))
        knots = random.uniform(-1, 1, (count, rows.shape[1], columns.shape[1]))
        cloud += amount * (rows @ knots @ columns.T)
        variance += amount**2 / 3
    return np.asarray(np.clip(0.5 + cloud / (5 * np.sqrt(variance)), 0, 1))


def _between(length: int, pitch: float) -> Doubles:
    """Weights (length, knots) that lay a straight line through knots `pitch` pixels apart."""
    place = np.arange(length) / pitch + 0.37  # pictures lie anywhere between the knots
    knots = np.arange(int(place[-1]) + 2)
    return np.asarray(np.maximum(0, 1 - np.abs(place[:, None] - knots)))


@_listed("spatter")
def spatter(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Drops of mud, dark grey, small and few to large and many, lie over the picture."""
    unit = _unit(images)
    field = _blurred(random.normal(0, 1, images.shape), unit)
    drops = _blurred((field > 0).astype(np.float64), 1.5 * unit)
    drops[drops < (0.9, 0.85, 0.8, 0.74, 0.68)[strength - 1]] = 0
    return _bytes(images / 255 * (1 - drops) + 63 / 255 * drops)


@_listed("dotted-line")
def dotted_line(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A dotted line from side to side, half as bright as the ink, three quarters, as bright; two; three."""
    height, width = images.shape[1:]
    ends = random.uniform(0, height - 1, (len(images), 3, 2))
    dots = (np.arange(width) * _SIDE // width) // 2 % 2 == 1
    drawn = np.zeros(images.shape)
    for line in range(max(1, strength - 2)):
        for place in range(len(images)):
            first, last = ends[place, line]
            drawn[place] += _stroke((height, width), (0, first), (width - 1, last)) * dots
    return _bytes(images / 255 + min(1.0, (strength + 1) / 4) * drawn)


@_listed("zigzag")
def zigzag(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """A zigzag from side to side, half as bright as the ink, three quarters, as bright; two; three."""
    height, width = images.shape[1:]
    unit = _unit(images)
    starts = random.uniform(0, height - 1, (len(images), 3))
    rises = random.uniform(-5, 5, (len(images), 3)) * unit
    drawn = np.zeros(images.shape)
    for line in range(max(1, strength - 2)):
        for place in range(len(images)):
            corners = _corners(width, starts[place, line], rises[place, line], unit)
            for first, second in pairwise(corners):
                drawn[place] = np.minimum(1, drawn[place] + _stroke((height, width), first, second))
    return _bytes(images / 255 + min(1.0, (strength + 1) / 4) * drawn)


def _corners(width: int, start: float, rise: float, unit: float) -> list[tuple[float, float]]:
    """Corners (column, row) 4 pixels apart, 2 above and below a line from 2 pixels to 3 before the end."""
    left, right = 2 * unit, width - 3 * unit
    angle = np.arctan(rise / (right - left))
    along = np.arange(0, (right - left) / np.cos(angle), 4 * unit) + 2 * unit
    off = np.where(np.arange(len(along)) % 2, -2.0, 2.0) * unit
    along, off = np.r_[0, along], np.r_[0, off]
    x, y = left + along * np.cos(angle) - off * np.sin(angle), start + along * np.sin(angle) + off * np.cos(angle)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _stroke(shape: tuple[int, int], first: tuple[float, float], last: tuple[float, float]) -> Doubles:
    """A straight line, 1 on it and fading by the logarithm of the rows away from it, over the columns it spans."""
    (left, top), (right, bottom) = first, last
    reach = _LINE_REACH * min(shape) / _SIDE
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]
    off = np.abs(rows - (top + (bottom - top) / max(right - left, 1e-6) * (columns - left)))
    drawn = np.clip(np.log(np.maximum(1 - off / reach, 1e-9)) + 1, 0, 1)
    return np.asarray(drawn * ((columns >= np.floor(left)) & (columns <= np.ceil(right))))


@_listed("canny-edges")
def canny_edges(images: UInt8Array, strength: int, random: Random) -> UInt8Array:
    """Canny's edges over the ink at 60 and 30 %, edges alone, and edges that noise of 8 and 14 % is seen in too."""
    kept, noise = ((0.6, 0.0), (0.3, 0.0), (0.0, 0.0), (0.0, 0.08), (0.0, 0.14))[strength - 1]
    accident = random.normal(0, 1, images.shape)
    pictures = []
    for seen, image in zip(_bytes(images / 255 + noise * accident), images, strict=True):
        smooth = cv2.GaussianBlur(seen, (0, 0), _unit(images))
        edges = cv2.Canny(smooth, 0.1 * 255, 0.2 * 255, L2gradient=True)
        pictures.append(np.maximum(edges, np.rint(kept * image).astype(np.uint8)))
    return np.asarray(pictures, dtype=np.uint8).reshape(images.shape)


NAMES = (
    "shot-noise", "impulse-noise", "glass-blur", "motion-blur", "shear", "scale", "rotate", "brightness", "translate",
    "stripe", "fog", "spatter", "dotted-line", "zigzag", "canny-edges",
)  # fmt: skip
"""In the order of the paper."""
