"""One character's picture out of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from handread.desktop.cutout import LARGEST_SIDE, cut_out
from handread.types import Box

if TYPE_CHECKING:
    from handread.types import GrayImage

BOXES = [Box(40, 30, 16, 60), Box(66, 50, 16, 40), Box(92, 30, 16, 60), Box(40, 130, 16, 60)]


def page() -> GrayImage:
    """Four strokes of 16 columns on paper that darkens to the right: three in a line, one below."""
    ground = np.tile(np.linspace(230, 170, 200), (220, 1)).astype(np.uint8)
    for box in BOXES:
        ground[box.y : box.bottom, box.x : box.right] = 15
    return ground


def test_a_character_alone_keeps_its_whole_page() -> None:
    assert np.array_equal(cut_out(page(), [BOXES[0]], 0), page())


def test_one_of_several_gets_its_line_with_paper_where_the_others_stand() -> None:
    part = cut_out(page(), BOXES, 1)
    # the line is 60 high, so the margin is 18: rows 12 to 108, columns 48 to 100
    assert part.shape == (96, 52)
    own = part[50 - 12 : 90 - 12, 66 - 48 : 82 - 48]
    assert (own == 15).all()
    part[50 - 12 : 90 - 12, 66 - 48 : 82 - 48] = 200
    assert part.min() > 180  # nothing of the neighbours is left
    assert part.max() < 225


def test_the_paper_painted_in_has_the_shade_around_it() -> None:
    part = cut_out(page(), BOXES, 1).astype(int)
    left, right = part[20, 2], part[20, 50]  # where the first and the third stroke stood
    assert abs(left - page()[20, 50]) < 6
    assert abs(right - page()[20, 98]) < 6


def test_bright_ink_on_a_dark_ground_is_as_good() -> None:
    part = cut_out(255 - page(), BOXES, 1)
    part[50 - 12 : 90 - 12, 66 - 48 : 82 - 48] = 50
    assert part.max() < 75


def test_a_character_at_the_rim_gets_what_there_is() -> None:
    part = cut_out(page(), [Box(0, 0, 20, 60), Box(60, 0, 20, 60)], 0)
    assert part.shape == (78, 38)


def test_large_pictures_are_scaled_down() -> None:
    assert cut_out(np.zeros((3000, 1500), np.uint8), [Box(1, 1, 5, 5)], 0).shape == (LARGEST_SIDE, LARGEST_SIDE // 2)
