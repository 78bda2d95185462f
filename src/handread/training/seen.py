"""What the weights saw: the list of a run, and its sample in a model's card (`handread.evaluation.leak`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from handread.alphabet import Alphabet
from handread.card import FORMAT, METADATA_KEY, Seen
from handread.errors import ModelError
from handread.evaluation.leak import FILE, SeenList, seen_list
from handread.runtime.session import Session
from handread.training.config import TrainConfig, load_recipe
from handread.training.loop import frame_of
from handread.training.sources import TrainingSet, prepare


def seen_by(config: TrainConfig, training: TrainingSet) -> SeenList:
    """All characters that a run of `config` shows, and those of the run whose weights it begins with.

    What Handread drew, what is no character, and what is never shown is not among them.
    """
    drawn = [place for place, source in enumerate(config.sources) if source.data == "synthetic"]
    shown = (training.labels < len(Alphabet.of(config.alphabet))) & (training.repeats > 0)
    own = seen_list(training.images, np.flatnonzero(shown & ~np.isin(training.origins, drawn)))
    if not config.start:
        return own
    before = lists_of([Path(config.start)])
    return dataclasses.replace(own, complete=False) if before is None else own.joined(before)


def seen_of_recipe(recipe: Path, data: str, overrides: Sequence[str] = ()) -> SeenList:
    """The list that a run of `recipe` on `data` leaves, without the training: for a model that is there already.

    Raises `ConfigError` and `DataError` as the run would.
    """
    config = load_recipe(recipe, overrides)
    return seen_by(config, prepare(config, data, frame=frame_of(config)).training)


def lists_of(runs: Sequence[Path]) -> SeenList | None:
    """The lists of several runs as one; None where one has none, because an older Handread trained it."""
    files = [run / FILE for run in runs]
    if not all(file.is_file() for file in files):
        return None
    found = SeenList.load(files[0])
    for file in files[1:]:
        found = found.joined(SeenList.load(file))
    return found


def with_seen(model: bytes, seen: Seen | None) -> bytes:
    """The ONNX file `model` with `seen` in its card, all else as it was; None takes a sample out.

    Raises `ModelError` for a file without a card.
    """
    card = Session.from_bytes(model).card
    changed = dataclasses.replace(card, seen=seen, format=FORMAT)
    loaded = onnx.load_from_string(model)
    others = {entry.key: entry.value for entry in loaded.metadata_props if entry.key != METADATA_KEY}
    helper.set_model_props(loaded, others | {METADATA_KEY: changed.to_json()})
    made = bytes(loaded.SerializeToString())
    if Session.from_bytes(made).card != changed:
        raise ModelError(f"the card of {card.name} did not take the sample; export the model again")
    return made
