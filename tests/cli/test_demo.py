"""The demo: its table, its JSON, its sheet, its examples; with a reader that knows the answers."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import handread.recognizer
from handread.alphabet import Alphabet
from handread.cli import examples as bundled
from handread.cli.main import group
from handread.errors import DataError, ImageError
from handread.types import Box, Candidate, Character, Reading
from tests.conftest import module_at

REPOSITORY = Path(__file__).resolve().parents[2]


class KnowingReader:
    """Answers with the truth of the bundled examples; its class attributes spoil one answer."""

    misread: str | None = None
    unread: str | None = None
    refused: str | None = None

    def __init__(self, model: str = "handread") -> None:
        self.model = model

    def read(self, source: Path, *, alphabet: str, one: bool) -> Reading:
        if source.name == self.unread:
            raise ImageError(f"{source.name} is spoilt; choose another")
        truth = next(e.truth for e in bundled.read_truth(source.parent) if e.path.name == source.name)
        letters = "".join(truth.split())
        if source.name == self.misread:
            letters = ("0" if letters[0] != "0" else "1") + letters[1:]
        characters = [Character((Candidate(c, 0.97),), Box(10 * i, 10, 8, 20), True) for i, c in enumerate(letters)]
        if source.name == self.refused:
            characters.append(Character((Candidate("5", 0.2),), Box(0, 0, 5, 5), False, "no character"))
            truth += "5"
        return Reading(truth, tuple(characters), 0.9)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> type[KnowingReader]:
    class Reader(KnowingReader):
        pass

    monkeypatch.setattr(handread.recognizer, "Recognizer", Reader)
    return Reader


def run(tmp_path: Path, *options: str) -> Result:
    out = str(tmp_path / "sheet.png")
    return CliRunner().invoke(group, ["demo", "--out", out, *options], standalone_mode=False)


def rows(result: Result) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return {row["image"]: row for row in found}


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    return module_at(REPOSITORY / "examples" / "draw_examples.py")


def test_all_right(reader: type[KnowingReader], tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.return_value == 0
    count = len(bundled.read_truth(bundled.find_examples()))
    assert f"{count} right of {count}" in result.stdout
    assert "24122026" in result.stdout
    assert str(tmp_path / "sheet.png") in result.stdout.replace("\n", "")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width == 1500
        assert len(np.unique(np.asarray(sheet))) > 100
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_a_wrong_reading_is_counted_and_no_failure(reader: type[KnowingReader], tmp_path: Path) -> None:
    reader.misread = "postcode.png"
    result = run(tmp_path)
    count = len(bundled.read_truth(bundled.find_examples()))
    assert result.return_value == 0
    assert f"{count - 1} right of {count}" in result.stdout
    assert "✗" in result.stdout


def test_json_has_one_object_a_picture(reader: type[KnowingReader], tmp_path: Path) -> None:
    reader.misread = "hex.png"
    result = run(tmp_path, "--json")
    found = rows(result)
    assert list(found) == [e.path.name for e in bundled.read_truth(bundled.find_examples())]
    assert found["date.jpg"]["truth"] == "24122026"
    assert found["date.jpg"]["right"] is True
    assert found["hex.png"]["right"] is False
    assert found["name.png"]["characters"][0]["box"] == [0, 10, 8, 20]
    assert (tmp_path / "sheet.png").is_file()


def test_refused_characters_are_no_part_of_the_reading(reader: type[KnowingReader], tmp_path: Path) -> None:
    reader.refused = "sum.jpg"
    assert rows(run(tmp_path, "--json"))["sum.jpg"]["right"] is True
    assert "1230[5]" in run(tmp_path).stdout


def test_a_picture_that_cannot_be_read_is_named_and_the_code_is_two(
    reader: type[KnowingReader], tmp_path: Path
) -> None:
    reader.unread = "sum.jpg"
    result = run(tmp_path, "--json")
    assert result.return_value == 2
    found = rows(result)
    assert found["sum.jpg"]["error"] == "sum.jpg is spoilt; choose another"
    assert found["sum.jpg"]["right"] is False
    assert found["hex.png"]["right"] is True
    assert run(tmp_path).return_value == 2


def test_a_folder_that_is_not_there_is_one_sentence(reader: type[KnowingReader], tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere")
    assert isinstance(result.exception, DataError)
    assert "cannot write" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_package_has_precedence_over_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "__file__", str(tmp_path / "src" / "handread" / "cli" / "examples.py"))
    with pytest.raises(DataError, match="no example pictures"):
        bundled.find_examples()
    for place in (tmp_path / "examples", tmp_path / "src" / "handread" / "examples"):
        place.mkdir(parents=True)
        (place / bundled.TRUTH).write_text("image,label,alphabet,one\n")
        assert bundled.find_examples() == place


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "no pictures"),
        ("image,label,alphabet,one\n", "no pictures"),
        ("picture,text\na.png,a\n", "is damaged"),
        ("image,label,alphabet,one\na.png,a\n", "is damaged .*a short row"),
    ],
)
def test_a_damaged_table_is_one_sentence(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / bundled.TRUTH).write_text(table)
    with pytest.raises(DataError, match=words):
        bundled.read_truth(tmp_path)


def test_the_table_names_pictures_that_are_there() -> None:
    examples = bundled.read_truth(bundled.find_examples())
    assert len(examples) >= 12
    for example in examples:
        with Image.open(example.path) as picture:
            assert max(picture.size) <= 1000
        alphabet = Alphabet.of(example.alphabet)
        assert all(c in alphabet for c in example.truth if not c.isspace())
        assert example.one == (len(example.truth) == 1)
    assert sum(path.stat().st_size for path in bundled.find_examples().iterdir() if path.is_file()) < 600_000


def test_the_examples_are_drawn_again_bit_for_bit(drawing: ModuleType) -> None:
    assert drawing.draw_all() == drawing.draw_all()


def test_the_files_are_what_the_script_draws(drawing: ModuleType) -> None:
    folder = REPOSITORY / "examples"
    for name, content in drawing.draw_all().items():
        kept = (folder / name).read_bytes()
        if name == bundled.TRUTH:
            assert kept == content
            continue
        # another build of OpenCV may round a pixel or code a JPEG otherwise
        ours, theirs = (np.asarray(Image.open(io.BytesIO(data)), np.int16) for data in (kept, content))
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 1


def test_a_missing_picture_leaves_a_tile(reader: type[KnowingReader], tmp_path: Path) -> None:
    from handread.cli.contact import contact_sheet

    shutil.copy(bundled.find_examples() / "hex.png", tmp_path)
    there = bundled.Example(tmp_path / "hex.png", "7AC3E9", "hex", False)
    gone = bundled.Example(tmp_path / "gone.png", "1", "digits", True)
    outcomes = [bundled.Outcome(there, Reading("", (), 0.0)), bundled.Outcome(gone, error=ImageError("gone"))]
    with Image.open(io.BytesIO(contact_sheet(outcomes))) as sheet:
        assert sheet.getpixel((sheet.width - 1, sheet.height - 1)) == (250, 250, 248)
