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

import numpy as np
import numpy.typing as npt
import torch

import handread
from handread.alphabet import Alphabet
from handread.card import ModelCard
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
from handread.training.calibrate import Judged, calibrate
from handread.training.checkpoint import Checkpoint, DamagedError, load_checkpoint, parse_checkpoint, save_checkpoint
from handread.training.config import TrainConfig, config_from, config_to, load_recipe
from handread.training.curves import Board, draw_curves
from handread.training.distributed import ALONE, Group, joined
from handread.training.export import export_network
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
from handread.training.seen import lists_of, seen_by
from handread.training.sources import Prepared, TrainingSet, prepare
from handread.training.surroundings import differences, surroundings
from handread.training.unplaced import settle_unplaced
from handread.training.watcher import Watcher

CHECKPOINT = "last.safetensors"
PREVIOUS = "previous.safetensors"
"""The checkpoint before, in case the last one is damaged; it goes when the run is finished."""
BEST = "best.safetensors"
HISTORY = "history.csv"
MODEL = store.OF_A_RUN
REPORT = "report.html"
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
    out, data, watcher, skip_broken = order.out, order.data, order.watcher, order.skip_broken
    config, written = load_recipe(order.recipe, order.overrides), order.recipe.read_bytes()
    checkpoint = out / CHECKPOINT
    group.agree("recipe, options or version", f"{handread.__version__} {order.resume} {json.dumps(config_to(config))}")
    # what stands in the folder is what the first process sees: the others may be on other machines
    state = _state(out, group.job) if group.leads else ""
    state = group.told(state.encode()).decode()
    resume = order.resume or state == "own"
    if not resume and state:
        raise ConfigError(f"{out} holds a run already; go on with --resume or choose another folder")
    if config.members > 1:
        return _train_members(order, config, written, group)
    if config.network in BASELINES:
        if not group.leads:
            return out / MODEL
        prepared = _prepared(config, data, watcher, BASELINE_FRAME, skip_broken)
        noted = _recorded(order, config, prepared)
        _describe(out, config, written)
        write_sources(out, prepared, noted.sources)
        write_record(out, noted)
        path = train_baseline(config, prepared, order.recipe.name, out, watcher)
        seal(out, noted)
        write_atomic(out / REPORT, run_page(out).encode())
        return path
    saved = _resumed(out, config, watcher, group) if resume else None
    trainer = Trainer(config, group)
    prepared = _prepared(config, data, watcher, trainer.network.frame, skip_broken)
    digest = prepared.training.digest()
    group.agree("data or device", f"{digest} {trainer.device.type}")
    history: list[dict[str, float]] = []
    weights: list[str] = []
    if saved is not None:
        if saved.facts["data"] != digest:
            raise ConfigError(f"the run in {out} saw other data; resume it with the same --data")
        trainer.restore(saved)
        history = _timed(saved.facts["history"], out / HISTORY)
        weights = list(saved.facts.get("weights", [""] * len(history)))

    def facts() -> dict[str, object]:
        # how long an epoch took is no part of the state: the same run leaves the same bytes
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history]
        told: dict[str, object] = {"config": config_to(config), "data": digest, "history": rows, "weights": weights}
        return told | {"job": group.job} if group.job else told

    if not group.leads:
        finished = trainer.fit(prepared.training, prepared.validation, stop=watcher.stop)
        return out / MODEL if finished else None
    _describe(out, config, written)
    _surround(out, environment(trainer), went_on=saved is not None)
    write_atomic(out / "architecture.json", json.dumps(architecture(config, trainer.network), indent=1).encode())
    begun = _recorded(order, config, prepared)
    write_sources(out, prepared, begun.sources)

    def note() -> RunRecord:
        return dataclasses.replace(begun, weights=tuple(weights))

    write_record(out, note())
    board = Board(out / "tensorboard") if order.tensorboard else None

    def record(epoch: Epoch) -> None:
        history.append(_row(epoch))
        weights.append(weights_digest(trainer.average.state_dict()))
        if config.keep == "best" and epoch.best:
            save_checkpoint(out / BEST, trainer.kept())
        write_atomic(out / HISTORY, _csv(history))
        save_checkpoint(checkpoint, trainer.checkpoint(facts()), before=out / PREVIOUS)
        write_record(out, note())
        if board is not None:
            board.add(history[-1])
        watcher.epoch(epoch)

    def tick(done: int, total: int) -> None:
        watcher.step(trainer.epochs_done + 1, done, total)

    watcher.begin(config, len(prepared.training), trainer.epochs_done)
    done = trainer.fit(prepared.training, prepared.validation, record=record, tick=tick, stop=watcher.stop)
    if not done:
        save_checkpoint(checkpoint, trainer.checkpoint(facts()))
    if history:
        draw_curves(history, out / "curves.png", title=config.name)
    if not done:
        return None
    if config.keep == "best":
        trainer.load_kept(load_checkpoint(out / BEST))
    path = finish(trainer, prepared, order.recipe.name, out)
    seal(out, note())
    write_atomic(out / REPORT, run_page(out).encode())
    (out / PREVIOUS).unlink(missing_ok=True)
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
        merged = merge(files, _calibrated(session.card, judged))
    write_atomic(out / MODEL, merged)
    if seen is not None:
        seen.save(out / SEEN)
    seal(out, _recorded(order, config))
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


def _timed(rows: Sequence[Mapping[str, float]], path: Path) -> list[dict[str, float]]:
    """The rows of a checkpoint with the seconds that history.csv has for their epochs."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = {float(row["epoch"]): float(row["seconds"]) for row in csv.DictReader(file) if row["seconds"]}
    except (OSError, ValueError, TypeError, KeyError):  # they are told, and nothing depends on them
        found = {}
    times = ({"seconds": found[row["epoch"]]} if row["epoch"] in found else {} for row in rows)
    return [{"epoch": row["epoch"], "loss": row["loss"], **time, **row} for row, time in zip(rows, times, strict=True)]


def write_sources(out: Path, prepared: Prepared, parts: Sequence[Part]) -> None:
    """Keep what the card says of the data beside the run, with the checksums of `parts`."""
    rows = [
        {"name": s.name, "count": s.count, "licence": s.licence, "source": s.source, "sha256": part.sha256}
        for s, part in zip(prepared.sources, parts, strict=True)
    ]
    write_atomic(out / "sources.json", json.dumps(rows, indent=1, ensure_ascii=False).encode())


def finish(trainer: Trainer, prepared: Prepared, recipe: str, out: Path) -> Path:
    """Put class frequencies right, calibrate on the validation data and write model.onnx."""
    config = trainer.config
    settle_unplaced(trainer, prepared.training, config.sources)
    judged = {
        name: _as_asked(judge(trainer, part), part, config) for name, part in prepared.validation.items() if len(part)
    }
    network = trainer.average
    seen = seen_by(config, prepared.training)
    card = ModelCard(
        name=config.name, version=config.version, alphabet="".join(Alphabet.of(config.alphabet)),
        has_none=config.reject, has_cues=network.uses_cues, data=prepared.sources, recipe=recipe,
        seen=seen.sketch(),
    ).with_frame(network.frame)  # fmt: skip
    if judged:
        card = _calibrated(card, judged)
    path = out / MODEL
    export_network(network, card, path)
    seen.save(out / SEEN)
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


def environment(trainer: Trainer) -> dict[str, object]:
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
