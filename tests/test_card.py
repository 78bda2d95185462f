"""The card: JSON both ways, and what is refused rather than half understood."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from handread.card import FORMAT, DataSource, ModelCard
from handread.errors import ModelError

CARD = ModelCard(
    name="tiny", version="2", alphabet="aé0", height=32, width=32, temperature=1.5, accept_above=0.25, ink_above=0.5,
    alphabet_above=0.125, has_none=True, has_cues=True, data=(DataSource("mnist", 60000, "CC BY-SA 3.0", "LeCun"),),
    recipe="tiny.toml", scores={"accuracy, 10 items": 0.9},
)  # fmt: skip


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(CARD.to_json()) | fields)


def without(name: str) -> str:
    raw = json.loads(CARD.to_json())
    del raw[name]
    return json.dumps(raw)


def test_json_gives_the_equal_card_back() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert "é" in CARD.to_json()
    plain = ModelCard(name="n", version="1", alphabet="01", height=28, width=28)
    assert ModelCard.from_json(plain.to_json()) == plain
    assert plain.format == FORMAT


def test_only_what_has_no_default_must_be_there() -> None:
    required = {f.name for f in dataclasses.fields(ModelCard)
                if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}  # fmt: skip
    assert required == {"name", "version", "alphabet"}
    for name in required:
        with pytest.raises(ModelError, match="the model card is damaged"):
            ModelCard.from_json(without(name))
    assert ModelCard.from_json(without("scores")).scores == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is a list, not an object"),
        ("7", "is a int, not an object"),
        ("{}", "has format None, which is no Handread card"),
        (changed(format="1"), "no Handread card"),
        (changed(format=True), "no Handread card"),
        (changed(format=0), "no Handread card"),
        (changed(format=FORMAT + 1), rf"has format {FORMAT + 1}, .* up to {FORMAT}: upgrade"),
        (changed(colour="red"), "unknown field 'colour'"),
        (changed(name=3), "name is 3, expected str"),
        (changed(height="32"), "height is '32', expected int"),
        (changed(height=32.0), "expected int"),
        (changed(height=True), "expected int"),
        (changed(has_none=1), "has_none is 1, expected bool"),
        (changed(height=0), "outside 8..1024"),
        (changed(width=5000), "outside 8..1024"),
        (changed(temperature=0), "expected a positive number"),
        (changed(temperature=-1.0), "expected a positive number"),
        (changed(temperature=float("nan")), "expected a positive number"),
        (changed(temperature=float("inf")), "expected a positive number"),
        (changed(accept_above=1.5), "accept_above is 1.5, expected 0..1"),
        (changed(ink_above=-0.1), "expected 0..1"),
        (changed(alphabet_above=float("nan")), "expected 0..1"),
        (changed(alphabet="aa"), "'a' stands twice"),
        (changed(alphabet=""), "at least one character"),
        (changed(alphabet=["a", "b"]), "expected str"),
        (changed(scores=[1]), "scores is not a table"),
        (changed(scores={"a": "b"}), "scores is not a table of numbers"),
        (changed(data=[3]), "is damaged"),
        (changed(data=3), "is damaged"),
        (changed(data=[{"name": "x"}]), "is damaged"),
        (changed(data=[{"name": 1, "count": "x", "licence": None, "source": []}]), "is damaged"),
    ],
)
def test_what_is_no_card_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        ModelCard.from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("alphabet", ["a b", "a\n"])
def test_an_alphabet_that_cannot_be_one_is_refused(alphabet: str) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelCard.from_json(changed(alphabet=alphabet))


def test_a_card_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CARD.name = "other"  # type: ignore[misc]
