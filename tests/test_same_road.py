"""Nothing trains on what prediction would make differently: both roads give the network the same bytes."""

from __future__ import annotations

import csv
import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.load import load_data
from handread.evaluation.report import evaluate
from handread.frame import DEFAULT_FRAME, MNIST_FRAME, Frame
from handread.imaging.single import single_character
from handread.recognizer import Recognizer
from handread.training.config import SourceConfig, TrainConfig
from handread.training.sources import Prepared, prepare

Draw = Callable[[str], Image.Image]
FRAMES = {"default": DEFAULT_FRAME, "mnist": MNIST_FRAME, "window": Frame(40, 40, 30, "box", (0.0, 0.0, 1.0, 1.0))}


class Recorder:
    """A network that keeps what it is shown."""

    threads = 1

    def __init__(self, frame: Frame) -> None:
        self.card = ModelCard("recorder", "1", "017", has_cues=True).with_frame(frame)
        self.alphabet = Alphabet.of(self.card.alphabet)
        self.images: list[np.ndarray] = []
        self.cues: list[np.ndarray | None] = []

    def run(self, images: np.ndarray, cues: np.ndarray | None = None) -> np.ndarray:
        self.images.append(images.copy())
        self.cues.append(None if cues is None else cues.copy())
        return np.zeros((len(images), 3), np.float32)


def shaded(picture: Image.Image) -> Image.Image:
    """Blue ink on yellowish paper, a shadow across it."""
    ink = 1 - np.asarray(picture, np.float32)[..., None] / 255
    paper = np.array([246, 238, 214], np.float32) * np.linspace(1.0, 0.55, picture.width)[:, None]
    pen = np.array([40, 60, 150], np.float32)
    grain = np.random.default_rng(1).normal(0, 2, (*picture.size[::-1], 3))
    return Image.fromarray((paper * (1 - ink) + pen * ink + grain).clip(0, 255).astype(np.uint8))


def transparent(picture: Image.Image) -> Image.Image:
    """Ink alone, on nothing."""
    ink = Image.eval(picture, lambda v: 255 - v)
    return Image.merge("RGBA", [Image.new("L", picture.size, 20)] * 3 + [ink])


def turned(picture: Image.Image, path: Path) -> None:
    """Lies on its side; the camera noted how it was held."""
    exif = Image.Exif()
    exif[274] = 6
    picture.rotate(90, expand=True).save(path, "JPEG", quality=90, exif=exif)


