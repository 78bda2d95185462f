"""Augmentation: nothing at amount 0, the same by the same seed, and each step does what it says."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from handread.training.augment import augment, blur, coarsen, cutout, harden, stroke, warp
from handread.training.config import AugmentConfig

FULL = AugmentConfig(
    rotate_degrees=8, slant=0.2, scale_fraction=0.1, shift_pixels=1, elastic_pixels=1, thicken_fraction=0.4,
    thin_fraction=0.3, blur_fraction=0.4, coarse_fraction=0.3, harden_fraction=0.3, gamma=0.3, light=0.4, noise=0.2,
    cutout_fraction=0.5, stray_fraction=0.3, specks_fraction=0.3, outline_fraction=0.2, scatter_fraction=0.2, clean_fraction=0.3,
)  # fmt: skip
OPTIONS = [field.name for field in dataclasses.fields(AugmentConfig) if field.name != "clean_fraction"]


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
