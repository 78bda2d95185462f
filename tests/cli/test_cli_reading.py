from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from handread.cli.reading import as_text
from handread.decode import reading_from
from handread.types import Box, Candidate, Character

Handread = Callable[..., Any]
Draw = Callable[[str], Image.Image]


@pytest.fixture
def folder(tmp_path: Path, draw: Draw) -> Path:
    """Pictures 2.png (7), 10.png (1), deep/3.PNG (0), and files that are none of a folder's pictures."""
    (tmp_path / "deep").mkdir()
    draw("7").save(tmp_path / "2.png")
    draw("1").save(tmp_path / "10.png")
    draw("0").save(tmp_path / "deep" / "3.PNG")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    return tmp_path


def rows(outcome: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_one_picture_gives_its_text(handread: Handread, folder: Path, tiny_model: Path) -> None:
    outcome = handread("read", folder / "2.png", "--one", "--model", tiny_model)
    assert (outcome.code, outcome.out, outcome.err) == (0, "7  (100 %)\n", "")


def test_the_json_line_has_exactly_these_fields(handread: Handread, folder: Path, tiny_model: Path) -> None:
    picture = folder / "2.png"
    arguments = ["read", picture, "--one", "--json", "--model", tiny_model]
    outcome = handread(*arguments, "--top", 2, "--alphabet", "digits")
    (row,) = rows(outcome)
    assert list(row) == ["image", "text", "confidence", "characters", "error"]
    assert (row["image"], row["text"], row["error"]) == (str(picture), "7", None)
    (character,) = row["characters"]
    assert list(character) == ["text", "confidence", "accepted", "reason", "box", "candidates"]
    assert character["accepted"] is True
    assert [type(v) for v in character["box"]] == [int] * 4
    assert character["candidates"][0] == ["7", character["confidence"]]
    assert len(character["candidates"]) == 2
    assert row["confidence"] == character["confidence"] > 0.99


def test_a_folder_gives_its_pictures_at_any_depth_in_natural_order(
    handread: Handread, folder: Path, tiny_model: Path
) -> None:
    outcome = handread("read", folder, "--one", "--model", tiny_model)
    assert outcome.code == 0
    assert [line.split("\t")[0] for line in outcome.out.splitlines()] == [
        str(folder / name) for name in ("2.png", "10.png", "deep/3.PNG")
    ]
    assert [line.split("\t")[1][0] for line in outcome.out.splitlines()] == ["7", "1", "0"]


def test_a_picture_on_the_standard_input(handread: Handread, folder: Path, tiny_model: Path) -> None:
    data = (folder / "10.png").read_bytes()
    outcome = handread("read", "-", "--one", "--json", "--model", tiny_model, stdin=data)
    (row,) = rows(outcome)
    assert (outcome.code, row["image"], row["text"]) == (0, "-", "1")


def test_a_broken_picture_stops_no_other(handread: Handread, folder: Path, tiny_model: Path) -> None:
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    names = ["2.png", "text.png", "missing.png", "10.png", "empty.png"]
    outcome = handread("read", *(folder / n for n in names), "--one", "--json", "--model", tiny_model)
    found = rows(outcome)
    assert outcome.code == 2
    assert [row["image"] for row in found] == [str(folder / n) for n in names]
    assert [row["text"] for row in found] == ["7", "", "", "1", ""]
    for row, name in zip(found, names, strict=True):
        if row["text"]:
            assert row["error"] is None
        else:
            assert (row["confidence"], row["characters"]) == (0.0, [])
            assert name in str(row["error"])
            assert f"handread: {row['error']}\n" in outcome.err
    assert outcome.err.count("\n") == 3


def test_people_see_which_picture_is_broken(handread: Handread, folder: Path, tiny_model: Path) -> None:
    outcome = handread("read", folder / "2.png", folder / "no.png", "--one", "--model", tiny_model)
    assert outcome.code == 2
    assert outcome.out.splitlines()[1] == f"{folder / 'no.png'}\t(cannot be read)"
    assert outcome.err == f"handread: {folder / 'no.png'} does not exist; check the name\n"


def test_a_single_broken_picture_is_one_sentence(handread: Handread, tiny_model: Path) -> None:
    outcome = handread("read", "missing.png", "--one", "--model", tiny_model)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "handread: missing.png does not exist; check the name\n"


def test_nothing_on_the_standard_input(handread: Handread, tiny_model: Path) -> None:
    outcome = handread("read", "-", "--model", tiny_model)
    assert outcome.code == 2
    assert "empty" in outcome.err


def test_a_folder_without_pictures_is_an_error(
    handread: Handread, folder: Path, tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "bare").mkdir()
    outcome = handread("read", tmp_path / "bare", folder / "2.png", "--one", "--json", "--model", tiny_model)
    assert outcome.code == 2
    assert [bool(row["error"]) for row in rows(outcome)] == [True, False]
    assert "holds no pictures" in outcome.err


def test_a_refused_character_is_marked_for_people(
    handread: Handread, tmp_path: Path, draw: Draw, tiny_model: Path
) -> None:
    draw("blot").save(tmp_path / "blot.png")
    arguments = ["read", tmp_path / "blot.png", "--one", "--model", tiny_model]
    outcome = handread(*arguments)
    assert outcome.code == 0
    assert outcome.out.startswith("[")
    assert outcome.out.endswith("not a character)\n")
    (row,) = rows(handread(*arguments, "--json", "--strict"))
    assert row["text"] == "\N{REPLACEMENT CHARACTER}"
    assert row["characters"][0]["accepted"] is False


def test_an_empty_page_reads_as_nothing(handread: Handread, tmp_path: Path, draw: Draw, tiny_model: Path) -> None:
    draw("").save(tmp_path / "page.png")
    arguments = ["read", tmp_path / "page.png", "--one", "--model", tiny_model]
    assert handread(*arguments).out == "(nothing found)\n"
    (row,) = rows(handread(*arguments, "--json"))
    assert (row["text"], row["characters"], row["error"]) == ("", [], None)


@pytest.mark.parametrize(
    ("alphabet", "reason"),
    [
        ("0123456789-", "never seen '-'"),
        ("0 1", "single, visible"),
        ("", "at least one character"),
        ("digits ", "did you mean the name 'digits'?"),
        ("digit", "did you mean the name 'digits'?"),
    ],
)
def test_a_wrong_alphabet_is_told_once(
    handread: Handread, folder: Path, tiny_model: Path, alphabet: str, reason: str
) -> None:
    outcome = handread("read", folder, "--alphabet", alphabet, "--json", "--model", tiny_model)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["read"], ["read", "x.png", "--top", "0"], ["read", "x", "--top", "a"]])
