"""What is wider than any stroke stays solid, and the hole of a 0 stays a hole."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from handread.imaging.ink import extract_ink

SIDE = 160


def paper(light: int = 230, slope: int = 0) -> np.ndarray:  # type: ignore[type-arg]
    sheet = np.tile(np.linspace(light, light - slope, SIDE), (SIDE, 1))
    return np.asarray(sheet + np.random.default_rng(0).normal(0, 1.5, sheet.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("slope", [0, 80])
@pytest.mark.parametrize("shade", [20, 90])
def test_a_filled_disc_is_no_ring(shade: int, slope: int) -> None:
    sheet = paper(slope=slope)
    cv2.circle(sheet, (80, 80), 55, shade, -1, cv2.LINE_AA)
    ink = extract_ink(sheet)
    assert ink[70:90, 70:90].min() == 255
    assert ink[:15].max() < 64


@pytest.mark.parametrize("shade", [20, 90, 150])
@pytest.mark.parametrize("width", [6, 20])
def test_a_ring_keeps_its_hole(shade: int, width: int) -> None:
    sheet = paper(slope=40)
    cv2.circle(sheet, (80, 80), 50, shade, width, cv2.LINE_AA)
    ink = extract_ink(sheet)
    assert ink[74:86, 74:86].max() == 0
    assert ink[80, 28:33].max() == 255


def test_bright_discs_on_dark_are_filled_too() -> None:
    sheet = 255 - paper()
    cv2.circle(sheet, (80, 80), 55, 240, -1, cv2.LINE_AA)
    assert extract_ink(sheet)[70:90, 70:90].min() == 255


def test_a_ring_within_a_ring_keeps_both_holes() -> None:
    sheet = paper()
    cv2.circle(sheet, (80, 80), 60, 30, 5, cv2.LINE_AA)
    cv2.circle(sheet, (80, 80), 30, 30, 5, cv2.LINE_AA)
    ink = extract_ink(sheet)
    assert ink[78:82, 78:82].max() == 0
    assert ink[80, 122:132].max() == 0