KINDS: dict[str, Callable[[Image.Image, Path], object]] = {
    "dark": lambda picture, path: picture.save(path.with_suffix(".png")),
    "bright": lambda picture, path: Image.eval(picture, lambda v: 255 - v).save(path.with_suffix(".bmp")),
    "photo": lambda picture, path: shaded(picture).save(path.with_suffix(".jpg"), quality=85),
    "small": lambda picture, path: picture.resize((28, 28)).save(path.with_suffix(".png")),
    "large": lambda picture, path: picture.resize((600, 800), Image.Resampling.BICUBIC).save(path.with_suffix(".png")),
    "transparent": lambda picture, path: transparent(picture).save(path.with_suffix(".png")),
    "turned": lambda picture, path: turned(picture, path.with_suffix(".jpg")),
    "palette": lambda picture, path: picture.convert("P").save(path.with_suffix(".gif")),
    "empty": lambda picture, path: Image.new("L", (60, 60), 230).save(path.with_suffix(".png")),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, draw: Draw) -> Path:
    """Class folders with one picture of every kind, and the same as a list."""
    place = tmp_path_factory.mktemp("road")
    for number, (kind, save) in enumerate(KINDS.items()):
        home = place / "folders" / "017"[number % 3]
        home.mkdir(parents=True, exist_ok=True)
        save(draw("017"[number % 3]), home / kind)
    with (place / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        rows.writerows([path.relative_to(place), path.parent.name] for path in sorted(place.rglob("*.*")) if path.suffix != ".csv")  # fmt: skip
    return place


def trained_on(data: Path, frame: Frame) -> Prepared:
    """What a run without a held-out part would learn from."""
    return prepare(TrainConfig(alphabet="017", sources=(SourceConfig(data=""),)), str(data), frame=frame)


@pytest.mark.parametrize(("name", "form"), [("default", "folders"), ("mnist", "list.csv"), ("window", "folders")])
def test_a_picture_is_the_same_to_training_evaluation_and_reading(folder: Path, name: str, form: str) -> None:
    frame = FRAMES[name]
    items = load_data(folder / form, frame=frame)
    training = trained_on(folder / form, frame).training
    assert len(training) == len(items) == len(KINDS)
    assert training.pictures.all()
    evaluated = Recorder(frame)
    evaluate(Recognizer.of_session(evaluated), items)
    assert items.files is not None
    inked = 0
    for row, file in enumerate(items.files):
        read, read_bytes = Recorder(frame), Recorder(frame)
        reading = Recognizer.of_session(read).read(file, one=True)
        Recognizer.of_session(read_bytes).read(Path(file).read_bytes(), one=True)
        single = single_character(file, frame)
        shown: list[tuple[Any, Any]] = [
            (single.glyph, single.cue),
            (evaluated.images[0][row, 0], evaluated.cues[0][row]),
        ]
        if not single.empty:  # a reading of nothing asks no network
            shown += [(each.images[0][0, 0], each.cues[0][0]) for each in (read, read_bytes)]
            inked += 1
        assert bool(reading.characters) == (not single.empty)
        for glyph, cue in shown:
            assert np.array_equal(training.images[row, 0], glyph), file
            assert np.array_equal(training.cues[row], cue), file
    assert inked == len(KINDS) - 1
    assert len({image.tobytes() for image in training.images}) >= len(KINDS) - 1  # ink inverted is the same ink


def stored(folder: Path, form: str, images: np.ndarray, labels: np.ndarray) -> Path:
    """The same ink in one of the forms of arrays."""
    if form == "npz":
        np.savez(folder / "set.npz", images=images, labels=labels, characters=np.array(["017"]))
        return folder / "set.npz"
    if form == "csv":
        header = ",".join(["label", *(f"pixel{k}" for k in range(images[0].size))])
        table = np.column_stack([[int("017"[k]) for k in labels], images.reshape(len(images), -1)])
        np.savetxt(folder / "set.csv", table, "%d", ",", header=header, comments="")
        return folder / "set.csv"
    numbers = np.array([int("017"[k]) for k in labels], np.uint8)
    for part, code, content in (("images-idx3", 3, images), ("labels-idx1", 1, numbers)):
        head = struct.pack(">BBBB", 0, 0, 8, code) + struct.pack(f">{content.ndim}I", *content.shape)
        (folder / f"train-{part}-ubyte.gz").write_bytes(gzip.compress(head + content.tobytes()))
    return folder


@pytest.mark.parametrize(
    ("name", "form"), [("default", "npz"), ("default", "csv"), ("default", "idx"), ("mnist", "idx"), ("window", "npz")]
)
def test_an_array_is_the_same_to_training_evaluation_and_reading(
    tmp_path: Path, draw: Draw, name: str, form: str
) -> None:
    frame = FRAMES[name]
    labels = np.arange(9, dtype=np.int64) % 3
    images = np.stack([255 - np.asarray(draw("017"[k]).resize((28, 28))) for k in labels])
    images = np.stack([np.roll(image, step - 4, axis=step % 2) for step, image in enumerate(images)]).astype(np.uint8)
    images[images < 40] = 0
    place = stored(tmp_path, form, images, labels)
    training = trained_on(place, frame).training
    classified, evaluated = Recorder(frame), Recorder(frame)
    Recognizer.of_session(classified).classify(images)
    evaluate(Recognizer.of_session(evaluated), load_data(place, frame=frame))
    assert not training.pictures.any()
    assert np.array_equal(training.labels, labels)
    for recorder in (classified, evaluated):
        assert np.array_equal(training.images, recorder.images[0])
        assert recorder.cues == [None]
    assert training.images.any(axis=(1, 2, 3)).all()
