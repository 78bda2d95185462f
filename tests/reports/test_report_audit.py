"""The page of an audit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.evaluation.audit import Audit
from handread.reports.audit import audit_page

PROBABILITIES = np.array([[0.9, 0.1], [0.75, 0.25], [0.6, 0.4]], np.float32)


def found(**changes: object) -> Audit:
    """Three items labelled 0 1 0, of which the second looks like a 0."""
    alphabet = Alphabet.of("01")
    images = np.full((3, 8, 8), 100, np.uint8)
    data = LabelledImages("tiny set", images, np.array([0, 1, 0], np.int64), alphabet)
    audit = Audit(
        data=data, model="tiny", reader_weight=0.5, shape_weight=4.0, doubted=1, order=np.array([1, 2, 0]),
        margin=np.log([9, 1 / 3, 1.5]), probabilities=PROBABILITIES, alphabet=alphabet, suggestions=np.array([1, 0, 1]),
    )  # fmt: skip
    return replace(audit, **changes)  # type: ignore[arg-type]


def test_suspects_stand_in_their_order_with_pictures() -> None:
    text = audit_page(found(), 2)
    assert text.count("<img ") == 2
    assert text.index("item 1: labelled 1, perhaps 0") < text.index("item 2: labelled 0, perhaps 1")
    assert "25 % / 75 %" in text
    assert "of 3 labels" in text
    assert "power 0.50" in text


def test_names_are_text_not_html() -> None:
    data = replace(found().data, name="<b>set</b>", files=("x/<i>0.png", "x/1.png", "x/2.png"))
    text = audit_page(found(data=data))
    assert "<b>set</b>" not in text
    assert "<i>0" not in text
    assert "&lt;i&gt;0.png" in text


def test_a_reader_that_was_not_heard_is_not_praised() -> None:
    text = audit_page(found(reader_weight=None))
    assert "does not know all of these characters" in text
    assert "Two witnesses" not in text
