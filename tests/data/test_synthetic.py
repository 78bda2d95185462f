"""Drawn characters and what is none."""

from __future__ import annotations

import numpy as np
import pytest

from handread.alphabet import NAMED
from handread.data.foreign import LETTERS, SHAPES, SIGNS
from handread.data.synthetic import NON_CHARACTERS, SHARES, non_characters, synthetic_characters
from handread.errors import AlphabetError, ConfigError
from handread.imaging.strokes import compile_skeleton


def test_every_class_equally_often() -> None:
    data = synthetic_characters(124, seed=1)
    assert data.images.shape == (124, 64, 64)
    assert data.images.dtype == np.uint8
    assert np.bincount(data.labels).tolist() == [2] * 62
    assert (data.images.reshape(124, -1).max(1) > 100).all()


def test_alphabet_and_size_are_as_asked() -> None:
    data = synthetic_characters(21, alphabet="digits", seed=1, size=28)
    assert data.images.shape == (21, 28, 28)
    assert data.alphabet.name == "digits"
    assert sorted(set(data.labels.tolist())) == list(range(10))


def test_the_case_of_letters_that_differ_by_size_alone_is_not_believed() -> None:
    data = synthetic_characters(62, seed=3)
    assert data.case_known is not None
    known = dict(zip(data.characters(), data.case_known.tolist(), strict=True))
    assert [known[c] for c in "cCsSoO0aAgGrR"] == [False] * 6 + [True] * 7


def test_characters_fill_the_frame() -> None:
    for image in synthetic_characters(62, seed=5).images:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        assert max(np.ptp(rows), np.ptp(columns)) >= 0.55 * 64


def test_equal_seeds_give_equal_sets() -> None:
    first, again = (synthetic_characters(20, seed=9) for _ in range(2))
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.images, synthetic_characters(20, seed=10).images)
    assert np.array_equal(non_characters(20, seed=9), non_characters(20, seed=9))


@pytest.mark.parametrize("size", [16, 28, 64, 150])
@pytest.mark.parametrize("kind", NON_CHARACTERS)
def test_every_kind_of_non_character_has_ink(kind: str, size: int) -> None:
    generator = np.random.default_rng(2)
    for _ in range(6):
        image = NON_CHARACTERS[kind](generator, size)
        assert image.shape == (size, size)
        assert image.dtype == np.uint8
        assert image.any()


def test_all_kinds_are_named_rightly_in_the_shares() -> None:
    assert set(SHARES) <= set(NON_CHARACTERS)


def test_a_lone_line_is_never_upright() -> None:
    generator = np.random.default_rng(4)
    for _ in range(150):
        image = NON_CHARACTERS["line"](generator, 64)
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        assert np.ptp(columns) > 0.6 * np.ptp(rows)


def test_non_characters_are_many_kinds() -> None:
    images = non_characters(200, seed=1)
    assert images.shape == (200, 64, 64)
    assert images.dtype == np.uint8
    assert images.reshape(200, -1).any(1).all()
    assert len({image.tobytes() for image in images}) == 200


@pytest.mark.parametrize("source", [SHAPES, SIGNS, LETTERS])
def test_foreign_skeletons_compile(source: dict[str, str]) -> None:
    for text in source.values():
        assert len(compile_skeleton(text).controls) >= 2


def test_there_are_forty_foreign_letters_and_no_class_among_the_names() -> None:
    assert len(LETTERS) >= 40
    assert not set(NAMED["alphanumeric"]) & {*LETTERS, *SIGNS, *SHAPES}


def test_nothing_asked_nothing_drawn() -> None:
    assert len(synthetic_characters(0, seed=1)) == 0
    assert non_characters(0, seed=1).shape == (0, 64, 64)


@pytest.mark.parametrize(("n", "size", "words"), [(-1, 64, "n is -1"), (5, 8, "size is 8"), (5, 5000, "size is")])
def test_bad_numbers_are_refused(n: int, size: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        synthetic_characters(n, seed=1, size=size)
    with pytest.raises(ConfigError, match=words):
        non_characters(n, seed=1, size=size)


def test_a_character_without_a_skeleton_is_refused() -> None:
    with pytest.raises(AlphabetError, match="'ß' cannot be drawn"):
        synthetic_characters(5, alphabet="aß", seed=1)
