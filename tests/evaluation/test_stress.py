"""The stress test counts what a reader with known answers gets wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from handread.alphabet import Alphabet
from handread.data.images import LabelledImages
from handread.errors import DataError, ModelError, UnknownNameError
from handread.evaluation import stress as module
from handread.evaluation.corruption import CORRUPTIONS
from handread.evaluation.stress import chosen, steps, stress
from handread.evaluation.stress_report import Row, StressReport
from handread.types import Box, Candidate, Character, Reading

Images = npt.NDArray[np.uint8]


def items(count: int = 4) -> LabelledImages:
    """Upright bars labelled 1 and level bars labelled 7, by turns."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[::2, 4:24, 12:16] = 255
    images[1::2, 12:16, 4:24] = 255
    labels = np.array([0, 1] * count, np.int64)[:count]
    return LabelledImages("bars", images, labels, Alphabet.of("17"))


def said(text: str) -> Reading:
    character = Character((Candidate(text, 1.0),), Box(0, 0, 1, 1), True)
    return Reading(text, (character,), 1.0)


class Reader:
    """Reads an upright bar as 1 and a level one as 7, in pictures of 28 pixels; sees nothing in others."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, pictures: Sequence[Images]) -> list[Reading]:
        self.calls.append(len(pictures))
        return [self.one(picture.astype(float)) for picture in pictures]

    def one(self, picture: npt.NDArray[np.float64]) -> Reading:
        if picture.shape != (28, 28):
            return Reading("", (), 0.0)
        upright = picture.sum(axis=0).max() > picture.sum(axis=1).max()
        return said("1" if upright else "7")


def test_every_row_counts_every_item() -> None:
    reader = Reader()
    found, samples = stress(reader, items(6), names=["jpeg", "stripe", "translate"])
    assert [(row.name, row.kind, row.strength) for row in found.rows] == [
        ("clean", "mnist-c", 0), ("plain paper", "paper", 0), ("translate", "mnist-c", 3), ("stripe", "mnist-c", 3),
        ("jpeg", "paper", 3),
    ]  # fmt: skip
    counts = {row.name: (row.n, row.errors, row.empty) for row in found.rows}
    assert counts == {
        "clean": (6, 0, 0), "plain paper": (6, 6, 6), "translate": (6, 0, 0), "stripe": (6, 3, 0), "jpeg": (6, 6, 6),
    }  # fmt: skip
    assert found.mean("mnist-c", 3) == 0.25
    assert found.mean("paper", 3) == 1
    assert found.mean("paper", 5) is None
    assert found.strengths == (3,)
    assert samples.labels == ("1", "7")
    assert samples.read[0] == ("1", "7")
    assert samples.read[-1] == ("", "")
    assert [len(row) for row in samples.pictures] == [2] * 5
    assert samples.pictures[-1][0].shape == (96, 96)


def test_the_same_seed_gives_the_same_report_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)
    reader = Reader()
    told: list[tuple[int, int]] = []
    first, _ = stress(
        reader, items(5), names=["fog"], strengths=[1, 5], progress=lambda done, total: told.append((done, total))
    )
    second, _ = stress(Reader(), items(5), names=["fog"], strengths=[1, 5])
    assert first == second
    assert reader.calls == [3, 2] * 4
    assert told[-1] == (20, 20)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_all_corruptions_in_the_order_of_the_paper() -> None:
    listed = steps([3, 1])
    assert len(listed) == 2 + 2 * len(CORRUPTIONS)
    assert [name for name, _, _ in listed[2:6]] == ["shot-noise", "shot-noise", "impulse-noise", "impulse-noise"]
    assert listed[-1] == ("aspect", "paper", 3)


@pytest.mark.parametrize("strengths", [[], [0], [3, 6]])
def test_strengths_outside_are_told(strengths: list[int]) -> None:
    with pytest.raises(DataError, match="strengths are among 1 to 5"):
        steps(strengths)


def test_what_cannot_be_tested() -> None:
    with pytest.raises(UnknownNameError, match="did you mean zigzag"):
        stress(Reader(), items(), names=["zigzak"])
    with pytest.raises(DataError, match="nothing to corrupt"):
        stress(Reader(), items().take([]))
    with pytest.raises(ModelError, match="3 readings came back for 4 pictures"):
        stress(lambda pictures: [said("1")] * (len(pictures) - 1), items())


def test_a_part_is_drawn_by_its_seed_in_order() -> None:
    data = items(20)
    some = chosen(dataclasses.replace(data, files=tuple(map(str, range(20)))), 5)
    assert some.files is not None
    places = [int(file) for file in some.files]
    assert len(set(places)) == 5
    assert places == sorted(places)
    assert chosen(data, None) is data
    assert chosen(data, 20) is data
    with pytest.raises(DataError, match="0 items"):
        chosen(data, 0)


def report() -> StressReport:
    return StressReport(
        10, 0,
        (
            Row("clean", "mnist-c", 0, 10, 1, 0), Row("fog", "mnist-c", 3, 10, 2, 0),
            Row("zigzag", "mnist-c", 3, 10, 4, 1), Row("fold", "paper", 3, 10, 0, 0),
        ),
    )  # fmt: skip


def test_json_both_ways() -> None:
    plain = json.loads(json.dumps(report().to_plain()))
    assert StressReport.from_plain(plain) == report()
    assert plain["means"] == {"mnist-c": {"3": pytest.approx(0.3)}, "paper": {"3": 0.0}}
    assert plain["rows"][1]["error_rate"] == report().of_kind("mnist-c")["fog"][3].error_rate == 0.2
    assert plain["rows"][1]["interval95"] == pytest.approx([0.0567, 0.5098], abs=1e-4)


@pytest.mark.parametrize(
    "change", [{"errors": 11}, {"errors": 0, "empty": 1}, {"n": 9}, {"kind": "snow"}, {"errors": 1.5}, {"name": 3}]
)
def test_damaged_counts_are_refused(change: dict[str, Any]) -> None:
    plain = report().to_plain()
    plain["rows"][2] = plain["rows"][2] | change
    with pytest.raises(ValueError, match="cannot be"):
        StressReport.from_plain(plain)
