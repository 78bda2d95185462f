"""A recipe, from its file to a finished run folder.

RUN/ holds config.json, recipe.toml, environment.json, architecture.json, sources.json, history.csv, record.json,
last.safetensors, with `keep = "best"` best.safetensors and, when done, curves.png, seen.npz, model.onnx and
report.html.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import handread
from handread.alphabet import Alphabet
from handread.data.alone import alone_in
from handread.data.atomic import make_folder, write_atomic
from handread.errors import ConfigError, ModelError
from handread.evaluation.leak import FILE as SEEN
from handread.frame import Frame
from handread.networks.base import Network, keras_parameter_count, layers_of, parameter_count
from handread.reports.run import run_page
from handread.runtime import store
from handread.runtime.session import Session
from handread.training.baseline import BASELINES, train_baseline
from handread.training.baseline import FRAME as BASELINE_FRAME
from handread.training.calibrate import Judged
from handread.training.checkpoint import Checkpoint, DamagedError, load_checkpoint, parse_checkpoint, save_checkpoint
from handread.training.config import TrainConfig, config_from, config_to, load_recipe
from handread.training.curves import Board, draw_curves
from handread.training.distributed import ALONE, Group, joined
from handread.training.finishing import calibrated, shown_cues, write_model
from handread.training.loop import Epoch, Trainer, has_bf16
from handread.training.record import (
    RECIPE,
    RECORD,
    Part,
    RunRecord,
    file_digest,
    parts_of,
    seal,
    weights_digest,
    write_record,
)
from handread.training.seen import lists_of
from handread.training.sources import Prepared, prepare
from handread.training.surroundings import differences, surroundings
from handread.training.watcher import Watcher

CHECKPOINT = "last.safetensors"
PREVIOUS = "previous.safetensors"
"""The checkpoint before, in case the last one is damaged; it goes when the run is finished."""
BEST = "best.safetensors"
HISTORY = "history.csv"
MODEL = store.OF_A_RUN
REPORT = "report.html"


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
    same machine. Raises `ConfigError` when `out` holds another run and `resume` is not asked for, when the run to
    resume had another recipe or other data, or when another process is training in `out`.

    In a process that `torchrun` started all processes train one network together (`handread.training.distributed`).
    The first alone writes and tells `watcher`; the others return when the training is over, before the model is
    written. Processes that `torchrun` starts again resume by themselves.
    """
    order = _Order(recipe, data, out, tuple(overrides), resume, watcher or Watcher(), tensorboard, skip_broken)
    with joined() as group, _held(out) if group.leads else contextlib.nullcontext():
        return _train(order if group.leads else order.in_silence(), group)


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """The run folder is this process's alone until the block ends; where nothing came into it, it goes again."""
    made = [folder for folder in (out, *out.parents) if not os.path.exists(folder)]
    make_folder(out)
    try:
        with alone_in(out, wait=False) as free:
            if not free:
                raise ConfigError(f"another process is training in {out}; wait for its end or choose another folder")
            yield
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


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
    config, written = load_recipe(order.recipe, order.overrides), order.recipe.read_bytes()
    group.agree("recipe, options or version", f"{handread.__version__} {order.resume} {json.dumps(config_to(config))}")
    resume = _may_resume(order, group)
    if config.members > 1:
        return _train_members(order, config, written, group)
    if config.network in BASELINES:
        return _train_baseline(order, config, written) if group.leads else order.out / MODEL
    saved = _resumed(order.out, config, order.watcher, group) if resume else None
    fit = _begin(order, config, saved, group)
    if not group.leads:
        finished = fit.trainer.fit(fit.prepared.training, fit.prepared.validation, stop=order.watcher.stop)
        return order.out / MODEL if finished else None
    record = _introduce(fit, written, went_on=saved is not None)
    return _finish(fit, record) if _fit(fit, record) else None


def _may_resume(order: _Order, group: Group) -> bool:
    """Whether to go on with what stands in the folder; raises `ConfigError` where that is another run."""
    # what stands in the folder is what the first process sees: the others may be on other machines
    state = group.told((_state(order.out, group.job) if group.leads else "").encode()).decode()
    resume = order.resume or state == "own"
    if not resume and state:
        raise ConfigError(f"{order.out} holds a run already; go on with --resume or choose another folder")
    return resume


