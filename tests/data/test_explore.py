"""explore on tiny sets whose every fact is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handread.alphabet import Alphabet
from handread.data import explore as module
from handread.data.explore import WHOLE_PICTURE, explore, findings, missing_classes, near_conflicts
from handread.data.images import LabelledImages
from handread.frame import Frame


def labelled(images: np.ndarray, labels: str, alphabet: str = "", **more: Any) -> LabelledImages:
    classes = Alphabet.of(alphabet or sorted(set(labels)))
    return LabelledImages("set", images, np.array([classes.index(c) for c in labels], np.int64), classes, **more)


def noise(count: int, side: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side)).astype(np.uint8)


def test_counts_and_values() -> None:
    images = np.zeros((4, 2, 3), np.uint8)
    images[0, 0, 0], images[1, 1, 2] = 255, 17
    images[2] = 9
    found = explore(labelled(images, "aabd", "abcd"))
    assert (found.n, found.alphabet, found.counts) == (4, "abcd", (2, 1, 0, 1))
    assert found.shapes == ((2, 3, 4),)
    assert (found.lowest, found.highest, found.levels) == (0, 255, 4)
    assert found.mean == pytest.approx((255 + 17 + 6 * 9) / 24)
    assert found.histogram == (22, 1, *(0,) * 13, 1)
    assert found.constant == (2, 3)
    assert found.imbalance == 2
    assert missing_classes(found) == "c"


def test_maps_are_those_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 3)
    images = noise(7)
    found = explore(labelled(images, "abababa"))
    assert found.mean_image == pytest.approx(images.mean(axis=0))
    assert found.spread == pytest.approx(images.std(axis=0), abs=1e-3)
    assert np.array_equal(found.reach, images.max(axis=0))


def test_the_crop_loses_nothing_and_cannot_be_smaller() -> None:
    images = np.zeros((3, 20, 30), np.uint8)
    images[0, 4:9, 10] = 200
    images[1, 6, 3:20] = 200
    images[2, 15, 25] = 10  # a smudge
    crop = explore(labelled(images, "abc")).crop
    assert crop is not None
    assert (crop.top, crop.left, crop.bottom, crop.right) == (4, 3, 16, 26)
    assert crop.window == (0.2, 0.1, 0.8, 0.867)
    assert Frame(window=crop.window).window == crop.window
    clear = explore(labelled(images, "abc")).clear_crop
    assert clear is not None
    assert (clear.top, clear.left, clear.bottom, clear.right) == (4, 3, 9, 20)


def test_without_ink_there_is_no_crop() -> None:
    found = explore(labelled(np.zeros((2, 4, 4), np.uint8), "ab"))
    assert (found.crop, found.clear_crop, found.constant) == (None, None, (0, 1))
    assert found.duplicates == found.conflicts == ()  # empty images are told once


def test_copies_and_contradictions() -> None:
    images = noise(6)
    images[3], images[5] = images[0], images[1]
    found = explore(labelled(images, "abcaba"))
    assert found.duplicates == ((0, 3),)
    assert found.conflicts == ((1, 5),)
    assert found.copies == 2
    assert found.near == ()


def test_nearly_the_same_with_another_label() -> None:
    images = noise(40)
    images[30:33] = images[:3]
    images[30:33, 0, :4] ^= 8
    labels = np.zeros(40, np.int64)
    labels[30:32] = 1  # item 32 agrees with its twin
    pairs = near_conflicts(images, labels)
    assert [(pair.first, pair.second) for pair in pairs] in ([(0, 30), (1, 31)], [(1, 31), (0, 30)])
    assert all(0 < pair.distance < 0.01 for pair in pairs)
    assert pairs == near_conflicts(images, labels)


def test_almost_every_near_copy_is_found() -> None:
    random = np.random.default_rng(3)
    images = np.zeros((1000, 16, 16), np.uint8)
    for image in images:  # strokes, not noise: as writing they lie close together
        top, left = random.integers(0, 8, 2)
        image[top : top + random.integers(3, 8), left : left + random.integers(1, 4)] = 230
        image[random.integers(0, 16), 2:12] = 180
    copies = images[:200].astype(int) + (images[:200] > 0) * random.integers(-12, 13, (200, 16, 16))
    both = np.concatenate([images, np.clip(copies, 0, 255).astype(np.uint8)])
    labels = np.repeat([0, 1], [1000, 200])
    pairs = {(pair.first, pair.second) for pair in near_conflicts(both, labels)}
    assert sum((k, 1000 + k) in pairs for k in range(200)) >= 195


@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_pairs_without_two_labels(count: int) -> None:
    assert near_conflicts(noise(count), np.zeros(count, np.int64)) == ()


def test_findings_name_what_is_wrong() -> None:
    images = noise(5) // 2 + 128
    images[1] = images[0]
    images[4] = 0
    found = explore(labelled(images, "abbbb", skipped=("x.png",)))
    said = findings(found)
    assert said[0] == "1 picture cannot be read; the first is x.png."
    assert "2 items share their very image with another label" in said[1]
    assert "1 image of a single value: nothing is written there." in said
    assert "The most frequent class has 4.0 times the items of the rarest." in said
    assert any("may be inverted" in sentence for sentence in explore_bright())


def explore_bright() -> tuple[str, ...]:
    return findings(explore(labelled(noise(4) // 2 + 128, "abab")))


def test_digits_that_are_missing_are_named() -> None:
    found = explore(labelled(noise(8), "01234567"))
    assert missing_classes(found) == "89"
    assert "No items of 89." in findings(found)


def test_an_empty_set() -> None:
    found = explore(labelled(np.zeros((0, 4, 4), np.uint8), "", "ab"))
    assert (found.n, found.counts, found.shapes, found.mean, found.imbalance) == (0, (0, 0), (), 0, 1)


def test_pictures_tell_their_own_size_and_the_crop_in_its_pixels(tmp_path: Path) -> None:
    Image.new("L", (120, 90)).save(tmp_path / "a.png")
    files = (str(tmp_path / "a.png"),) * 2
    frame = Frame(96, 96, window=WHOLE_PICTURE)
    images = np.zeros((2, 96, 96), np.uint8)
    images[:, 24:48, 48:72] = 255  # the picture is 72 rows high in the square, from row 12
    found = explore(labelled(images, "ab", frame=frame, files=files))
    assert found.shapes == ((90, 120, 2),)
    assert found.mean_image.shape == (72, 96)
    assert found.crop is not None
    assert (found.crop.top, found.crop.left, found.crop.bottom, found.crop.right) == (15, 60, 45, 90)
    Image.new("L", (50, 90)).save(tmp_path / "b.png")
    mixed = explore(labelled(images, "ab", frame=frame, files=(files[0], str(tmp_path / "b.png"))))
    assert mixed.crop is None
    assert mixed.mean_image.shape == (96, 96)
    assert len(mixed.shapes) == 2


def test_a_photograph_that_lies_on_its_side(tmp_path: Path) -> None:
    picture = Image.new("L", (40, 20))
    exif = picture.getexif()
    exif[274] = 6
    picture.save(tmp_path / "a.jpg", exif=exif)
    found = explore(labelled(noise(1, 96), "a", files=(str(tmp_path / "a.jpg"),)))
    assert found.shapes == ((40, 20, 1),)


def test_pictures_whose_files_are_gone() -> None:
    assert explore(labelled(noise(2), "ab", files=("gone/1.png", "gone/2.png"))).shapes == ((12, 12, 2),)


def test_writers_are_counted() -> None:
    found = explore(labelled(noise(3), "aba", writers=np.array([4, -1, 4], np.int32)))
    assert found.writers == 1


def test_json_holds_all_but_the_maps() -> None:
    images = noise(3)
    images[1] = images[0]
    raw = json.loads(explore(labelled(images, "aba")).to_json())
    assert raw["counts"] == [2, 1]
    assert raw["conflicts"] == [[0, 1]]
    assert raw["crop"]["window"] == [0, 0, 1, 1]
    assert raw["copies"] == 1
    assert isinstance(raw["findings"], list)
    assert "mean_image" not in raw
