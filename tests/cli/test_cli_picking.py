from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Handread = Callable[..., Any]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these systems always have a display")
def test_without_a_display_one_sentence(
    handread: Handread, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tkinter")
    monkeypatch.delenv("DISPLAY", raising=False)
    outcome = handread("pick", "--model", tiny_model, "--corrections", tmp_path / "new")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("handread: there is no display to open a window on (")
    assert outcome.err.endswith("set DISPLAY, or read with handread read\n")
    assert not (tmp_path / "new").exists()


def test_without_tkinter_one_sentence_with_the_package(
    handread: Handread, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tkinter", None)
    outcome = handread("pick", "--model", tiny_model, "--corrections", tmp_path / "new")
    assert outcome.code == 2
    assert "apt install python3-tk" in outcome.err
    assert "dnf install python3-tkinter" in outcome.err
    assert "brew install python-tk" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--alphabet", "0!"], "has never seen '!'"),
        (["--alphabet", "digit"], "did you mean the name 'digits'?"),
        (["--model", "handraed"], "did you mean handread"),
        (["--theme", "blue"], "'blue' is not one of"),
        (["--corrections", "notes.txt"], "notes.txt is a file, not a folder"),
    ],
)
def test_a_wrong_option_opens_no_window(
    handread: Handread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    outcome = handread("pick", *arguments)
    assert outcome.code == 2
    assert sentence in outcome.err