@dataclass(slots=True)
class _Fit:
    """A run between its beginning and its end."""

    order: _Order
    config: TrainConfig
    trainer: Trainer
    prepared: Prepared
    digest: str
    """Of the training data."""
    history: list[dict[str, float]]
    """A row an epoch."""
    weights: list[str]
    """Checksum of the weights after each epoch."""

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on from here."""
        # how long an epoch took is no part of the state: the same run leaves the same bytes
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in self.history]
        told: dict[str, object] = {"config": config_to(self.config), "data": self.digest, "history": rows,
                                   "weights": self.weights}  # fmt: skip
        job = self.trainer.group.job
        return self.trainer.checkpoint(told | {"job": job} if job else told)

    def noted(self, record: RunRecord) -> RunRecord:
        """The record of the run's beginning with what has come since."""
        return dataclasses.replace(record, weights=tuple(self.weights))


def _begin(order: _Order, config: TrainConfig, saved: Checkpoint | None, group: Group) -> _Fit:
    """Network and data as they were when `saved` was, or new."""
    trainer = Trainer(config, group)
    prepared = _prepared(config, order.data, order.watcher, trainer.network.frame, order.skip_broken)
    digest = prepared.training.digest()
    group.agree("data or device", f"{digest} {trainer.device.type}")
    if saved is None:
        return _Fit(order, config, trainer, prepared, digest, [], [])
    if saved.facts["data"] != digest:
        raise ConfigError(f"the run in {order.out} saw other data; resume it with the same --data")
    trainer.restore(saved)
    history = _timed(saved.facts["history"], order.out / HISTORY)
    weights = list(saved.facts.get("weights", [""] * len(history)))
    return _Fit(order, config, trainer, prepared, digest, history, weights)


def _introduce(fit: _Fit, written: bytes, *, went_on: bool) -> RunRecord:
    """Write what can be said before the first epoch; gives the record."""
    out = fit.order.out
    _describe(out, fit.config, written)
    _surround(out, _environment(fit.trainer), went_on=went_on)
    said = _architecture(fit.config, fit.trainer.network)
    write_atomic(out / "architecture.json", json.dumps(said, indent=1).encode())
    record = _recorded(fit.order, fit.config, fit.prepared)
    _write_sources(out, fit.prepared, record.sources)
    write_record(out, fit.noted(record))
    return record


def _fit(fit: _Fit, begun: RunRecord) -> bool:
    """Fit to the end, writing after every epoch all that is needed to go on; False when it was stopped before."""
    out, trainer, watcher = fit.order.out, fit.trainer, fit.order.watcher
    board = Board(out / "tensorboard") if fit.order.tensorboard else None

    def record(epoch: Epoch) -> None:
        fit.history.append(_row(epoch))
        fit.weights.append(weights_digest(trainer.average.state_dict()))
        if fit.config.keep == "best" and epoch.best:
            save_checkpoint(out / BEST, trainer.kept())
        write_atomic(out / HISTORY, _csv(fit.history))
        save_checkpoint(out / CHECKPOINT, fit.checkpoint(), before=out / PREVIOUS)
        write_record(out, fit.noted(begun))
        if board is not None:
            board.add(fit.history[-1])
        watcher.epoch(epoch)

    def tick(done: int, total: int) -> None:
        watcher.step(trainer.epochs_done + 1, done, total)

    training, validation = fit.prepared.training, fit.prepared.validation
    watcher.begin(fit.config, len(training), trainer.epochs_done)
    done = trainer.fit(training, validation, record=record, tick=tick, stop=watcher.stop)
    if not done:
        save_checkpoint(out / CHECKPOINT, fit.checkpoint())
    if fit.history:
        draw_curves(fit.history, out / "curves.png", title=fit.config.name)
    return done


def _finish(fit: _Fit, begun: RunRecord) -> Path:
    """Write the model, the seal and the page of a run that was fitted to the end."""
    out = fit.order.out
    if fit.config.keep == "best":
        fit.trainer.load_kept(load_checkpoint(out / BEST))
    write_model(fit.trainer, fit.prepared, fit.order.recipe.name, out / MODEL)
    seal(out, fit.noted(begun))
    write_atomic(out / REPORT, run_page(out).encode())
    (out / PREVIOUS).unlink(missing_ok=True)
    return out / MODEL


def _train_baseline(order: _Order, config: TrainConfig, written: bytes) -> Path:
    """What is no network is fitted in one go, and writes no checkpoint."""
    out = order.out
    prepared = _prepared(config, order.data, order.watcher, BASELINE_FRAME, order.skip_broken)
    record = _recorded(order, config, prepared)
    _describe(out, config, written)
    _write_sources(out, prepared, record.sources)
    write_record(out, record)
    path = train_baseline(config, prepared, order.recipe.name, out, order.watcher)
    seal(out, record)
    write_atomic(out / REPORT, run_page(out).encode())
    return path


