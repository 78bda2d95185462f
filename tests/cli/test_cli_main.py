from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest

import handread as package
from handread.cli.main import COMMANDS, LazyGroup, group
from handread.errors import ImageError

Handread = Callable[..., Any]


def command_of(name: str) -> click.Command:
    command = LazyGroup().get_command(click.Context(group), name)
    assert command is not None
    return command


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """A function that puts a command called "probe" in the place of "models"."""

    def place(body: Callable[[], object]) -> None:
        command = click.Command("models", callback=body)
        monkeypatch.setattr(LazyGroup, "get_command", lambda self, ctx, name: command)

    return place


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_tells_each_commands_own_short_help(name: str) -> None:
    assert command_of(name).get_short_help_str(limit=200) == COMMANDS[name][1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_an_example(handread: Handread, name: str) -> None:
    outcome = handread(name, "--help")
    assert outcome.code == 0
    assert f"Example: handread {name}" in re.sub(r"\s+", " ", outcome.out)


def test_help_lists_every_command(handread: Handread) -> None:
    outcome = handread("--help")
    assert outcome.code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in outcome.out
        assert text in outcome.out


def test_version(handread: Handread) -> None:
    assert handread("--version").out == f"handread {package.__version__}\n"


def test_a_misspelt_command_gets_the_near_one(handread: Handread) -> None:
    outcome = handread("reed")
    assert outcome.code == 2
    assert "there is no command called 'reed'; did you mean read?" in outcome.err


def test_a_misspelt_option_is_a_usage_error(handread: Handread) -> None:
    outcome = handread("read", "x.png", "--alphabt", "digits")
    assert outcome.code == 2
    assert "--alphabet" in outcome.err


def test_an_error_of_handread_is_one_sentence_and_code_2(handread: Handread, probe: Callable[[object], None]) -> None:
    def body() -> None:
        raise ImageError("x.png is empty (0 bytes); save the picture again")

    probe(body)
    outcome = handread("models")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "handread: x.png is empty (0 bytes); save the picture again\n"


def test_a_bug_is_one_sentence_with_where_to_report_it(
    handread: Handread, probe: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HANDREAD_DEBUG", raising=False)
    probe(lambda: {}["lost\nkey"])
    outcome = handread("models")
    assert outcome.code == 1
    assert outcome.err.startswith("handread: this is a bug in Handread (KeyError: 'lost\\nkey'); please report")
    assert outcome.err.count("\n") == 1


def test_debugging_shows_where_it_came_from(
    handread: Handread, probe: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDREAD_DEBUG", "1")
    probe(lambda: 1 / 0)
    outcome = handread("models")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert "ZeroDivisionError" in outcome.err


def test_an_interrupt_is_quiet(handread: Handread, probe: Callable[[object], None]) -> None:
    def body() -> None:
        raise KeyboardInterrupt

    probe(body)
    outcome = handread("models")
    assert outcome.code == 130
    assert outcome.out.strip() == outcome.err.strip() == ""


@pytest.mark.parametrize(("result", "code"), [(0, 0), (None, 0), (2, 2), (1, 1)])
def test_a_commands_number_is_the_exit_code(
    handread: Handread, probe: Callable[[object], None], result: int | None, code: int
) -> None:
    probe(lambda: result)
    assert handread("models").code == code


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "handread", "--help"], stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""
