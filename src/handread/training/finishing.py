"""From a network that was fitted to the file that reads: class frequencies, calibration, the card."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.evaluation.leak import FILE as SEEN
from handread.training.calibrate import Judged, calibrate
from handread.training.config import TrainConfig
from handread.training.export import export_network
from handread.training.loop import Trainer
from handread.training.seen import seen_by
from handread.training.sources import Prepared, TrainingSet
from handread.training.unplaced import settle_unplaced

_NEVER = -1e4
"""A logit that leaves a class no probability."""


def write_model(trainer: Trainer, prepared: Prepared, recipe: str, path: Path) -> None:
    """Put class frequencies right, calibrate on the validation data and write the model to `path`, beside it the list
    of what it was trained on."""
    config = trainer.config
    settle_unplaced(trainer, prepared.training, config.sources)
    judged = {
        name: _as_asked(Judged(trainer.logits(part.images, shown_cues(part)), part.labels), part, config)
        for name, part in prepared.validation.items()
        if len(part)
    }
    network = trainer.answering
    seen = seen_by(config, prepared.training)
    card = ModelCard(
        name=config.name, version=config.version, alphabet="".join(Alphabet.of(config.alphabet)),
        has_none=config.reject, has_cues=network.uses_cues, data=prepared.sources, recipe=recipe,
        seen=seen.sketch(),
    ).with_frame(network.frame)  # fmt: skip
    if judged:
        card = calibrated(card, judged)
    export_network(network, card, path)
    seen.save(path.with_name(SEEN))


def calibrated(card: ModelCard, judged: Mapping[str, Judged]) -> ModelCard:
    """The card with what the validation data say of temperature, thresholds and accuracy."""
    found = calibrate(judged, Alphabet.of(card.alphabet), has_none=card.has_none)
    right = {name: part.logits[:, : len(card.alphabet)].argmax(axis=1) == part.labels for name, part in judged.items()}
    return dataclasses.replace(
        card,
        temperature=found.temperature,
        accept_above=found.accept_above,
        ink_above=found.ink_above,
        alphabet_above=found.alphabet_above,
        scores={f"validation accuracy, {name}": round(float(hits.mean()), 5) for name, hits in right.items()},
    )


def _as_asked(judged: Judged, part: TrainingSet, config: TrainConfig) -> Judged:
    """A source whose class frequencies are ignored is judged among the characters that it holds: that a digit of a
    set of digits might be an O is no fault of the network."""
    origin = int(part.origins[0])
    if origin < 0 or not config.sources or config.sources[origin].prior != "ignored":
        return judged
    absent = np.setdiff1d(np.arange(len(Alphabet.of(config.alphabet))), judged.labels)
    logits = judged.logits.copy()
    logits[:, absent] = _NEVER
    return Judged(logits, judged.labels)


def shown_cues(part: TrainingSet) -> npt.NDArray[np.float32]:
    """The cues of a validation set that prediction would have: those of pictures."""
    return np.where(part.pictures[:, None], part.cues, 0).astype(np.float32)
