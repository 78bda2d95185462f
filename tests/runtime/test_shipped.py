"""What the shipped weights can do, on ink that the project's own pen draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handread.data.synthetic import random_pen
from handread.imaging.draw import draw_skeleton
from handread.imaging.strokes import SKELETONS
from handread.recognizer import Recognizer
from handread.runtime import store

HANDS = {
    "a 0 with a slash": ("0", SKELETONS["0"][-1]),
    "a 1 with a long flag": ("1", "2,44 34,100! 31,0"),
    "a 1 like a roof": ("1", "0,30 26,101! 36,0"),
    "a 7 with a loop": ("7", "-2,100 8,84 26,75 44,82 53,94 46,103 35,94 31,60 29,0; 4,42 54,43"),
    "a 7 with a wave": ("7", "2,88 6,102 22,92 42,90 62,104 48,66 28,-2; 16,48 58,53"),
}


@pytest.mark.parametrize("name", ["handread", "handread-int8"])
@pytest.mark.parametrize("form", HANDS)
def test_digits_are_read_as_other_countries_write_them(name: str, form: str) -> None:
    digit, skeleton = HANDS[form]
    assert skeleton in SKELETONS[digit]
    random = np.random.default_rng(20)
    inks = [draw_skeleton(skeleton, height_px=50, pen=random_pen(random, 48), rng=random) for _ in range(20)]
    side = max(max(ink.shape) for ink in inks)
    images = np.stack([np.pad(ink, ((0, side - ink.shape[0]), (0, side - ink.shape[1]))) for ink in inks])
    scores = Recognizer(name).score(images)
    assert [scores.alphabet[label] for label in scores.labels].count(digit) == 20


def test_every_shipped_network_is_of_the_recipe_that_its_card_names() -> None:
    recipes = Path(__file__).parents[2] / "recipes"
    for name in store.shipped():
        assert (recipes / Recognizer(name).card.recipe.split(",")[0]).exists()
