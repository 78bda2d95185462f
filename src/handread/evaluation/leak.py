"""Was a model trained on what it is measured on? Found out by hashes of the images that it saw.

Each image that a run trains on, as the network's input before any variation, leaves two hashes of 64 bits:

- one of its pixels: equal hashes are equal images;
- one of its look: which way each of the 96 lowest frequencies of its cosine transform goes (a perceptual hash, as in
  Zauner 2010), folded into 64 bits (Zobrist 1970). Whoever asks tries every way of turning the eight that are least
  certain in his image (multi-probe hashing, Lv et al. 2007): what was saved again, rescaled or compressed mostly has
  one of these looks, another person's character hardly ever.

A finished run keeps all hashes in RUN/seen.npz. The model's card carries the smallest of each kind: of hashes, these
are a sample by chance, the same one whoever draws it (bottom-k sketch, Broder 1997). An image of the data whose hash is
small enough to belong to it is there or was not trained on; so the share of the data that was is estimated without
bias. A character drawn by Handread, and what is no character, is not counted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.card import Seen
from handread.data.atomic import write_atomic
from handread.data.bounds import opened_zip
from handread.data.images import LabelledImages
from handread.errors import DataError
from handread.evaluation.metrics import wilson_interval
from handread.frame import Frame

if TYPE_CHECKING:
    from handread.types import ModelInput

Hashes = npt.NDArray[np.uint64]

FILE = "seen.npz"
"""Name of the list in a run folder."""
SAMPLE = 1500
"""Hashes of a kind that a card carries: 4 KB of its file."""
BITS = 96
"""Frequencies that make a look. With fewer, different people's characters look the same; with more, no copy does."""
TURNED = 8
"""Least certain ones of them that are tried both ways."""
BY_CHANCE = 1e-8
"""Probability that a stranger's character looks like one certain trained image. Found of EMNIST's validation part
against 94,558 images: 1 of 2,844; of MNIST's test file against 27,755: 0 of 2,700."""
SURE = 0.001
"""Probability below which what was found is no chance any more."""

_NONE = np.uint64(0)
"""Stands for "no hash"."""
_BAR = 0.45
"""Ink narrower than this part of its height is a bar: everybody's 1 and l look the same."""
_CLEAR = 96
"""Level from which a pixel counts as ink when that is judged."""
_ROWS = 2048
_TINY = 1e-12
_KNOWN = ("list", "sample", "unknown")
_ARRAYS = ("about", "images", "looks")


@dataclass(frozen=True, slots=True, eq=False)
class SeenList:
    """The hashes of all images that a model was trained on."""

    count: int
    """Images, copies counted too."""
    images: Hashes
    """uint64 (A,), ascending, each once."""
    looks: Hashes
    """uint64 (B,), ascending, each once; bars have none."""
    complete: bool = True
    """False where the model saw others too, of which nothing is known."""

    def save(self, path: Path) -> None:
        """Write it as NPZ: `images`, `looks` and `about`, the latter `count` and `complete`, all uint64 (N,)."""
        stream = io.BytesIO()
        about = np.array([self.count, self.complete], np.uint64)
        np.savez(stream, about=about, images=self.images, looks=self.looks)
        write_atomic(path, stream.getvalue())

    @classmethod
    def load(cls, path: Path) -> SeenList:
        """Read what `save` wrote; raises `DataError` for a file that is damaged or something else."""
        try:
            with opened_zip(path, len(_ARRAYS)) as file:
                size = path.stat().st_size
                if any(member.compress_type or member.file_size > size for member in file.infolist()):
                    raise ValueError("it is packed")
                about, images, looks = (_vector(file.read(f"{name}.npy")) for name in _ARRAYS)
        except (
            OSError,
            ValueError,
            KeyError,
            RuntimeError,
            NotImplementedError,
            EOFError,
            zipfile.BadZipFile,
        ) as error:
            raise DataError(f"{path} is no list of what a run trained on ({error}); remove it") from None
        if len(about) != 2 or not all((part[1:] > part[:-1]).all() for part in (images, looks)):
            raise DataError(f"{path} is no list of what a run trained on (its numbers are no hashes); remove it")
        return cls(int(about[0]), images, looks, bool(about[1]))

    def joined(self, other: SeenList) -> SeenList:
        """Both lists as one."""
        return SeenList(
            self.count + other.count,
            np.union1d(self.images, other.images),
            np.union1d(self.looks, other.looks),
            self.complete and other.complete,
        )

    def sketch(self, most: int | None = None) -> Seen:
        """What a card carries of it: at most `most` hashes of a kind, `SAMPLE` if nothing is said."""
        images, looks = (_Sample.of(hashes, most).packed() for hashes in (self.images, self.looks))
        return Seen(self.count, images, looks, self.complete)


