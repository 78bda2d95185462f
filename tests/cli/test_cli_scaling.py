from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("pyarrow")

Handread = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[[str], Image.Image]) -> Path:
    """7.png, 1.png, and bad.png, which is no picture."""
    place = tmp_path / "photos"
    place.mkdir()
    for what in "71":
        draw(what).save(place / f"{what}.png")
    (place / "bad.png").write_bytes(b"no picture")
    return place


def test_a_folder_is_read_into_files_and_one_line_tells_of_it(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    out = tmp_path / "out"
    line = ["read", folder, "--one", "--model", tiny_model, "--out", f"{out}/", "--shard-size", 2, "--workers", 1]
    told = f"3 pictures, 1 cannot be read (see the column error); 2 shards in {out}"
    outcome = handread(*line)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{told}\n", "")
    outcome = handread(*line)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{told} (2 finished before)\n", "")


def test_the_same_for_programs(handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    out = tmp_path / "out"
    outcome = handread("read", folder, "--one", "--model", tiny_model, "--out", out, "--json", "--engine", "threads")
    assert json.loads(outcome.out) == {"out": str(out), "pictures": 3, "failed": 1, "shards": 1, "found": 0}


def test_the_exit_code_tells_when_nothing_could_be_read(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    for _ in range(2):  # the second time from what stands in the shards
        outcome = handread("read", folder / "bad.png", "--model", tiny_model, "--out", tmp_path / "out")
        assert outcome.code == 2
        assert outcome.err == (
            f"handread: none of the pictures could be read; the column error in {tmp_path / 'out'} says why\n"
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "ray"], "--engine belongs to --out"),
        (["--shard-size", "5"], "--shard-size belongs to --out"),
        (["--out", "x", "--top", "3"], "--top has no place beside --out"),
        (["--out", "x", "--engine", "rey"], "there is no engine called 'rey'; did you mean ray?"),
        (["--out", "x", "--alphabet", "digit"], "did you mean the name 'digits'?"),
        (["--out", "x", "--workers", "0"], "0 is not in the range"),
    ],
)
def test_options_that_do_not_fit(
    handread: Handread, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = handread("read", folder, *options)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err
    assert not Path("x").exists()


@pytest.mark.parametrize(("engine", "missing"), [("threads", "pyarrow"), ("ray", "ray")])
def test_what_is_not_installed_is_named_with_its_pip_line(
    handread: Handread, folder: Path, monkeypatch: pytest.MonkeyPatch, engine: str, missing: str
) -> None:
    from handread.cli import extras

    monkeypatch.setattr(extras.util, "find_spec", lambda name: None if name == missing else object())
    outcome = handread("read", folder, "--out", "x", "--engine", engine)
    assert outcome.code == 2
    assert "needs the extra 'scale': pip install 'handread[scale]'" in outcome.err
