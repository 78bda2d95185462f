"""Every kind of stranger keeps the contract, and training sees none of them."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import handread
from handread.alphabet import NAMED
from handread.data.foreign import LETTERS, SHAPES, SIGNS
from handread.errors import ConfigError
from handread.evaluation.letters_unseen import SCRIPTS
from handread.evaluation.strangers import GROUPS, STRANGERS, on_paper, strangers
from handread.imaging.single import single_character
from handread.imaging.strokes import compile_skeleton

PACKAGE = Path(handread.__file__).resolve().parent


@pytest.mark.parametrize("size", [16, 28, 64, 150])
@pytest.mark.parametrize("kind", STRANGERS)
def test_every_kind_draws_ink_of_the_size_asked_for(kind: str, size: int) -> None:
    for seed in range(3):
        image = STRANGERS[kind](np.random.default_rng(seed), size)
        assert image.shape == (size, size)
        assert image.dtype == np.uint8
        assert image.any() == (kind != "blank: empty")


@pytest.mark.parametrize("kind", [kind for kind in STRANGERS if kind != "blank: empty"])
def test_every_kind_differs_from_seed_to_seed_and_repeats_itself(kind: str) -> None:
    drawn = [STRANGERS[kind](np.random.default_rng(seed), 64) for seed in (1, 2, 3, 1)]
    assert len({image.tobytes() for image in drawn[:3]}) == 3
    assert np.array_equal(drawn[0], drawn[3])


def test_every_kind_is_of_a_group_and_every_group_has_kinds() -> None:
    assert {kind.split(": ")[0] for kind in STRANGERS} == set(GROUPS)


def test_groups_come_equally_often_and_all_their_kinds() -> None:
    found = strangers(len(GROUPS) * 20, seed=3)
    assert found.images.shape == (160, 64, 64)
    assert {group: found.groups.count(group) for group in GROUPS} == dict.fromkeys(GROUPS, 20)
    assert set(found.kinds) == set(STRANGERS)


def test_equal_seeds_give_equal_strangers_and_few_are_the_first_of_many() -> None:
    few, many, others = strangers(9, seed=1), strangers(30, seed=1), strangers(9, seed=2)
    assert np.array_equal(few.images, many.images[:9])
    assert few.kinds == many.kinds[:9] == others.kinds
    assert not np.array_equal(few.images, others.images)


@pytest.mark.parametrize(("n", "size", "words"), [(-1, 64, "n is -1"), (2, 15, "size is 15"), (2, 1025, "size is")])
def test_bad_numbers_are_refused(n: int, size: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        strangers(n, seed=0, size=size)


def test_none_asked_for_none_drawn() -> None:
    assert len(strangers(0, seed=0)) == 0


@pytest.mark.parametrize("script", SCRIPTS)
def test_letters_compile_and_are_none_that_training_draws_nor_a_class(script: str) -> None:
    letters = SCRIPTS[script]
    assert len(letters) >= 3
    assert not set(letters) & {*LETTERS, *SHAPES, *SIGNS, *NAMED["alphanumeric"]}
    assert not set(letters.values()) & {*LETTERS.values(), *SHAPES.values(), *SIGNS.values()}
    for skeleton in letters.values():
        assert len(compile_skeleton(skeleton).controls) >= 3


def test_there_are_seventy_letters_of_eight_scripts() -> None:
    assert len(SCRIPTS) == 8
    assert sum(map(len, SCRIPTS.values())) >= 70


def test_paper_shows_ink_darker_than_itself() -> None:
    ink = strangers(16, seed=1).images[4]
    picture = on_paper(ink, np.random.default_rng(0))
    assert picture.shape == ink.shape
    assert picture.dtype == np.uint8
    assert picture[ink == 0].min() > picture[ink > 200].max()
    assert not single_character(picture).empty


def test_an_empty_cell_on_paper_is_read_as_empty() -> None:
    picture = on_paper(np.zeros((80, 80), np.uint8), np.random.default_rng(0))
    assert single_character(picture).empty


@pytest.mark.parametrize("path", sorted((PACKAGE / "training").rglob("*.py")), ids=lambda path: path.name)
def test_training_never_sees_a_stranger(path: Path) -> None:
    named: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert not [
        name
        for name in named
        if name.startswith(("handread.evaluation.strangers", "handread.evaluation.letters_unseen"))
    ]
