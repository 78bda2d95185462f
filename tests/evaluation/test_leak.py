"""What was trained on is recognised: the very image, a copy of it, and a share of a large set by a small sample."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.card import ModelCard, Seen
from handread.data.images import LabelledImages
from handread.data.synthetic import synthetic_characters
from handread.errors import DataError, ModelError
from handread.evaluation import leak as module
from handread.evaluation.leak import Leak, SeenList, at_least, find_leak, joined_sketch, list_beside, seen_list
from handread.frame import DEFAULT_FRAME, Frame
from handread.imaging.glyph import normalise

TINY = Frame(8, 8, 6)


def inputs(images: np.ndarray, frame: Frame = DEFAULT_FRAME) -> LabelledImages:
    """A set of network inputs, uint8 (N, height, width), all labelled 0."""
    return LabelledImages("set", images, np.zeros(len(images), np.int64), Alphabet.of("digits"), frame=frame)


def noise(count: int, seed: int) -> np.ndarray:
    """Inputs of 8 x 8 pixels of which no two are alike."""
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8)).astype(np.uint8)


def drawn(count: int, seed: int) -> np.ndarray:
    """Ink of drawn characters, uint8 (count, 64, 64)."""
    return synthetic_characters(count, seed=seed, size=64).images


@pytest.fixture(scope="module")
def pens() -> tuple[np.ndarray, np.ndarray]:
    """The same characters by two hands."""
    return drawn(124, 1), drawn(124, 2)


@pytest.fixture(scope="module")
def known(pens: tuple[np.ndarray, np.ndarray]) -> SeenList:
    return seen_list(normalise(pens[0]))


def jpeg(image: np.ndarray) -> np.ndarray:
    paper = cv2.imencode(".jpg", 255 - image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return 255 - cv2.imdecode(paper, cv2.IMREAD_GRAYSCALE)


def resized(scale: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    ("change", "least"),
    [(jpeg, 0.6), (resized(2.0), 0.45), (resized(0.75), 0.08), (lambda ink: np.pad(ink, 17), 1.0)],
    ids=["compressed", "enlarged", "reduced", "on a larger sheet"],
)
def test_a_copy_is_found(
    pens: tuple[np.ndarray, np.ndarray], known: SeenList, change: Callable[[np.ndarray], np.ndarray], least: float
) -> None:
    copies = inputs(normalise([change(ink) for ink in pens[0]])[:, 0])
    found = find_leak(copies, known, DEFAULT_FRAME)
    assert found.alike is not None
    assert found.leaks
    assert found.alike.found >= least * found.n


def test_another_hand_is_not_found(pens: tuple[np.ndarray, np.ndarray], known: SeenList) -> None:
    """124 x 124 pairs, two of each class by either hand; bars, everybody's 1 and l, are not compared."""
    found = find_leak(inputs(normalise(pens[1])[:, 0]), known, DEFAULT_FRAME)
    assert found.same is not None
    assert found.alike is not None
    assert (found.n, found.same.found, found.alike.found, found.items, found.leaks) == (124, 0, 0, (), False)
    assert 0.7 * 124 < len(known.looks) < 124


def test_the_list_tells_exactly_which() -> None:
    seen, others = noise(40, 1), noise(40, 2)
    found = find_leak(inputs(np.concatenate([others[:3], seen[:2], others[3:8]]), TINY), seen_list(seen), TINY)
    assert found.same is not None
    assert (found.known, found.trained_on, found.items) == ("list", 40, (3, 4))
    assert (found.same.found, found.same.share, found.same.interval95) == (2, 0.2, (0.2, 0.2))
    assert found.sentence.startswith("2 of 10 items (20 %) were trained on; figures on them flatter")


def test_images_of_any_size_are_laid_out_first() -> None:
    ink = drawn(12, 3)
    raw = LabelledImages("raw", ink, np.zeros(12, np.int64), Alphabet.of("digits"))
    found = find_leak(raw, seen_list(normalise(ink[4:])), DEFAULT_FRAME)
    assert found.items == tuple(range(4, 12))
    with pytest.raises(DataError, match="load it for that"):
        find_leak(inputs(noise(3, 1), TINY), seen_list(noise(3, 1)), DEFAULT_FRAME)


def test_blank_inputs_are_no_copies_of_each_other() -> None:
    blank = np.zeros((5, 8, 8), np.uint8)
    listed = seen_list(np.concatenate([blank, noise(3, 1)]))
    assert (listed.count, len(listed.images)) == (3, 3)
    found = find_leak(inputs(blank, TINY), listed, TINY)
    assert (found.n, found.leaks) == (0, False)
    assert find_leak(inputs(blank, TINY), listed.sketch(), TINY).sentence == ""


