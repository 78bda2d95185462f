"""Alphabets: order, names, and what cannot be one."""

from __future__ import annotations

import pickle
import string

import numpy as np
import pytest

from handread.alphabet import NAMED, Alphabet
from handread.errors import AlphabetError


@pytest.mark.parametrize("name", NAMED)
def test_a_named_alphabet_is_the_contract(name: str) -> None:
    alphabet = Alphabet.of(name)
    assert alphabet.name == name
    assert "".join(alphabet) == NAMED[name]
    assert len(alphabet) == len(NAMED[name]) == len(set(NAMED[name]))
    for place, character in enumerate(alphabet):
        assert alphabet.index(character) == place
        assert alphabet[place] == character
        assert character in alphabet
    assert set(alphabet) <= set(Alphabet.of("alphanumeric"))


def test_the_order_of_the_62_shipped_classes() -> None:
    assert NAMED["alphanumeric"] == string.digits + string.ascii_uppercase + string.ascii_lowercase
    sizes = {"digits": 10, "upper": 26, "lower": 26, "letters": 52, "alphanumeric": 62, "hex": 22}
    assert {name: len(NAMED[name]) for name in sizes} == sizes


def test_characters_spell_an_alphabet() -> None:
    alphabet = Alphabet.of("7-é")
    assert alphabet.name == "7-é"
    assert alphabet.characters == ("7", "-", "é")
    assert "0" not in alphabet
    assert "" not in alphabet
    assert 7 not in alphabet


@pytest.mark.parametrize("spec", ["0123456789", list("0123456789"), iter("0123456789"), "digits"])
def test_the_characters_of_a_named_alphabet_are_it(spec: object) -> None:
    assert Alphabet.of(spec) == Alphabet.of("digits")  # type: ignore[arg-type]


def test_an_alphabet_is_an_alphabet() -> None:
    digits = Alphabet.of("digits")
    assert Alphabet.of(digits) is digits


def test_equal_alphabets_are_equal_and_travel() -> None:
    assert Alphabet.of("abc") == Alphabet.of("abc") != Alphabet.of("acb")
    assert len({Alphabet.of("abc"), Alphabet.of("abc")}) == 1
    again = pickle.loads(pickle.dumps(Alphabet.of("abc")))
    assert again.index("c") == 2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "needs at least one character; name one of digits"),
        ([], "at least one"),
        ("aba", "'a' stands twice"),
        ("a b", "' ' cannot be a class"),
        ("a\n", "cannot be a class"),
        (["ab"], "'ab' cannot be a class"),
        ([""], "'' cannot be a class"),
        ("Digits", "'i' stands twice"),
    ],
)
def test_what_cannot_be_an_alphabet(spec: object, words: str) -> None:
    with pytest.raises(AlphabetError, match=words):
        Alphabet.of(spec)  # type: ignore[arg-type]


def test_a_stranger_has_no_index() -> None:
    with pytest.raises(AlphabetError, match=r"'x' is not in the alphabet 'digits' .0123456789."):
        Alphabet.of("digits").index("x")


def test_places_of_another_alphabet() -> None:
    places = Alphabet.of("alphanumeric").indices_of(Alphabet.of("bA9"))
    assert places.dtype == np.int64
    assert places.tolist() == [37, 10, 9]


@pytest.mark.parametrize(
    ("spec", "words"), [("0é", "never seen 'é'.*leave it out"), ("é-", "'é', '-'.*leave them out")]
)
def test_what_a_model_never_saw_is_named(spec: str, words: str) -> None:
    with pytest.raises(AlphabetError, match=words):
        Alphabet.of("digits").indices_of(Alphabet.of(spec))
