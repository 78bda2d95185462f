from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from handread import decode
from handread.alphabet import NAMED, Alphabet
from handread.card import ModelCard
from handread.errors import AlphabetError, ModelError
from handread.types import REFUSED, Box, Candidate, Character

BOX = Box(1, 2, 3, 4)
ALNUM = Alphabet.of("alphanumeric")
CARD = ModelCard(name="t", version="1", alphabet=NAMED["alphanumeric"], height=32, width=32)


def logits_for(**weights: float) -> np.ndarray:
    """One row of 62 logits whose softmax gives the named characters these shares, the rest nothing."""
    row = np.full((1, 62), -1000.0, dtype=np.float32)
    for character, share in weights.items():
        row[0, ALNUM.index(character.removeprefix("_"))] = np.log(share)
    return row


def test_softmax_divides_by_the_temperature() -> None:
    logits = np.log(np.array([[1.0, 4.0, 4.0]], dtype=np.float32))
    np.testing.assert_allclose(decode.probabilities(logits), [[1 / 9, 4 / 9, 4 / 9]], rtol=1e-6)
    # a temperature of 2 takes square roots
    np.testing.assert_allclose(decode.probabilities(logits, temperature=2), [[0.2, 0.4, 0.4]], rtol=1e-6)


def test_softmax_survives_huge_logits_and_no_rows() -> None:
    huge = np.array([[3e38, -3e38]], dtype=np.float32)
    assert decode.probabilities(huge).tolist() == [[1.0, 0.0]]
    assert decode.probabilities(np.zeros((0, 5), dtype=np.float32)).shape == (0, 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_network_that_gives_no_numbers_is_refused(bad: float) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        decode.probabilities(np.array([[0.0, bad]], dtype=np.float32))


@pytest.mark.parametrize("name", [*NAMED, "7", "yx3"])
def test_rows_over_any_alphabet_sum_to_one(name: str) -> None:
    logits = np.random.default_rng(0).normal(size=(20, 62)).astype(np.float32) * 9
    scores = decode.score(logits, CARD, Alphabet.of(name))
    assert scores.probabilities.shape == (20, len(Alphabet.of(name)))
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-5)
    assert scores.probabilities.dtype == np.float32
    assert scores.labels.dtype == np.int64
    assert len(scores) == len(scores.reasons) == 20


def test_restriction_renormalises_over_the_allowed_classes_in_their_order() -> None:
    scores = decode.score(logits_for(A=0.5, _7=0.1, _1=0.4), CARD, Alphabet.of("71"))
    np.testing.assert_allclose(scores.probabilities, [[0.2, 0.8]], rtol=1e-6)
    assert scores.labels.tolist() == [1]
    np.testing.assert_allclose(scores.confidence, [0.8], rtol=1e-6)


def test_a_character_the_card_lacks_is_an_error() -> None:
    with pytest.raises(AlphabetError, match="never seen '-'"):
        decode.score(logits_for(A=1), CARD, Alphabet.of("0123456789-"))


def test_logits_must_have_the_columns_that_the_card_promises() -> None:
    card = dataclasses.replace(CARD, has_none=True)
    with pytest.raises(ModelError, match=r"\(1, 62\); its card promises \(N, 63\)"):
        decode.score(logits_for(A=1), card)


def test_the_look_alikes_of_an_alphabet_count_as_its_mass_but_not_as_its_probability() -> None:
    scores = decode.score(logits_for(O=0.6, A=0.3, _0=0.08, _3=0.02), CARD, Alphabet.of("digits"))
    np.testing.assert_allclose(scores.mass, [0.7], rtol=1e-5)
    np.testing.assert_allclose(scores.probabilities[0, [0, 3]], [0.8, 0.2], rtol=1e-5)


def test_mass_is_one_without_restriction() -> None:
    assert decode.score(logits_for(A=0.5, B=0.5), CARD).mass.tolist() == [1.0]


@pytest.mark.parametrize(
    ("digit", "letters"),
    [("0", "OQo"), ("1", "Iil"), ("2", "Zz"), ("5", "Ss"), ("6", "Gb"), ("8", "B"), ("9", "agq"), ("3", "")],
)
def test_look_alikes_of_a_digit(digit: str, letters: str) -> None:
    inside = decode.look_alikes(ALNUM, Alphabet.of(digit))
    assert {c for c, yes in zip(ALNUM, inside, strict=True) if yes} == {digit, *letters}


def test_look_alikes_are_ordered_pairs_of_known_characters() -> None:
    for group in decode.LOOK_ALIKES:
        assert len(set(group)) == len(group) > 1
        assert all(c in ALNUM for c in group)


def test_each_test_refuses_with_its_reason_and_the_first_one_speaks() -> None:
    card = dataclasses.replace(CARD, has_none=True, accept_above=0.6, ink_above=0.5, alphabet_above=0.3)
    rows = np.concatenate([
        logits_for(_7=1.0),  # fine
        logits_for(_7=0.5, _4=0.5),  # two digits as likely
        logits_for(A=0.9, _7=0.1),  # a letter
        logits_for(A=0.9, _7=0.1),  # a letter that is no character either
        logits_for(_7=1.0),  # nothing drawn
    ])  # fmt: skip
    none = np.log(np.array([[0.01], [0.01], [0.01], [9.0], [0.01]], dtype=np.float32))
    scores = decode.score(
        np.concatenate([rows, none], axis=1),
        card,
        Alphabet.of("digits"),
        blank=np.array([False, False, False, False, True]),
    )
    assert scores.reasons == ("", decode.UNSURE, decode.FOREIGN, decode.NO_CHARACTER, decode.NO_INK)
    assert scores.accepted.tolist() == [True, False, False, False, False]
    np.testing.assert_allclose(scores.ink, [1 / 1.01, 1 / 1.01, 1 / 1.01, 0.1, 0], rtol=1e-4)


