"""explore: what a labelled set holds, before anything is trained on it. Reads arrays, writes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.alphabet import NAMED
from handread.data.images import LabelledImages

if TYPE_CHECKING:
    from handread.types import Doubles, Progress


WHOLE_PICTURE = (0.0, 0.0, 1.0, 1.0)
"""The window of a frame that shows a picture as it is: so explored, a picture tells where its ink stands."""
CLEAR = 64
"""Ink from which a pixel is clearly no smudge (0 paper .. 255 full ink)."""
NEAR = 0.15
"""Two images are nearly the same when their ink differs by at most this share of what either has."""
BINS = 16
"""Equal parts of 0..255 in the histogram."""
_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Crop:
    """Rows and columns that hold ink in at least one image; outside, all images are paper. In pixels of the image, or
    of the picture files where they all have one size."""

    top: int
    left: int
    bottom: int
    """First row below."""
    right: int
    """First column to the right."""
    window: tuple[float, float, float, float]
    """The same as fractions of the image (top, left, bottom, right), as a recipe's window takes them."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two items with nearly the same image and different labels."""

    first: int
    second: int
    distance: float
    """Sum of the differences of ink over the sum of the larger ink at each pixel (Ruzicka), 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """What is in a set of N labelled images; items are named by their place, from 0."""

    name: str
    n: int
    alphabet: str
    """The classes in order."""
    counts: tuple[int, ...]
    """Items of each class."""
    shapes: tuple[tuple[int, int, int], ...]
    """(height, width, how many), most frequent first; of the picture files where there are any."""
    writers: int
    """Known writers; 0 when nothing is known of them."""
    skipped: tuple[str, ...]
    """Pictures that cannot be read."""
    constant: tuple[int, ...]
    """Items all of whose pixels are equal: nothing is written there."""
    lowest: int
    highest: int
    """Range of the pixels, 0 paper .. 255 ink."""
    mean: float
    levels: int
    """Different pixel values in the whole set."""
    histogram: tuple[int, ...]
    """Pixels in each of 16 equal parts of 0..255."""
    duplicates: tuple[tuple[int, ...], ...]
    """Groups of items with the very same image and the same label, constant ones aside."""
    conflicts: tuple[tuple[int, ...], ...]
    """Groups of items with the very same image and different labels, constant ones aside."""
    near: tuple[NearPair, ...]
    """Nearly the same images with different labels, the nearest first."""
    mean_image: Doubles
    """float64 (H, W), 0..255."""
    spread: Doubles
    """float64 (H, W), standard deviation of each pixel."""
    reach: npt.NDArray[np.uint8]
    """uint8 (H, W), the most ink that any image has at each pixel."""
    crop: Crop | None
    """The smallest window that loses no ink at all; None when there is none, or when pictures differ in shape."""
    clear_crop: Crop | None
    """The smallest window that loses no clear ink; None as above."""

    @property
    def imbalance(self) -> float:
        """Items of the most frequent class over those of the rarest that occurs; 1 is even."""
        there = [count for count in self.counts if count]
        return max(there) / min(there) if there else 1.0

    @property
    def copies(self) -> int:
        """Items that repeat the image of an earlier one."""
        return sum(len(group) - 1 for group in (*self.duplicates, *self.conflicts))

    def to_json(self) -> str:
        """All but the three maps as one JSON object."""
        maps = ("mean_image", "spread", "reach")
        plain: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in maps
        }
        for name in ("crop", "clear_crop"):
            plain[name] = None if plain[name] is None else dataclasses.asdict(plain[name])
        plain["near"] = [dataclasses.asdict(pair) for pair in self.near]
        plain |= {"imbalance": self.imbalance, "copies": self.copies, "findings": list(findings(self))}
        return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def explore(data: LabelledImages, progress: Progress = lambda done, total: None) -> Exploration:
    """Look at every image of `data`. Takes a few seconds for 70,000 of 28 x 28 pixels.

    Pictures should come in a frame whose window is `WHOLE_PICTURE`, so that the maps and the crop are those of the
    picture; arrays as they are. An empty set gives zeros. `progress` is called with images looked at and their total.
    """
    shapes = _shapes(data)
    images = _without_bands(data, shapes)
    size = _one_size(data, shapes)
    values = np.zeros(256, np.int64)
    total = np.zeros(images.shape[1:], np.float64)
    squares = np.zeros(images.shape[1:], np.float64)
    reach = np.zeros(images.shape[1:], np.uint8)
    constant: list[npt.NDArray[np.bool_]] = []
    for done, part in enumerate(_batches(images), start=1):
        progress(min(done * _BATCH, len(images)), len(images))
        values += np.bincount(part.reshape(-1), minlength=256)
        wide = part.astype(np.float32)
        total += wide.sum(axis=0, dtype=np.float64)
        squares += np.einsum("nhw,nhw->hw", wide, wide, dtype=np.float64)
        reach = np.maximum(reach, part.max(axis=0))
        flat = part.reshape(len(part), -1)
        constant.append(flat.max(axis=1) == flat.min(axis=1))
    count = max(len(images), 1)
    mean_image = total / count
    same = np.concatenate(constant) if constant else np.zeros(0, np.bool_)
    duplicates, conflicts = _duplicates(images, data.labels, same)
    used = np.flatnonzero(values)
    return Exploration(
        name=data.name,
        n=len(data),
        alphabet="".join(data.alphabet),
        counts=tuple(np.bincount(data.labels, minlength=len(data.alphabet)).tolist()),
        shapes=shapes,
        writers=0 if data.writers is None else len(np.unique(data.writers[data.writers >= 0])),
        skipped=data.skipped,
        constant=tuple(np.flatnonzero(same).tolist()),
        lowest=int(used[0]) if used.size else 0,
        highest=int(used[-1]) if used.size else 0,
        mean=float(values @ np.arange(256)) / max(int(values.sum()), 1),
        levels=int(used.size),
        histogram=tuple(values.reshape(BINS, -1).sum(axis=1).tolist()),
        duplicates=duplicates,
        conflicts=conflicts,
        near=near_conflicts(images, data.labels),
        mean_image=mean_image,
        spread=np.sqrt(np.maximum(squares / count - mean_image**2, 0.0)),
        reach=reach,
        crop=_crop(reach, 1, size),
        clear_crop=_crop(reach, CLEAR, size),
    )


def findings(found: Exploration) -> tuple[str, ...]:
    """What whoever trains on the set should know, one sentence each, the gravest first."""
    said = []
    if found.skipped:
        said.append(f"{_many(len(found.skipped), 'picture')} cannot be read; the first is {found.skipped[0]}.")
    if found.conflicts:
        held = sum(map(len, found.conflicts))
        said.append(f"{held:,} items share their very image with another label: one of the two must be wrong.")
    if found.near:
        said.append(f"{_many(len(found.near), 'pair')} of nearly the same image have different labels.")
    if found.constant:
        said.append(f"{_many(len(found.constant), 'image')} of a single value: nothing is written there.")
    if found.duplicates:
        held = sum(len(group) - 1 for group in found.duplicates)
        said.append(f"{_many(held, 'item')} repeat the image and label of an earlier one; keep copies in one split.")
    if found.mean > 127 and found.n:
        said.append("Most of every image is bright: it may be inverted, ink should be bright on dark.")
    missing = missing_classes(found)
    if missing:
        said.append(f"No items of {missing}.")
    if found.imbalance > 2:
        said.append(f"The most frequent class has {found.imbalance:.1f} times the items of the rarest.")
    if 0 < found.levels <= 16 and found.n:
        said.append(f"Only {found.levels} pixel values occur: the images are hard-edged or coarse.")
    if len(found.shapes) > 1:
        said.append(f"{_many(len(found.shapes), 'size')} of image; all are brought to one.")
    return tuple(said)


def missing_classes(found: Exploration) -> str:
    """Characters without items: of the set's classes, and of digits or letters where it has most of them."""
    there = {c for c, held in zip(found.alphabet, found.counts, strict=True) if held}
    expected = set(found.alphabet)
    for name in ("digits", "upper", "lower"):
        group = set(NAMED[name])
        if len(there & group) > len(group) / 2:
            expected |= group
    return "".join(sorted(expected - there))


