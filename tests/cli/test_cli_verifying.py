"""handread verify: what is printed, and with which code it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
from handread.training import verify
from handread.training.verify import Finding, Verification

Handread = Callable[..., Any]
Answer = Callable[..., list[tuple[Any, ...]]]

GOOD = (Finding("files", True, "9 files are as the run wrote them"), Finding("machine", None, "the same"))
SAME = (*GOOD, Finding("weights", True, "the same bits"))
CLOSE = (*GOOD, Finding("weights", None, "other weights"), Finding("accuracy", True, "near"))
OTHER = (*GOOD, Finding("data", False, "source 1 [a.npz] has 3 images, the run had 4"))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """A function of what is to be found, which gives the list of what will be asked."""

    def answered(findings: tuple[Finding, ...], epochs: int, whole: bool) -> list[tuple[Any, ...]]:
        asked: list[tuple[Any, ...]] = []

        def found(run: Path, data: str | None, *, epochs: int | None, watcher: object) -> Verification:
            asked.append((run, data, epochs))
            return Verification(str(run), findings, told, whole)

        told = epochs
        monkeypatch.setattr(verify, "verify_run", found)
        return asked

    return answered


@pytest.mark.parametrize(
    ("findings", "epochs", "whole", "code", "sentence"),
    [
        (SAME, 3, True, 0, "The claim holds: the whole run, trained again, came out the same, bit for bit."),
        (SAME, 1, False, 0, "The claim holds: one epoch, trained again, came out the same, bit for bit."),
        (CLOSE, 2, False, 0, "The claim holds: 2 epochs, trained again elsewhere, came out as accurate within the spread."),
        (GOOD, 0, False, 0, "Files and data are those of the run; nothing was trained."),
        (OTHER, 0, True, 1, "The claim does not hold. What differs first: data: source 1 [a.npz] has 3 images, the run had 4."),
    ],
)  # fmt: skip
def test_the_verdict_comes_last_and_decides_the_code(
    handread: Handread, answer: Answer, findings: tuple[Finding, ...], epochs: int, whole: bool, code: int, sentence: str
) -> None:  # fmt: skip
    answer(findings, epochs, whole)
    outcome = handread("verify", "runs/a")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (code, sentence)
    rows = [line.split() for line in outcome.out.splitlines()[1 : 1 + len(findings)]]
    assert [row[0] for row in rows] == [finding.check for finding in findings]
    assert [row[1] for row in rows] == [{True: "holds", False: "differs", None: "–"}[f.holds] for f in findings]


def test_what_was_typed_is_handed_over_and_json_says_all(handread: Handread, answer: Answer) -> None:
    asked = answer(OTHER, 0, False)
    outcome = handread("verify", "runs/a", "--data", "a,b", "--epochs-only", "2", "--json")
    assert (outcome.code, asked) == (1, [(Path("runs/a"), "a,b", 2)])
    found = json.loads(outcome.out)
    assert (found["holds"], found["bit for bit"], found["first difference"]) == (False, False, "data")
    assert found["findings"][2] == {"check": "data", "holds": False, "said": OTHER[2].said}


def test_what_is_no_run_is_the_users_mistake(handread: Handread, tmp_path: Path) -> None:
    outcome = handread("verify", tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"handread: {tmp_path} holds no record.json, so it is no run folder")
    assert handread("verify", tmp_path, "--epochs-only", "-1").code == 2
