"""Reading pictures: every form gives the same grey image, and what is no picture is refused in one sentence."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from handread.errors import ImageError
from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.limits import MAX_PIXELS
from handread.imaging.read import FORMATS, SUFFIXES, WORKING_SIDE, read_image, read_picture
from handread.imaging.single import single_character

GRAY = draw_text("R", height_px=60, pen=Pen(width_px=5), paper=Paper(), rng=np.random.default_rng(0)).image
INK = ((245 - GRAY.astype(np.float64)) / 245).clip(0, 1)
"""Cover of the ink, 0..1."""


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gray() -> Image.Image:
    return Image.fromarray(GRAY)


def png(width: int, height: int, *, depth: int = 8, extra: bytes = b"", rows: bytes = b"") -> bytes:
    """A grey PNG by hand, which may lie about its size."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def difference(found: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8] = GRAY) -> int:
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    return int(np.abs(found.astype(int) - expected).max())


EXACT: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(gray(), "PNG"),
    "webp": lambda: encoded(gray(), "WEBP", lossless=True),
    "tiff": lambda: encoded(gray(), "TIFF"),
    "tiff-lzw": lambda: encoded(gray(), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: encoded(gray(), "BMP"),
    "gif": lambda: encoded(gray(), "GIF"),
    "pgm": lambda: encoded(gray(), "PPM"),
    "rgb": lambda: encoded(gray().convert("RGB"), "PNG"),
    "palette": lambda: encoded(gray().convert("P"), "PNG"),
    "la": lambda: encoded(gray().convert("LA"), "PNG"),
    "rgba": lambda: encoded(gray().convert("RGBA"), "PNG"),
    "cmyk": lambda: encoded(gray().convert("RGB").convert("CMYK"), "TIFF"),
}


@pytest.mark.parametrize("form", EXACT)
def test_lossless_forms_keep_every_grey(form: str) -> None:
    assert difference(read_image(EXACT[form]())) <= 1  # CMYK rounds


@pytest.mark.parametrize("image", [gray(), gray().convert("RGB").convert("CMYK")], ids=["grey", "cmyk"])
def test_jpeg_is_near(image: Image.Image) -> None:
    assert difference(read_image(encoded(image, "JPEG", quality=95))) <= 24


def test_a_stereo_jpeg_gives_its_first_picture() -> None:
    pair = encoded(gray(), "MPO", save_all=True, append_images=[Image.new("L", gray().size, 255)], quality=95)
    assert difference(read_image(pair)) <= 24


def test_one_bit_is_black_and_white() -> None:
    sharp = gray().point(lambda v: 255 * (v > 128)).convert("1")
    assert difference(read_image(encoded(sharp, "PNG")), np.where(GRAY > 128, 255, 0).astype(np.uint8)) == 0


