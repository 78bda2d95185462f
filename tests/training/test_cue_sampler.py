"""Cues for training: from pictures, from invented lines, or none."""

from __future__ import annotations

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.training.cues import CueSampler

ALL = Alphabet.of("alphanumeric")


def drawn(character: str, count: int = 4000, *, picture: bool = False, ambiguous: bool = False, seed: int = 0):
    cues = np.tile(np.array([1, 0, 0.5, 0.4], dtype=np.float32), (count, 1))
    labels = np.full(count, ALL.index(character))
    flags = np.full(count, picture), np.full(count, ambiguous)
    return CueSampler(ALL).sample(labels, cues, *flags, np.random.default_rng(seed))


def kinds(cues: np.ndarray) -> tuple[float, float, float]:
    """Shares of pictures' cues, lines' cues and none."""
    picture, line = cues[:, 0] == 1, cues[:, 1] == 1
    assert not (picture & line).any()
    none = ~picture & ~line
    assert not cues[none].any()
    return float(picture.mean()), float(line.mean()), float(none.mean())


def test_shares_of_the_kinds() -> None:
    assert kinds(drawn("a")) == pytest.approx((0.25, 0.40, 0.35), abs=0.03)
    assert kinds(drawn("a", picture=True)) == pytest.approx((0.80, 0.10, 0.10), abs=0.03)
    assert kinds(drawn("a", ambiguous=True)) == pytest.approx((0.25, 0.0, 0.75), abs=0.03)


def test_the_same_seed_gives_the_same_cues() -> None:
    assert np.array_equal(drawn("a", seed=3), drawn("a", seed=3))
    assert not np.array_equal(drawn("a", seed=3), drawn("a", seed=4))


def test_cues_are_what_a_picture_or_a_line_could_say() -> None:
    for character in "aAgj7":
        cues = drawn(character)
        assert cues.dtype == np.float32
        assert np.isfinite(cues).all()
        assert (cues[:, 2] >= 0).all()
        assert (cues[:, 2] <= 1.5).all()
        assert (cues[:, 3] > -0.5).all()
        assert (cues[:, 3] < 1.5).all()


def test_small_letters_are_lower_than_capitals_in_a_line() -> None:
    def height(character: str) -> float:
        cues = drawn(character)
        return float(cues[cues[:, 1] == 1, 2].mean())

    assert height("c") < 0.8 * height("C")
    assert height("o") < 0.8 * height("0")


def test_descenders_hang() -> None:
    def centre(character: str) -> float:
        cues = drawn(character)
        return float(cues[cues[:, 1] == 1, 3].mean())

    assert centre("g") < centre("o") < centre("T")


def test_what_is_no_character_has_the_cues_of_characters() -> None:
    count = 4000
    cues = np.tile(np.array([1, 0, 0.5, 0.5], np.float32), (count, 1))
    labels = np.where(np.arange(count) % 2, len(ALL), 7)
    pictures = np.arange(count) % 2 == 0  # only the characters came from pictures
    found = CueSampler(ALL).sample(labels, cues, pictures, np.zeros(count, bool), np.random.default_rng(0))
    own, other = found[labels == 7], found[labels != 7]
    for kind in (0, 1):
        assert abs(own[:, kind].mean() - other[:, kind].mean()) < 0.03
    assert set(map(tuple, other)) <= set(map(tuple, own))


def test_a_batch_without_characters_has_no_cues() -> None:
    flags = np.zeros(5, bool)
    cues = np.ones((5, 4), np.float32)
    found = CueSampler(ALL).sample(np.full(5, len(ALL)), cues, flags, flags, np.random.default_rng(0))
    assert not found.any()


def test_unknown_cues_stay_unknown_or_become_lines() -> None:
    labels = np.full(500, 3)
    flags = np.zeros(500, bool)
    cues = CueSampler(ALL).sample(labels, np.zeros((500, 4), np.float32), flags, flags, np.random.default_rng(0))
    assert not (cues[:, 0] == 1).any()


@pytest.mark.parametrize("characters", ["01", "ABC", "xyz", "0a", "é7"])
def test_any_alphabet_has_neighbours(characters: str) -> None:
    alphabet = Alphabet.of(characters)
    labels = np.arange(200) % len(alphabet)
    flags = np.zeros(200, bool)
    cues = CueSampler(alphabet).sample(labels, np.zeros((200, 4), np.float32), flags, flags, np.random.default_rng(0))
    assert cues.shape == (200, 4)
    assert (cues[:, 1] == 1).any()


def test_an_empty_batch_gives_no_cues() -> None:
    empty = np.zeros(0, bool)
    cues = CueSampler(ALL).sample(
        np.zeros(0, np.int64), np.zeros((0, 4), np.float32), empty, empty, np.random.default_rng()
    )
    assert cues.shape == (0, 4)
