"""Pictures in a page, read back by another library."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from handread.errors import DataError
from handread.reports.pictures import contact_sheet, data_uri, ink_picture, png, thumbnail


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (28, 28), (7, 64)])
@pytest.mark.parametrize(("bits", "error"), [(8, 0), (4, 9), (2, 43), (1, 128)])
def test_png_keeps_the_image_within_its_greys(shape: tuple[int, int], bits: int, error: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(image, bits=bits))).convert("L")).astype(int)
    assert read.shape == shape
    assert np.abs(read - image).max() <= error


def test_black_and_white_stay_what_they_are() -> None:
    image = np.array([[0, 255, 0]], np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(image, bits=4)))), image)


@pytest.mark.parametrize(
    ("image", "bits", "phrase"),
    [
        (np.zeros((2, 2), np.float32), 8, "float32"),
        (np.zeros((2, 2, 3), np.uint8), 8, "shape"),
        (np.zeros((0, 2), np.uint8), 8, "shape"),
        (np.zeros((2, 2), np.uint8), 3, "not 3"),
    ],
)
def test_what_is_no_picture(image: np.ndarray, bits: int, phrase: str) -> None:
    with pytest.raises(DataError, match=phrase):
        png(image, bits=bits)


def test_a_picture_is_ink_on_paper_and_its_text_is_text() -> None:
    ink = np.zeros((4, 4), np.uint8)
    ink[1, 1] = 255
    text = ink_picture(ink, 'a "<script>"')
    assert 'alt="a &quot;&lt;script&gt;&quot;"' in text
    uri = text.split('src="')[1].split('"')[0]
    assert uri == data_uri(255 - ink)
    read = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))
    assert (read[1, 1], read[0, 0]) == (0, 255)


def test_large_images_are_reduced() -> None:
    assert thumbnail(np.zeros((900, 1200), np.uint8)).shape == (48, 64)
    assert thumbnail(np.zeros((28, 28), np.uint8)).shape == (28, 28)
    assert thumbnail(np.zeros((1, 500), np.uint8)).shape == (1, 64)


def test_a_contact_sheet_centres_each_in_its_place() -> None:
    images = [np.full((2, 4), level, np.uint8) for level in (100, 150, 200)]
    sheet = contact_sheet(images, columns=2, side=4, gap=1)
    assert sheet.shape == (9, 9)
    assert sheet[1:3, 0:4].tolist() == [[100] * 4] * 2
    assert sheet[1:3, 5:9].tolist() == [[150] * 4] * 2
    assert sheet[6:8, 0:4].tolist() == [[200] * 4] * 2
    assert int(sheet.astype(int).sum()) == 8 * (100 + 150 + 200)
