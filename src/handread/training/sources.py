"""What a run trains on: every source through the one normalisation, in one set of arrays.

Sources are data (`handread.load_data`) or drawn: ``synthetic`` characters, ``non-characters`` (shapes, blots,
other scripts) and ``pairs`` (two characters of the sources before it side by side: no single character).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import DataSource
from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.data.mapped import blocks_of, is_mapped
from handread.data.reader import TRAINING
from handread.data.split import held_out, last
from handread.decode import look_alikes
from handread.errors import ConfigError
from handread.frame import DEFAULT_FRAME, Frame
from handread.imaging.cues import CENTRES, CUES, SIZES, unknown_cues
from handread.imaging.glyph import bounds_of_all, normalise
from handread.training.config import SourceConfig, TrainConfig
from handread.training.stored import content, joined, stored

if TYPE_CHECKING:
    from handread.types import ModelInput

_AT_ONCE = 4096
"""Rows that are copied at once to be laid out."""

NO_CHARACTER = -1
"""In `TrainingSet.alternatives`: the label is certain."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Normalised inputs with their targets; every array has one row an image."""

    images: npt.NDArray[np.uint8]
    """uint8 (N, 1, height, width); of a large stored set an array only in the rows that are taken
    (`handread.training.stored`)."""
    labels: npt.NDArray[np.int64]
    """int64 (N,); len(alphabet) is "no character"."""
    alternatives: npt.NDArray[np.int64]
    """int64 (N,); the other class that the label may mean (EMNIST's unknown case), or -1."""
    cues: npt.NDArray[np.float32]
    """float32 (N, 4); where the source was a picture its own cue, else the one of its stored frame."""
    pictures: npt.NDArray[np.bool_]
    """bool (N,); True where the cue was measured in a real picture."""
    repeats: npt.NDArray[np.float32]
    """float32 (N,); expected number of times an epoch shows the image."""
    origins: npt.NDArray[np.int16]
    """int16 (N,); index of the source."""

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.int64]) -> TrainingSet:
        """The given rows, in order."""
        return TrainingSet(*(getattr(self, name)[rows] for name in self.__slots__))

    def relabelled(self, places: npt.NDArray[np.int64]) -> TrainingSet:
        """Class k becomes class ``places[k]``; other classes of doubtful labels likewise."""
        others = np.where(self.alternatives >= 0, places[self.alternatives], NO_CHARACTER)
        return dataclasses.replace(self, labels=places[self.labels], alternatives=others)

    def digest(self) -> str:
        """Checksum of everything that is trained on: a resumed run must see the same."""
        total = hashlib.sha256()
        for name in self.__slots__:
            for piece in content(getattr(self, name)):
                total.update(np.ascontiguousarray(piece).view(np.uint8).data)
        return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """The two parts of the data of a run, and what the card says of them."""

    training: TrainingSet
    validation: dict[str, TrainingSet]
    """By source; never trained on."""
    sources: tuple[DataSource, ...]
    skipped: tuple[str, ...] = ()
    """Pictures that could not be read and were left out because the caller asked for it."""


