"""The page of an exploration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from handread.alphabet import Alphabet
from handread.data.explore import explore
from handread.data.images import LabelledImages
from handread.reports.exploration import exploration_page

Check = Callable[[str], Any]


def drawn(labels: str, **more: Any) -> LabelledImages:
    """A column of ink for each item, each at its own place."""
    alphabet = Alphabet.of(sorted(set(labels)))
    images = np.zeros((len(labels), 12, 10), np.uint8)
    for place, image in enumerate(images):
        image[2:10, 1 + place % 8] = 120 + place + 9 * np.arange(8)
    return LabelledImages("<set>", images, np.array([alphabet.index(c) for c in labels], np.int64), alphabet, **more)


def test_the_page_shows_classes_samples_and_padding(check: Check) -> None:
    data = drawn("<<&&aab")
    found = check(exploration_page(explore(data), data))
    assert "<set>" in found.text
    assert "7 labelled images of 4 characters" in found.text
    assert [image["alt"] for image in found.all("img")][:4] == [
        "2 samples of &", "2 samples of <", "2 samples of a", "1 sample of b",
    ]  # fmt: skip
    assert "rows 2 to 10, columns 1 to 8 of 12 x 10 (window 0.166, 0.1, 0.834, 0.8)" in found.text


def test_contradictions_and_broken_items_are_named(check: Check) -> None:
    data = drawn("aab", files=("x/<1>.png", "x/2.png", "x/3.png"), skipped=("x/<script>.png",))
    images = data.images.copy()
    images[2] = images[0]
    images[1] = 0
    data = LabelledImages("s", images, data.labels, data.alphabet, files=data.files, skipped=data.skipped)
    found = check(exploration_page(explore(data), data))
    assert "the very same image" in found.text
    assert "All pixels are equal in x/2.png (a)." in found.text
    assert "x/ <script>.png" in found.text
    assert "x/<1>.png, labelled a" in [image["alt"] for image in found.all("img")]


def test_nothing_odd(check: Check) -> None:
    data = drawn("aabb")
    assert "Nothing odd was found" in check(exploration_page(explore(data), data)).text


def test_a_set_without_items(check: Check) -> None:
    data = LabelledImages("empty", np.zeros((0, 4, 4), np.uint8), np.zeros(0, np.int64), Alphabet.of("digits"))
    found = check(exploration_page(explore(data), data))
    assert "0 labelled images of 0 characters" in found.text
