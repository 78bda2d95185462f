"""What a run trains on: every kind of source through the one normalisation, labels and cues in their places."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.errors import ConfigError, HandreadError
from handread.imaging.cues import picture_cue
from handread.imaging.draw import Paper, Pen, draw_text
from handread.imaging.glyph import ink_bounds, normalise
from handread.imaging.single import single_character
from handread.training.config import SourceConfig, TrainConfig
from handread.training.sources import NO_CHARACTER, Prepared, TrainingSet, prepare
from handread.types import Box


def config(*sources: SourceConfig, alphabet: str = "012", **others: object) -> TrainConfig:
    return TrainConfig(alphabet=alphabet, sources=sources, **others)  # type: ignore[arg-type]


def prepared(folder: Path, *sources: SourceConfig, **others: object) -> Prepared:
    return prepare(config(*sources, **others), str(folder))  # type: ignore[arg-type]


def save(folder: Path, **arrays: object) -> SourceConfig:
    np.savez(folder / "set.npz", **arrays)  # type: ignore[arg-type]
    return SourceConfig(data="set.npz")


def inks(count: int) -> np.ndarray:
    return np.stack([np.pad(np.full((12, 4 + k % 5), 255, np.uint8), ((6, 10), (7, 17 - k % 5))) for k in range(count)])


def test_arrays_are_normalised_as_prediction_does(shop: Path) -> None:
    found = prepared(shop, SourceConfig(data="signs.npz", repeat=2.5)).training
    stored = np.load(shop / "signs.npz")
    assert np.array_equal(found.images, normalise(stored["images"]))
    assert np.array_equal(found.labels, stored["labels"])
    assert (found.alternatives == NO_CHARACTER).all()
    assert (found.repeats == 2.5).all()
    assert not found.pictures.any()
    # the stored frame is all that is known of size and place
    assert (found.cues[:, 0] == 1).all()
    assert found.cues[0, 2] == pytest.approx(20 / 28)
    assert found.cues[0, 3] == pytest.approx(0.5)


def test_the_cue_of_a_stored_frame_is_that_of_a_picture(tmp_path: Path) -> None:
    """Measured for many images at once, as `picture_cue` would for each alone; frames without ink have none."""
    rng = np.random.default_rng(3)
    images = np.zeros((60, 20, 14), np.uint8)
    for index, image in enumerate(images):
        top, left, height, width = rng.integers(0, [18, 12, 19, 13])
        image[top : top + height, left : left + width] = rng.integers(
            0, 256, size=image[top : top + height, left : left + width].shape
        )
        if index % 5 == 0:
            image[:] //= 40  # faint, partly below what counts as ink
    source = save(tmp_path, images=images, labels=np.arange(60) % 10)
    found = prepared(tmp_path, source, alphabet="digits").training
    for image, cue in zip(images, found.cues, strict=True):
        bounds = ink_bounds(image)
        if bounds is None:
            assert not cue.any()
        else:
            top, bottom, left, right = bounds
            assert np.array_equal(cue, picture_cue(Box(left, top, right - left, bottom - top), 20))


def test_labels_are_counted_in_the_recipes_alphabet(shop: Path) -> None:
    found = prepared(shop, SourceConfig(data="signs.npz"), alphabet="alphanumeric").training
    assert set(found.labels.tolist()) == {0, 1, 2}
    shifted = prepared(shop, SourceConfig(data="signs.npz"), alphabet="210").training
    assert np.array_equal(shifted.labels, 2 - found.labels)


def test_labels_outside_the_alphabet_are_refused(shop: Path) -> None:
    with pytest.raises(HandreadError, match="'2'"):
        prepared(shop, SourceConfig(data="signs.npz"), alphabet="01")


@pytest.mark.parametrize(
    ("foreign", "reject", "labels"),
    [
        ("left-out", False, [0, 1]),
        ("left-out", True, [0, 1]),
        ("refused", True, [0, 1, 2, 2]),
        ("refused", False, [0, 1]),
    ],
)
def test_characters_that_the_alphabet_lacks(tmp_path: Path, foreign: str, reject: bool, labels: list[int]) -> None:
    """An O is no 0 here, and not to be refused either: it looks like one. The alphabet knows 0 and 1."""
    source = save(tmp_path, images=inks(5), labels=np.array([0, 1, 2, 3, 4]), characters=np.array(list("01AOK")))
    source = dataclasses.replace(source, foreign=foreign)
    found = prepared(tmp_path, source, alphabet="01", reject=reject)
    assert found.training.labels.tolist() == labels
    shown = [0, 1, 2, 4][: len(labels)]
    assert np.array_equal(found.training.images, normalise(inks(5))[shown])
    assert (found.training.alternatives == NO_CHARACTER).all()
    assert found.sources[0].count == len(labels)


def test_what_is_judged_is_of_the_alphabet(tmp_path: Path) -> None:
    source = save(tmp_path, images=inks(3), labels=np.array([0, 1, 2]), characters=np.array(list("0A1")))
    source = dataclasses.replace(source, foreign="refused")
    recipe = dataclasses.replace(config(source, alphabet="01", reject=True), validation=(source,))
    assert prepare(recipe, str(tmp_path)).validation["set.npz"].labels.tolist() == [0, 1]


def test_unknown_case_allows_either(tmp_path: Path) -> None:
    source = save(
        tmp_path,
        images=inks(3),
        labels=np.array([0, 1, 2]),
        characters="cC7",
        case_known=np.array([False, True, False]),
    )
    found = prepared(tmp_path, source, alphabet="cC7").training
    assert found.labels.tolist() == [0, 1, 2]
    assert found.alternatives.tolist() == [1, NO_CHARACTER, NO_CHARACTER]  # a digit has no other case
    alone = prepared(tmp_path, save(tmp_path, images=inks(1), labels=np.zeros(1, int), characters="c",
                                    case_known=np.array([False])), alphabet="c7").training  # fmt: skip
    assert alone.alternatives.tolist() == [NO_CHARACTER]


def test_held_out_images_are_never_trained_on(shop: Path) -> None:
    found = prepared(shop, SourceConfig(data="signs.npz", held_out_fraction=0.25))
    (out,) = found.validation.values()
    assert len(found.training) == 90
    assert len(out) == 30
    assert np.bincount(out.labels).tolist() == [10, 10, 10]
    assert (out.repeats == 1).all()
    again = prepared(shop, SourceConfig(data="signs.npz", held_out_fraction=0.25))
    assert again.training.digest() == found.training.digest()


def test_validation_sets_stand_apart(shop: Path) -> None:
    recipe = config(SourceConfig(data="signs.npz"), validation=(SourceConfig(data="signs.npz"),))
    found = prepare(recipe, str(shop))
    assert len(found.training) == 120
    assert {name: len(part) for name, part in found.validation.items()} == {"signs.npz": 120}


def test_without_sources_the_given_data_is_the_source(shop: Path) -> None:
    found = prepare(config(), str(shop / "signs.npz"))
    assert len(found.training) == 108
    assert [len(part) for part in found.validation.values()] == [12]


def test_pictures_keep_their_cue(tmp_path: Path) -> None:
    (tmp_path / "photos" / "1").mkdir(parents=True)
    drawn = draw_text("1", height_px=40, pen=Pen(), paper=Paper(), rng=np.random.default_rng(0))
    Image.fromarray(drawn.image).save(tmp_path / "photos" / "1" / "a.png")
    found = prepared(tmp_path, SourceConfig(data="photos")).training
    single = single_character(tmp_path / "photos" / "1" / "a.png")
    assert found.pictures.all()
    assert np.array_equal(found.images[0, 0], single.glyph)
    assert np.array_equal(found.cues[0], single.cue)


@pytest.mark.parametrize("kind", ["synthetic", "non-characters", "pairs", "turned"])
def test_drawn_sources_are_the_same_by_the_same_seed(shop: Path, kind: str) -> None:
    first = SourceConfig(data="synthetic", count=30) if kind == "turned" else SourceConfig(data="signs.npz")
    rows = first, SourceConfig(data=kind, count=12, licence="own", origin="drawn")
    found, again, other = (prepared(shop, *rows, alphabet="012acm", reject=True, seed=seed) for seed in (1, 1, 2))
    assert found.training.digest() == again.training.digest() != other.training.digest()
    part = found.training.take(np.flatnonzero(found.training.origins == 1))
    assert len(part) == 12
    assert part.images.shape == (12, 1, 32, 32)
    assert part.images.max(axis=(1, 2, 3)).min() > 0
    assert found.sources[1].name == kind
    assert found.sources[1].count == 12
    assert found.sources[1].licence == "own"
    if kind == "synthetic":
        assert part.labels.max() < 6
    else:
        assert (part.labels == 6).all()


def test_turned_characters_are_those_of_the_sources_on_their_head(tmp_path: Path) -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 4:7] = 255  # an R of two strokes: nothing like it after any turn
    image[4:7, 4:20] = 255
    np.savez(tmp_path / "r.npz", images=image[None], labels=np.array([0]), characters=np.array("R"))
    rows = SourceConfig(data="r.npz"), SourceConfig(data="turned", count=3)
    found = prepared(tmp_path, *rows, alphabet="R", reject=True).training
    upright, mirrored, head, side = (i[0] for i in found.images)
    assert np.abs(mirrored.astype(int) - np.fliplr(upright)).max() < 40
    assert np.abs(head.astype(int) - np.rot90(upright, 2)).max() < 40
    assert min(np.abs(side.astype(int) - np.rot90(upright, k)).max() for k in (1, 3)) < 40
    assert found.labels.tolist() == [0, 1, 1, 1]


def test_every_source_is_announced(shop: Path) -> None:
    said: list[str] = []
    rows = SourceConfig(data="signs.npz"), SourceConfig(data="non-characters", count=1)
    prepare(config(*rows, reject=True), str(shop), said.append)
    assert said == ["signs.npz", "non-characters"]


@pytest.mark.parametrize(
    ("sources", "reject", "words"),
    [
        ((SourceConfig(data="non-characters", count=2),), False, "needs reject = true"),
        ((SourceConfig(data="pairs", count=2),), True, "needs another source before it"),
        ((SourceConfig(data="turned", count=2),), True, "with characters that it can turn"),
        ((SourceConfig(data="signs.npz"), SourceConfig(data="turned", count=2)), True, "that it can turn"),
        ((SourceConfig(data="nowhere.npz"),), False, "nowhere.npz"),
        ((SourceConfig(data="synthetic", count=2, characters="é"),), False, "'é' cannot be drawn"),
        ((SourceConfig(data="synthetic", count=2, characters="2A"),), False, "synthetic holds .A., which"),
    ],
)
def test_impossible_sources_are_refused(
    shop: Path, sources: tuple[SourceConfig, ...], reject: bool, words: str
) -> None:
    with pytest.raises(HandreadError, match=words):
        prepared(shop, *sources, reject=reject)


def test_pairs_need_characters(tmp_path: Path, shop: Path) -> None:
    rows = SourceConfig(data="synthetic", count=4), SourceConfig(data="pairs", count=2)
    with pytest.raises(ConfigError, match="found no characters"):
        prepared(shop, *rows, alphabet="1l", reject=True)


@pytest.mark.parametrize("kind", ["synthetic", "non-characters"])
def test_a_source_of_none_is_empty(shop: Path, kind: str) -> None:
    rows = SourceConfig(data="signs.npz"), SourceConfig(data=kind, count=0)
    assert len(prepared(shop, *rows, reject=True).training) == 120


def test_only_the_characters_asked_for_are_drawn(shop: Path) -> None:
    rows = SourceConfig(data="synthetic", count=8, characters="17"), SourceConfig(data="synthetic", count=20)
    found = prepared(shop, *rows, alphabet="digits").training
    assert sorted(found.labels[:8].tolist()) == [1, 1, 1, 1, 7, 7, 7, 7]
    assert sorted(found.labels[8:].tolist()) == sorted(2 * list(range(10)))


def test_a_drawn_letter_of_one_shape_may_be_of_either_case(shop: Path) -> None:
    found = prepared(shop, SourceConfig(data="synthetic", count=4), alphabet="sAaS").training
    assert found.alternatives[np.argsort(found.labels)].tolist() == [3, -1, -1, 0]


CHANGES: dict[str, Callable[[TrainingSet], np.ndarray]] = {
    name: lambda data, name=name: getattr(data, name) for name in TrainingSet.__slots__
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_digest_sees_every_array(shop: Path, name: str) -> None:
    found = prepared(shop, SourceConfig(data="signs.npz")).training
    changed = TrainingSet(*(getattr(found, n).copy() for n in TrainingSet.__slots__))
    array = getattr(changed, name)
    array.flat[0] = not array.flat[0] if array.dtype == bool else array.flat[0] + 1
    assert changed.digest() != found.digest()


def test_take_keeps_the_order(shop: Path) -> None:
    found = prepared(shop, SourceConfig(data="signs.npz")).training
    assert found.take(np.array([5, 0, 5])).labels.tolist() == [2, 0, 2]
