"""LabelledImages: what it refuses, and what taking, restricting and joining give."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.errors import DataError
from handread.frame import MNIST_FRAME


def tiny(labels: list[int], alphabet: str = "digits", **more: Any) -> LabelledImages:
    images = np.zeros((len(labels), 5, 4), np.uint8)
    images[:, 2, 2] = np.arange(len(labels)) + 1
    return LabelledImages(
        **{
            "name": "tiny",
            "images": images,
            "labels": np.array(labels, np.int64),
            "alphabet": Alphabet.of(alphabet),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("field", "value", "phrase"),
    [
        ("images", [[1]], "images is a list"),
        ("images", np.zeros((2, 5, 4)), "images is float64 of rank 3, expected uint8 of rank 3"),
        ("images", np.zeros((5, 4), np.uint8), "rank 2, expected uint8 of rank 3"),
        ("images", np.zeros((2, 0, 4), np.uint8), "shape (2, 0, 4)"),
        ("labels", np.zeros(2, np.int32), "labels is int32"),
        ("labels", np.zeros(3, np.int64), "3 labels for 2 images"),
        ("labels", None, "labels is a NoneType"),
        ("labels", np.array([0, 10]), "item 1 has label 10, outside 0..9"),
        ("labels", np.array([-1, 0]), "item 0 has label -1"),
        ("writers", np.zeros(2, np.int64), "writers is int64"),
        ("writers", np.zeros(1, np.int32), "1 writers for 2 images"),
        ("case_known", np.zeros(2, np.uint8), "case_known is uint8"),
        ("cues", np.zeros((2, 3), np.float32), "expected (2, 4)"),
        ("cues", np.zeros((1, 4), np.float32), "1 cues for 2 images"),
        ("files", ("a",), "1 files for 2 images"),
    ],
)
def test_refuses_what_does_not_fit(field: str, value: object, phrase: str) -> None:
    with pytest.raises(DataError) as caught:
        dataclasses.replace(tiny([0, 1]), **{field: value})
    assert phrase in str(caught.value)


def test_take_takes_everything_along() -> None:
    data = tiny(
        [3, 1, 2],
        writers=np.array([7, 8, 9], np.int32),
        case_known=np.array([True, False, True]),
        cues=np.arange(12, dtype=np.float32).reshape(3, 4),
        files=("a", "b", "c"),
    )
    for part in (data.take([2, 0]), data.take(np.array([2, -3]))):
        assert part.labels.tolist() == [2, 3]
        assert part.images[:, 2, 2].tolist() == [3, 1]
        assert part.writers is not None
        assert part.writers.tolist() == [9, 7]
        assert part.case_known is not None
        assert part.case_known.tolist() == [True, True]
        assert part.cues is not None
        assert part.cues[0].tolist() == [8, 9, 10, 11]
        assert part.files == ("c", "a")
    assert data.take(np.array([False, True, False])).labels.tolist() == [1]
    assert len(data.take([])) == 0


@pytest.mark.parametrize("indices", [[3], [-4], np.array([True])])
def test_take_refuses_what_is_not_there(indices: Any) -> None:
    with pytest.raises(DataError):
        tiny([1, 2, 3]).take(indices)


def test_restricted_leaves_out_and_counts_anew() -> None:
    data = tiny([0, 11, 61, 3], "alphanumeric").restricted("Bz3")
    assert data.characters() == ["B", "z", "3"]
    assert data.labels.tolist() == [0, 1, 2]
    assert data.images[:, 2, 2].tolist() == [2, 3, 4]


def test_relabelled_names_the_first_outside() -> None:
    with pytest.raises(DataError, match=r"item 1 \(b\.png\) is 'B', outside the alphabet 'digits'"):
        tiny([0, 11], "alphanumeric", files=("a.png", "b.png")).relabelled("digits")
    assert tiny([7]).relabelled("alphanumeric").characters() == ["7"]


def test_concatenate_joins_alphabets_writers_cues_and_files() -> None:
    joined = LabelledImages.concatenate(
        [
            tiny([1, 2], writers=np.array([40, -1], np.int32), files=("a", "b")),
            tiny([0], "upper", cues=np.ones((1, 4), np.float32)),
            tiny([5], writers=np.array([40], np.int32), case_known=np.array([False])),
        ],
        name="all",
    )
    assert joined.name == "all"
    assert joined.characters() == ["1", "2", "A", "5"]
    assert joined.writers is not None
    assert joined.writers[1:3].tolist() == [-1, -1]
    assert joined.writers[0] != joined.writers[3]
    assert joined.case_known is not None
    assert joined.case_known.tolist() == [True, True, True, False]
    assert joined.cues is not None
    assert joined.cues.sum(axis=1).tolist() == [0, 0, 4, 0]
    assert joined.files == ("a", "b", "", "")


def test_laid_into_a_frame_once_and_never_twice() -> None:
    data = tiny([1, 2]).as_input(MNIST_FRAME)
    assert data.images.shape == (2, 28, 28)
    assert data.as_input(MNIST_FRAME) is data
    with pytest.raises(DataError, match="was loaded for inputs of 28x28, ink 20 centred by mass, wanted are 32x32"):
        data.as_input()


def test_concatenate_of_nothing() -> None:
    with pytest.raises(DataError):
        LabelledImages.concatenate([])


def test_concatenate_beyond_alphanumeric() -> None:
    joined = LabelledImages.concatenate([tiny([0], "+x"), tiny([1], "xy")])
    assert "".join(joined.alphabet) == "+xy"
    assert joined.characters() == ["+", "y"]
