"""The fuzzer of all that is no picture: the same cases for the same seed, and a few of them at every test run."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs the extra 'train'")

from fuzz.case import Case
from fuzz.files import ROADS, Files, build
from fuzz.supervise import Plan, State, run


def test_a_few_cases_of_every_road_find_nothing() -> None:
    state = State("files", 1, "")
    run(state, Plan(cases=40), lambda done, total: None)
    assert state.finds == []
    assert state.cases == 40
    assert state.counts["read"] >= 3
    assert state.counts["refused"] >= 20


def test_every_whole_file_is_what_its_road_opens() -> None:
    odd = {"nested", "listed"}  # an archive without data that can be read, and a list of pictures that are not there
    for road, seeds in build().items():
        for seed in seeds:
            verdict = Files().run(Case("whole", road, seed.data))
            assert (seed.name in odd) or (verdict.outcome == "read"), (road, seed.name)


def test_the_same_number_is_the_same_case() -> None:
    first, second = Files(), Files()
    assert [first.make(5, n) for n in range(20)] == [second.make(5, n) for n in range(20)]
    assert first.make(5, 1) != first.make(6, 1)
    assert {first.make(5, n).road for n in range(200)} == set(ROADS)
