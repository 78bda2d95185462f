"""A recipe, from its file to a finished run folder.

RUN/ holds config.json, environment.json, architecture.json, sources.json, history.csv, last.safetensors, with
`keep = "best"` best.safetensors and, when done, curves.png, model.onnx and report.html.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

import handread
from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.errors import ConfigError, ModelError
from handread.frame import Frame
from handread.networks.base import Network, keras_parameter_count, layers_of, parameter_count
from handread.reports.run import run_page
from handread.runtime.session import Session
from handread.training.baseline import BASELINES, train_baseline
from handread.training.baseline import FRAME as BASELINE_FRAME
from handread.training.calibrate import Judged, calibrate
from handread.training.checkpoint import Checkpoint, load_checkpoint, parse_checkpoint, save_checkpoint
from handread.training.config import TrainConfig, config_from, config_to, load_recipe
from handread.training.curves import Board, draw_curves
from handread.training.distributed import ALONE, Group, joined
from handread.training.export import export_network
from handread.training.loop import Epoch, Trainer
from handread.training.sources import Prepared, TrainingSet, prepare
from handread.training.unplaced import settle_unplaced
from handread.training.watcher import Watcher

CHECKPOINT = "last.safetensors"
BEST = "best.safetensors"
MODEL = "model.onnx"
_NEVER = -1e4
"""A logit that leaves a class no probability."""


def train_recipe(
    recipe: Path,
    data: str,
    out: Path,
    overrides: Sequence[str] = (),
    resume: bool = False,
    *,
    watcher: Watcher | None = None,
    tensorboard: bool = False,
    skip_broken: bool = False,
) -> Path | None:
    """Run a recipe on `data` into the folder `out`; gives the path of the finished model.onnx.

    None when `watcher.stop` ended the run before its time: resumed, it comes to the same weights bit for bit on the
    same machine. Raises `ConfigError` when `out` holds another run and `resume` is not asked for, or when the run to
    resume had another recipe or other data.

    In a process that `torchrun` started all processes train one network together (`handread.training.distributed`).
    The first alone writes and tells `watcher`; the others return when the training is over, before the model is
    written. Processes that `torchrun` starts again resume by themselves.
    """
    order = _Order(recipe, data, out, tuple(overrides), resume, watcher or Watcher(), tensorboard, skip_broken)
    with joined() as group:
        return _train(order if group.leads else order.in_silence(), group)


@dataclass(frozen=True, slots=True)
class _Order:
    """What `train_recipe` was asked for."""

    recipe: Path
    data: str
    out: Path
    overrides: tuple[str, ...]
    resume: bool
    watcher: Watcher
    tensorboard: bool
    skip_broken: bool

    def in_silence(self) -> _Order:
        """For a process that others report for."""
        return dataclasses.replace(self, watcher=Watcher(stop=self.watcher.stop), tensorboard=False)


def _train(order: _Order, group: Group) -> Path | None:
    out, data, watcher, skip_broken = order.out, order.data, order.watcher, order.skip_broken
    config = load_recipe(order.recipe, order.overrides)
    checkpoint = out / CHECKPOINT
    group.agree("recipe, options or version", f"{handread.__version__} {order.resume} {json.dumps(config_to(config))}")
    # what stands in the folder is what the first process sees: the others may be on other machines
    state = _state(checkpoint, out / MODEL, group.job) if group.leads else ""
    state = group.told(state.encode()).decode()
    resume = order.resume or state == "own"
    if not resume and state:
        raise ConfigError(f"{out} holds a run already; go on with --resume or choose another folder")
    if config.members > 1:
        return _train_members(order, config, group)
    if config.network in BASELINES:
        if not group.leads:
            return out / MODEL
        prepared = _prepared(config, data, watcher, BASELINE_FRAME, skip_broken)
        _describe(out, config, {})
        write_sources(out, prepared)
        path = train_baseline(config, prepared, order.recipe.name, out, watcher)
        write_atomic(out / "report.html", run_page(out).encode())
        return path
    saved = _resumed(checkpoint, config, group) if resume else None
    trainer = Trainer(config, group)
    prepared = _prepared(config, data, watcher, trainer.network.frame, skip_broken)
    digest = prepared.training.digest()
    group.agree("data or device", f"{digest} {trainer.device.type}")
    history: list[dict[str, float]] = []
    if saved is not None:
        if saved.facts["data"] != digest:
            raise ConfigError(f"the run in {out} saw other data; resume it with the same --data")
        trainer.restore(saved)
        history = list(saved.facts["history"])
    facts: dict[str, object] = {"config": config_to(config), "data": digest, "history": history}
    if group.job:
        facts["job"] = group.job
    if not group.leads:
        finished = trainer.fit(prepared.training, prepared.validation, stop=watcher.stop)
        return out / MODEL if finished else None
    _describe(out, config, environment(trainer), trainer.network)
    write_sources(out, prepared)
    board = Board(out / "tensorboard") if order.tensorboard else None

    def record(epoch: Epoch) -> None:
        history.append(_row(epoch))
        if config.keep == "best" and epoch.best:
            save_checkpoint(out / BEST, trainer.kept())
        save_checkpoint(checkpoint, trainer.checkpoint(facts))
        write_atomic(out / "history.csv", _csv(history))
        if board is not None:
            board.add(history[-1])
        watcher.epoch(epoch)

    def tick(done: int, total: int) -> None:
        watcher.step(trainer.epochs_done + 1, done, total)

    watcher.begin(config, len(prepared.training), trainer.epochs_done)
    done = trainer.fit(prepared.training, prepared.validation, record=record, tick=tick, stop=watcher.stop)
    if not done:
        save_checkpoint(checkpoint, trainer.checkpoint(facts))
    if history:
        draw_curves(history, out / "curves.png", title=config.name)
    if not done:
        return None
    if config.keep == "best":
        trainer.load_kept(load_checkpoint(out / BEST))
    path = finish(trainer, prepared, order.recipe.name, out)
    write_atomic(out / "report.html", run_page(out).encode())
    return path


def _train_members(order: _Order, config: TrainConfig, group: Group) -> Path | None:
    """Each member in a run folder of its own below `out`, then the mean of them all as one file."""
    from handread.training.members import merge

    out, recipe, watcher = order.out, order.recipe, order.watcher
    files = []
    for number in range(config.members):
        place = out / f"member-{number + 1}"
        alone = (*order.overrides, "members=1", f"seed={config.seed + number}")
        member = dataclasses.replace(order, out=place, overrides=alone, resume=True)
        done = group.told(b"done" if (place / MODEL).exists() else b"")
        if not done and not _train(member, group):
            return None
        if group.leads:
            files.append((place / MODEL).read_bytes())
    if not group.leads:
        return out / MODEL
    _describe(out, config, {})
    write_atomic(out / "sources.json", (out / "member-1" / "sources.json").read_bytes())
    card = Session.from_bytes(files[0]).card
    merged = merge(files, dataclasses.replace(card, name=config.name, recipe=recipe.name))
    prepared = _prepared(config, order.data, watcher, card.frame, order.skip_broken)
    session = Session.from_bytes(merged)
    judged = {name: Judged(session.run(part.images, shown_cues(part) if card.has_cues else None), part.labels)
              for name, part in prepared.validation.items() if len(part)}  # fmt: skip
    if judged:
        merged = merge(files, _calibrated(session.card, judged))
    write_atomic(out / MODEL, merged)
    return out / MODEL


def _calibrated(card: ModelCard, judged: Mapping[str, Judged]) -> ModelCard:
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


def _prepared(config: TrainConfig, data: str, watcher: Watcher, frame: Frame, skip_broken: bool) -> Prepared:
    prepared = prepare(config, data, watcher.loading, frame=frame, skip_broken=skip_broken)
    watcher.skipped(prepared.skipped, len(prepared.training))
    if not len(prepared.training):
        raise ConfigError(f"there is nothing to train on in {data}; check --data and the recipe's sources")
    return prepared


def _state(checkpoint: Path, model: Path, job: str) -> str:
    """What a run folder holds: "" for nothing, "own" for a run that the same `torchrun` began, else "other"."""
    if not checkpoint.exists():
        return "other" if model.exists() else ""
    return "own" if job and load_checkpoint(checkpoint).facts.get("job") == job else "other"


def _resumed(checkpoint: Path, config: TrainConfig, group: Group = ALONE) -> Checkpoint | None:
    """The checkpoint to go on from, as the first process has it; None where there is none."""
    stored = group.told(checkpoint.read_bytes() if group.leads and checkpoint.exists() else b"")
    if not stored:
        return None
    saved = parse_checkpoint(stored, checkpoint)
    if not isinstance(saved.facts.get("config"), dict) or not {"data", "history"} <= set(saved.facts):
        raise ModelError(f"the checkpoint {checkpoint} says nothing of its run; start without --resume")
    if config_from(saved.facts["config"]) != config:
        raise ConfigError(f"the run in {checkpoint.parent} had another recipe; resume it with the same one")
    return saved


def _describe(out: Path, config: TrainConfig, surroundings: dict[str, object], network: Network | None = None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "config.json", json.dumps(config_to(config), indent=1).encode())
    if network is not None:
        write_atomic(out / "environment.json", json.dumps(surroundings, indent=1).encode())
        write_atomic(out / "architecture.json", json.dumps(architecture(config, network), indent=1).encode())


def architecture(config: TrainConfig, network: Network) -> dict[str, object]:
    """The network in plain words: what builds it again, its input, its layers and their parameters."""
    return {
        "network": config.network,
        "outputs": len(Alphabet.of(config.alphabet)) + config.reject,
        "input": dataclasses.asdict(network.frame),
        "cues": network.uses_cues,
        "parameters": parameter_count(network),
        "keras_parameters": keras_parameter_count(network),
        "layers": layers_of(network),
    }


def _row(epoch: Epoch) -> dict[str, float]:
    row = {"epoch": float(epoch.epoch), "loss": epoch.loss, "seconds": epoch.seconds,
           "learning_rate": epoch.learning_rate}  # fmt: skip
    row |= {f"accuracy {name}": value for name, value in epoch.accuracy.items()}
    return row | {f"loss {name}": value for name, value in epoch.losses.items()}


def write_sources(out: Path, prepared: Prepared) -> None:
    """Keep what the card says of the data beside the run."""
    rows = [{"name": s.name, "count": s.count, "licence": s.licence, "source": s.source} for s in prepared.sources]
    write_atomic(out / "sources.json", json.dumps(rows, indent=1, ensure_ascii=False).encode())


def finish(trainer: Trainer, prepared: Prepared, recipe: str, out: Path) -> Path:
    """Put class frequencies right, calibrate on the validation data and write model.onnx."""
    config = trainer.config
    settle_unplaced(trainer, prepared.training, config.sources)
    judged = {
        name: _as_asked(judge(trainer, part), part, config) for name, part in prepared.validation.items() if len(part)
    }
    network = trainer.average
    card = ModelCard(
        name=config.name, version=config.version, alphabet="".join(Alphabet.of(config.alphabet)),
        has_none=config.reject, has_cues=network.uses_cues, data=prepared.sources, recipe=recipe,
    ).with_frame(network.frame)  # fmt: skip
    if judged:
        card = _calibrated(card, judged)
    path = out / "model.onnx"
    export_network(network, card, path)
    return path


def judge(trainer: Trainer, part: TrainingSet) -> Judged:
    """Logits of a validation set, with the cues that prediction would have."""
    return Judged(trainer.logits(part.images, shown_cues(part)), part.labels)


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


def export_run(run: Path, out: Path, int8: bool = False) -> Path:
    """Copy the finished model of a run folder to `out`, read and checked first."""
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


PACKED = ("config.json", "environment.json", "architecture.json", "sources.json", "history.csv", "curves.png",
          "model.onnx", "report.html")  # fmt: skip
"""What of a run goes into an archive: everything but the checkpoints."""


def pack_run(run: Path, out: Path) -> Path:
    """Pack a finished run without its checkpoints into `out`, a tar.gz whose bytes depend on the files alone."""
    if not (run / MODEL).exists():
        raise ModelError(f"{run} holds no model.onnx; finish the run with handread train ... --resume")
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in PACKED:
            if (run / name).exists():
                content = (run / name).read_bytes()
                entry = tarfile.TarInfo(f"{run.resolve().name}/{name}")
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    write_atomic(out, buffer.getvalue())
    return out


def environment(trainer: Trainer) -> dict[str, object]:
    """Versions and machine, for the record; of several processes, those of the first."""
    several: dict[str, object] = {"processes": trainer.group.size} if trainer.group.size > 1 else {}
    return several | {
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
