"""Ranking labels by how likely they are wrong."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.images import LabelledImages
from handread.errors import DataError
from handread.evaluation.audit import COLUMNS, FEWEST, Audit, audit, suspects_csv


def drawn(characters: str, each: int = 12, *, alphabet: str | None = None) -> LabelledImages:
    """Ink images of printed characters, each a little turned; labels counted in `alphabet`."""
    names = Alphabet.of(alphabet or characters)
    random = np.random.default_rng(5)
    images, labels = [], []
    for character in characters:
        for _ in range(each):
            image = np.zeros((28, 28), np.uint8)
            cv2.putText(image, character, (5, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
            turn = cv2.getRotationMatrix2D((14, 14), random.uniform(-10, 10), 1)
            images.append(cv2.warpAffine(image, turn, (28, 28)))
            labels.append(names.index(character))
    return LabelledImages("drawn", np.stack(images), np.array(labels, np.int64), names)


def relabelled(data: LabelledImages, item: int, character: str) -> LabelledImages:
    labels = data.labels.copy()
    labels[item] = data.alphabet.index(character)
    return replace(data, labels=labels)


@dataclass
class Said:
    probabilities: np.ndarray
    accepted: np.ndarray


class Oracle:
    """Knows what each item is, to `sure`, or knows nothing; items come in the order of `truth`."""

    def __init__(self, truth: str, alphabet: str, sure: float = 0.9) -> None:
        self.card = ModelCard("oracle", "1", alphabet, 32, 32)
        self.truth, self.sure, self.asked, self.at = truth, sure, [], 0

    def score(self, images: np.ndarray, *, cues: Any = None, normalised: bool = False, alphabet: Any = None) -> Said:
        wanted = Alphabet.of(alphabet or self.card.alphabet)
        self.asked.append("".join(wanted))
        probabilities = np.full((len(images), len(wanted)), (1 - self.sure) / max(1, len(wanted) - 1), np.float32)
        for row in range(len(images)):
            true = self.truth[self.at + row]
            if true in wanted:
                probabilities[row, wanted.index(true)] = self.sure
        self.at += len(images)
        return Said(probabilities, np.ones(len(images), np.bool_))


def judged(data: LabelledImages, truth: str, knows: str = "0123456789", **options: Any) -> Audit:
    return audit(Oracle(truth, knows), data, **options)


def test_the_one_wrong_label_is_first_with_what_it_is() -> None:
    data = drawn("147")
    found = judged(relabelled(data, 5, "7"), "".join(data.characters()))
    first = found.suspects(3)[0]
    assert (first.rank, first.item, first.label, first.suggested, first.file) == (1, 5, "7", "1", "")
    assert first.margin < 0
    assert first.suggested_probability > first.label_probability
    assert found.doubted == 1
    assert sorted(found.order.tolist()) == list(range(36))
    assert (found.margin[found.order][1:] >= found.margin[found.order][:-1]).all()


def test_an_alphabet_that_the_reader_does_not_know_is_judged_by_the_set_alone() -> None:
    data = drawn("+=7")
    reader = Oracle("0" * 36, "0123456789")
    found = audit(reader, relabelled(data, 3, "="))
    assert found.reader_weight is None
    assert reader.asked == ["0123456789"]
    assert (found.order[0], found.suspects(1)[0].suggested) == (3, "+")


def test_a_reader_that_knows_nothing_does_not_spoil_it() -> None:
    data = drawn("147")
    found = audit(Oracle("".join(data.characters()), "0123456789", sure=1 / 3), relabelled(data, 20, "7"))
    assert found.reader_weight is not None
    assert 20 in found.order[:2]  # beside an image that is nearly the same, and rightly labelled


def test_the_reader_is_asked_only_for_characters_that_occur() -> None:
    data = drawn("147", alphabet="0123456789")
    reader = Oracle("".join(data.characters()), "0123456789")
    found = audit(reader, data)
    assert reader.asked == ["147"]
    assert "".join(found.alphabet) == "147"


def test_look_alikes_are_suspected_only_where_one_asks() -> None:
    data = drawn("oO7", alphabet="alphanumeric")
    truth = "".join(data.characters())
    spoiled = relabelled(data, 2, "O")
    knows = "".join(Alphabet.of("alphanumeric"))
    assert judged(spoiled, truth, knows).margin[2] > 0
    asked = judged(spoiled, truth, knows, look_alikes=True)
    assert asked.order[0] == 2
    assert asked.suspects(1)[0].suggested == "o"


def test_a_label_of_unknown_case_is_right_in_either_case() -> None:
    data = drawn("kK7", alphabet="alphanumeric")
    truth = "".join(data.characters())
    known = np.ones(36, np.bool_)
    known[2] = False
    spoiled = relabelled(relabelled(data, 2, "K"), 4, "K")
    found = judged(replace(spoiled, case_known=known), truth, "".join(Alphabet.of("alphanumeric")), look_alikes=True)
    assert found.margin[4] < 0 < found.margin[2]


def test_the_table_names_files_and_shares() -> None:
    data = replace(drawn("14"), files=tuple(f'a "b"/{i},.png' for i in range(24)))
    found = judged(relabelled(data, 5, "4"), "".join(data.characters()))
    rows = list(csv.reader(io.StringIO(suspects_csv(found.suspects(2)).decode())))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1][:5] == ["1", "5", 'a "b"/5,.png', "4", "1"]
    assert float(rows[1][5]) < 0.5 < float(rows[1][6])
    assert len(rows) == 3


def test_progress_ends_at_its_total() -> None:
    told: list[tuple[int, int]] = []
    data = drawn("14")
    judged(data, "".join(data.characters()), progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(told)


def test_sets_that_hold_nothing_to_compare_are_refused() -> None:
    data = drawn("14")
    with pytest.raises(DataError, match="holds 4 items"):
        judged(data.take(range(4)), "1111")
    with pytest.raises(DataError, match="only '1'"):
        judged(drawn("1", FEWEST), "1" * FEWEST)
