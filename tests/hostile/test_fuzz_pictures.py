"""The fuzzer: the same cases for the same seed, nothing that happens is lost, and a slice of it at every test run."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import __main__ as command
from fuzz.case import Case, refusal
from fuzz.forms import FORMS
from fuzz.pictures import GIANT_EVERY, Pictures
from fuzz.seeds import build
from fuzz.supervise import Plan, State, run
from handread.errors import ImageError
from handread.imaging.read import read_image
from tests.hostile.toy_target import DIES, HANGS, RAISES

ROOT = Path(__file__).resolve().parents[2]
TOY = "tests.hostile.toy_target:Toy"
SECONDS = float(os.environ.get("HANDREAD_FUZZ_SECONDS", "3"))
"""Length of the slice."""


def nobody(done: int, total: int) -> None:
    """No progress bar."""


def test_a_slice_of_the_fuzzer_finds_nothing() -> None:
    state = State("pictures", 1, "")
    run(state, Plan(seconds=SECONDS), nobody)
    assert state.finds == []
    assert state.cases >= 100
    assert state.counts["read"] > state.cases / 10
    assert state.counts["refused"] > state.cases / 10


def test_the_same_number_is_the_same_case() -> None:
    first, second = Pictures(), Pictures()
    for index in (1, 2, 3, 40, 41, 42):
        one, two = first.make(5, index), second.make(5, index)
        assert (one.kind, one.road, type(one.payload)) == (two.kind, two.road, type(two.payload))
        if isinstance(one.payload, bytes):
            assert one.payload == two.payload
    assert first.make(5, 1).payload != first.make(6, 1).payload
    assert first.make(5, GIANT_EVERY).kind.startswith("page of ")
    assert first.make(1, GIANT_EVERY // 2).kind.startswith("giant ")


def test_every_seed_of_a_form_that_is_read_is_whole_and_has_parts() -> None:
    seeds = build()
    assert {seed.form for seed in seeds} >= {"png", "jpeg", "gif", "bmp", "tiff", "webp", "ppm", "ico"}
    for seed in seeds:
        if seed.foreign:
            with pytest.raises(ImageError, match="is not a picture that Handread reads"):
                read_image(seed.data)
            continue
        assert min(read_image(seed.data).shape) > 20, seed.name
        form = FORMS[seed.form]
        parts = form.parts(seed.data)
        assert parts, seed.name
        assert all(0 <= start < end <= len(seed.data) for start, end in parts), seed.name
        assert all(field.place + field.size <= len(seed.data) for field in form.fields(seed.data)), seed.name
        assert form.mended(seed.data) == seed.data, seed.name


def test_what_raises_dies_or_hangs_is_found_and_the_run_goes_on() -> None:
    state = State(TOY, 1, "toy 1")
    run(state, Plan(cases=12, hang_seconds=0.3), nobody)
    found = {index: why for index, _, why in state.finds}
    assert sorted(found) == [RAISES, DIES, HANGS]
    assert found[RAISES].startswith("ValueError toy_target.py:run: 'not foreseen'")
    assert found[DIES].startswith("the process died with -6: File")
    assert 'toy_target.py", line' in found[DIES]
    assert found[HANGS] == "broken off after 0.3 s"
    assert state.counts == {"refused": 9, "find": 3}


def test_finds_are_written_down_and_end_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FINDS", tmp_path)
    keep = tmp_path / "toy-1.part.json"
    assert command.attack(TOY, 1, Plan(cases=4, keep=keep)) == 1
    assert (tmp_path / "toy-1-2.bin").read_bytes() == bytes([1, RAISES])
    assert f"--case 1:{RAISES}" in (tmp_path / "toy-1-2.txt").read_text(encoding="utf-8")
    assert "4 cases of" in capsys.readouterr().out
    assert not keep.exists()
    [row] = csv.DictReader((tmp_path / "toy.csv").read_text(encoding="utf-8").splitlines())
    assert (row["cases"], row["seed"], row["finds"], row["read"], row["refused"]) == ("4", "1", "1", "0", "3")


def test_a_broken_run_goes_on_and_adds_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FINDS", tmp_path)
    keep = tmp_path / "toy-2.part.json"
    half = {
        "target": TOY, "seed": 2, "versions": "toy 1", "done": [0], "counts": {"read": 100},
        "slowest": [9.9, 99], "largest": [5.0, 7], "finds": [], "seconds": 50.0,
    }  # fmt: skip
    keep.write_text(json.dumps(half), encoding="utf-8")
    assert command.attack(TOY, 2, Plan(cases=103, keep=keep)) == 0
    assert "slowest 10.20 s (2:102)" in capsys.readouterr().out.lower()
    keep.write_text(json.dumps(half | {"versions": "toy 0"}), encoding="utf-8")  # another Pillow: from the beginning
    assert command.attack(TOY, 2, Plan(cases=2, keep=keep)) == 0
    rows = list(csv.DictReader((tmp_path / "toy.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["cases"] for row in rows] == ["103", "2"]
    assert float(rows[0]["seconds"]) >= 50


@pytest.mark.parametrize("given", [[], ["--cases", "5", "--seconds", "1"], ["--case", "5"]])
def test_the_command_wants_one_of_three(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["pictures", *given])
    assert ended.value.code == 2
    assert "SEED:INDEX" in capsys.readouterr().err or given != ["--case", "5"]


def test_a_case_can_be_seen_again() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "pictures", "--case", "1:7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(f"case 1:7 is {Pictures().make(1, 7).kind}")


@pytest.mark.parametrize("wrong", ["", "x" * 1001])
def test_an_error_that_is_no_sentence_is_a_find(wrong: str) -> None:
    assert refusal(ImageError(wrong), (ImageError,)).outcome == "find"
    assert refusal(ImageError("it is no picture"), (ImageError,)).outcome == "refused"
    assert refusal(MemoryError(), (ImageError,)).why.startswith("MemoryError nowhere")


def test_a_case_that_takes_long_or_much_memory_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Pictures()
    case = Case("toy", "grey", build()[0].data)
    monkeypatch.setattr("fuzz.pictures.MEGABYTES", 1.0)
    assert target.run(case).why == "toy on road grey: takes much memory"
    monkeypatch.setattr("fuzz.pictures.SECONDS", 0.0)
    assert target.run(case).why == "toy on road grey: takes long"