DEEP: dict[str, Callable[[], bytes]] = {
    "16-bit png": lambda: encoded(Image.fromarray(GRAY.astype(np.uint16) * 257), "PNG"),
    "12 bits in 16": lambda: encoded(Image.fromarray(GRAY.astype(np.uint16) * 16), "TIFF"),
    "32-bit integers": lambda: encoded(Image.fromarray(GRAY.astype(np.int32)), "TIFF"),
    "floats": lambda: encoded(Image.fromarray(GRAY.astype(np.float32) / 255), "TIFF"),
    "16-bit with a transparent grey": lambda: png(
        GRAY.shape[1], GRAY.shape[0], depth=16, extra=chunk(b"tRNS", b"\x00\x01"),
        rows=b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in GRAY),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", DEEP)
def test_deep_greys_fill_the_range_they_use(form: str) -> None:
    low, high = float(GRAY.min()), float(GRAY.max())
    stretched = np.round((GRAY - low) * (255 / (high - low))).astype(np.uint8)
    assert difference(read_image(DEEP[form]()), stretched) <= 1


def test_every_form_gives_the_same_character() -> None:
    reference = single_character(GRAY).glyph.astype(int)
    for form, make in {**EXACT, **DEEP}.items():
        assert np.abs(single_character(make()).glyph - reference).mean() < 0.2, form
    assert np.abs(single_character(encoded(gray(), "JPEG", quality=90)).glyph - reference).mean() < 2


def test_the_first_frame_of_an_animation_is_read() -> None:
    blank = Image.new("L", gray().size, 255)
    for form in ("GIF", "WEBP"):
        options = {"lossless": True} if form == "WEBP" else {}
        moving = encoded(gray(), form, save_all=True, append_images=[blank, blank], duration=50, **options)
        assert difference(read_image(moving)) <= 2, form


@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_turns_are_undone(turn: int) -> None:
    stored = {
        1: GRAY,
        2: GRAY[:, ::-1],
        3: GRAY[::-1, ::-1],
        4: GRAY[::-1],
        5: GRAY.T,
        6: np.rot90(GRAY),
        7: GRAY[::-1, ::-1].T,
        8: np.rot90(GRAY, -1),
    }[turn]
    tags = Image.Exif()
    tags[0x0112] = turn
    assert difference(read_image(encoded(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=tags))) == 0


def test_a_damaged_exif_block_does_not_spoil_the_pixels() -> None:
    whole = encoded(gray(), "PNG")
    end = whole.index(b"IDAT") - 4
    broken = whole[:end] + chunk(b"eXIf", b"MM\x00*\x00\x00\xff") + whole[end:]
    assert difference(read_image(broken)) == 0


@pytest.mark.parametrize(("colour", "paper"), [((0, 0, 0), 255), ((255, 255, 255), 0), ((30, 40, 170), 255)])
def test_transparent_pictures_lie_on_the_right_ground(colour: tuple[int, int, int], paper: int) -> None:
    rgba = np.zeros((*GRAY.shape, 4), dtype=np.uint8)
    rgba[..., :3] = colour
    rgba[..., 3] = np.round(255 * INK)
    found = read_image(encoded(Image.fromarray(rgba), "PNG"))
    assert found[0, 0] == paper
    assert abs(int(found[INK > 0.8].mean()) - paper) > 150
    assert np.abs(single_character(rgba).glyph.astype(int) - single_character(GRAY).glyph).mean() < 1


def test_a_transparent_palette_lies_on_white() -> None:
    two = Image.fromarray((INK > 0.5).astype(np.uint8), "P")
    two.putpalette([0, 0, 0, 0, 0, 0])
    for form in ("PNG", "GIF"):
        found = read_image(encoded(two, form, transparency=0))
        assert found[0, 0] == 255, form
        assert set(np.unique(found)) == {0, 255}, form


@pytest.mark.parametrize("dark", [False, True])
def test_transparent_corners_take_the_colour_of_the_paper(dark: bool) -> None:
    tone = 255 - GRAY if dark else GRAY
    rgba = np.dstack([tone, tone, tone, np.full_like(tone, 255)])
    rgba[:7, :7, 3] = rgba[-7:, -7:, 3] = 0
    assert difference(read_image(rgba), tone) <= 1


def test_wholly_transparent_is_blank() -> None:
    assert (read_image(np.zeros((20, 30, 4), dtype=np.uint8)) == 255).all()


ARRAYS: dict[str, Callable[[], npt.NDArray[Any]]] = {
    "uint8": lambda: GRAY,
    "one channel": lambda: GRAY[:, :, None],
    "rgb": lambda: np.repeat(GRAY[:, :, None], 3, axis=2),
    "rgba": lambda: np.dstack([GRAY, GRAY, GRAY, np.full_like(GRAY, 255)]),
    "float32 to 1": lambda: (GRAY / 255).astype(np.float32),
    "float64 to 255": lambda: GRAY.astype(np.float64),
    "16-bit rgb": lambda: np.repeat(GRAY[:, :, None], 3, axis=2).astype(np.uint16) * 257,
    "columns first": lambda: np.asfortranarray(GRAY),
    "a view": lambda: np.repeat(np.repeat(GRAY, 2, axis=0), 2, axis=1)[::2, ::2],
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_give_the_same_greys(kind: str) -> None:
    array = ARRAYS[kind]()
    before = array.copy()
    assert difference(read_image(array)) <= 1
    assert np.array_equal(array, before)


def test_bool_arrays_are_black_and_white() -> None:
    assert set(np.unique(read_image(GRAY > 128))) == {0, 255}


def test_paths_bytes_streams_and_images_give_the_same(tmp_path: Path) -> None:
    data = encoded(gray(), "PNG")
    path = tmp_path / "r.png"
    path.write_bytes(data)
    image = gray()
    sources = (path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), image)
    assert all(difference(read_image(source)) == 0 for source in sources)
    with path.open("rb") as stream:
        assert difference(read_image(stream)) == 0
    assert np.array_equal(np.asarray(image), GRAY)


def test_a_name_may_lie_about_the_form(tmp_path: Path) -> None:
    path = tmp_path / "r.jpg"
    path.write_bytes(encoded(gray(), "PNG"))
    assert difference(read_image(path)) == 0


def test_every_form_is_known_to_pillow() -> None:
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


def test_large_pictures_are_scaled_to_the_working_side() -> None:
    picture = read_picture(np.full((300, 4 * WORKING_SIDE), 200, dtype=np.uint8))
    assert picture.gray.shape == (75, WORKING_SIDE)
    assert picture.scale == 4
    assert read_picture(np.full((3, WORKING_SIDE), 200, dtype=np.uint8)).scale == 1
    assert read_image(np.full((1, 2 * WORKING_SIDE), 9, dtype=np.uint8)).shape == (1, WORKING_SIDE)


def test_fifty_megapixels_are_read_by_scaling_down() -> None:
    image = Image.new("L", (8660, 5774), 240)
    image.paste(30, (4000, 2000, 4600, 4000))
    picture = read_picture(encoded(image, "JPEG"))
    assert picture.gray.shape == (1600, 2400)
    assert picture.scale == pytest.approx(8660 / 2400)
    assert picture.gray[0, 0] > 200
    assert picture.gray[800, round(4300 / picture.scale)] < 60


@pytest.mark.parametrize(("mode", "ground", "ink"), [("RGBA", (0, 0, 0, 0), (20, 20, 20, 255)), ("I", 60000, 3000)])
def test_large_transparent_and_deep_pictures_are_scaled_down(mode: str, ground: Any, ink: Any) -> None:
    image = Image.new(mode, (6000, 500), ground)
    image.paste(ink, (4000, 100, 4600, 400))
    picture = read_picture(encoded(image, "TIFF"))
    assert picture.gray.shape == (200, 2400)
    assert picture.scale == 2.5
    assert picture.gray[0, 0] == 255
    assert picture.gray[100, 1720] < 30


def test_a_callers_image_is_left_as_it_was() -> None:
    image = Image.open(io.BytesIO(encoded(Image.new("RGB", (3 * WORKING_SIDE, 40), (255, 0, 0)), "JPEG")))
    read_image(image)
    assert image.size == (3 * WORKING_SIDE, 40)
    assert image.mode == "RGB"


@pytest.mark.parametrize("side", [100_000, 9_600, 9_000])
def test_a_huge_header_is_refused_before_decoding(side: int, recwarn: pytest.WarningsRecorder) -> None:
    data = png(side, side)
    tracemalloc.start()
    start = time.perf_counter()
    try:
        with pytest.raises(ImageError, match=r"too large .*at most 80,000,000.*scale it down"):
            read_image(data)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - start < 0.5
    assert not recwarn.list


def test_the_size_limit_can_be_chosen() -> None:
    with pytest.raises(ImageError, match=r"12 x 10"):
        read_image(np.zeros((10, 12), dtype=np.uint8), max_pixels=100)
    with pytest.raises(ImageError, match="too large"):
        read_image(encoded(gray(), "PNG"), max_pixels=GRAY.size - 1)
    assert difference(read_image(encoded(gray(), "PNG"), max_pixels=GRAY.size)) == 0
    assert MAX_PIXELS > 50_000_000


def test_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("this is no picture\n" * 40)
    (tmp_path / "cut.jpg").write_bytes(encoded(gray(), "JPEG")[:700])
    (tmp_path / "stub.jpg").write_bytes(encoded(gray(), "JPEG")[:20])
    expected = {
        "missing.png": "does not exist",
        "empty.png": "is empty",
        "text.png": "is not a picture that Handread reads",
        "cut.jpg": "is damaged",
        "stub.jpg": "is not a picture|is damaged",
        ".": "is a folder",
        "a\0b": "cannot be opened",
    }
    for name, words in expected.items():
        with pytest.raises(ImageError, match=words) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)