def prepare(
    config: TrainConfig,
    data: str,
    progress: Callable[[str], None] = lambda name: None,
    *,
    frame: Frame = DEFAULT_FRAME,
    skip_broken: bool = False,
) -> Prepared:
    """Load everything a recipe names and lay it into `frame`; `data` is the --data of the command line.

    `skip_broken` leaves out pictures that cannot be read and names them.

    Raises `DataError` or `ConfigError` naming the source that fails.
    """
    alphabet = Alphabet.of(config.alphabet)
    rows = config.sources or (SourceConfig(data="", held_out_fraction=0.1),)
    parts: list[TrainingSet] = []
    validation: dict[str, TrainingSet] = {}
    cards: list[DataSource] = []
    skipped: list[str] = []
    for index, source in enumerate(rows):
        progress(source.data or data)
        if source.data in _DRAWN:
            if source.data != "synthetic" and not config.reject:
                raise ConfigError(f"the source {source.data!r} needs reject = true: it has no character in it")
            part = _DRAWN[source.data](source, alphabet, config.seed + index, parts, frame)
            name, kept = source.data, part
        else:
            loaded = load_data(
                _locate(source, data), split=source.split or TRAINING, frame=frame, skip_broken=skip_broken
            )
            name = source.data or loaded.name
            skipped += loaded.skipped
            if source.count and source.count < len(loaded):
                loaded = loaded.take(
                    np.sort(np.random.default_rng(config.seed).permutation(len(loaded))[: source.count])
                )
            loaded, strangers = _without_foreign(loaded, alphabet, source, config.reject)
            own = np.ones(len(loaded), np.bool_)
            if source.held_out_fraction:
                chosen = last if source.held_out == "last" else partial(held_out, seed=config.seed)
                own = ~chosen(loaded, source.held_out_fraction)
                validation[name] = _from_images(loaded.take(~own), alphabet, 1.0, index, frame)
            if is_mapped(loaded.images):
                kept = _left_stored(loaded, own, alphabet, source.repeat, index, frame)
            else:
                kept = _of_rows(loaded, own, alphabet, source.repeat, index, frame)
            if strangers is not None:
                kept = join([kept, _refused(strangers, alphabet, source.repeat, index, frame)])
        parts.append(kept)
        cards.append(DataSource(name, len(kept), source.licence, source.origin))
    for source in config.validation:
        progress(source.data)
        loaded = load_data(_locate(source, data), split=source.split or None, frame=frame, skip_broken=skip_broken)
        skipped += loaded.skipped
        loaded, _ = _without_foreign(loaded, alphabet, source, reject=False)
        validation[source.data] = _from_images(loaded, alphabet, 1.0, -1, frame)
    return Prepared(join(parts), validation, tuple(cards), tuple(skipped))


def _locate(source: SourceConfig, data: str) -> str:
    if not source.data:
        return data
    below = Path(data) / source.data
    return str(below) if below.exists() else source.data


def _without_foreign(
    data: LabelledImages, alphabet: Alphabet, source: SourceConfig, reject: bool
) -> tuple[LabelledImages, LabelledImages | None]:
    """The items that the alphabet knows, and those to be refused; all the rest is left out, as `source` asks for."""
    known = np.array([c in alphabet for c in data.alphabet], dtype=np.bool_)
    if source.foreign == "error" or known.all():
        return data, None
    own = data.take(known[data.labels])
    if source.foreign == "left-out" or not reject:
        return own, None
    # what looks like one of the alphabet, an O among digits, is neither that nor to be refused
    return own, data.take(~look_alikes(data.alphabet, alphabet)[data.labels])


def _refused(data: LabelledImages, alphabet: Alphabet, repeat: float, origin: int, frame: Frame) -> TrainingSet:
    """Characters of other alphabets as no character."""
    known = data.cues is not None
    cues = data.cues if data.cues is not None else _frame_cues(data.images)
    none = np.full(len(data), len(alphabet), np.int64)
    return _rows(data.as_input(frame).images[:, None], none, cues, repeat, origin, pictures=known)


def join(parts: list[TrainingSet]) -> TrainingSet:
    """All rows of all parts, in order."""
    images, *others = TrainingSet.__slots__
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in others]
    return TrainingSet(joined([getattr(part, images) for part in parts]), *columns)


def characters_of(data: LabelledImages, alphabet: Alphabet, frame: Frame) -> TrainingSet:
    """A loaded set as rows to train on, each seen once an epoch; raises `ConfigError` for an unknown character."""
    return _from_images(data, alphabet, 1.0, 0, frame)


def _from_images(data: LabelledImages, alphabet: Alphabet, repeat: float, origin: int, frame: Frame) -> TrainingSet:
    return _laid_out(data, data.as_input(frame).images[:, None], alphabet, repeat, origin)


def _left_stored(
    data: LabelledImages, own: npt.NDArray[np.bool_], alphabet: Alphabet, repeat: float, origin: int, frame: Frame
) -> TrainingSet:
    """The rows that `own` marks, (N,), of a set whose images stay in their file."""
    rows = np.flatnonzero(own)
    return _with_images(data, rows, alphabet, repeat, origin, stored(data.images, rows, frame))


def _of_rows(
    data: LabelledImages, own: npt.NDArray[np.bool_], alphabet: Alphabet, repeat: float, origin: int, frame: Frame
) -> TrainingSet:
    """The rows that `own` marks, (N,); at no time are they there twice before they are laid out."""
    rows = np.flatnonzero(own)
    images = np.empty((len(rows), 1, *frame.shape), np.uint8)
    for first in range(0, len(rows), _AT_ONCE):
        some = data.take(rows[first : first + _AT_ONCE])
        images[first : first + _AT_ONCE] = some.as_input(frame).images[:, None]
    return _with_images(data, rows, alphabet, repeat, origin, images)


