"""From a folder of somebody's characters and a finished recogniser to a recogniser of that hand."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from handread.alphabet import Alphabet
from handread.card import DataSource, ModelCard
from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.data.reader import TRAINING
from handread.data.split import split_off
from handread.errors import DataError, ModelError
from handread.evaluation.leak import joined_sketch, seen_list
from handread.imaging.strokes import CHARACTERS
from handread.networks.base import Network
from handread.networks.build import build_network
from handread.runtime import store
from handread.training.config import SourceConfig, TrainConfig
from handread.training.export import export_network
from handread.training.finetune import LearnConfig, between, fine_tune, logits_of
from handread.training.restore import restore_exported
from handread.training.sources import TrainingSet, characters_of, join, prepare

if TYPE_CHECKING:
    from handread.types import Progress

HELD_OUT = 0.2
"""Share of the pictures on which it is decided how far to move."""
ENOUGH = 40
"""With fewer pictures held out nothing can be decided by them: all are learned from ..."""
CAUTIOUS = 0.7
"""... and so far it goes, or the whole way where there is a new character, which the old weights do not know."""
SHARES = (0.0, 0.25, 0.5, 0.7, 0.85, 1.0)
"""How far from the old weights to the new ones: the choices."""
DRAWN, SCRIBBLED = 6_000, 2_000
"""Characters and scribbles drawn to rehearse with."""
NEVER = -4.0
"""Bias of a new character in a network that has not seen it yet."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it; accuracies are shares of right first guesses, 0..1."""

    path: Path
    pictures: int
    """Learned from, held-out ones included."""
    held_out: int
    before: float
    """On the held-out pictures; NaN where there are too few."""
    after: float
    share: float
    """How far the weights moved towards the new ones."""
    new_characters: str
    """Characters that the old recogniser did not know."""
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearnWatcher:
    """What the caller wants to hear."""

    loading: Progress = lambda done, total: None
    """Pictures read of their total."""
    stage: Callable[[str], None] = lambda sentence: None
    step: Progress = lambda done, total: None


def learn(
    data: str,
    start: str | Path,
    out: Path,
    *,
    validate: str | None = None,
    config: LearnConfig | None = None,
    skip_broken: bool = False,
    watcher: LearnWatcher | None = None,
) -> Learned:
    """Learn the characters in `data` on top of the recogniser `start` (a shipped name or a file) and write `out`.

    A part of the pictures is held out, by writers where they are known, or `validate` names others: by them it is
    chosen how far to move from the old weights, then everything is learned from once more. Characters that `start`
    does not know become new classes. Raises `DataError` and `ModelError`; nothing is written then.
    """
    config, watcher = config or LearnConfig(), watcher or LearnWatcher()
    restored = restore_exported(store.load(start), str(start))
    old_card = restored.card
    items = load_data(data, split=TRAINING, frame=old_card.frame, skip_broken=skip_broken, progress=watcher.loading)
    if not len(items):
        raise DataError(f"{data} holds no pictures to learn from")
    known = Alphabet.of(old_card.alphabet)
    new = "".join(dict.fromkeys(c for c in items.characters() if c not in known))
    alphabet = Alphabet.of(known.characters + tuple(new)) if new else known
    old = extended(restored.network, restored.kind, len(known), len(new), old_card.has_none)
    own, held = _held_out(items, validate, old_card, config.seed, alphabet)
    watcher.stage("drawing characters to rehearse with")
    lesson = _Lesson(old, alphabet, len(known), _rehearsal(alphabet, old_card, config.seed), config, watcher.step)
    way = _Way(1.0 if new else CAUTIOUS, float("nan"), float("nan"))
    if held is not None:
        watcher.stage(f"learning {len(own):,} pictures, {len(held):,} held out to judge by")
        learned = lesson.learned(own)
        way = lesson.chosen(learned, held)
        if validate is None:
            own = join([own, held])
    if validate is None:
        watcher.stage(f"learning all {len(own):,} pictures")
        learned = lesson.learned(own)
    scores = dict(old_card.scores)
    if held is not None:
        scores[f"held out of {items.name}, before"] = round(way.before, 5)
        scores[f"held out of {items.name}"] = round(way.after, 5)
    card = ModelCard(
        name=out.stem, version="1", alphabet="".join(alphabet), temperature=old_card.temperature,
        accept_above=old_card.accept_above, ink_above=old_card.ink_above, alphabet_above=old_card.alphabet_above,
        has_none=old_card.has_none, has_cues=old_card.has_cues,
        data=(*old_card.data, DataSource(items.name, len(items), "", "learned on top")),
        recipe=f"handread learn, from {old_card.name} {old_card.version}", scores=scores, licence=old_card.licence,
        seen=joined_sketch(old_card.seen, seen_list(own.images).sketch()),
    ).with_frame(old_card.frame)  # fmt: skip
    export_network(lesson.between(learned, way.share), card, out)
    held_out = 0 if held is None else len(held)
    return Learned(out, len(items), held_out, way.before, way.after, way.share, new, items.skipped)


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What learning needs beside the pictures; the alphabet's characters after the `known` ones are new."""

    old: Network
    alphabet: Alphabet
    known: int
    rehearsal: TrainingSet
    config: LearnConfig
    step: Progress

    def learned(self, own: TrainingSet) -> Network:
        return fine_tune(self.old, own, self.rehearsal, self.alphabet, self.config, tick=self.step)

    def between(self, learned: Network, share: float) -> Network:
        """The weights a `share` of the way from the old ones to those `learned`."""
        anchor = anchored(self.old, learned, self.known, len(self.alphabet) - self.known)
        return between(anchor, learned, share)

    def chosen(self, learned: Network, held: TrainingSet) -> _Way:
        """The way that the held-out pictures favour."""
        right = [_accuracy(self.between(learned, share), held, len(self.alphabet)) for share in SHARES]
        best = shortest(right, len(held))
        return _Way(SHARES[best], right[0], right[best])


