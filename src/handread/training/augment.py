"""Random variation of ink, on batches, for training only.

Every step takes float images (N, 1, S, S), 0 paper .. 1 ink, and a generator, and is the identity at amount 0.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

from handread.training.config import AugmentConfig


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """A random variation of every image; the same generator state gives the same result."""
    clean = _share(images, config.clean_fraction, generator)
    if clean is None:
        return _worn(warp(stroke(images, config.thicken_fraction, config.thin_fraction, generator), config, generator),
                     config, generator)  # fmt: skip
    if bool(clean.all()):
        return warp(images, config, generator)
    images = images.clone()
    images[clean] = warp(images[clean], config, generator)
    images[~clean] = augment(images[~clean], dataclasses.replace(config, clean_fraction=0.0), generator)
    return images


def _worn(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """What pen, paper and camera do to ink that lies where it lies."""
    images = outline(images, config.outline_fraction, generator)
    images = scatter(images, config.scatter_fraction, generator)
    images = stray(images, config.stray_fraction, generator)
    images = blur(images, config.blur_fraction, generator)
    images = coarsen(images, config.coarse_fraction, generator)
    images = harden(images, config.harden_fraction, generator)
    images = cutout(images, config.cutout_fraction, generator)
    images = specks(images, config.specks_fraction, generator)
    return shade(images, config, generator)


def _share(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor | None:
    """bool (N,): a random share of the images; None where it would be empty."""
    if not fraction:
        return None
    chosen = _uniform(images.shape[0], generator) < fraction
    return chosen if bool(chosen.any()) else None


def _normal(count: int, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(count, *shape, generator=generator)


def _uniform(count: int, generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(count, *shape, generator=generator)


def warp(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Rotation, slant, scale, shift and elastic displacement in one sampling, bilinear or, for a share, bicubic."""
    count, _, size, _ = images.shape
    amounts = (
        config.rotate_degrees,
        config.slant,
        config.scale_fraction,
        config.shift_pixels,
        config.elastic_pixels,
    )
    if not any(amounts):
        return images
    angle = _normal(count, generator) * math.radians(config.rotate_degrees)
    shear = _normal(count, generator) * config.slant
    scale = (1 + _normal(count, generator, 2) * config.scale_fraction).clamp(0.6, 1.5)
    shift = _normal(count, generator, 2) * (config.shift_pixels * 2 / size)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = cosine / scale[:, 0]
    theta[:, 0, 1] = (shear * cosine - sine) / scale[:, 0]
    theta[:, 1, 0] = sine / scale[:, 1]
    theta[:, 1, 1] = (shear * sine + cosine) / scale[:, 1]
    theta[:, :, 2] = shift
    grid = _grid(theta, size)
    if config.elastic_pixels:
        coarse = _normal(count, generator, 2, 5, 5) * (config.elastic_pixels * 2 / size)
        spread = _bicubic(coarse.shape[-1], size)
        grid = grid + (spread @ coarse @ spread.T).permute(0, 2, 3, 1)
    sharp = _share(images, config.sharp_fraction, generator)
    if sharp is None:
        return _sampled(images, grid, "bilinear")
    warped = torch.empty_like(images)
    warped[sharp] = _sampled(images[sharp], grid[sharp], "bicubic").clamp(0, 1)
    warped[~sharp] = _sampled(images[~sharp], grid[~sharp], "bilinear")
    return warped


def _grid(theta: Tensor, size: int) -> Tensor:
    """What `affine_grid` gives without aligned corners, (N, S, S, 2), in one product: it was half of the time here."""
    return (theta.reshape(-1, 3) @ _places(size)).view(-1, 2, size, size).permute(0, 2, 3, 1)


@functools.cache
def _places(size: int) -> Tensor:
    """Across, down and 1 of every pixel's middle, -1..1, (3, S * S)."""
    axis = (2 * torch.arange(size) + 1) / size - 1
    return torch.stack([axis.repeat(size), axis.repeat_interleave(size), torch.ones(size * size)])


@functools.cache
def _bicubic(few: int, size: int) -> Tensor:
    """Bicubic interpolation of `few` values to `size` with aligned corners as a matrix, (S, few)."""
    shown = functional.interpolate(torch.eye(few)[None, None], size=(size, few), mode="bicubic", align_corners=True)
    return shown[0, 0]


def _sampled(images: Tensor, grid: Tensor, mode: str) -> Tensor:
    return functional.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