def _with_images(
    data: LabelledImages,
    rows: npt.NDArray[np.int64],
    alphabet: Alphabet,
    repeat: float,
    origin: int,
    images: ModelInput,
) -> TrainingSet:
    """`rows` of `data`, with `images` in place of theirs."""
    whole = _laid_out(data, np.zeros((len(data), 0), np.uint8), alphabet, repeat, origin)
    return dataclasses.replace(whole.take(rows), images=images)


def _laid_out(
    data: LabelledImages, images: npt.NDArray[np.uint8], alphabet: Alphabet, repeat: float, origin: int
) -> TrainingSet:
    labels = _classes(data, alphabet)
    alternatives = np.full(len(data), NO_CHARACTER, dtype=np.int64)
    if data.case_known is not None:
        other_case = np.array([_other_case(alphabet, c) for c in alphabet], dtype=np.int64)
        alternatives = np.where(data.case_known, NO_CHARACTER, other_case[labels])
    known = data.cues is not None
    cues = data.cues if data.cues is not None else _frame_cues(data.images)
    return _rows(images, labels, cues, repeat, origin, alternatives=alternatives, pictures=known)


def _classes(data: LabelledImages, alphabet: Alphabet) -> npt.NDArray[np.int64]:
    """Classes of the recipe's alphabet, which must know every character that occurs, not all that could."""
    missing = [c for c in (data.alphabet[i] for i in np.unique(data.labels).tolist()) if c not in alphabet]
    if missing:
        raise ConfigError(
            f"{data.name} holds {', '.join(map(repr, missing))}, which the recipe's alphabet {alphabet.name!r} lacks; "
            "add them to it or leave the set out"
        )
    places = [alphabet.index(c) if c in alphabet else NO_CHARACTER for c in data.alphabet]
    return np.array(places, dtype=np.int64)[data.labels]


def _rows(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    cues: npt.NDArray[np.float32],
    repeat: float,
    origin: int,
    *,
    alternatives: npt.NDArray[np.int64] | None = None,
    pictures: bool = False,
) -> TrainingSet:
    count = len(images)
    return TrainingSet(
        images=images,
        labels=labels.astype(np.int64),
        alternatives=np.full(count, NO_CHARACTER, np.int64) if alternatives is None else alternatives,
        cues=cues.astype(np.float32),
        pictures=np.full(count, pictures),
        repeats=np.full(count, repeat, np.float32),
        origins=np.full(count, origin, np.int16),
    )


def _other_case(alphabet: Alphabet, character: str) -> int:
    other = character.swapcase()
    return alphabet.index(other) if other != character and other in alphabet else NO_CHARACTER


