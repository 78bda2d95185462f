"""Reading off the window's thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from handread.desktop.work import Job, Worker, work
from handread.recognizer import Recognizer
from handread.types import Box

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def job(reader: Recognizer, path: Path, **changes: Any) -> Job:
    given: dict[str, Any] = {"alphabet": reader.alphabet, "one": False, "crop": None, "read": True, **changes}
    return Job(0, 0, path, **given)


def test_a_picture_is_read_as_handread_read_does(reader: Recognizer) -> None:
    path = EXAMPLES / "hex.png"
    outcome = work(reader, job(reader, path))
    assert outcome.reading == reader.read(path, top=5)
    assert outcome.look is not None
    assert outcome.look.image.size == outcome.look.size == size_of(path)
    assert outcome.error == ""


def test_only_the_crop_is_read_and_its_boxes_count_in_the_picture(reader: Recognizer) -> None:
    whole = reader.read(EXAMPLES / "hex.png")
    third = whole.characters[2].box
    crop = Box(third.x - 4, 0, 80, size_of(EXAMPLES / "hex.png")[1])
    outcome = work(reader, job(reader, EXAMPLES / "hex.png", crop=crop))
    assert outcome.reading is not None
    assert outcome.reading.text[0] == whole.characters[2].text == "C"
    found = outcome.reading.characters[0].box
    assert max(abs(found.x - third.x), abs(found.y - third.y)) <= 2


def test_boxes_of_a_picture_larger_than_the_working_size_count_in_its_own_pixels(
    reader: Recognizer, tmp_path: Path, draw: Callable[[str], Image.Image]
) -> None:
    page = Image.new("L", (4800, 400), 235)
    page.paste(draw("7").resize((192, 256)), (3000, 50))  # the strokes from (3036, 98) to (3160, 266)
    page.save(tmp_path / "wide.png")
    for crop in (None, Box(2900, 0, 400, 400)):
        outcome = work(reader, job(reader, tmp_path / "wide.png", one=True, crop=crop))
        assert outcome.reading is not None
        (found,) = outcome.reading.characters
        assert (found.text, found.box.x, found.box.y) == ("7", pytest.approx(3040, abs=8), pytest.approx(102, abs=8))
        assert found.box.right == pytest.approx(3160, abs=10)
        assert found.box.bottom == pytest.approx(266, abs=10)


def test_a_broken_picture_is_one_sentence(reader: Recognizer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    outcome = work(reader, job(reader, tmp_path / "a.png"))
    assert (outcome.look, outcome.reading) == (None, None)
    assert "a.png is not a picture" in outcome.error


def test_a_bug_is_one_sentence_too(reader: Recognizer) -> None:
    class Broken:
        def read(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError("by\nzero")

    outcome = work(Broken(), job(reader, EXAMPLES / "hex.png"))  # type: ignore[arg-type]
    assert outcome.error.startswith("hex.png: this is a bug in Handread (ZeroDivisionError: by zero)")


def test_all_jobs_come_back(reader: Recognizer, tmp_path: Path, draw: Callable[[str], Image.Image]) -> None:
    draw("7").save(tmp_path / "a.png")
    worker = Worker(reader)
    try:
        for _ in range(worker.room):
            assert worker.free
            worker.hand(job(reader, tmp_path / "a.png", one=True))
        assert not worker.free
        found = []
        end = time.monotonic() + 5
        while worker.busy and time.monotonic() < end:
            found += worker.outcomes()
            time.sleep(0.001)
        assert [o.reading.text if o.reading else o.error for o in found] == ["7"] * worker.room
    finally:
        worker.stop()
        worker.wait()
