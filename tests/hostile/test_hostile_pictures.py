"""Pictures that were made to harm: each of these once hung, filled the memory or ended in a foreign error."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import handread
from fuzz import giants
from fuzz.forms import chunk
from fuzz.pictures import Pictures
from fuzz.seeds import Seed, build, encoded
from handread.errors import ImageError
from handread.imaging import limits, read
from handread.imaging.limits import MAX_SIDE
from handread.imaging.read import read_image, read_picture
from handread.imaging.segment import Piece, TextLine, _join, _Mark, _one_character, segment
from handread.layout import MOST_CANDIDATES, find_characters
from handread.types import Box
from tests.hostile.conftest import Refused

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a JPEG of 50 scans over 36 megapixels": (lambda: giants.many_scans(6000, 50), r"in 5\d scans, ten are usual"),
    "a JPEG of 5000 scans": (lambda: giants.many_scans(64, 5000), r"in 5,0\d\d scans"),
    "a JPEG of a million segments": (lambda: giants.flooded_jpeg(1_000_000), "more than 100,000 segments"),
    "a JPEG with rubbish between its segments": (lambda: giants.GIANTS["jpeg rubbish"](RNG), "100,000 segments"),
    "a JPEG whose tags share their bytes": (lambda: giants.tagged_jpeg(4), "more Exif tags than any camera"),
    "a JPEG of 20 Exif blocks": (lambda: giants.tagged_jpeg(20), "more than 16 Exif blocks"),
    "a PNG of a million chunks": (lambda: giants.flooded_png(1_000_000), "more than 100,000 blocks"),
    "a GIF with a remark of two million pieces": (lambda: giants.flooded_gif(2_000_000), "more than 5,000 blocks"),
    "a TIFF of a million strips": (lambda: giants.many_strips(1_000_000), "more than 65,536 strips"),
    "a TIFF whose tags share their bytes": (lambda: giants.tag_bomb(10_000_000, 60_000), "its tags share their bytes"),
    "a run-length coded BMP": (lambda: giants.GIANTS["bmp lines"](RNG), r"at most 1,000,000\); save it as PNG"),
    "a BMP eight million pixels wide": (lambda: giants.jumping_bmp(8_000_000, 10, 5), "at most 1,000,000"),
    "a PGM of written numbers": (lambda: giants.plain_numbers(2, 1500), "at most 1,000,000"),
    "a PGM whose numbers must be scaled": (lambda: b"P5\n2000 2000 100\n" + b"1" * 4_000_000, "at most 1,000,000"),
    "a PGM full of remarks": (lambda: giants.commented_pnm(2, 400_000), "more than 1,000 comments"),
    "a PGM without an end to its header": (lambda: giants.GIANTS["ppm header"](RNG), "header does not end within"),
    "a line of 80 million pixels": (lambda: giants.striped_png(1_000_000, 1), "at most 65,535 a side"),
}
"""What it is, what makes it, and what is said of it."""

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_cost_more_than_a_picture_are_refused(name: str, refused: Refused) -> None:
    make, words = HOSTILE[name]
    assert re.search(words, refused(ImageError, read_image, make()))


def test_tags_that_fill_the_memory_are_passed_over() -> None:
    assert read_image(giants.tagged_png(10_000_000, 60_000)).shape == (40, 40)


def test_what_is_long_but_honest_is_read() -> None:
    assert read_image(giants.many_scans(64, 20)).shape == (64, 64)
    assert read_image(giants.flooded_png(2000)).shape == (40, 40)
    assert read_image(giants.flooded_jpeg(2000)).shape == (40, 40)
    assert read_image(giants.flooded_gif(2000)).shape == (40, 40)
    assert read_image(giants.many_strips(20_000)).shape == (2400, 1)
    assert read_image(giants.plain_numbers(2, 90)).shape == (90, 90)
    assert read_image(giants.striped_png(MAX_SIDE, 2)).shape == (1, 2400)


def test_a_device_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BYTES", 10_000)
    monkeypatch.setattr(read, "MAX_BYTES", 10_000)
    with pytest.raises(ImageError, match=r"/dev/zero is too large \(more than 10,000 bytes\)"):
        read_image(Path("/dev/zero"))
    for source in (b"\0" * 10_001, memoryview(b"\0" * 20_002)[::2], io.BytesIO(b"\0" * 99_999)):
        with pytest.raises(ImageError, match="too large"):
            read_image(source)


def test_forms_with_hungry_decoders_have_limits_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WIDE_PIXELS", 99)
    with pytest.raises(ImageError, match=r"too large for WebP \(10 x 10 = 100 pixels, at most 99\)"):
        read_image(encoded(Image.new("L", (10, 10), 200), "WEBP"))
    assert read_image(encoded(Image.new("L", (10, 10), 200), "PNG")).shape == (10, 10)


def test_nothing_is_said_beside_the_sentence() -> None:
    # pytest turns warnings into errors: Pillow's of a late animation chunk, numpy's of numbers that are none
    whole = giants.striped_png(40, 40)
    late = whole[:-12] + chunk(b"acTL", b"\0" * 8) + whole[-12:]
    assert read_image(late).shape == (40, 40)
    with pytest.raises(ImageError, match="not plain grey numbers"):
        read_image(b"Pf\n2 1\n-1.0\n" + b"\1\0\xa0\x7f" * 2)


def test_a_heic_that_lies_about_its_size_is_refused() -> None:
    pytest.importorskip("pillow_heif", reason="needs the extra heic")
    whole = next(seed.data for seed in build() if seed.name == "heif-L")
    place = whole.index(b"clap") + 29  # how far the picture is moved before its rims are cut off
    lying = whole[:place] + bytes([whole[place] ^ 3]) + whole[place + 1 :]
    assert min(read_image(whole).shape) > 20
    with pytest.raises(ImageError, match=r"its head promises (\d+) x (\d+) pixels, it has \1 x (?!\2)"):
        read_image(lying)


class _Pieces:
    def __init__(self, parts: list[Any]) -> None:
        self._parts = parts

    def read(self, size: int = -1) -> Any:
        """The next of them."""
        part = self._parts.pop(0) if self._parts else b""
        if isinstance(part, Exception):
            raise part
        return part


def test_streams_may_give_pieces_and_may_fail() -> None:
    whole = encoded(Image.new("L", (30, 20), 200), "PNG")
    assert read_image(_Pieces([whole[:9], whole[9:]])).shape == (20, 30)  # type: ignore[arg-type]
    closed = io.BytesIO(whole)
    closed.close()
    for source, words in (
        (_Pieces([whole[:9], OSError(5, "no answer")]), "cannot be read: .*no answer"),
        (closed, "cannot be read"),
        (_Pieces([bytearray(whole)]), "gives bytearray, not bytes"),
        (_Pieces([None]), "is empty"),
    ):
        with pytest.raises(ImageError, match=words):
            read_image(source)  # type: ignore[arg-type]


def test_masked_arrays_are_refused_and_other_kinds_are_plain_arrays() -> None:
    gray = np.full((20, 30), 200, np.uint8)
    with pytest.raises(ImageError, match=r"masked array .* array\.filled"):
        read_image(np.ma.masked_array(gray, mask=gray > 100))
    assert type(read_image(gray.view(np.matrix))) is np.ndarray  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seeds() -> list[Seed]:
    return [seed for seed in build() if not seed.foreign]


def test_converting_strip_by_strip_changes_no_pixel(seeds: list[Seed], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    arrays: list[npt.NDArray[Any]] = [rng.integers(0, 256, (61, 47, 4)).astype(np.uint8)]
    arrays += [arrays[0][:, :, 0].astype(np.uint16) * 100, arrays[0][:, :, :3] / 255, arrays[0][:, :, 0] > 100]
    sources = [*(seed.data for seed in seeds), *arrays]
    monkeypatch.setattr(read, "WORKING_SIDE", 19)  # so that all are scaled down
    monkeypatch.setattr(read, "_STRIP", 10**9)
    whole = [read_picture(source) for source in sources]
    monkeypatch.setattr(read, "_STRIP", 300)
    for source, expected in zip(sources, whole, strict=True):
        found = read_picture(source)
        assert found.scale == expected.scale
        assert np.array_equal(found.gray, expected.gray)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure memory")
def test_eighty_megapixels_with_transparency_take_less_than_a_gigabyte() -> None:
    code = (
        "import numpy as np; from fuzz.pictures import Pictures; from fuzz.giants import GIANTS; "
        "from fuzz.case import Case; giant = GIANTS['png grey and alpha'](np.random.default_rng(1)); "
        "print(Pictures().run(Case('giant', 'grey', giant)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Verdict(outcome='read'"), done.stdout


def cloud(size: int, gap: int, rows: int) -> npt.NDArray[np.uint8]:
    """Ink of a line of tall strokes among thousands of dots, which all may belong to them."""
    ink = np.zeros((300, 2400), np.uint8)
    for x in range(40, 2380, 60):
        ink[100:190, x : x + 8] = 255
    for y in range(145 - rows * (size + gap) // 2, 145 + rows * (size + gap) // 2, size + gap):
        for x in range(10, 2380, size + 3):
            if not ink[y - 2 : y + size + 2, x - 2 : x + size + 2].any():
                ink[y : y + size, x : x + size] = 255
    return ink


def test_a_cloud_of_dots_is_gone_through_in_time() -> None:
    ink = cloud(6, 20, 9)
    begun = time.process_time()
    assert len(segment(ink)) == 1
    assert time.process_time() - begun < 2


def joined_naively(marks: list[_Mark], height: float) -> list[_Mark]:
    """What joining means: begin anew after every two that were joined."""
    for first, mark in enumerate(marks):
        for other in marks[first + 1 :]:
            if _one_character(mark, other, height):
                mark.join(other)
                rest = sorted((m for m in marks if m is not other), key=lambda m: m.x)
                return joined_naively(rest, height)
    return marks


def test_marks_are_joined_as_if_all_were_begun_anew_each_time() -> None:
    chance = random.Random(4)
    joined = 0
    for _ in range(200):
        boxes = [(chance.randrange(120), chance.randrange(50), chance.randrange(2, 30), chance.randrange(2, 40))
                 for _ in range(chance.randrange(2, 30))]  # fmt: skip
        both = [
            sorted((_Mark(x, y, x + w, y + h, w * h, [k]) for k, (x, y, w, h) in enumerate(boxes)), key=lambda m: m.x)
            for _ in range(2)
        ]
        assert _join(both[0], 40.0) == joined_naively(both[1], 40.0)
        joined += len(boxes) - len(both[0])
    assert joined > 500


def test_a_page_with_more_places_than_any_has_is_refused() -> None:
    def line(count: int) -> TextLine:
        ink = np.full((20, 10), 255, np.uint8)
        return TextLine(tuple(Piece(Box(30 * k, 0, 10, 20), ink) for k in range(count)), 20.0, 0.0)

    many = [line(MOST_CANDIDATES // 2), line(MOST_CANDIDATES // 2 + 1)]
    with pytest.raises(ImageError, match=r"shows 12,001 marks .* at most 12,000 are looked at; cut it into parts"):
        find_characters(many, lambda glyphs, cues: pytest.fail("nothing is to be scored"))


def test_boxes_of_writing_made_smaller_end_inside_their_picture() -> None:
    # scribbles from edge to edge, read at a sixth, had boxes that ended 7 pixels beyond the edge
    picture = Pictures().make(11, 60_000).payload
    reading = handread.Recognizer().read(picture)
    assert picture.shape == (2400, 2400)
    assert len(reading.characters) == 4
    assert max(max(c.box.right, c.box.bottom) for c in reading.characters) == 2400
    assert min(min(c.box.x, c.box.y) for c in reading.characters) == 0
