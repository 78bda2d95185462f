"""handread train: a recipe and data to a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.extras import require
from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.training.loop import Epoch
    from handread.training.run import Watcher


@click.command("train", epilog="Example: handread train recipes/handread.toml --data photos/ --out runs/mine")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="DATA", help="A folder, a file or several, comma separated.")
@click.option("--out", required=True, metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option of the recipe.")
@click.option("--resume", is_flag=True, help="Go on where the run in RUN stopped.")
def command(recipe: Path, data: str, out: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a network by a recipe.

    RUN receives the configuration, the history, checkpoints and the finished model. --set may be repeated.
    """
    require("training", "train", "torch", "onnx", "safetensors")
    from handread.training.run import train_recipe

    with _watching() as watcher:
        path = train_recipe(recipe, data, out, list(overrides), resume, watcher=watcher)
    click.echo(f"{path} is ready: handread read PICTURE --model {path}")


@contextlib.contextmanager
def _watching() -> Iterator[Watcher]:
    """A line on stdout for each source and epoch, and a bar on stderr for the epoch in progress."""
    from handread.training.run import Watcher

    with counting("training") as progress:
        yield Watcher(
            loading=lambda name: click.echo(f"loading {name}"),
            step=lambda epoch, done, total: progress(done, total),
            epoch=lambda epoch: click.echo(_line(epoch)),
        )


def _line(epoch: Epoch) -> str:
    shares = "  ".join(f"{name} {100 * share:.2f} %" for name, share in epoch.accuracy.items())
    pace = f"{epoch.images_per_second:,.0f} images/s, {epoch.seconds:.0f} s"
    return f"epoch {epoch.epoch:3}  loss {epoch.loss:.4f}  {shares}  ({pace})"