def seen_list(images: ModelInput, rows: npt.NDArray[np.int64] | None = None) -> SeenList:
    """The list of network inputs, uint8 (N, 1, height, width), or of the given `rows` of them; not of blank ones.

    `images` may be one of `handread.training.stored`: some megabytes of it are asked for at a time.
    """
    chosen = np.arange(len(images)) if rows is None else rows
    found, looks = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for first in range(0, len(chosen), _ROWS):
        part = images[chosen[first : first + _ROWS]]
        found.append(image_hashes(part))
        looks.append(look_hashes(part)[:, 0])
    count = sum(int(np.count_nonzero(part)) for part in found)
    return SeenList(count, _sorted(found), _sorted(looks))


def joined_sketch(first: Seen | None, second: Seen | None) -> Seen | None:
    """The sample of both sets of images together; of one alone where nothing is known of the other, and it says so."""
    if first is None or second is None:
        known = first or second
        return None if known is None else Seen(known.count, known.images, known.looks, complete=False)
    pairs = ((first.images, second.images), (first.looks, second.looks))
    images, looks = (_Sample.unpacked(a).joined(_Sample.unpacked(b)).packed() for a, b in pairs)
    return Seen(first.count + second.count, images, looks, complete=first.complete and second.complete)


def image_hashes(images: ModelInput) -> Hashes:
    """uint64 (N,): BLAKE2b of each image's pixels; 0 for one without ink."""
    found = np.zeros(len(images), np.uint64)
    for place, image in enumerate(np.ascontiguousarray(images)):
        if image.any():
            found[place] = int.from_bytes(hashlib.blake2b(image.data, digest_size=8).digest(), "little")
    return found


