from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.alphabet import NAMED, Alphabet
from handread.card import ModelCard
from handread.errors import AlphabetError, ImageError, ModelError, UnknownNameError
from handread.imaging.single import single_character
from handread.recognizer import Recognizer, Runs
from handread.runtime.session import Session
from handread.types import REFUSED, Box

Draw = Callable[[str], Image.Image]
Switch = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def reader(tiny_model: Path) -> Recognizer:
    return Recognizer(tiny_model)


@pytest.mark.parametrize("character", ["0", "1", "7"])
def test_reads_a_drawn_character(reader: Recognizer, draw: Draw, character: str) -> None:
    reading = reader.read(draw(character), one=True)
    assert reading.text == character
    assert reading.accepted
    assert reading.confidence > 0.99


def test_a_character_tells_where_it_stands_and_what_else_it_may_be(reader: Recognizer, draw: Draw) -> None:
    (character,) = reader.read(draw("1"), alphabet="digits", one=True, top=4).characters
    assert len(character.candidates) == 4
    assert character.text == "1"
    assert abs(character.box.x - 44) <= 2
    assert abs(character.box.y - 22) <= 2
    assert abs(character.box.height - 84) <= 3


def test_a_blot_is_refused_rather_than_guessed(reader: Recognizer, draw: Draw) -> None:
    reading = reader.read(draw("blot"), alphabet="digits", one=True, strict=True)
    assert reading.text == REFUSED
    assert reading.characters[0].reason == "not a character"
    assert not reading.accepted


def test_an_empty_page_gives_no_character(reader: Recognizer, draw: Draw) -> None:
    reading = reader.read(draw(""), one=True)
    assert (reading.text, reading.characters, reading.confidence) == ("", (), 0.0)


def test_every_kind_of_source_reads_the_same(reader: Recognizer, draw: Draw, tmp_path: Path) -> None:
    picture = draw("7")
    picture.save(tmp_path / "seven.png")
    data = (tmp_path / "seven.png").read_bytes()
    sources = (
        tmp_path / "seven.png",
        str(tmp_path / "seven.png"),
        data,
        io.BytesIO(data),
        np.asarray(picture),
    )
    first = reader.read(picture, one=True)
    assert [reader.read(source, one=True) for source in sources] == [first] * len(sources)


@pytest.mark.parametrize("name", [*NAMED, "17", "70"])
def test_every_alphabet_restricts_the_answer(reader: Recognizer, draw: Draw, name: str) -> None:
    character = reader.read(draw("7"), alphabet=name, one=True, top=99).characters[0]
    assert {c.character for c in character.candidates} == set(Alphabet.of(name))
    assert sum(c.probability for c in character.candidates) == pytest.approx(1, abs=1e-5)


def test_an_alphabet_the_network_has_not_seen_is_refused_before_the_picture_is_opened(
    reader: Recognizer,
) -> None:
    with pytest.raises(AlphabetError, match="has never seen '-'"):
        reader.read("there is no such picture.png", alphabet="0123456789-", one=True)


def test_many_are_read_in_order_with_empty_ones_in_their_place(reader: Recognizer, draw: Draw) -> None:
    pictures = [draw(what) for what in ("7", "", "1", "0", "", "7")]
    readings = reader.read_many(pictures, alphabet="digits", one=True)
    assert [r.text for r in readings] == ["7", "", "1", "0", "", "7"]
    assert readings[2].characters[0].box.x == reader.read(pictures[2], one=True).characters[0].box.x
    assert reader.read_many([], one=True) == []


def test_many_raise_the_error_of_a_broken_one(reader: Recognizer, draw: Draw) -> None:
    with pytest.raises(ImageError, match="empty"):
        reader.read_many([draw("7"), b""], one=True)


def test_eight_threads_share_one_recognizer(reader: Recognizer, draw: Draw) -> None:
    pictures = [draw(what) for what in ("0", "1", "7", "blot")] * 16
    alone = [reader.read(p, one=True) for p in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda p: reader.read(p, one=True), pictures))
    assert together == alone