def _train_members(order: _Order, config: TrainConfig, written: bytes, group: Group) -> Path | None:
    """Each member in a run folder of its own below `out`, then the mean of them all as one file."""
    from handread.training.members import merge

    out, recipe, watcher = order.out, order.recipe, order.watcher
    files = []
    for number in range(config.members):
        place = out / f"member-{number + 1}"
        alone = (*order.overrides, "members=1", f"seed={config.seed + number}")
        member = dataclasses.replace(order, out=place, overrides=alone, resume=True)
        done = group.told(b"done" if (place / MODEL).exists() and (place / REPORT).exists() else b"")
        if not done and not _train(member, group):
            return None
        if group.leads:
            files.append((place / MODEL).read_bytes())
    if not group.leads:
        return out / MODEL
    _describe(out, config, written)
    _surround(out, surroundings("torch"))
    write_atomic(out / "sources.json", (out / "member-1" / "sources.json").read_bytes())
    card = Session.from_bytes(files[0]).card
    seen = lists_of([out / f"member-{number + 1}" for number in range(config.members)])  # each holds out other images
    card = dataclasses.replace(card, name=config.name, recipe=recipe.name, seen=None if seen is None else seen.sketch())
    merged = merge(files, card)
    prepared = _prepared(config, order.data, watcher, card.frame, order.skip_broken)
    session = Session.from_bytes(merged)
    judged = {name: Judged(session.run(part.images, shown_cues(part) if card.has_cues else None), part.labels)
              for name, part in prepared.validation.items() if len(part)}  # fmt: skip
    if judged:
        merged = merge(files, calibrated(session.card, judged))
    write_atomic(out / MODEL, merged)
    if seen is not None:
        seen.save(out / SEEN)
    seal(out, _recorded(order, config))
    return out / MODEL


def _prepared(config: TrainConfig, data: str, watcher: Watcher, frame: Frame, skip_broken: bool) -> Prepared:
    prepared = prepare(config, data, watcher.loading, frame=frame, skip_broken=skip_broken)
    watcher.skipped(prepared.skipped, len(prepared.training))
    if not len(prepared.training):
        raise ConfigError(f"there is nothing to train on in {data}; check --data and the recipe's sources")
    return prepared


def _state(out: Path, job: str) -> str:
    """What a run folder holds: "" for nothing, "own" for a run that the same `torchrun` began, else "other"."""
    if not job:
        return "other" if any((out / name).exists() for name in (CHECKPOINT, PREVIOUS, MODEL)) else ""
    content, path, _ = _newest(out)
    if not content:
        return "other" if (out / MODEL).exists() else ""
    return "own" if parse_checkpoint(content, path).facts.get("job") == job else "other"


