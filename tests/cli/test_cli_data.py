from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from handread.cli.data import COMMANDS, DataGroup
from handread.cli.data import command as group
from handread.data import catalog, transfer
from handread.data.catalog import Download, Entry

Handread = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder; nothing of this machine's own is seen."""
    monkeypatch.setenv(catalog.FOLDER_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "data"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a server gives the files of a folder called "site"."""
    (tmp_path / "site").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path / "site"))

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["list", "fetch"])
def test_the_table_tells_each_commands_own_short_help(name: str) -> None:
    command = DataGroup().get_command(click.Context(group), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name][1]


def test_the_group_lists_its_commands(handread: Handread) -> None:
    outcome = handread("data", "--help")
    assert outcome.code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in outcome.out
        assert text in outcome.out
    assert "Commands:" in handread("data").err + handread("data").out


def test_an_unknown_command_gets_a_suggestion(handread: Handread) -> None:
    outcome = handread("data", "fetsh")
    assert outcome.code == 2
    assert "there is no command called 'fetsh'; did you mean fetch?" in outcome.err


def test_list_names_every_set_and_whether_it_is_here(handread: Handread, folder: Path) -> None:
    (folder / "usps").mkdir(parents=True)
    (folder / "usps" / "train.bz2").touch()
    outcome = handread("data", "list")
    assert outcome.code == 0, outcome.err
    rows = {line.split()[0]: line.split()[-1] for line in outcome.out.splitlines() if line.strip()}
    assert set(catalog.CATALOG) <= set(rows)
    assert (rows["usps"], rows["mnist"], rows["kaggle-digits"]) == ("here", "no", "hand")
    assert all(len(line.rstrip()) <= 80 for line in outcome.out.splitlines()[: 1 + len(catalog.CATALOG)])
    assert str(folder) in outcome.out


def test_list_as_json(handread: Handread, folder: Path) -> None:
    (folder / "mnist").mkdir(parents=True)
    (folder / "mnist" / "mine.npz").touch()
    (folder / "qmnist").mkdir()
    (folder / "qmnist" / "qmnist-train-images-idx3-ubyte.gz.part").write_bytes(b"x")
    rows = {row["name"]: row for row in json.loads(handread("data", "list", "--json").out)}
    assert list(rows) == list(catalog.CATALOG)
    assert (rows["mnist"]["state"], rows["mnist"]["path"]) == ("here", str(folder / "mnist"))
    assert (rows["qmnist"]["state"], rows["qmnist"]["path"]) == ("begun", None)
    assert (rows["kaggle-digits"]["state"], rows["kaggle-digits"]["can_be_fetched"]) == ("by hand", False)
    assert "MNIST's test set" in rows["emnist-digits"]["note"]


def test_fetch_brings_a_set_that_can_then_be_used(
    handread: Handread, address: str, tmp_path: Path, folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "label," + ",".join(f"pixel{i}" for i in range(16))
    (tmp_path / "site" / "set.csv").write_text(f"{head}\n7{',9' * 16}\n")
    wanted = Download((f"{address}/set.csv",), "mnist/train.csv")
    entry = Entry("mnist", "one seven", "free", "https://example.org", ("mnist",), downloads=(wanted,), note="mind it")
    monkeypatch.setitem(catalog.CATALOG, "mnist", entry)
    outcome = handread("data", "fetch", "mnist")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines() == [
        f"mnist is in {folder / 'mnist'} (0.0 MB transferred, no published checksum)",
        "licence: free; source: https://example.org",
        "note: mind it",
    ]
    assert handread("data", "fetch", "mnist").out.startswith(f"mnist is in {folder / 'mnist'} already\n")
    assert "0.0 MB transferred" in handread("data", "fetch", "mnist", "--again").out
    assert ": 1 characters" in handread("evaluate", tiny_model, "--data", "mnist").out


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("kaggle-digits", ["cannot be fetched by a program", "kaggle competitions download -c digit-recognizer -p "]),
        ("minst", ["there is no data set called 'minst'", "did you mean mnist"]),
        ("mnist", ["/train-images-idx3-ubyte.gz could not be reached", "http://yann.lecun.com/exdb/mnist/"]),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(
    handread: Handread, folder: Path, name: str, phrases: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(self: object, request: object, **more: object) -> None:
        raise transfer.urllib.error.URLError(OSError(101, "Network is unreachable"))

    monkeypatch.setattr("urllib.request.OpenerDirector.open", offline)
    outcome = handread("data", "fetch", name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert [phrase for phrase in phrases if phrase not in outcome.err] == []
    assert not (folder / "mnist").exists()


def test_a_set_that_is_not_here_is_told_with_the_command_that_brings_it(handread: Handread, tiny_model: Path) -> None:
    outcome = handread("evaluate", tiny_model, "--data", "mnist")
    assert outcome.code == 2
    assert "mnist is not on this machine; run handread data fetch mnist, or get it from" in outcome.err


def test_digits_need_no_fetching(handread: Handread) -> None:
    outcome = handread("data", "fetch", "digits")
    assert outcome.code == 0
    assert "scikit-learn carries it" in outcome.out


def test_ctrl_c_says_that_what_came_is_kept(handread: Handread, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handread.data.fetch.fetch", stop)
    outcome = handread("data", "fetch", "mnist")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.rstrip() == "handread: stopped; what came is kept, and the same command goes on from there"