def test_nothing_is_claimed_where_nothing_is_known() -> None:
    found = find_leak(inputs(noise(3, 1), TINY), None, TINY)
    assert (found.known, found.same, found.sentence) == ("unknown", None, "")
    assert found.told == "not known: the model does not tell what it was trained on"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_sample_estimates_the_share_without_bias(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """150 draws of 240 items against a sample of one in six of 360 images, by their hashes alone."""
    monkeypatch.setattr(module, "SAMPLE", 60)
    rng = np.random.default_rng(1)
    estimates, covered = [], 0
    for _ in range(150):
        hashes = rng.integers(1, 2**64, 600, dtype=np.uint64)
        old, new = hashes[:360], hashes[360:]
        search = module._Search(module._Sample.unpacked(module._Sample.of(np.unique(old)).packed()))
        search.ask(np.concatenate([old[: round(240 * share)], new[: 240 - round(240 * share)]])[:, None])
        found = module._estimated(search, search.inside, 1.0, 0.0)
        estimates.append(found.share)
        covered += found.interval95[0] - 1e-9 <= share <= found.interval95[1] + 1e-9
    assert abs(np.mean(estimates) - share) <= 3 * np.std(estimates) / 150**0.5 + 1e-3
    assert covered >= 0.92 * 150


def test_a_sample_warns_of_half_a_set_and_not_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 60)
    sketch = seen_list(noise(360, 1)).sketch()
    half = find_leak(inputs(np.concatenate([noise(360, 1)[:120], noise(120, 2)]), TINY), sketch, TINY)
    assert half.same is not None
    assert (half.known, half.trained_on, half.leaks) == ("sample", 360, True)
    assert half.same.interval95[0] < 0.5 < half.same.interval95[1]
    assert half.sentence.startswith("about ")
    assert not find_leak(inputs(noise(240, 2), TINY), sketch, TINY).leaks


def test_a_sample_tells_of_copies_too(
    pens: tuple[np.ndarray, np.ndarray], known: SeenList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SAMPLE", 40)
    sketch = known.sketch()
    copies = inputs(normalise([jpeg(ink) for ink in pens[0]])[:, 0])
    found = find_leak(copies, sketch, DEFAULT_FRAME)
    assert found.same is not None
    assert (found.known, found.same.found, found.leaks) == ("sample", 0, True)
    assert found.sentence.startswith("at least ")
    others = find_leak(inputs(normalise(pens[1])[:, 0]), sketch, DEFAULT_FRAME)
    assert not others.leaks
    assert others.told.startswith("none found; the card's sample of 124 images would tell of ")


def test_the_sample_of_two_sets_is_that_of_both_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 50)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        one, two = (seen_list(noise(int(rng.integers(1, 200)), 100 * seed + side)) for side in (1, 2))
        joined = joined_sketch(one.sketch(), two.sketch())
        whole = one.joined(two).sketch()
        assert joined is not None
        assert (joined.count, joined.complete) == (whole.count, True) == (one.count + two.count, True)
        a, b = module._Sample.unpacked(joined.images), module._Sample.unpacked(whole.images)
        shift = max(a.shift, b.shift)
        a, b = a._cut(shift), b._cut(shift)
        fewer = min(len(a.units), len(b.units))
        assert np.array_equal(a.units[:fewer], b.units[:fewer])
        assert min(50, len(one.images) + len(two.images)) - fewer <= 2


def test_what_is_joined_with_the_unknown_is_incomplete() -> None:
    sketch = seen_list(noise(5, 1)).sketch()
    assert joined_sketch(None, None) is None
    assert joined_sketch(None, sketch) == dataclasses.replace(sketch, complete=False) == joined_sketch(sketch, None)
    found = find_leak(inputs(noise(3, 2), TINY), joined_sketch(None, sketch), TINY)
    assert found.told.endswith("of what it was trained on before that, nothing is known")


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101, 5000])
def test_a_sample_is_packed_without_loss_of_its_order(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE", 100)
    hashes = np.unique(np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64))
    text = module._Sample.of(hashes).packed()
    back = module._Sample.unpacked(text)
    assert back.packed() == text
    assert (back.below is None) == (count <= 100)
    assert np.array_equal(back.units, np.unique(hashes[:100] >> np.uint64(back.shift))[: len(back.units)])
    assert len(back.units) >= min(count, 100) - 1
    if count == 5000:
        assert back.rate == pytest.approx(100 / 5000, rel=0.4)


def test_a_sample_of_a_large_set_takes_8_kilobytes() -> None:
    rng = np.random.default_rng(1)
    images, looks = (np.unique(rng.integers(0, 2**64, 40_000, dtype=np.uint64)) for _ in range(2))
    sketch = SeenList(40_000, images, looks).sketch()
    card = ModelCard("m", "1", "01", seen=sketch)
    assert len(card.to_json()) - len(ModelCard("m", "1", "01").to_json()) < 8200
    assert ModelCard.from_json(card.to_json()) == card
    assert card.described()["seen"] == {"count": 40_000, "complete": True}