def stroke(images: Tensor, thicken: float, thin: float, generator: torch.Generator) -> Tensor:
    """Blend a share of the images with their grey dilation, another with their grey erosion."""
    if not thicken and not thin:
        return images
    count = images.shape[0]
    chance, amount = _uniform(count, generator), _uniform(count, generator)[:, None, None, None]
    images = images.clone()
    wide = chance < thicken
    if wide.any():
        part = images[wide]
        grown = functional.max_pool2d(part, 3, stride=1, padding=1)
        images[wide] = part + amount[wide] * (grown - part)
    slim = (chance >= thicken) & (chance < thicken + thin)
    if slim.any():
        part = images[slim]
        shrunk = -functional.max_pool2d(-part, 3, stride=1, padding=1)
        # hairlines would vanish: they keep a part of themselves
        images[slim] = part + 0.75 * amount[slim] * (shrunk - part)
    return images


def blur(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """A binomial 3 x 3 blur, once or twice, on a share of the images."""
    if not fraction:
        return images
    chance = _uniform(images.shape[0], generator)
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line[None, :])[None, None]
    soft = functional.conv2d(images, kernel, padding=1)
    softer = functional.conv2d(soft, kernel, padding=1)
    once, twice = chance < fraction, chance < fraction / 2
    return torch.where(twice[:, None, None, None], softer, torch.where(once[:, None, None, None], soft, images))