@dataclass(frozen=True, slots=True)
class _Way:
    """How far to go, and the accuracy on the held-out pictures at its beginning and its end."""

    share: float
    before: float
    after: float


def shortest(right: Sequence[float], count: int) -> int:
    """Place of the shortest way that is as good as the best, to one standard error of its accuracy over `count`.

    Farther than the held-out pictures can tell is only forgetting (the rule is that of Breiman et al. 1984).
    """
    best = max(right)
    error = math.sqrt(best * (1 - best) / count)
    return next(place for place, accuracy in enumerate(right) if accuracy >= best - error)


def _held_out(
    items: LabelledImages, validate: str | None, card: ModelCard, seed: int, alphabet: Alphabet
) -> tuple[TrainingSet, TrainingSet | None]:
    """What to learn from, and what to judge by, if anything."""
    if validate is not None:
        rest, held = items, load_data(validate, split=None, frame=card.frame)
    elif round(HELD_OUT * len(items)) >= ENOUGH:
        rest, held = split_off(items, HELD_OUT, seed)
    else:
        return characters_of(items, alphabet, card.frame), None
    return characters_of(rest, alphabet, card.frame), characters_of(held, alphabet, card.frame)


def _rehearsal(alphabet: Alphabet, card: ModelCard, seed: int) -> TrainingSet:
    drawable = "".join(c for c in alphabet if c in CHARACTERS)
    if not drawable:
        raise ModelError(f"{card.name} knows no character that can be drawn, so there is nothing to rehearse with")
    sources = [SourceConfig(data="synthetic", count=DRAWN)]
    if card.has_none:
        sources.append(SourceConfig(data="non-characters", count=SCRIBBLED))
    drawn = prepare(
        TrainConfig(alphabet=drawable, reject=card.has_none, sources=tuple(sources), seed=seed), "", frame=card.frame
    ).training
    # only the answers of the old network matter, but cues are drawn by label
    places = np.array([*alphabet.indices_of(Alphabet.of(drawable)), len(alphabet)], dtype=np.int64)
    return drawn.relabelled(places)


def _accuracy(network: Network, data: TrainingSet, classes: int) -> float:
    guess = logits_of(network, data)[:, :classes].argmax(axis=1)
    return float(((guess == data.labels) | (guess == data.alternatives)).mean())


def extended(network: Network, kind: str, known: int, new: int, has_none: bool) -> Network:
    """The same network with `new` more classes after the `known` ones, which it answers never, or hardly."""
    if not new:
        return network
    result = build_network(kind, known + new + has_none).eval()
    state, before = result.state_dict(), network.state_dict()
    layers = network.logit_layers()
    for name, tensor in before.items():
        if not name.startswith(tuple(f"{layer}." for layer in layers)):
            state[name] = tensor
    for layer, least in zip(layers, (NEVER, *[0.0] * (len(layers) - 1)), strict=True):
        weight, bias = before[f"{layer}.weight"], before[f"{layer}.bias"]
        state[f"{layer}.weight"] = torch.cat([weight[:known], torch.zeros(new, weight.shape[1]), weight[known:]])
        state[f"{layer}.bias"] = torch.cat([bias[:known], torch.full((new,), least), bias[known:]])
    result.load_state_dict(copy.deepcopy(state))
    return result


def anchored(old: Network, learned: Network, known: int, new: int) -> Network:
    """`old` with what `learned` knows of the new classes: half a way to something never seen leads nowhere."""
    if not new:
        return old
    result = copy.deepcopy(old)
    for layer in old.logit_layers():
        mine, theirs = result.get_submodule(layer), learned.get_submodule(layer)
        assert isinstance(mine, nn.Linear)
        assert isinstance(theirs, nn.Linear)
        with torch.no_grad():
            mine.weight[known : known + new] = theirs.weight[known : known + new]
            mine.bias[known : known + new] = theirs.bias[known : known + new]
    return result