FILES: dict[str, Callable[[], bytes]] = {**EXACT, "jpeg": lambda: encoded(gray(), "JPEG"), **DEEP}


@pytest.mark.parametrize("form", FILES)
def test_damage_anywhere_is_an_image_error_or_a_picture(form: str) -> None:
    whole = FILES[form]()
    rng = np.random.default_rng(5)
    damaged = [whole[:stop] for stop in rng.integers(0, len(whole), 8)]
    for place in (*rng.integers(0, min(len(whole), 200), 10), *rng.integers(0, len(whole), 6)):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        damaged.append(bytes(changed))
    for data in damaged:
        try:
            assert read_image(data).dtype == np.uint8
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017  both outcomes are right


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(5, np.uint8), r"shape \(5,\) is no picture"),
        (np.zeros((2, 3, 4, 1), np.uint8), "is no picture"),
        (np.zeros((9, 9, 2), np.uint8), "is no picture"),
        (np.zeros((0, 9), np.uint8), "no pixels"),
        (np.zeros((9, 9), np.int64), "dtype int64"),
        (np.zeros((9, 9), np.complex64), "dtype complex64"),
        (np.zeros((9, 9), object), "dtype object"),
        (np.full((9, 9), np.nan), "NaN"),
        (np.full((9, 9), np.inf, np.float32), "NaN or infinite"),
        (np.full((9, 9), -1.0), "from -1 to -1; expected"),
        (np.full((9, 9), 300.0), "expected 0..1 or 0..255"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array: npt.NDArray[Any], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        read_image(array)


@pytest.mark.parametrize("source", [None, 7, [1, 2], io.StringIO("text")])
def test_other_sources_are_refused(source: Any) -> None:
    with pytest.raises(ImageError, match=r"no picture|binary mode"):
        read_image(source)


def test_a_float_picture_with_nan_is_refused() -> None:
    with pytest.raises(ImageError, match="plain grey numbers"):
        read_image(encoded(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"))


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 40)])
def test_tiny_and_plain_pictures_are_read_and_empty(value: int, shape: tuple[int, int]) -> None:
    data = encoded(Image.fromarray(np.full(shape, value, np.uint8)), "PNG")
    assert read_image(data).shape == shape
    assert single_character(data).empty
