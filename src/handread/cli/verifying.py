"""handread verify: train a run again and compare."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.extras import require
from handread.cli.options import JSON
from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.training.loop import Epoch
    from handread.training.verify import Verification

_WORDS = {True: "holds", False: "differs", None: "–"}


@click.command("verify", epilog="Example: handread verify runs/first --epochs-only 1")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", help="Where the run's data are now. Default: where the run found them.")
@click.option(
    "--epochs-only", "epochs", type=click.IntRange(0), metavar="N",
    help="Repeat the first N epochs only; 0 checks files and data and trains nothing.",
)  # fmt: skip
@JSON
def command(run: Path, data: str | None, epochs: int | None, as_json: bool) -> int:
    """Repeat what a training run claims.

    Checks that the files of RUN are those that it wrote and the data those that it saw, then trains again in a
    temporary folder and compares: bit for bit where machine and versions are the same, elsewhere by the accuracy on
    the validation data. It ends with the first check that fails. The exit code is 1 when the claim does not hold.
    """
    require("verifying", "train", "torch", "onnx", "safetensors")
    from handread.training.verify import verify_run
    from handread.training.watcher import Watcher

    def tell(epoch: Epoch) -> None:
        click.echo(f"trained epoch {epoch.epoch} again, {epoch.seconds:,.0f} s", err=True)

    with counting("training again") as progress:
        watcher = Watcher(
            loading=lambda name: click.echo(f"loading {name}", err=True),
            step=lambda epoch, done, total: progress(done, total),
            epoch=tell,
        )
        found = verify_run(run, data, epochs=epochs, watcher=watcher)
    if as_json:
        click.echo(json.dumps(_plain(found), indent=1, ensure_ascii=False))
    else:
        _show(found)
    return 0 if found.holds else 1


def _plain(found: Verification) -> dict[str, object]:
    first = found.first_difference
    return {
        "run": found.run,
        "holds": found.holds,
        "bit for bit": found.exact,
        "whole": found.whole,
        "epochs": found.epochs,
        "first difference": None if first is None else first.check,
        "findings": [dataclasses.asdict(finding) for finding in found.findings],
    }


def _show(found: Verification) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    table = Table("check", "verdict", "what was found", box=None, pad_edge=False)
    styles = {True: "green", False: "bold red", None: "dim"}
    for finding in found.findings:
        verdict = Text(_WORDS[finding.holds], styles[finding.holds])
        table.add_row(Text(finding.check), verdict, Text(finding.said))
    console.print(table)
    console.print()
    console.print(Text(verdict_of(found), "green" if found.holds else "bold red"), soft_wrap=True)


def verdict_of(found: Verification) -> str:
    """The outcome in one sentence."""
    first = found.first_difference
    if first is not None:
        return f"The claim does not hold. What differs first: {first.check}: {first.said}."
    if not found.epochs and not found.whole:
        return "Files and data are those of the run; nothing was trained."
    what = "the whole run" if found.whole else "one epoch" if found.epochs == 1 else f"{found.epochs} epochs"
    if found.exact:
        return f"The claim holds: {what}, trained again, came out the same, bit for bit."
    return f"The claim holds: {what}, trained again elsewhere, came out as accurate within the spread."