def near_conflicts(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> tuple[NearPair, ...]:
    """Pairs of nearly the same image (`NEAR`, but not equal) with different labels, the nearest first.

    Candidates come from locality-sensitive hashing of 8 x 8 reductions (Charikar 2002, random hyperplanes), each
    then compared pixel by pixel: a pair may be missed, none is invented. Deterministic.
    """
    if len(images) < 2 or len(np.unique(labels)) < 2:
        return ()
    vectors = _reductions(images)
    pairs: set[tuple[int, int]] = set()
    for bucket in _buckets(vectors):
        kinds = labels[bucket]
        if (kinds == kinds[0]).all():
            continue
        alike = vectors[bucket] @ vectors[bucket].T > _ALIKE
        first, second = np.nonzero(alike & (kinds[:, None] < kinds[None]))
        pairs.update(zip(bucket[first].tolist(), bucket[second].tolist(), strict=True))
    found = []
    for a, b in pairs:
        one, other = images[a].astype(np.int32), images[b].astype(np.int32)
        distance = int(np.abs(one - other).sum()) / max(int(np.maximum(one, other).sum()), 1)
        if 0 < distance <= NEAR:
            found.append(NearPair(min(a, b), max(a, b), distance))
    return tuple(sorted(found, key=lambda pair: (pair.distance, pair.first, pair.second)))


_ALIKE = 0.985
"""Cosine of two reductions below which the images are not worth comparing."""
_TABLES, _BITS, _LARGEST_BUCKET = 4, 18, 1024


def _reductions(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """float32 (N, 64) of length one: means over an 8 x 8 grid; zeros for an image without ink."""
    height, width = images.shape[1:]
    down, across = _means(height), _means(width)
    reduced = np.concatenate([down @ part.astype(np.float32) @ across.T for part in _batches(images)])
    flat = reduced.reshape(len(images), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, 1e-6), dtype=np.float32)


def _means(size: int) -> npt.NDArray[np.float32]:
    """float32 (8, size): each row averages an eighth of `size` pixels."""
    edges = np.linspace(0, size, 9)
    low = np.maximum(edges[:-1, None], np.arange(size)[None])
    high = np.minimum(edges[1:, None], np.arange(size)[None] + 1)
    return np.asarray(np.maximum(high - low, 0) * 8 / size, dtype=np.float32)


def _buckets(vectors: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.int64]]:
    """Places of vectors that fall together under random hyperplanes, several times over."""
    random = np.random.default_rng(0)
    centred = vectors - vectors.mean(axis=0)
    for _ in range(_TABLES):
        planes = random.standard_normal((vectors.shape[1], _BITS + 1)).astype(np.float32)
        sides = centred @ planes
        codes = (sides[:, :_BITS] > 0) @ (1 << np.arange(_BITS))
        order = np.lexsort((sides[:, _BITS], codes))
        edges = np.flatnonzero(np.diff(codes[order], prepend=-1, append=-1))
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if end - start < 2:
                continue
            # a crowded bucket is walked in overlapping windows along one more direction
            for low in range(start, max(end - _LARGEST_BUCKET // 2, start + 1), _LARGEST_BUCKET // 2):
                yield order[low : min(low + _LARGEST_BUCKET, end)]


def _duplicates(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], constant: npt.NDArray[np.bool_]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    groups: dict[bytes, list[int]] = {}
    for item in np.flatnonzero(~constant).tolist():
        groups.setdefault(hashlib.blake2b(images[item].tobytes(), digest_size=16).digest(), []).append(item)
    repeated = [tuple(group) for group in groups.values() if len(group) > 1]
    mixed = [len(set(labels[list(group)].tolist())) > 1 for group in repeated]
    return (
        tuple(group for group, odd in zip(repeated, mixed, strict=True) if not odd),
        tuple(group for group, odd in zip(repeated, mixed, strict=True) if odd),
    )


def _crop(reach: npt.NDArray[np.uint8], level: int, size: tuple[int, int] | None) -> Crop | None:
    rows = np.flatnonzero((reach >= level).any(axis=1))
    columns = np.flatnonzero((reach >= level).any(axis=0))
    if size is None or not rows.size:
        return None
    down, across = size[0] / reach.shape[0], size[1] / reach.shape[1]
    # rounded outwards, so that neither pixels nor fractions lose anything
    top, left = math.floor(rows[0] * down + _TINY), math.floor(columns[0] * across + _TINY)
    bottom, right = math.ceil((rows[-1] + 1) * down - _TINY), math.ceil((columns[-1] + 1) * across - _TINY)
    window = (
        math.floor(1000 * top / size[0]) / 1000, math.floor(1000 * left / size[1]) / 1000,
        math.ceil(1000 * bottom / size[0]) / 1000, math.ceil(1000 * right / size[1]) / 1000,
    )  # fmt: skip
    return Crop(top, left, bottom, right, window)


_TINY = 1e-9


def _one_size(data: LabelledImages, shapes: tuple[tuple[int, int, int], ...]) -> tuple[int, int] | None:
    """The size in whose pixels a crop is told; None where pictures of several shapes share a square."""
    if data.frame is None or data.frame.window != WHOLE_PICTURE:
        return data.images.shape[1], data.images.shape[2]
    return shapes[0][:2] if len(shapes) == 1 else None


def _shapes(data: LabelledImages) -> tuple[tuple[int, int, int], ...]:
    sizes: dict[tuple[int, int], int] = {}
    for file in data.files or ():
        size = _picture_shape(file)
        if size is not None:
            sizes[size] = sizes.get(size, 0) + 1
    if not sizes and len(data):
        height, width = data.images.shape[1:]
        sizes[height, width] = len(data)
    return tuple((h, w, held) for (h, w), held in sorted(sizes.items(), key=lambda entry: (-entry[1], entry[0])))


def _picture_shape(file: str) -> tuple[int, int] | None:
    """Height and width of a picture as it is looked at; None where its file is gone."""
    from PIL import Image  # only where there are pictures

    with contextlib.suppress(OSError, ValueError, SyntaxError), Image.open(file) as picture:
        lies = picture.getexif().get(274, 1) >= 5  # Exif orientation: turned by a quarter
        return picture.size if lies else picture.size[::-1]
    return None


def _without_bands(data: LabelledImages, shapes: tuple[tuple[int, int, int], ...]) -> npt.NDArray[np.uint8]:
    """The images without the bands that a square frame lays beside pictures of another, common shape."""
    frame = data.frame
    aspects = {round(height / width, 3) for height, width, _ in shapes}
    if frame is None or frame.window != WHOLE_PICTURE or len(aspects) != 1:
        return data.images
    height, width = shapes[0][:2]
    scale = min(frame.height / height, frame.width / width)
    above, before = round((frame.height - height * scale) / 2), round((frame.width - width * scale) / 2)
    return data.images[:, above : frame.height - above, before : frame.width - before]


def _batches(images: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    return (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