@pytest.mark.parametrize("expected", [0.001, 0.7, 5.0, 300.0])
def test_chance_is_poissons(expected: float) -> None:
    terms = [Decimal(-expected).exp()]  # exact as far as 28 digits go, and summed from either end
    for count in range(1, 900):
        terms.append(terms[-1] * Decimal(expected) / count)
    for count in (0, 1, 2, 9, 250, 400):
        assert at_least(count, expected) == pytest.approx(float(sum(terms[count:])), rel=1e-6, abs=1e-12)
    assert at_least(1, 0.0) == 0.0


def test_a_list_is_kept_whole(tmp_path: Path) -> None:
    listed = dataclasses.replace(seen_list(noise(30, 1)), complete=False)
    listed.save(tmp_path / "seen.npz")
    back = SeenList.load(tmp_path / "seen.npz")
    assert (back.count, back.complete) == (30, False)
    assert np.array_equal(back.images, listed.images)
    assert np.array_equal(back.looks, listed.looks)
    content = (tmp_path / "seen.npz").read_bytes()
    listed.save(tmp_path / "seen.npz")
    assert (tmp_path / "seen.npz").read_bytes() == content


def saved(save: Callable[..., None] = np.savez, **change: Any) -> bytes:
    """A list of two images, changed."""
    stream = io.BytesIO()
    arrays = {"about": np.array([2, 1], np.uint64), "images": np.array([3, 9], np.uint64),
              "looks": np.array([4], np.uint64)}  # fmt: skip
    save(stream, **{name: array for name, array in (arrays | change).items() if array is not None})
    return stream.getvalue()


def lying() -> bytes:
    """A list whose header promises 10 ** 15 numbers."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved())) as good, zipfile.ZipFile(stream, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name).replace(b"(2,), }" + 15 * b" ", b"(1000000000000000,), }"))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        saved()[:-40],
        saved(looks=None),
        saved(images=np.array([9, 3], np.uint64)),
        saved(images=np.array([3, 3], np.uint64)),
        saved(images=np.array([3, 9], np.int64)),
        saved(images=np.array([[3, 9]], np.uint64)),
        saved(images=np.array([None, {}], object)),
        saved(about=np.array([2], np.uint64)),
        saved(more=np.zeros(3, np.uint64)),
        saved(np.savez_compressed, images=np.zeros(10**6, np.uint64)),
        lying(),
    ],
    ids=["empty", "begun", "cut", "an array short", "unsorted", "twice", "signed", "square", "objects", "about little",
         "one too many", "packed", "lying"],
)  # fmt: skip
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "seen.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"remove it|holds more than") as caught:
        SeenList.load(tmp_path / "seen.npz")
    assert "\n" not in str(caught.value)


def test_only_the_list_of_this_very_model_counts(tmp_path: Path) -> None:
    listed, other = seen_list(noise(30, 1)), seen_list(noise(30, 2))
    model = tmp_path / "model.onnx"
    assert list_beside(model, listed.sketch()) is None
    listed.save(tmp_path / "seen.npz")
    beside = list_beside(model, listed.sketch())
    assert beside is not None
    assert beside.count == 30
    assert list_beside(model, other.sketch()) is None
    assert list_beside(model, None) is None


GOOD = seen_list(noise(5, 1)).sketch()


@pytest.mark.parametrize(
    "seen",
    [
        [], 3, {}, {"count": 1}, {"count": 1, "images": GOOD.images}, {**dataclasses.asdict(GOOD), "more": 1},
        *({**dataclasses.asdict(GOOD), **change} for change in (
            {"count": -1}, {"count": True}, {"count": "5"}, {"complete": 1}, {"images": 3}, {"images": ""},
            {"images": "AAA"}, {"looks": "????"}, {"looks": "AAAA"}, {"looks": "/wAA"}, {"looks": "AEAAAA=="},
            {"images": "A" * 20_000},
        )),
    ],
)  # fmt: skip
def test_a_card_with_a_damaged_sample_is_refused(seen: object) -> None:
    plain = ModelCard("m", "1", "01", seen=GOOD).to_plain()
    with pytest.raises(ModelError, match="the model card is damaged"):
        ModelCard.from_json(json.dumps({**plain, "seen": seen}))


def test_cards_of_older_formats_have_no_sample() -> None:
    plain = ModelCard("m", "1", "01").to_plain()
    assert "seen" not in plain
    for number in (1, 2):
        assert ModelCard.from_json(json.dumps({**plain, "format": number})).seen is None
    assert isinstance(ModelCard("m", "1", "01", seen=GOOD).seen, Seen)


def test_a_leak_goes_through_json_and_damage_is_seen() -> None:
    found = find_leak(inputs(noise(9, 1), TINY), seen_list(noise(4, 1)), TINY)
    raw = json.loads(json.dumps(dataclasses.asdict(found)))
    assert Leak.from_plain(raw) == found
    for change in (
        {"known": "guessed"},
        {"items": ["1"]},
        {"same": {}},
        {"more": 1},
        {"same": {**raw["same"], "share": 2}},
    ):
        with pytest.raises((ValueError, TypeError, KeyError)):
            Leak.from_plain({**raw, **change})
