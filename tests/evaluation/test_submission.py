"""Answers of a reader as the table that Kaggle takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.unlabelled import Unlabelled
from handread.errors import DataError
from handread.evaluation.submission import submission_csv, submit


@dataclass
class Said:
    probabilities: np.ndarray
    accepted: np.ndarray


class ByFirstPixel:
    """Reads an image as the class that its first pixel counts, with probability .75, and accepts even classes."""

    card = ModelCard("first", "1", "0123456789", 32, 32)

    def score(self, images: np.ndarray, *, cues: Any = None, normalised: bool = False, alphabet: Any = None) -> Said:
        classes = len(Alphabet.of(alphabet))
        probabilities = np.full((len(images), classes), 0.25 / (classes - 1), np.float32)
        read = images[:, 0, 0] % classes
        probabilities[np.arange(len(images)), read] = 0.75
        return Said(probabilities, read % 2 == 0)


def items(count: int, files: tuple[str, ...] = ()) -> Unlabelled:
    images = np.zeros((count, 3, 3), np.uint8)
    images[:, 0, 0] = np.arange(count) % 251
    return Unlabelled("some", images, files=files)


def test_every_item_has_its_row_in_order() -> None:
    told: list[tuple[int, int]] = []
    found = submit(ByFirstPixel(), items(2500), progress=lambda done, total: told.append((done, total)))
    assert found.ids == tuple(map(str, range(1, 2501)))
    assert found.labels == tuple(str(i % 251 % 10) for i in range(2500))
    assert found.accepted[:4].tolist() == [True, False, True, False]
    assert found.confidence.tolist() == [0.75] * 2500
    assert told[-1] == (2500, 2500)


def test_the_table_is_kaggles() -> None:
    assert submission_csv(submit(ByFirstPixel(), items(3))) == b"ImageId,Label\n1,0\n2,1\n3,2\n"


def test_files_and_other_alphabets() -> None:
    found = submit(ByFirstPixel(), items(2, ("a,b.png", "c.png")), "xyz")
    assert submission_csv(found) == b'ImageId,Label\n"a,b.png",x\nc.png,y\n'


def test_nothing_is_no_submission() -> None:
    with pytest.raises(DataError, match="holds no items"):
        submit(ByFirstPixel(), items(0))