def test_many_characters_are_the_same_on_any_number_of_threads(tiny_model: Path) -> None:
    """In order, and each as if it stood alone; 300 are more than are laid out at a time."""
    rng = np.random.default_rng(4)
    images = np.zeros((300, 28, 28), np.uint8)
    for image in images:
        top, left, height, width = rng.integers(1, 13, 4)
        image[top : top + height, left : left + width] = 255
    one, three = (Recognizer(tiny_model, threads=threads) for threads in (1, 3))
    expected = np.concatenate([one.classify(image[None])[1] for image in images])
    for reader in (one, three):
        labels, found = reader.classify(images)
        assert np.abs(found - expected).max() < 1e-5
        assert np.array_equal(labels, found.argmax(axis=1))
    assert len(np.unique(expected.round(4), axis=0)) > 10


def test_classify_answers_in_the_alphabets_own_indices(reader: Recognizer) -> None:
    seven = np.zeros((2, 28, 28), dtype=np.uint8)
    seven[:, 4:6, 6:22] = 255  # bar
    seven[:, 4:24, 14:16] = 255  # stem, as a T: neither 0 nor a blot
    labels, probabilities = reader.classify(seven, alphabet="701")
    assert labels.dtype == np.int64
    assert labels.shape == (2,)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_single_result_does_not_depend_on_its_neighbours(reader: Recognizer, switch: Switch) -> None:
    many = switch(*range(62), *range(62), *range(62))
    labels = reader.score(many, normalised=True).labels
    assert labels.tolist() == list(range(62)) * 3


def test_score_takes_network_inputs_as_they_are(reader: Recognizer, switch: Switch) -> None:
    scores = reader.score(switch(7, 62, 10), normalised=True, alphabet="digits")
    assert scores.labels[0] == 7
    assert scores.accepted.tolist() == [True, False, False]
    assert scores.reasons == ("", "not a character", "not in the alphabet")


def test_an_input_without_ink_is_refused_whatever_the_network_says(reader: Recognizer) -> None:
    scores = reader.score(np.zeros((1, 40, 30), dtype=np.uint8))
    assert scores.reasons == ("no ink",)
    assert scores.ink.tolist() == [0.0]


def test_no_characters_give_no_scores(reader: Recognizer) -> None:
    labels, probabilities = reader.classify(np.zeros((0, 28, 28), dtype=np.uint8), alphabet="digits")
    assert labels.shape == (0,)
    assert probabilities.shape == (0, 10)


def test_cues_reach_a_network_that_knows_them(build_model: Callable[..., Path], switch: Switch) -> None:
    card = ModelCard(name="c", version="1", alphabet="oO", height=32, width=32, has_cues=True)
    reader = Recognizer(build_model(card=card))
    images = switch(1, 1, level=120)
    cues = np.array([[0, 0, 0, 0], [1, 0, 0.9, 0.5]], dtype=np.float32)
    assert reader.score(images, normalised=True).labels.tolist() == [1, 1]
    assert reader.score(images, cues=cues, normalised=True).labels.tolist() == [1, 0]