def test_wrong_usage(handread: Handread, arguments: list[str]) -> None:
    assert handread(*arguments).code == 2


def test_a_missing_model_is_told_before_any_picture(handread: Handread, folder: Path) -> None:
    outcome = handread("read", folder, "--model", folder / "none.onnx")
    assert (outcome.code, outcome.out) == (2, "")
    assert "none.onnx does not exist" in outcome.err


def test_many_pictures_keep_their_order(handread: Handread, folder: Path, tiny_model: Path) -> None:
    names = [folder / ("2.png", "10.png", "deep/3.PNG")[i % 3] for i in range(40)]
    found = rows(handread("read", *names, "--one", "--json", "--model", tiny_model))
    assert [row["image"] for row in found] == [str(name) for name in names]
    assert "".join(str(row["text"]) for row in found) == "710" * 13 + "7"


def test_marks_stand_at_their_characters_across_words_and_lines() -> None:
    def character(text: str, reason: str = "") -> Character:
        return Character((Candidate(text, 0.5),), Box(0, 0, 1, 1), not reason, reason)

    parts = [character("a"), character("b", "too uncertain"), character("c", "too uncertain")]
    text = as_text(reading_from(parts, gaps=("", " ", "\n")))
    assert text.startswith("a \x1b[33m[b]\x1b[0m\n\x1b[33m[c]\x1b[0m")
    assert "12 %; [ ] too uncertain" in text