def look_hashes(images: ModelInput, *, turned: int = 0) -> Hashes:
    """uint64 (N, 2 ** turned): the look of each image first, then those with its least certain frequencies turned.

    0 for an image without ink and for a bar, which say nothing of who drew them.
    """
    flat = images.reshape(len(images), *images.shape[-2:])
    waves = _waves(flat.astype(np.float32))
    up = waves > 0
    words = _words(waves.shape[1])
    looks = np.zeros((len(flat), 1 << turned), np.uint64)
    looks[:, 0] = np.bitwise_xor.reduce(np.where(up, words, _NONE), axis=1)
    unsure = words[np.argsort(np.abs(waves), axis=1)[:, :turned]]
    for place in range(min(turned, waves.shape[1])):
        half = 1 << place
        looks[:, half : 2 * half] = looks[:, :half] ^ unsure[:, place, None]
    looks[_bars(flat)] = _NONE
    return looks


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many items of a set are found among what a model was trained on."""

    looked_up: int
    """Items that could be found: all, or those whose hash the sample would hold."""
    found: int
    share: float
    """Estimated share (0..1) of the set that was trained on; exact with the whole list."""
    interval95: tuple[float, float]
    """Of `share`; without width where it is exact."""
    chance: float
    """Probability (0..1) that as many are found where none was trained on."""


@dataclass(frozen=True, slots=True)
class Leak:
    """What is known of whether the items of an evaluation were trained on."""

    known: str
    """``list``: all images that were trained on are known; ``sample``: some are, by the card; ``unknown``: none."""
    trained_on: int = 0
    """Images that the list or the sample stands for."""
    complete: bool = False
    """False where the model saw other images too, of which nothing is known."""
    n: int = 0
    """Items of the evaluation, blank ones left out."""
    same: Overlap | None = None
    """Items whose very input was trained on."""
    alike: Overlap | None = None
    """Items that look like something trained on: the same ones, and copies that were rescaled or saved again."""
    items: tuple[int, ...] = ()
    """Places of the items found, from 0."""

    @classmethod
    def from_plain(cls, raw: dict[str, Any]) -> Leak:
        """What JSON has of it; raises `ValueError` or `TypeError` for something else."""
        same, alike = (None if raw[name] is None else _overlap(raw[name]) for name in ("same", "alike"))
        found = cls(**raw | {"same": same, "alike": alike, "items": tuple(raw["items"])})
        if found.known not in _KNOWN or not all(type(item) is int for item in found.items):
            raise ValueError(f"what is known of its training is {found.known!r}")
        return found

    @property
    def leaks(self) -> bool:
        """True where some of the items were trained on, by more than chance explains."""
        return _is_clear(self.same) or _is_clear(self.alike)

    @property
    def sentence(self) -> str:
        """What was found and what to do, in one sentence; empty where nothing was."""
        same, alike = self.same, self.alike
        if same is None or alike is None or not self.leaks:
            return ""
        told = same if _is_clear(same) else alike
        if self.known == "list":
            what = "were trained on" if told is same else "look like copies of images that were trained on"
            more = alike.found - same.found if told is same and _is_clear(alike) else 0
            copies = f", and {more:,} more look like copies of such" if more else ""
            said = f"{told.found:,} of {self.n:,} items ({_percent(told.share)}) {what}{copies}"
        else:
            low, high = (_percent(share) for share in told.interval95)
            least = "about" if told is same else "at least"
            said = f"{least} {_percent(told.share)} of {self.n:,} items (95 %: {low} to {high}) were trained on"
        return f"{said}; figures on them flatter the model, measure it on a test part or on other writers"

    @property
    def told(self) -> str:
        """What is known, whether something was found or not, in one phrase."""
        if self.same is None:
            return "not known: the model does not tell what it was trained on"
        if self.leaks:
            return self.sentence.partition(";")[0]
        before = "" if self.complete else "; of what it was trained on before that, nothing is known"
        if self.known == "list":
            return f"none, nor copies of them; all {self.trained_on:,} images that it was trained on are known{before}"
        return (
            f"none found; the card's sample of {self.trained_on:,} images would tell of {self.same.looked_up:,} "
            f"of {self.n:,} items, and of copies{before}"
        )


def find_leak(data: LabelledImages, known: SeenList | Seen | None, frame: Frame) -> Leak:
    """Look for the items of `data` among what a model that takes `frame` was trained on.

    Raises `DataError` for inputs made for another frame, which cannot be compared.
    """
    if data.frame is not None and data.frame != frame:
        raise DataError(f"{data.name} was loaded for inputs of {data.frame}, the model takes {frame}; load it for that")
    if known is None:
        return Leak("unknown")
    if isinstance(known, Seen):
        images, looks = _Sample.unpacked(known.images), _Sample.unpacked(known.looks)
    else:
        images, looks = _Sample(known.images), _Sample(known.looks)
    same, alike = _Search(images), _Search(looks)
    for part in _parts(data, frame):
        same.ask(image_hashes(part)[:, None])
        alike.ask(look_hashes(part, turned=TURNED))
    found = same.found | alike.found
    strangers = min(1.0, BY_CHANCE * known.count)
    if images.below is None and looks.below is None:
        kind = "list"
        exact = _counted(same.found, same.asked, same.mistaken)
        near = _counted(found, same.asked, alike.mistaken + strangers * alike.asked)
    else:
        kind = "sample"
        exact = _estimated(same, same.inside, 1.0, 0.0)
        near = _estimated(alike, alike.asked, looks.rate, strangers)
    return Leak(kind, known.count, known.complete, same.asked, exact, near, tuple(np.flatnonzero(found).tolist()))


def list_beside(model: Path, seen: Seen | None) -> SeenList | None:
    """The list in the run folder where `model` lies, if it is the one of which `seen`, from the model's card, is a
    sample; else None. Raises `DataError` where it is damaged."""
    path = model.parent / FILE
    if seen is None or not path.is_file():
        return None
    found = SeenList.load(path)
    return found if found.sketch() == seen else None


def _parts(data: LabelledImages, frame: Frame) -> Iterator[ModelInput]:
    """The items as network inputs, uint8 (N, height, width), some at a time."""
    from handread.imaging.glyph import normalise  # OpenCV, only where it is needed

    for first in range(0, len(data), _ROWS):
        part = data.images[first : first + _ROWS]
        yield part if data.frame == frame else normalise(part, frame)[:, 0]


def _overlap(raw: dict[str, Any]) -> Overlap:
    low, high = raw["interval95"]
    found = Overlap(**raw | {"interval95": (float(low), float(high))})
    if not all(0 <= float(value) <= 1 for value in (found.share, found.chance, low, high)):
        raise ValueError(f"a share that was trained on is {found.share}")
    return found


def _is_clear(part: Overlap | None) -> bool:
    return part is not None and part.found > 0 and part.chance < SURE


def _counted(found: npt.NDArray[np.bool_], count: int, by_chance: float) -> Overlap:
    """Found where every image is known."""
    hits = int(found.sum())
    share = hits / count if count else 0.0
    return Overlap(count, hits, share, (share, share), at_least(hits, by_chance))


def _estimated(search: _Search, could: int, rate: float, strangers: float) -> Overlap:
    """`could` items might have been found, each with probability `rate`; of others the share `strangers` looks so."""
    hits, mistaken = int(search.found.sum()), search.mistaken
    if not could:
        return Overlap(0, hits, 0.0, (0.0, 1.0), 1.0)

    def share(found: float) -> float:
        return min(1.0, max(0.0, found - mistaken) / max(could * rate - mistaken, _TINY))

    low, high = wilson_interval(hits, could)
    chance = at_least(hits, mistaken + could * rate * strangers)
    return Overlap(could, hits, share(hits), (share(low * could), share(high * could)), chance)


def at_least(count: int, expected: float) -> float:
    """Probability of `count` or more where `expected` are, by Poisson's law (1837)."""
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    if count <= expected:
        return max(0.0, 1 - sum(_exactly(fewer, expected) for fewer in range(count)))
    term, at = _exactly(count, expected), count
    total = term
    while term > 1e-17 * total:  # summed from its largest term down, a small tail keeps its digits
        at += 1
        term *= expected / at
        total += term
    return min(1.0, total)