def test_a_threshold_is_met_by_equality() -> None:
    card = dataclasses.replace(CARD, accept_above=0.5)
    assert decode.score(logits_for(A=0.5, B=0.5), card).accepted.tolist() == [True]


def test_a_character_carries_its_best_candidates_and_ties_keep_the_alphabets_order() -> None:
    scores = decode.score(logits_for(_3=0.2, _8=0.6, _1=0.2), CARD, Alphabet.of("digits"))
    character = decode.character_from(scores, 0, BOX, top=3)
    assert [c.character for c in character.candidates] == ["8", "1", "3"]
    assert character.confidence == pytest.approx(0.6)
    assert character.box == BOX
    assert character.accepted
    assert character.reason == ""


def acceptance(
    alphabet: str | None = "digits", *, card: ModelCard = CARD, blank: bool = False, **shares: float
) -> float:
    """Of one row with these shares; ``none`` is the "no character" output."""
    none = shares.pop("none", None)
    row = logits_for(**shares)
    if none is not None:
        row, card = np.append(row, [[np.log(none)]], axis=1), dataclasses.replace(card, has_none=True)
    wanted = None if alphabet is None else Alphabet.of(alphabet)
    scores = decode.score(row.astype(np.float32), card, wanted, blank=np.array([blank]))
    assert scores.acceptance.shape == (1,)
    assert scores.acceptance.dtype == np.float32
    return float(scores.acceptance[0])


def test_acceptance_sets_the_answer_against_the_likelier_of_no_character_and_a_foreign_one() -> None:
    assert acceptance(_7=0.6, A=0.3, B=0.05, none=0.1) == pytest.approx(np.log(2), rel=1e-5)
    assert acceptance(_7=0.6, A=0.1, none=0.3) == pytest.approx(np.log(2), rel=1e-5)
    assert acceptance(_7=0.2, A=0.8) == pytest.approx(-np.log(4), rel=1e-5)
    assert acceptance(None, _7=0.2, A=0.8, none=0.1) == pytest.approx(np.log(8), rel=1e-5)


def test_neither_look_alikes_nor_the_alphabets_own_lower_the_acceptance() -> None:
    assert acceptance(_0=0.3, O=0.5, o=0.2, none=0.1) == pytest.approx(np.log(3), rel=1e-5)
    assert acceptance(_4=0.3, _9=0.3, none=0.1) == pytest.approx(np.log(3), rel=1e-5)


def test_a_network_that_knows_nothing_else_is_as_accepting_as_it_is_sure() -> None:
    assert acceptance(None, A=0.9, B=0.1) == pytest.approx(np.log(9), rel=1e-5)


def test_acceptance_does_not_stop_where_probabilities_reach_one() -> None:
    near, far = acceptance(_7=1, none=1e-12), acceptance(_7=1, none=1e-20)
    assert near == pytest.approx(12 * np.log(10), rel=1e-4)
    assert far == pytest.approx(20 * np.log(10), rel=1e-4)


def test_without_ink_nothing_is_accepted_whatever_the_threshold() -> None:
    assert acceptance(_7=1, none=1e-9, blank=True) == -np.inf


def test_the_temperature_divides_the_acceptance() -> None:
    warm = dataclasses.replace(CARD, temperature=2.0)
    assert acceptance(_7=0.8, A=0.2, card=warm) == pytest.approx(np.log(4) / 2, rel=1e-5)


@pytest.mark.parametrize(("top", "given"), [(0, 1), (1, 1), (4, 4), (99, 10)])
def test_there_are_as_many_candidates_as_asked_and_known(top: int, given: int) -> None:
    scores = decode.score(logits_for(_3=1), CARD, Alphabet.of("digits"))
    assert len(decode.character_from(scores, 0, BOX, top=top).candidates) == given


def character(text: str, confidence: float, *, accepted: bool = True) -> Character:
    return Character((Candidate(text, confidence),), BOX, accepted)


def test_a_reading_joins_lines_and_words_and_multiplies_confidences() -> None:
    reading = decode.reading_from([character("a", 0.5), character("b", 0.5), character("c", 0.8)], gaps=("", " ", "\n"))
    assert reading.text == "a b\nc"
    assert reading.confidence == pytest.approx(0.2)


def test_only_a_strict_reading_hides_what_was_refused() -> None:
    characters = [character("a", 0.9), character("b", 0.1, accepted=False)]
    assert decode.reading_from(characters).text == "ab"
    assert decode.reading_from(characters, strict=True).text == "a" + REFUSED


def test_nothing_read_is_an_empty_reading_without_confidence() -> None:
    reading = decode.reading_from(())
    assert (reading.text, reading.characters, reading.confidence, reading.accepted) == ("", (), 0.0, False)