def coarsen(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Scale a share of the images down to 10 to 20 pixels, the same for one call, and up again."""
    if not fraction:
        return images
    count, _, size, _ = images.shape
    chosen = torch.nonzero(_uniform(count, generator) < fraction)[:, 0]
    side = int(torch.randint(10, 21, (1,), generator=generator))
    if not len(chosen):
        return images
    small = functional.interpolate(images[chosen], size=(side, side), mode="area")
    images = images.clone()
    images[chosen] = functional.interpolate(small, size=(size, size), mode="bilinear", align_corners=False)
    return images


def harden(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Steepen the intensities of a share of the images around a random level between 0.3 and 0.6."""
    if not fraction:
        return images
    count = images.shape[0]
    chosen = (_uniform(count, generator) < fraction)[:, None, None, None]
    level = (0.3 + 0.3 * _uniform(count, generator))[:, None, None, None]
    return torch.where(chosen, torch.sigmoid((images - level) * 24), images)


def cutout(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Take two small soft patches of ink out of a share of the images: dry pens and broken strokes."""
    if not fraction:
        return images
    count, _, size, _ = images.shape
    chosen = (_uniform(count, generator) < fraction)[:, None, None, None]
    axis = (torch.arange(size) + 0.5) / size
    hole = torch.zeros(count, 1, size, size)
    for _ in range(2):
        centre = _uniform(count, generator, 2) * 0.8 + 0.1
        radius = (0.03 + 0.06 * _uniform(count, generator))[:, None, None]
        far = (axis[None, :, None] - centre[:, 0, None, None]) ** 2 + (
            axis[None, None, :] - centre[:, 1, None, None]
        ) ** 2
        hole = torch.maximum(hole, torch.exp(-far / (2 * radius**2))[:, None])
    return torch.where(chosen, images * (1 - hole), images)


def stray(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Draw a line across a share of the images, 0.6 to 2 pixels wide: half of them straight, half zigzag or bent, a
    third dotted."""
    chosen = _share(images, fraction, generator)
    if chosen is None:
        return images
    part = images[chosen]
    count, _, size, _ = part.shape
    vertices = 9
    along = torch.linspace(-0.75, 0.75, vertices) * size
    swing = torch.where(torch.arange(vertices) % 2 > 0, 1.0, -1.0) * _uniform(count, generator)[:, None] * 0.3
    swing = swing + 0.12 * _normal(count, generator, vertices)
    swing = swing * (_uniform(count, generator) < 0.5)[:, None] + (_uniform(count, generator)[:, None] - 0.5) * 0.6
    turn = _normal(count, generator)[:, None] * 0.8
    x = along * torch.cos(turn) - swing * size * torch.sin(turn)
    y = along * torch.sin(turn) + swing * size * torch.cos(turn)
    distance, place = _to_line(torch.stack([x, y], 2), size)
    half = 0.3 + 0.7 * _uniform(count, generator)[:, None]
    period = 2.5 + 3 * _uniform(count, generator)[:, None]
    dotted = (_uniform(count, generator) < 0.35)[:, None]
    level = (0.5 + 0.5 * _uniform(count, generator))[:, None]
    inked = (half + 0.5 - distance).clamp(0, 1) * level
    inked = torch.where(dotted & ((place / period).frac() > 0.5), torch.zeros(()), inked)
    images = images.clone()
    images[chosen] = torch.maximum(_smaller(part, generator), inked.reshape(count, 1, size, size))
    return images


def _to_line(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Distance of every pixel, (N, S * S), from the open line through `points` (N, M, 2), counted from the middle of
    the image, and the length of the line up to the nearest place on it."""
    axis = torch.arange(size) + 0.5 - size / 2
    pixels = torch.stack([axis.repeat(size), axis.repeat_interleave(size)], 1)  # (S * S, 2), across and down
    start, step = points[:, :-1], points[:, 1:] - points[:, :-1]  # (N, M - 1, 2)
    length = step.norm(dim=2).clamp(min=1e-3)
    offset = pixels[None, None] - start[:, :, None]  # (N, M - 1, S * S, 2)
    share = ((offset * step[:, :, None]).sum(3) / length[:, :, None] ** 2).clamp(0, 1)
    distance = (offset - share[..., None] * step[:, :, None]).norm(dim=3)
    nearest, which = distance.min(dim=1)
    before = (length.cumsum(1) - length)[:, :, None] + share * length[:, :, None]
    return nearest, before.gather(1, which[:, None])[:, 0]


def scatter(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Move every pixel of a share of the images by up to a pixel and a half, each for itself, then soften: ragged ink
    as on blotting paper."""
    chosen = _share(images, fraction, generator)
    if chosen is None:
        return images
    part = images[chosen]
    count, _, size, _ = part.shape
    theta = torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).repeat(count, 1, 1)
    grid = _grid(theta, size)
    reach = (0.5 + _uniform(count, generator))[:, None, None, None] * 2 / size
    grid = grid + reach * (_uniform(count, generator, size, size, 2) * 2 - 1)
    moved = functional.grid_sample(part, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    images = images.clone()
    images[chosen] = blur(moved, 1.0, generator)
    return images


def specks(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Strew 1 to 8 % of the pixels of a share of the images with bright ones, half of the images with blots of them."""
    chosen = _share(images, fraction, generator)
    if chosen is None:
        return images
    part = images[chosen]
    count, _, size, _ = part.shape
    density = (0.01 + 0.07 * _uniform(count, generator))[:, None, None, None]
    level = (0.4 + 0.6 * _uniform(count, generator))[:, None, None, None]
    blots = (_uniform(count, generator) < 0.5)[:, None, None, None]
    salt = _uniform(count, generator, 1, size, size)
    single = (salt < density).float()
    cross = functional.max_pool2d((salt < density / 8).float(), 3, stride=1, padding=1)
    images = images.clone()
    images[chosen] = torch.maximum(_smaller(part, generator), torch.where(blots, cross, single) * level)
    return images


def _smaller(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each at 0.6 to 1 of its size and moved as much: what is strewn around a character widens the ink's box."""
    count, _, size, _ = images.shape
    scale = 0.6 + 0.4 * _uniform(count, generator)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / scale
    theta[:, :, 2] = (_uniform(count, generator, 2) * 2 - 1) * (1 / scale - 1)[:, None]
    grid = _grid(theta, size)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def outline(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Leave of a share of the images what their grey dilation adds: the outline of the strokes."""
    chosen = _share(images, fraction, generator)
    if chosen is None:
        return images
    part = images[chosen]
    rim = functional.max_pool2d(part, 3, stride=1, padding=1) - part
    images = images.clone()
    images[chosen] = rim / rim.amax(dim=(1, 2, 3), keepdim=True).clamp(min=0.1)
    return images


def shade(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Exponent on the intensity, smooth fading across the image, pixel noise."""
    count, _, size, _ = images.shape
    if config.gamma:
        exponent = torch.exp(_normal(count, generator) * config.gamma)[:, None, None, None]
        images = images.clamp(1e-4, 1) ** exponent
    if config.light:
        corners = 1 - config.light * _uniform(count, generator, 1, 2, 2)
        images = images * functional.interpolate(corners, size=(size, size), mode="bilinear", align_corners=True)
    if config.noise:
        strength = config.noise * _uniform(count, generator)[:, None, None, None] ** 2
        images = images + strength * _normal(count, generator, 1, size, size)
    return images.clamp(0, 1)
