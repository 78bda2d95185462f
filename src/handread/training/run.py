"""A recipe, from its file to a finished run folder.

RUN/ holds config.json, environment.json, history.csv, last.safetensors and, when done, model.onnx.
"""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import handread
from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.errors import ConfigError, ModelError
from handread.networks.base import parameter_count
from handread.training.calibrate import Calibration, Judged, calibrate
from handread.training.checkpoint import load_checkpoint, save_checkpoint
from handread.training.config import config_from, config_to, load_recipe
from handread.training.export import export_network
from handread.training.loop import Epoch, Trainer
from handread.training.sources import Prepared, TrainingSet, prepare

CHECKPOINT = "last.safetensors"


@dataclass(frozen=True, slots=True)
class Watcher:
    """What the caller wants to hear of a run."""

    loading: Callable[[str], None] = lambda name: None
    """A source is being loaded."""
    step: Callable[[int, int, int], None] = lambda epoch, done, total: None
    """Steps done of an epoch's total."""
    epoch: Callable[[Epoch], None] = lambda epoch: None
    """An epoch is done and saved."""


def train_recipe(
    recipe: Path,
    data: str,
    out: Path,
    overrides: Sequence[str] = (),
    resume: bool = False,
    *,
    watcher: Watcher | None = None,
) -> Path:
    """Run a recipe on `data` into the folder `out`; gives the path of the finished model.onnx.

    Raises `ConfigError` when `out` holds another run and `resume` is not asked for, or when the run to resume
    had another recipe or other data.
    """
    watcher = watcher or Watcher()
    config = load_recipe(recipe, overrides)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise ConfigError(f"{out} holds a run already; go on with --resume or choose another folder")
    prepared = prepare(config, data, watcher.loading)
    if not len(prepared.training):
        raise ConfigError(f"there is nothing to train on in {data}; check --data and the recipe's sources")
    digest = prepared.training.digest()
    trainer = Trainer(config)
    history: list[dict[str, float]] = []
    if resume and checkpoint.exists():
        saved = load_checkpoint(checkpoint)
        if not isinstance(saved.facts.get("config"), dict) or not {"data", "history"} <= set(saved.facts):
            raise ModelError(f"the checkpoint {checkpoint} says nothing of its run; start without --resume")
        if config_from(saved.facts["config"]) != config:
            raise ConfigError(f"the run in {out} had another recipe; resume it with the same one")
        if saved.facts["data"] != digest:
            raise ConfigError(f"the run in {out} saw other data; resume it with the same --data")
        trainer.restore(saved)
        history = list(saved.facts["history"])
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "config.json", json.dumps(config_to(config), indent=1).encode())
    write_atomic(out / "environment.json", json.dumps(environment(trainer), indent=1).encode())

    def record(epoch: Epoch) -> None:
        row = {"epoch": float(epoch.epoch), "loss": epoch.loss, "seconds": epoch.seconds}
        history.append(row | {f"accuracy {name}": value for name, value in epoch.accuracy.items()})
        facts: dict[str, object] = {"config": config_to(config), "data": digest, "history": history}
        save_checkpoint(checkpoint, trainer.checkpoint(facts))
        write_atomic(out / "history.csv", _csv(history))
        watcher.epoch(epoch)

    def tick(done: int, total: int) -> None:
        watcher.step(trainer.epochs_done + 1, done, total)

    trainer.fit(prepared.training, prepared.validation, record=record, tick=tick)
    write_sources(out, prepared)
    return finish(trainer, prepared, recipe.name, out)


def write_sources(out: Path, prepared: Prepared) -> None:
    """Keep what the card says of the data beside the run."""
    rows = [{"name": s.name, "count": s.count, "licence": s.licence, "source": s.source} for s in prepared.sources]
    write_atomic(out / "sources.json", json.dumps(rows, indent=1, ensure_ascii=False).encode())


def finish(trainer: Trainer, prepared: Prepared, recipe: str, out: Path) -> Path:
    """Calibrate on the validation data and write model.onnx."""
    config = trainer.config
    classes = len(trainer.alphabet)
    judged = {name: judge(trainer, part) for name, part in prepared.validation.items() if len(part)}
    found = calibrate(judged, trainer.alphabet, has_none=config.reject) if judged else Calibration(1.0, 0.0, 0.0, 0.0)
    right = {name: part.logits[:, :classes].argmax(axis=1) == part.labels for name, part in judged.items()}
    scores = {f"validation accuracy, {name}": round(float(hits.mean()), 5) for name, hits in right.items()}
    network = trainer.average
    card = ModelCard(
        name=config.name, version=config.version, alphabet="".join(Alphabet.of(config.alphabet)),
        height=network.size, width=network.size, temperature=found.temperature,
        accept_above=found.accept_above, ink_above=found.ink_above,
        alphabet_above=found.alphabet_above,
        has_none=config.reject, has_cues=network.uses_cues,
        data=prepared.sources, recipe=recipe, scores=scores,
    )  # fmt: skip
    path = out / "model.onnx"
    export_network(network, card, path)
    return path


def judge(trainer: Trainer, part: TrainingSet) -> Judged:
    """Logits of a validation set, with the cues that prediction would have."""
    cues = np.where(part.pictures[:, None], part.cues, 0).astype(np.float32)
    return Judged(trainer.logits(part.images, cues), part.labels)


def export_run(run: Path, out: Path, int8: bool = False) -> Path:
    """Copy the finished model of a run folder to `out`, read and checked first."""
    from handread.runtime.session import Session

    source = run / "model.onnx" if run.is_dir() else run
    if not source.exists():
        raise ModelError(f"{run} holds no model.onnx; finish the run with handread train ... --resume")
    data = source.read_bytes()
    Session.from_bytes(data)
    if int8:
        from handread.training.quantise import quantise

        data = quantise(data)
        Session.from_bytes(data)
    write_atomic(out, data)
    return out


def environment(trainer: Trainer) -> dict[str, object]:
    """Versions and machine, for the record."""
    return {
        "handread": handread.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": str(trainer.device),
        "threads": torch.get_num_threads(),
        "parameters": parameter_count(trainer.network),
    }


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
