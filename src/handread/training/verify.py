"""Repeat what a run claims: are its files and its data those of the record, and does training come to the same again?

On the same machine with the same versions and settings every bit is compared. Elsewhere rounding differs, and with it
every weight after a while; there the accuracy on the validation data is compared, within `allowed_difference`.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import math
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handread.data.atomic import write_atomic
from handread.errors import ConfigError, DataError, HandreadError, ModelError
from handread.runtime.session import Session
from handread.training.baseline import BASELINES
from handread.training.baseline import FRAME as BASELINE_FRAME
from handread.training.config import TrainConfig, config_from, load_recipe
from handread.training.distributed import place
from handread.training.loop import Epoch, frame_of
from handread.training.record import RECIPE, Part, RunRecord, file_digest, parts_of, read_record
from handread.training.run import BEST, CHECKPOINT, HISTORY, MODEL, roots_of, train_recipe
from handread.training.sources import prepare
from handread.training.surroundings import differences
from handread.training.watcher import Watcher

SPREAD = 2.0
"""Standard errors of a difference of two shares that are put down to rounding and chance."""
_SHOWN = 4
"""Differing versions and settings that are named."""
_AS_ACCURATE = "another file, as is to be expected elsewhere: the accuracy decides"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `holds` is None where the finding is told and decides nothing."""

    check: str
    holds: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of repeating a run; after the first check that fails no other is made."""

    run: str
    findings: tuple[Finding, ...]
    epochs: int
    """Epochs that were trained again, of all members together."""
    whole: bool
    """The run was repeated to its end, not its first epochs alone."""

    @property
    def holds(self) -> bool:
        """True when no check failed."""
        return self.first_difference is None

    @property
    def first_difference(self) -> Finding | None:
        """The check that failed."""
        return next((finding for finding in self.findings if finding.holds is False), None)

    @property
    def exact(self) -> bool:
        """True when all that was trained again has the same bits."""
        trained = [finding for finding in self.findings if finding.check.split(": ")[-1] in ("weights", MODEL)]
        return self.holds and bool(trained) and all(finding.holds for finding in trained)


@dataclass(slots=True)
class _Order:
    """What is asked for, and how far it has come."""

    data: str | None
    epochs: int | None
    """How many of the first epochs to repeat; None: the whole run."""
    watcher: Watcher
    done: int = field(default=0)
    """Epochs that were trained again."""


def verify_run(
    run: Path, data: str | None = None, *, epochs: int | None = None, watcher: Watcher | None = None
) -> Verification:
    """Train the finished run in the folder `run` again, in a temporary folder, and compare.

    `data` is needed where the data are no longer where the run found them. `epochs` repeats so many first epochs only;
    0 checks files and data and trains nothing. Raises `ModelError` for a folder that is no finished run, `ConfigError`
    for what cannot be repeated, and `DataError` where the data cannot be read.
    """
    if place()[1] > 1:
        raise ConfigError("verifying is the work of one process; start it without torchrun")
    order, findings = _Order(data, epochs, watcher or Watcher()), []
    with (
        tempfile.TemporaryDirectory(prefix="handread-verify-", ignore_cleanup_errors=True) as folder,
        contextlib.closing(_findings(run, Path(folder) / "run", order)) as found,
    ):
        for finding in found:
            findings.append(finding)
            if finding.holds is False:
                break
    return Verification(str(run), tuple(findings), order.done, epochs is None)


def allowed_difference(share: float, count: int) -> float:
    """The largest difference between two accuracies (0..1), each measured on `count` images, that is no news.

    `SPREAD` standard errors of a difference of two independent shares: 0.16 points at 99.67 % of 10,000 images, where
    five seeds of one recipe lay 0.09 points apart at most.
    """
    wrong = (count * (1 - share) + 1) / (count + 2)  # where all are right, chance is still left
    return SPREAD * math.sqrt(2 * wrong * (1 - wrong) / count)


def _findings(
    run: Path, out: Path, order: _Order, overrides: tuple[str, ...] | None = None
) -> Generator[Finding, None, None]:
    """The checks in their order; whoever asks stops at the first that fails. `overrides` are those of a member."""
    record = read_record(run)
    if not record.files:
        raise ModelError(f"the run in {run} is not finished; go on with handread train ... --resume")
    yield _files(run, record)
    config = config_from(_object(run / "config.json"))
    yield _recipe(run, record, config, overrides)
    if order.epochs and config.network in BASELINES:
        raise ConfigError(f"{config.network} learns in one go and has no epochs; leave --epochs-only out, or say 0")
    again = _Repeat(run, out, record, config, order)
    if config.members > 1:
        for number in range(1, config.members + 1):
            own = (*record.overrides, "members=1", f"seed={config.seed + number - 1}")
            for finding in _findings(run / f"member-{number}", out / f"member-{number}", order, own):
                again.hear_of_member(finding)
                yield dataclasses.replace(finding, check=f"member {number}: {finding.check}")
        if order.epochs is None:
            again.train()
            yield from again.model()
        return
    yield again.data()
    if order.epochs == 0:
        return
    yield from again.roots()
    again.train()
    yield again.surroundings()
    if record.weights:
        yield again.weights()
        yield from again.history()
    if order.epochs is None:
        yield from again.model()


def _files(run: Path, record: RunRecord) -> Finding:
    missing = [name for name in record.files if not (run / name).is_file()]
    lost = [name for name in missing if name not in (CHECKPOINT, BEST)]
    if lost:
        return Finding("files", False, f"{lost[0]} is not there")
    there = [name for name in record.files if name not in missing]
    for name in there:
        if file_digest(run / name) != record.files[name]:
            return Finding("files", False, f"{name} is not the file that the run wrote")
    without = " (packed, without its checkpoints)" if missing else ""
    return Finding("files", True, f"{len(there)} files are as the run wrote them{without}")


def _recipe(run: Path, record: RunRecord, config: TrainConfig, overrides: tuple[str, ...] | None) -> Finding:
    """Does the text of the recipe, with what was set, come to the options that the run says it had?"""
    if overrides is not None and record.overrides != overrides:
        return Finding("recipe", False, f"its options ({' '.join(record.overrides)}) are not those of a member")
    if load_recipe(run / RECIPE, record.overrides) != config:
        return Finding("recipe", False, f"{RECIPE} does not come to the options in config.json")
    changes = f" and {' '.join(record.overrides)}" if record.overrides else ""
    return Finding("recipe", True, f"{record.recipe}{changes}: the options of the run")


class _Repeat:
    """A run beside its repetition in the folder `out`."""

    def __init__(self, run: Path, out: Path, record: RunRecord, config: TrainConfig, order: _Order) -> None:
        self.run, self.out, self.record, self.config, self.order = run, out, record, config, order
        self._done = 0
        self._parted: int | None = None
        """The first epoch after which the weights differ."""
        self._elsewhere: list[str] | None = None

    @property
    def _given(self) -> str:
        return self.record.data if self.order.data is None else self.order.data

    def data(self) -> Finding:
        """Are the data those of the record?"""
        config = self.config
        frame = BASELINE_FRAME if config.network in BASELINES else frame_of(config)
        try:
            prepared = prepare(
                config, self._given, self.order.watcher.loading, frame=frame, skip_broken=self.record.skip_broken
            )
        except HandreadError as error:
            if self.order.data is not None:
                raise
            raise DataError(f"{error} (the run's data were {self._given}; --data says where they are now)") from None
        sources, validation = parts_of(prepared)
        for then, now, what in ((self.record.sources, sources, "source"), (self.record.validation, validation, "validation set")):  # fmt: skip
            other = _other_part(then, now, what)
            if other:
                return Finding("data", False, other)
        held_out = f", {_images(validation)} held out" if validation else ""
        return Finding("data", True, f"{_images(sources)} to train on{held_out}: those of the run")

    def roots(self) -> Iterator[Finding]:
        """Are the weights that it began with and its teacher those of the record?"""
        try:
            start, teacher = roots_of(self.config)
        except HandreadError as error:
            raise ConfigError(f"{error}: bring it back, or check files and data alone with --epochs-only 0") from None
        for name, then, now in (("start", self.record.start, start), ("teacher", self.record.teacher, teacher)):
            if then or now:
                said = getattr(self.config, name)
                same = then == now
                yield Finding(name, same, f"{said} is {'what' if same else 'not what'} the run had")

    def hear_of_member(self, finding: Finding) -> None:
        """Where a member has other bits for a reason, the mean of all has them too."""
        if finding == Finding(MODEL, None, _AS_ACCURATE):
            self._elsewhere = ["a member was trained elsewhere"]

    def train(self) -> None:
        """Train again, as far as asked; where every bit is expected, no further than to the first that differs."""
        recipe = self.out.parent / f"{self.out.name}.recipe" / self.record.recipe
        recipe.parent.mkdir(parents=True)
        write_atomic(recipe, (self.run / RECIPE).read_bytes())
        overrides = [*self.record.overrides, *self._threads()]
        told = self.order.watcher
        watcher = Watcher(begin=told.begin, step=told.step, epoch=self._epoch, stop=self._stop)
        train_recipe(
            recipe, self._given, self.out, overrides,
            resume=True, watcher=watcher, skip_broken=self.record.skip_broken,
        )  # fmt: skip

    def _threads(self) -> list[str]:
        """As many threads as then, where the recipe leaves it to the machine."""
        said = _object(self.run / "environment.json").get("threads")
        fits = type(said) is int and 1 <= said <= 1024
        return [f"threads={said}"] if fits and not self.config.threads and self.config.network not in BASELINES else []

    def _epoch(self, epoch: Epoch) -> None:
        self._done = epoch.epoch
        self.order.done += 1
        if self._parted is None and epoch.epoch <= len(self.record.weights):
            then, now = self.record.weights[epoch.epoch - 1], read_record(self.out).weights[epoch.epoch - 1]
            if then and then != now:
                self._parted = epoch.epoch
        self.order.watcher.epoch(epoch)

    def _stop(self) -> bool:
        enough = self.order.epochs is not None and self._done >= self.order.epochs
        return enough or (self._parted is not None and not self._differences())

    def _differences(self) -> list[str]:
        """What of machine, versions and settings is not as it was, for people."""
        if self._elsewhere is None:
            then, now = (_object(folder / "environment.json") for folder in (self.run, self.out))
            found = differences(then, now)
            self._elsewhere = [_differs(name, *values) for name, values in found.items()]
            if then.get("earlier"):
                self._elsewhere.append("the run went on in other surroundings than it began in")
        return self._elsewhere

    def surroundings(self) -> Finding:
        """Told, for what is expected of the weights."""
        found = self._differences()
        if not found:
            return Finding("machine", None, "the same, versions and settings too: every bit counts")
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return Finding("machine", None, f"not the same: {'; '.join(found[:_SHOWN])}{more}")

    def weights(self) -> Finding:
        """Bit for bit, epoch by epoch."""
        ends = len(self.record.weights)
        if self._parted is None and self._done != ends and self.order.epochs is None:
            return Finding("weights", False, f"it ended after {_epochs(self._done)}, the run after {_epochs(ends)}")
        if self._parted is None:
            return Finding("weights", True, f"the same bits after {_each(self._done)}")
        said = f"other weights after epoch {self._parted}"
        if self._differences():
            return Finding("weights", None, f"{said}, as is to be expected elsewhere: the accuracy decides")
        return Finding("weights", False, f"{said}, though machine, versions and settings are the same")

    def history(self) -> Iterator[Finding]:
        """The rows of history.csv; where the weights differ and only a part was repeated, its last accuracy."""
        then, now = _history(self.run / HISTORY), _history(self.out / HISTORY)
        if self._parted is None:
            for row in range(self._done):
                if row >= len(then) or then[row] != now[row]:
                    yield Finding("history", False, f"{HISTORY} tells other numbers of epoch {row + 1}")
            yield Finding("history", True, f"{HISTORY} tells the same of {_each(self._done)}")
        elif self.order.epochs is not None:
            last = self._done - 1
            if last >= len(then):
                yield Finding("history", False, f"{HISTORY} has no epoch {self._done}")
            yield self._accuracy(_accuracies(then[last]), _accuracies(now[last]), f"after epoch {self._done}")

    def model(self) -> Iterator[Finding]:
        """The finished file: the same bytes, or elsewhere as accurate."""
        files = [folder / MODEL for folder in (self.run, self.out)]
        if file_digest(files[0]) == file_digest(files[1]):
            yield Finding(MODEL, True, "the same file, bit for bit")
            return
        if not self._differences():
            yield Finding(MODEL, False, "another file, though machine, versions and settings are the same")
        yield Finding(MODEL, None, _AS_ACCURATE)
        then, now = (_accuracies(Session.from_bytes(file.read_bytes()).card.scores) for file in files)
        yield self._accuracy(then, now, "in the end")

    def _accuracy(self, then: Mapping[str, float], now: Mapping[str, float], when: str) -> Finding:
        counts = {part.name: part.count for part in self._validation()}
        compared = [name for name in then if name in now and counts.get(name)]
        if not compared:
            return Finding("accuracy", False, "nothing was held out, so that there is no accuracy to compare")
        said = []
        for name in compared:
            limit = allowed_difference(then[name], counts[name])
            text = (f"{name} {100 * then[name]:.2f} % then, {100 * now[name]:.2f} % now {when}, "
                    f"at most {100 * limit:.2f} apart")  # fmt: skip
            if abs(then[name] - now[name]) > limit:
                return Finding("accuracy", False, text)
            said.append(text)
        return Finding("accuracy", True, "; ".join(said))

    def _validation(self) -> tuple[Part, ...]:
        """What was held out; members all have as many."""
        if self.config.members > 1:
            return read_record(self.run / "member-1").validation
        return self.record.validation


def _other_part(then: tuple[Part, ...], now: tuple[Part, ...], what: str) -> str:
    """The first set that differs, in words; empty where all are the same."""
    for number, (own, found) in enumerate(zip(then, now, strict=False), start=1):
        if own.count != found.count:
            return f"{what} {number} ({found.name}) has {found.count:,} images, the run had {own.count:,}"
        if own.sha256 != found.sha256:
            return (
                f"{what} {number} ({found.name}) holds other images or labels than the run had, {own.count:,} as then"
            )
    if len(then) != len(now):
        return f"there is {len(now)} times a {what}, the run had {len(then)}"
    return ""


def _differs(name: str, then: object, now: object) -> str:
    if name == "code":
        return "Handread's own code"
    shown = [_short(value) for value in (then, now)]
    return f"{name} {shown[0]} then, {shown[1]} now"


def _short(value: object) -> str:
    text = "none" if value is None or value == "" else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _accuracies(values: Mapping[str, float | str]) -> dict[str, float]:
    """Of a row of history.csv or of a card's scores: validation set -> accuracy."""
    found = (
        (re.fullmatch(r"accuracy (.*)|validation accuracy, (.*)", key, re.DOTALL), said) for key, said in values.items()
    )
    return {match[1] or match[2]: float(said) for match, said in found if match}


def _history(path: Path) -> list[dict[str, str]]:
    """Rows as they are written, without the seconds; raises `ModelError` where it is no table of numbers."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [{k: v for k, v in row.items() if k != "seconds" and v} for row in csv.DictReader(file)]
        for row in rows:
            _ = [float(value) for value in row.values()]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise ModelError(f"{path} is no table of numbers ({error}); train the run again") from None
    return rows


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read ({error}); train the run again") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no JSON object; train the run again")
    return found


def _images(parts: tuple[Part, ...]) -> str:
    return f"{sum(part.count for part in parts):,} images"


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def _each(count: int) -> str:
    return "the first epoch" if count == 1 else f"each of {count} epochs"
