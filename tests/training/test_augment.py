"""Augmentation: nothing at amount 0, the same by the same seed, and each step does what it says."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from handread.training.augment import (
    _bicubic,
    _grid,
    augment,
    blur,
    coarsen,
    cutout,
    harden,
    outline,
    scatter,
    specks,
    stray,
    stroke,
    warp,
)
from handread.training.config import AugmentConfig

FULL = AugmentConfig(
    rotate_degrees=8, slant=0.2, scale_fraction=0.1, shift_pixels=1, elastic_pixels=1, thicken_fraction=0.4,
    thin_fraction=0.3, blur_fraction=0.4, coarse_fraction=0.3, harden_fraction=0.3, gamma=0.3, light=0.4, noise=0.2,
    cutout_fraction=0.5, stray_fraction=0.3, specks_fraction=0.3, outline_fraction=0.2, scatter_fraction=0.2, clean_fraction=0.3,
    sharp_fraction=0.5,
)  # fmt: skip
HOW = {"clean_fraction", "sharp_fraction"}
"""Options that say how others are done: alone they do nothing."""
OPTIONS = [field.name for field in dataclasses.fields(AugmentConfig) if field.name not in HOW]


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def crosses(count: int = 32) -> Tensor:
    images = torch.zeros(count, 1, 32, 32)
    images[:, :, 6:26, 14:18] = 1
    images[:, :, 13:17, 8:24] = 0.8
    return images


def test_nothing_asked_changes_nothing() -> None:
    images = crosses()
    assert torch.equal(augment(images, AugmentConfig(), seeded()), images)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_alone_changes_the_ink(name: str) -> None:
    images = crosses()
    before = images.clone()
    varied = augment(images, AugmentConfig(**{name: getattr(FULL, name)}), seeded())
    assert varied.shape == images.shape
    assert varied.dtype == torch.float32
    assert not torch.equal(varied, images)
    assert torch.equal(images, before)  # the caller's ink stays
    assert float(varied.min()) >= 0
    assert float(varied.max()) <= 1
    assert torch.isfinite(varied).all()


@pytest.mark.parametrize("name", sorted(HOW))
def test_options_of_how_change_nothing_alone(name: str) -> None:
    images = crosses()
    assert torch.equal(augment(images, AugmentConfig(**{name: 1.0}), seeded()), images)


def test_clean_ink_is_turned_and_nothing_else() -> None:
    config = AugmentConfig(rotate_degrees=8, noise=0.5, blur_fraction=1, thicken_fraction=1, clean_fraction=1)
    varied = augment(crosses(), config, seeded())
    assert not torch.equal(varied, crosses())
    assert float(varied[:, :, 0, 0].abs().max()) == 0  # no noise in an empty corner
    half = augment(crosses(64), dataclasses.replace(config, clean_fraction=0.5), seeded())
    noisy = half[:, 0, 0, 0] > 0
    assert 0.05 < float(noisy.float().mean()) < 0.6  # noise is cut off at the paper, so half of it shows


def test_bicubic_sampling_keeps_edges_that_bilinear_softens() -> None:
    images = crosses(64)
    soft, sharp = (warp(images, AugmentConfig(shift_pixels=0.4, sharp_fraction=s), seeded(3)) for s in (0.0, 1.0))

    def steepness(ink: Tensor) -> float:
        return float((ink[..., 1:] - ink[..., :-1]).abs().amax(dim=(1, 2, 3)).mean())

    assert steepness(sharp) > steepness(soft) + 0.02
    assert float(sharp.min()) >= 0
    assert float(sharp.max()) <= 1


def test_an_outline_is_empty_inside() -> None:
    images = torch.zeros(4, 1, 32, 32)
    images[:, :, 8:24, 8:24] = 1
    rim = outline(images, 1.0, seeded())
    assert float(rim[:, :, 10:22, 10:22].max()) == 0
    assert float(rim[:, :, 7, 8:24].min()) == 1


def test_a_stray_line_crosses_and_adds_ink_only() -> None:
    images = torch.zeros(16, 1, 32, 32)
    lined = stray(images, 1.0, seeded())
    assert float(lined.amax(dim=(1, 2, 3)).min()) > 0.3
    wide = (lined > 0.2).any(dim=2).sum(dim=2).float()  # columns touched
    tall = (lined > 0.2).any(dim=3).sum(dim=2).float()
    assert float(torch.maximum(wide, tall).median()) > 20


def test_specks_are_bright_and_few() -> None:
    strewn = specks(torch.zeros(64, 1, 32, 32), 1.0, seeded())
    share = (strewn > 0).float().mean(dim=(1, 2, 3))
    assert 0.005 < float(share.mean()) < 0.12
    assert float(strewn[strewn > 0].min()) >= 0.4


def test_scattered_ink_keeps_its_mass() -> None:
    images = crosses(16)
    ragged = scatter(images, 1.0, seeded())
    assert float(ragged.sum()) == pytest.approx(float(images.sum()), rel=0.05)
    assert not torch.equal(ragged, images)


def test_all_together_stay_in_range() -> None:
    varied = augment(crosses(64), FULL, seeded())
    assert torch.isfinite(varied).all()
    assert float(varied.min()) >= 0
    assert float(varied.max()) <= 1
    assert float(varied.amax(dim=(1, 2, 3)).min()) > 0.2  # no image loses its ink


def test_the_generator_decides() -> None:
    first, again, other = (augment(crosses(), FULL, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    augment(crosses(), FULL, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_images_vary_each_by_itself() -> None:
    varied = warp(crosses(8), AugmentConfig(rotate_degrees=8), seeded())
    assert len({image.numpy().tobytes() for image in varied}) == 8


def test_thickening_adds_ink_and_thinning_takes_some() -> None:
    images = crosses()
    wide = stroke(images, 1.0, 0.0, seeded())
    slim = stroke(images, 0.0, 1.0, seeded())
    assert (wide >= images).all()
    assert (slim <= images).all()
    assert float(slim.amax(dim=(1, 2, 3)).min()) >= 0.2


@pytest.mark.parametrize("step", [blur, coarsen, harden])
def test_a_share_of_one_reaches_every_image(step) -> None:  # type: ignore[no-untyped-def]
    images = crosses()
    varied = step(images, 1.0, seeded())
    assert ((varied - images).abs().amax(dim=(1, 2, 3)) > 0.01).all()
    assert step(images, 0.0, seeded()) is images


def test_blur_keeps_the_amount_of_ink() -> None:
    images = crosses()
    assert blur(images, 1.0, seeded()).sum().item() == pytest.approx(images.sum().item(), rel=1e-5)


def test_cutout_only_takes() -> None:
    images = crosses()
    assert (cutout(images, 1.0, seeded()) <= images).all()
    assert cutout(images, 0.0, seeded()) is images


def test_one_image_and_none_are_batches_too() -> None:
    assert augment(crosses(1), FULL, seeded()).shape == (1, 1, 32, 32)


def test_places_are_those_of_torchs_own_grid() -> None:
    theta = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(1))
    for size in (28, 32):
        theirs = functional.affine_grid(theta, [3, 1, size, size], align_corners=False)
        assert torch.allclose(_grid(theta, size), theirs, atol=1e-5)


def test_the_matrix_interpolates_as_torch_does() -> None:
    coarse = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(2))
    theirs = functional.interpolate(coarse, size=(28, 28), mode="bicubic", align_corners=True)
    spread = _bicubic(5, 28)
    assert torch.allclose(spread @ coarse @ spread.T, theirs, atol=1e-5)
