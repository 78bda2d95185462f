"""The values that cross borders: frozen, and what follows from their fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from handread import errors
from handread.types import REFUSED, Box, Candidate, Character, Reading

SEVEN = Character((Candidate("7", 0.75), Candidate("1", 0.25)), Box(1, 2, 3, 4), True)
BLOT = Character((Candidate("8", 0.5),), Box(0, 0, 1, 1), False, "too uncertain")


@pytest.mark.parametrize("value", [Box(1, 2, 3, 4), SEVEN, SEVEN.candidates[0], Reading("7", (SEVEN,), 0.75)])
def test_values_are_frozen_and_small(value: Any) -> None:
    field = dataclasses.fields(value)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, None)
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(dataclasses.replace(value))


def test_a_box_knows_its_far_sides() -> None:
    box = Box(1, 2, 3, 4)
    assert (box.right, box.bottom) == (4, 6)


def test_a_box_of_a_picture_made_larger_is_in_whole_pixels() -> None:
    assert Box(1, 2, 3, 5).scaled(2.5) == Box(2, 5, 8, 12)


def test_a_bug_is_one_line() -> None:
    said = errors.bug(ValueError("two\n  lines"), "with the picture")
    assert said == "this is a bug in Handread (ValueError: two lines); please report it with the picture"


def test_a_character_is_its_first_candidate() -> None:
    assert SEVEN.text == "7"
    assert SEVEN.confidence == 0.75
    assert SEVEN.reason == ""


@pytest.mark.parametrize(("characters", "accepted"), [((SEVEN,), True), ((SEVEN, BLOT), False), ((), False)])
def test_a_reading_is_accepted_when_every_character_is(characters: tuple[Character, ...], accepted: bool) -> None:
    assert Reading("", characters, 0.0).accepted is accepted


def test_the_sign_of_a_refused_character() -> None:
    assert REFUSED == "\ufffd"


def test_every_error_is_a_handread_error() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len(kinds) >= 7
    assert all(issubclass(kind, errors.HandreadError) for kind in kinds)


def test_a_missing_extra_names_its_pip_line() -> None:
    error = errors.MissingExtraError("training", "train")
    assert str(error) == "training needs the extra 'train': pip install 'handread[train]'"
    assert error.extra == "train"