def test_cues_are_dropped_by_a_network_without_them(reader: Recognizer, switch: Switch) -> None:
    images = switch(3)
    with_cues = reader.score(images, cues=np.ones((1, 4), dtype=np.float32), normalised=True)
    np.testing.assert_array_equal(with_cues.probabilities, reader.score(images, normalised=True).probabilities)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.zeros((2, 28, 28)), "this is float64 of shape"),
        (np.full((2, 28, 28), np.nan), "NaN or infinite"),
        (np.zeros((28, 28), np.uint8), r"image\[None\]"),
        (np.zeros((2, 28, 28, 3), np.uint8), r"shape \(2, 28, 28, 3\)"),
        (np.zeros((2, 0, 28), np.uint8), "have no pixels"),
        ([[1, 2], [3, 4]], "this is a list"),
        (None, "this is a NoneType"),
    ],
)
def test_classify_says_what_it_takes(reader: Recognizer, images: object, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        reader.classify(images)  # type: ignore[arg-type]


@pytest.mark.parametrize("cues", [np.zeros((2, 4), np.float32), np.full((1, 4), np.nan, np.float32), [1, 2]])
def test_cues_must_fit_the_images(reader: Recognizer, switch: Switch, cues: object) -> None:
    with pytest.raises(ImageError, match=r"finite numbers of shape \(1, 4\)"):
        reader.score(switch(3), cues=cues, normalised=True)  # type: ignore[arg-type]


def test_normalised_inputs_have_the_networks_size(reader: Recognizer) -> None:
    with pytest.raises(ImageError, match=r"shape \(N, 32, 32\), these \(1, 28, 28\)"):
        reader.score(np.zeros((1, 28, 28), np.uint8), normalised=True)


@pytest.mark.parametrize("source", ["missing.png", b"", b"text", np.full((9, 9), np.nan), np.zeros(4), 7])
def test_what_is_no_picture_raises_an_image_error(reader: Recognizer, source: object) -> None:
    with pytest.raises(ImageError):
        reader.read(source, one=True)  # type: ignore[arg-type]


def test_boxes_of_a_large_picture_are_in_its_own_pixels(reader: Recognizer, draw: Draw) -> None:
    large = draw("7").resize((96 * 40, 128 * 40))
    box = reader.read(large, one=True).characters[0].box
    small = reader.read(draw("7"), one=True).characters[0].box
    assert isinstance(box, Box)
    for a, b in zip((box.x, box.y, box.width, box.height), (small.x, small.y, small.width, small.height),
                    strict=True):  # fmt: skip
        assert abs(a / 40 - b) < 2


def two(draw: Draw) -> Image.Image:
    """A page with two characters."""
    page = Image.new("L", (192, 128), 235)
    page.paste(draw("1"), (0, 0))
    page.paste(draw("7"), (96, 0))
    return page


def test_pictures_are_laid_into_the_frame_of_the_model(build_model: Callable[..., Path], draw: Draw) -> None:
    card = ModelCard(name="c", version="1", alphabet="01234567", height=28, width=28, ink_side=20, centre="mass")
    reader = Recognizer(build_model(card=card))
    page = two(draw)
    assert reader.read(page).characters
    assert len(reader.read(page, one=True).characters) == 1
    with pytest.raises(ImageError, match=r"normalised characters for c have shape \(N, 28, 28\)"):
        reader.score(np.zeros((1, 32, 32), np.uint8), normalised=True)


def test_a_model_of_whole_pictures_reads_no_page(build_model: Callable[..., Path], draw: Draw) -> None:
    card = ModelCard(name="c", version="1", alphabet="01234567", window=(0.1, 0.1, 0.9, 0.9))
    reader = Recognizer(build_model(card=card))
    page = two(draw)
    with pytest.raises(ModelError, match="read such pictures with --one"):
        reader.read(page)
    assert len(reader.read(page, one=True).characters) == 1


class Counting:
    """Hands on to a session and counts the batches."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.batches: list[int] = []

    @property
    def card(self) -> ModelCard:
        return self.session.card

    @property
    def alphabet(self) -> Alphabet:
        return self.session.alphabet

    @property
    def threads(self) -> int:
        return self.session.threads

    def run(self, images: np.ndarray, cues: np.ndarray | None = None) -> np.ndarray:
        self.batches.append(len(images))
        return self.session.run(images, cues)


def test_prepared_pictures_go_through_a_network_of_ones_own_in_one_batch(tiny_bytes: bytes, draw: Draw) -> None:
    network: Runs = Counting(Session(tiny_bytes, name="tiny"))
    reader = Recognizer.of_session(network)
    pages = [draw("7"), draw(""), draw("1")]
    found = reader.read_singles([single_character(page) for page in pages], alphabet="digits")
    assert [reading.text for reading in found] == ["7", "", "1"]
    assert network.batches == [2]
    assert found == [reader.read(page, alphabet="digits", one=True) for page in pages]


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"path, such as \./mine\.onnx"):
        Recognizer("no-such-model")
    with pytest.raises(ModelError, match="does not exist"):
        Recognizer(tmp_path / "missing.onnx")