def _exactly(count: int, expected: float) -> float:
    return math.exp(count * math.log(expected) - expected - math.lgamma(count + 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """The smallest of a set of hashes, each cut to its first 64 - `shift` bits."""

    units: Hashes
    """uint64 (K,), ascending, each once."""
    shift: int = 0
    below: int | None = None
    """All hashes of the set that are smaller than this, once cut, are here; None: all of them."""

    @property
    def rate(self) -> float:
        """Probability that a hash belongs to the sample."""
        return 1.0 if self.below is None else self.below / self._numbers

    @property
    def density(self) -> float:
        """Probability that a number in the sample's range is in the sample by chance."""
        return len(self.units) / (self._numbers if self.below is None else max(1, self.below))

    @property
    def _numbers(self) -> int:
        return int(1 << (64 - self.shift))

    @classmethod
    def of(cls, hashes: Hashes, most: int | None = None) -> _Sample:
        """The `most` smallest (`SAMPLE`) of uint64 (N,), ascending, each once."""
        return cls(hashes)._of_size(most)

    def joined(self, other: _Sample) -> _Sample:
        """The sample of both sets."""
        shift = max(self.shift, other.shift)
        one, two = self._cut(shift), other._cut(shift)
        ends = [part.below for part in (one, two) if part.below is not None]
        units = np.union1d(one.units, two.units)
        below = min(ends) if ends else None
        return _Sample(units if below is None else units[units < below], shift, below)._of_size()

    def _of_size(self, most: int | None = None) -> _Sample:
        most = SAMPLE if most is None else most
        if len(self.units) <= most:
            return self
        return _Sample(self.units[:most], self.shift, int(self.units[most]))

    def _cut(self, shift: int) -> _Sample:
        """With fewer bits; what stood beside the end may fall out."""
        fewer = shift - self.shift
        units = np.unique(self.units >> np.uint64(fewer))
        below = None if self.below is None else self.below >> fewer
        return _Sample(units if below is None else units[units < below], shift, below)

    def packed(self) -> str:
        """Base64 of a byte that is 1 where the set is whole, a byte of `shift`, and the steps from number to number.

        Each step is a whole number of two bytes, the lower first; as many bits are cut off as that takes. The last
        number is the end, unless the set is whole.
        """
        sample, steps = self, self._steps()
        while steps.size and steps.max() > 0xFFFF:
            sample = sample._cut(sample.shift + max(1, int(steps.max()).bit_length() - 16))
            steps = sample._steps()
        content = bytes([sample.below is None, sample.shift]) + steps.astype("<u2").tobytes()
        return base64.b64encode(content).decode()

    def _steps(self) -> Hashes:
        numbers = self.units if self.below is None else np.append(self.units, np.uint64(self.below))
        return np.diff(numbers, prepend=_NONE)

    @classmethod
    def unpacked(cls, text: str) -> _Sample:
        """What `packed` wrote."""
        content = base64.b64decode(text)
        numbers = np.cumsum(np.frombuffer(content[2:], "<u2").astype(np.uint64), dtype=np.uint64)
        if content[0] or not len(numbers):
            return cls(numbers, content[1])
        return cls(numbers[:-1], content[1], int(numbers[-1]))


class _Search:
    """Asks a sample for hashes and keeps count."""

    def __init__(self, sample: _Sample) -> None:
        self.sample = sample
        self.asked = 0
        """Items with a hash."""
        self.inside = 0
        """Hashes in the sample's range."""
        self._found = [np.zeros(0, np.bool_)]

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """bool (N,): an item of which at least one hash is in the sample."""
        return np.concatenate(self._found)

    @property
    def mistaken(self) -> float:
        """Hashes expected to be found though no such image was seen, because a sample's numbers are short."""
        return self.inside * self.sample.density

    def ask(self, hashes: Hashes) -> None:
        """uint64 (N, P), 0 for none."""
        there = hashes != _NONE
        units = hashes >> np.uint64(self.sample.shift)
        inside = there if self.sample.below is None else there & (units < np.uint64(self.sample.below))
        self.asked += int(there.any(axis=1).sum())
        self.inside += int(inside.sum())
        known = self.sample.units
        if not len(known):
            self._found.append(np.zeros(len(hashes), np.bool_))
            return
        place = np.minimum(np.searchsorted(known, units), len(known) - 1)
        self._found.append((inside & (known[place] == units)).any(axis=1))


def _waves(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """float32 (N, up to `BITS`): the lowest frequencies of the cosine transform but the mean, lowest first."""
    height, width = images.shape[1:]
    down, across = _cosines(height), _cosines(width)
    rows, columns = np.indices((len(down), len(across)))
    order = np.lexsort((rows.ravel(), (rows + columns).ravel()))[1 : BITS + 1]
    return np.asarray((down @ images @ across.T).reshape(len(images), -1)[:, order], dtype=np.float32)


@functools.cache
def _cosines(size: int) -> npt.NDArray[np.float32]:
    """float32 (F, size): the first waves of a cosine transform."""
    waves = np.arange(min(size, _FREQUENCIES))[:, None]
    return np.asarray(np.cos(np.pi * waves * (np.arange(size) + 0.5) / size), dtype=np.float32)


_FREQUENCIES = 14
"""Along each side; the lowest 96 of both sides together are among them."""


@functools.cache
def _words(count: int) -> Hashes:
    """uint64 (count,): numbers by which a look is folded, the same everywhere."""
    made = [hashlib.blake2b(b"look %d" % place, digest_size=8).digest() for place in range(count)]
    return np.array([int.from_bytes(word, "little") for word in made], dtype=np.uint64)


def _bars(images: ModelInput) -> npt.NDArray[np.bool_]:
    """bool (N,): images (N, height, width) of hardly more than an upright stroke, or of nothing."""
    inked = images > _CLEAR
    tall = inked.any(axis=2).sum(axis=1)
    wide = inked.any(axis=1).sum(axis=1)
    return np.asarray(wide <= _BAR * tall, dtype=np.bool_)


def _sorted(parts: list[Hashes]) -> Hashes:
    found = np.unique(np.concatenate(parts))
    return np.asarray(found[found != _NONE], dtype=np.uint64)


def _vector(content: bytes) -> Hashes:
    """A stored array uint64 (N,), of which nothing is taken but numbers."""
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype != np.uint64 or len(shape) != 1 or stream.tell() + 8 * shape[0] != len(content):
        raise ValueError(f"it holds {dtype} {shape}")
    return np.frombuffer(content, np.uint64, offset=stream.tell())


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