def _newest(out: Path) -> tuple[bytes, Path, bool]:
    """The newest whole checkpoint of a run folder, its path, and whether a newer one is damaged; b"" where none is.

    Raises `ModelError` where all are damaged, or the newest is from a newer format.
    """
    damage: DamagedError | None = None
    for path in (out / CHECKPOINT, out / PREVIOUS):
        try:
            content = path.read_bytes()
            parse_checkpoint(content, path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ModelError(f"the checkpoint {path} cannot be read ({error}); choose another folder") from None
        except DamagedError as error:
            damage = damage or error
        else:
            return content, path, damage is not None
    if damage is not None:
        raise damage
    return b"", out / CHECKPOINT, False


def _resumed(out: Path, config: TrainConfig, watcher: Watcher, group: Group = ALONE) -> Checkpoint | None:
    """The checkpoint to go on from, as the first process has it; None where there is none."""
    content, checkpoint, damaged = _newest(out) if group.leads else (b"", out / CHECKPOINT, False)
    stored = group.told(content)
    if not stored:
        return None
    saved = parse_checkpoint(stored, checkpoint)
    if damaged:
        epochs = "1 epoch" if saved.epoch == 1 else f"{saved.epoch} epochs"
        watcher.fell_back(f"{out / CHECKPOINT} is damaged; going on from the checkpoint before it, with {epochs} done")
    told = isinstance(saved.facts.get("config"), dict) and {"data", "history"} <= set(saved.facts)
    if not told or not _is_history(saved.facts["history"]):
        raise ModelError(f"the checkpoint {checkpoint} says nothing of its run; choose another folder")
    if config_from(saved.facts["config"]) != config:
        raise ConfigError(f"the run in {checkpoint.parent} had another recipe; resume it with the same one")
    return saved


def _is_history(rows: object) -> bool:
    """True for a list of what `_row` gives."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and {"epoch", "loss"} <= set(row) and all(type(v) in (int, float) for v in row.values())
        for row in rows
    )


def _describe(out: Path, config: TrainConfig, written: bytes) -> None:
    """What was asked for: the recipe as it is `written`, and every option that came of it."""
    make_folder(out)
    write_atomic(out / RECIPE, written)
    write_atomic(out / "config.json", json.dumps(config_to(config), indent=1).encode())


def _surround(out: Path, now: dict[str, object], *, went_on: bool = False) -> None:
    """Write environment.json; a run that went on elsewhere keeps what was there before it."""
    path = out / "environment.json"
    earlier: list[object] = []
    if went_on and path.exists():
        try:
            then = dict(json.loads(path.read_bytes()))
            earlier = list(then.pop("earlier", []))
        except (ValueError, TypeError):  # damaged, so that nobody can say where it was
            then = {"handread": "unknown"}
        if differences(then, now):
            earlier.append(then)
    write_atomic(path, json.dumps(now | ({"earlier": earlier} if earlier else {}), indent=1).encode())


def _recorded(order: _Order, config: TrainConfig, prepared: Prepared | None = None) -> RunRecord:
    """The record as it is before the first epoch; of a run of members, which have records of their own, without data."""
    sources, validation = parts_of(prepared) if prepared is not None else ((), ())
    start, teacher = roots_of(config)
    return RunRecord(
        recipe=order.recipe.name, overrides=order.overrides, data=order.data, skip_broken=order.skip_broken,
        sources=sources, validation=validation, start=start, teacher=teacher,
    )  # fmt: skip


def roots_of(config: TrainConfig) -> tuple[str, str]:
    """Checksums of the weights that a run begins with and of the model that teaches it; "" where there are none.

    Raises `ModelError` or `UnknownNameError` where one is not there.
    """
    start = Path(config.start) / CHECKPOINT
    if config.start and not start.is_file():
        raise ModelError(f"the run begins with the weights of {config.start}, which holds no {CHECKPOINT}")
    before = [path for path in (start, start.with_name(SEEN)) if config.start and path.is_file()]
    begun = hashlib.sha256("".join(map(file_digest, before)).encode()).hexdigest() if before else ""
    return begun, hashlib.sha256(store.load(config.teacher)).hexdigest() if config.teacher else ""


def _architecture(config: TrainConfig, network: Network) -> dict[str, object]:
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


def _timed(rows: Sequence[Mapping[str, float]], path: Path) -> list[dict[str, float]]:
    """The rows of a checkpoint with the seconds that history.csv has for their epochs."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = {float(row["epoch"]): float(row["seconds"]) for row in csv.DictReader(file) if row["seconds"]}
    except (OSError, ValueError, TypeError, KeyError):  # they are told, and nothing depends on them
        found = {}
    times = ({"seconds": found[row["epoch"]]} if row["epoch"] in found else {} for row in rows)
    return [{"epoch": row["epoch"], "loss": row["loss"], **time, **row} for row, time in zip(rows, times, strict=True)]


def _write_sources(out: Path, prepared: Prepared, parts: Sequence[Part]) -> None:
    """Keep what the card says of the data beside the run, with the checksums of `parts`."""
    rows = [
        {"name": s.name, "count": s.count, "licence": s.licence, "source": s.source, "sha256": part.sha256}
        for s, part in zip(prepared.sources, parts, strict=True)
    ]
    write_atomic(out / "sources.json", json.dumps(rows, indent=1, ensure_ascii=False).encode())


def export_run(run: Path, out: Path, int8: bool = False) -> Path:
    """Copy the finished model of a run folder to `out`, read and checked first."""
    data = store.load(run)
    Session.from_bytes(data)
    if int8:
        from handread.training.quantise import quantise

        data = quantise(data)
        Session.from_bytes(data)
    write_atomic(out, data)
    return out


PACKED = ("config.json", RECIPE, "environment.json", "architecture.json", "sources.json", HISTORY, "curves.png",
          RECORD, SEEN, MODEL, "report.html")  # fmt: skip
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


def _environment(trainer: Trainer) -> dict[str, object]:
    """Versions and machine, for the record; of several processes, those of the first."""
    several: dict[str, object] = {"processes": trainer.group.size} if trainer.group.size > 1 else {}
    device: dict[str, object] = {"device": str(trainer.device)}
    if trainer.device.type == "cuda":
        device |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                   "cudnn": str(torch.backends.cudnn.version())}  # type: ignore[no-untyped-call]  # fmt: skip
    return several | surroundings("torch") | device | {
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": trainer.config.bf16 and has_bf16(trainer.device),
        "threads": torch.get_num_threads(),
        "parameters": parameter_count(trainer.network),
    }  # fmt: skip


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
