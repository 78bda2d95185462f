"""handread train: a recipe and data to a run."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from handread.cli.extras import require
from handread.cli.options import SKIP_BROKEN, tell_skipped
from handread.cli.progress import counting
from handread.errors import ConfigError

if TYPE_CHECKING:
    from handread.training.config import TrainConfig
    from handread.training.loop import Epoch
    from handread.training.watcher import Watcher

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_STOPS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)


@click.command("train", epilog="Example: handread train recipes/mnist-adam.toml --data mnist --out runs/mine")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="DATA", help="A folder, a file or several, comma separated.")
@click.option("--out", required=True, metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option of the recipe.")
@click.option("--resume", is_flag=True, help="Go on where the run in RUN stopped.")
@SKIP_BROKEN
@click.option("--find-learning-rate", is_flag=True, help="Try learning rates, show the losses, train nothing.")
@click.option("--tensorboard", is_flag=True, help="Write RUN/tensorboard too.")
def command(
    recipe: Path,
    data: str,
    out: Path,
    overrides: tuple[str, ...],
    resume: bool,
    skip_broken: bool,
    find_learning_rate: bool,
    tensorboard: bool,
) -> int:
    """Train a network by a recipe.

    RUN receives the configuration, the history with its curves, checkpoints, the finished model and a report.
    --set may be repeated. Ctrl-C stops after the step in progress with everything saved; --resume goes on from
    there and comes to the same weights.
    """
    require("training", "train", "torch", "onnx", "safetensors")
    from handread.training.distributed import place
    from handread.training.run import MODEL, train_recipe

    rank, processes = place()
    if find_learning_rate:
        if processes > 1:
            raise ConfigError("--find-learning-rate is the work of one process; start it without torchrun")
        _find(recipe, data, overrides, out)
        return 0
    if processes == 1 and (out / MODEL).exists() and not resume and sys.stdin.isatty() and sys.stdout.isatty():
        click.echo(f"{out} holds a trained model already.")
        if click.prompt("use it, or resume its run", type=click.Choice(["use", "resume"]), default="use") == "use":
            _ready(out / MODEL)
            return 0
        resume = True
    if processes > 1:  # one that waits for the others would not hear torchrun's SIGTERM
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with _watching(_STOPS if processes == 1 else (signal.SIGINT,)) as watcher:
        path = train_recipe(
            recipe, data, out, list(overrides), resume,
            watcher=watcher, tensorboard=tensorboard, skip_broken=skip_broken,
        )  # fmt: skip
    if rank:  # the first process speaks for all
        return 0 if path else _INTERRUPTED
    if path is None:
        click.echo(f"handread: stopped, everything is saved in {out}; go on with --resume", err=True)
        return _INTERRUPTED
    _ready(path)
    return 0


def _ready(path: Path) -> None:
    click.echo(f"{path} is ready: handread read PICTURE --model {path}")


def _find(recipe: Path, data: str, overrides: tuple[str, ...], out: Path) -> None:
    from handread.training.config import load_recipe
    from handread.training.finder import find_learning_rate, save_finding
    from handread.training.loop import frame_of
    from handread.training.sources import prepare

    config = load_recipe(recipe, overrides)
    prepared = prepare(config, data, frame=frame_of(config))
    with counting("trying learning rates") as progress:
        found = find_learning_rate(config, prepared.training, tick=progress)
    shown = range(0, len(found.rates), max(1, len(found.rates) // 20))
    least = min(found.losses)
    click.echo("learning rate  loss")
    for place in shown:
        rate, loss = found.rates[place], found.losses[place]
        click.echo(f"{rate:13.1e}  {loss:6.3f}  {'#' * min(40, round(20 * loss / least) - 19)}")
    click.echo(f"suggested: --set learning_rate={found.suggestion:g}")
    save_finding(found, out)
    click.echo(f"the curve is in {out / 'learning_rate.png'}", err=True)


@contextlib.contextmanager
def _watching(stops: Sequence[int]) -> Iterator[Watcher]:
    """A table on stdout, one row an epoch; a bar on stderr for the epoch in progress; `stops` ask for the end."""
    from handread.training.watcher import Watcher

    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(number, before[number])  # a second Ctrl-C does not wait
        click.echo("\nhandread: stopping after this step; once more stops at once", err=True)

    before = {number: signal.signal(number, ask) for number in stops}
    table = _Table()
    try:
        with counting("training") as progress:
            yield Watcher(
                loading=lambda name: click.echo(f"loading {name}"),
                skipped=tell_skipped,
                fell_back=lambda sentence: click.echo(f"handread: {sentence}", err=True),
                begin=table.begin,
                step=lambda epoch, done, total: progress(done, total),
                epoch=table.row,
                stop=lambda: bool(asked),
            )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Table:
    """The epochs as they come, in columns."""

    def __init__(self) -> None:
        self._epochs = 0
        self._widths: list[int] = []
        self._start = time.monotonic()
        self._done = 0

    def begin(self, config: TrainConfig, images: int, epochs_done: int) -> None:
        self._epochs = config.epochs
        self._start, self._done = time.monotonic(), epochs_done
        went_on = f", going on after epoch {epochs_done}" if epochs_done else ""
        click.echo(f"{config.network} on {images:,} images, {config.epochs} epochs{went_on}")

    def row(self, epoch: Epoch) -> None:
        names = [f"right on {name}" for name in epoch.accuracy]
        if not self._widths:
            heads = ["epoch", "  loss", *names, "images/s", "    time", "    left"]
            self._widths = [len(head) for head in heads]
            click.echo("  ".join(heads))
        trained = epoch.epoch - self._done
        left = (time.monotonic() - self._start) / max(1, trained) * (self._epochs - epoch.epoch)
        cells = [
            f"{epoch.epoch}",
            f"{epoch.loss:.4f}",
            *(f"{100 * share:.2f} %" for share in epoch.accuracy.values()),
            f"{epoch.images_per_second:,.0f}",
            _clock(epoch.seconds),
            _clock(left),
        ]
        line = "  ".join(cell.rjust(width) for cell, width in zip(cells, self._widths, strict=True))
        click.echo(line + ("  best" if epoch.best and epoch.accuracy else ""))


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