def _frame_cues(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What `picture_cue` would say of each stored frame: size-normalised frames say nothing, and the network
    has to learn that they do."""
    cues = unknown_cues(len(images))
    first = 0
    for block in blocks_of(images):
        cues[first : first + len(block)] = _cues_of_block(block)
        first += len(block)
    return cues


def _cues_of_block(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    # ink_bounds and picture_cue for all images at once: millions of them are minutes one by one
    inked, (top, bottom, _, _) = bounds_of_all(images)
    side = images.shape[1]
    cues = np.zeros((len(images), CUES))
    cues[:, 0] = 1
    cues[:, 2] = np.clip((bottom - top) / side, *SIZES)
    cues[:, 3] = np.clip(1 - (top + (bottom - top) / 2) / side, *CENTRES)
    cues[~inked] = 0
    return cues.astype(np.float32)


def _synthetic(
    source: SourceConfig, alphabet: Alphabet, seed: int, before: list[TrainingSet], frame: Frame
) -> TrainingSet:
    from handread.data.synthetic import synthetic_characters

    drawn = synthetic_characters(source.count, alphabet=source.characters or alphabet, seed=seed)
    # the case of a letter whose two cases have one shape is lost with its size
    rows = _laid_out(drawn, normalise(drawn.images, frame), alphabet, source.repeat, len(before))
    return dataclasses.replace(rows, cues=unknown_cues(len(drawn)))


def _non_characters(
    source: SourceConfig, alphabet: Alphabet, seed: int, before: list[TrainingSet], frame: Frame
) -> TrainingSet:
    from handread.data.synthetic import non_characters

    drawn = normalise(non_characters(source.count, seed=seed), frame)
    labels = np.full(len(drawn), len(alphabet), np.int64)
    return _rows(drawn, labels, unknown_cues(len(drawn)), source.repeat, len(before))


_THIN = frozenset("1lIijtrfJ|")
"""Characters of which two side by side can make a third (cl: d, ll: H, vv: w is rarer and left to chance)."""


def _pairs(source: SourceConfig, alphabet: Alphabet, seed: int, before: list[TrainingSet], frame: Frame) -> TrainingSet:
    if not before:
        raise ConfigError("the source 'pairs' needs another source before it, to take characters from")
    rng = np.random.default_rng(seed)
    images = joined([p.images for p in before])
    labels = np.concatenate([p.labels for p in before])
    thin = np.array([c in _THIN for c in alphabet] + [True])
    usable = np.flatnonzero(~thin[labels])
    if not len(usable):
        raise ConfigError("the source 'pairs' found no characters in the sources before it")
    height, width = frame.shape
    upright: list[npt.NDArray[np.uint8]] = []
    sheets = np.zeros((source.count, height, 2 * width + 16), dtype=np.uint8)
    for sheet in sheets:
        first, second = images[rng.choice(usable, 2)][:, 0]
        stacked = rng.random() < 0.3  # one above the other: the same on its side
        if stacked:
            first, second = np.rot90(first), np.rot90(second)
        gap = int(rng.integers(-3, 9))
        drop = int(rng.integers(-4, 5))
        right = int(np.flatnonzero(first.max(axis=0) > 60).max(initial=0)) + 1
        left = int(np.flatnonzero(second.max(axis=0) > 60).min(initial=width))
        sheet[:, :width] = first
        start = right + gap - left
        a, b = max(0, start), min(sheet.shape[1], start + width)
        moved = np.roll(second, drop, axis=0)[:, a - start : b - start]
        sheet[:, a:b] = np.maximum(sheet[:, a:b], moved)
        upright.append(np.rot90(sheet, 3) if stacked else sheet)
    none = np.full(len(sheets), len(alphabet), np.int64)
    return _rows(normalise(upright, frame), none, unknown_cues(len(sheets)), source.repeat, len(before))


_MIRRORED = "BFGKNRaegk4"
_UPSIDE_DOWN = "AFGKRTYaegk"
_ON_ITS_SIDE = "ABFGKRaefgk48"
"""Characters that are none any more when they are mirrored (not E, a 3), stand on their head or lie on their side."""


def _turned(
    source: SourceConfig, alphabet: Alphabet, seed: int, before: list[TrainingSet], frame: Frame
) -> TrainingSet:
    """Characters of the sources before, mirrored or turned: real pens, and nothing that the alphabet knows."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([p.labels for p in before]) if before else np.zeros(0, np.int64)
    chosen = []
    for characters, turn in ((_MIRRORED, np.fliplr), (_UPSIDE_DOWN, _half_turn), (_ON_ITS_SIDE, _quarter_turn)):
        usable = np.flatnonzero(np.isin(labels, [alphabet.index(c) for c in characters if c in alphabet]))
        # all characters equally often, however many there are of each
        shares = 1 / np.bincount(labels[usable], minlength=len(alphabet))[labels[usable]] if len(usable) else usable
        if len(usable):
            rows = rng.choice(usable, -(-source.count // 3), p=shares / shares.sum())
            chosen += [(row, turn) for row in rows]
    if not chosen:
        raise ConfigError("the source 'turned' needs another source before it, with characters that it can turn")
    images = joined([p.images for p in before])
    sheets = np.stack([turn(images[row][0]) for row, turn in chosen[: source.count]])
    none = np.full(len(sheets), len(alphabet), np.int64)
    return _rows(normalise(sheets, frame), none, unknown_cues(len(sheets)), source.repeat, len(before))


def _half_turn(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.rot90(image, 2)


def _quarter_turn(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.rot90(image, 1 if image[0].sum() % 2 else 3)


_DRAWN = {"synthetic": _synthetic, "non-characters": _non_characters, "pairs": _pairs, "turned": _turned}
