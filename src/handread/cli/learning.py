"""handread learn: a recogniser of your own hand."""

from __future__ import annotations

from pathlib import Path

import click

from handread.cli.extras import require
from handread.cli.options import SKIP_BROKEN, tell_skipped
from handread.cli.progress import counting


@click.command("learn", epilog="Example: handread learn my-characters/ --out mine.onnx")
@click.argument("data", metavar="FOLDER")
@click.option(
    "--from", "start", default="handread", show_default=True, metavar="NAME|FILE|RUN", help="What to build on."
)
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The .onnx file to write.")
@click.option("--validate", metavar="DATA", help="Judge by these characters instead of a fifth of FOLDER.")
@click.option(
    "--epochs", type=click.IntRange(1, 1000), default=12, show_default=True, help="Times to see each picture."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of everything random.")
@SKIP_BROKEN
def command(data: str, start: str, out: Path, validate: str | None, epochs: int, seed: int, skip_broken: bool) -> None:
    """Learn your own handwriting on top of a finished recogniser.

    FOLDER holds a folder of pictures for each character (A, b_lower, 7), or is any other labelled data; a few
    pictures of each are enough, and characters that the recogniser never knew may be among them. What it knew
    already stays known.
    """
    require("learning", "train", "torch", "onnx", "safetensors")
    from handread.training.finetune import LearnConfig
    from handread.training.learning import LearnWatcher, learn

    if out.suffix != ".onnx":
        raise click.UsageError(f"--out {out} is no .onnx file; name one, such as mine.onnx")
    with counting("pictures") as loading, counting("learning") as learning:
        watcher = LearnWatcher(loading, lambda sentence: click.echo(sentence, err=True), learning)
        done = learn(
            data, start, out, validate=validate, config=LearnConfig(epochs=epochs, seed=seed),
            skip_broken=skip_broken, watcher=watcher,
        )  # fmt: skip
    tell_skipped(done.skipped, done.pictures)
    if done.new_characters:
        click.echo(f"new characters: {' '.join(done.new_characters)}")
    if done.held_out:
        click.echo(
            f"on {done.held_out:,} held-out pictures: {100 * done.before:.1f} % right before, "
            f"{100 * done.after:.1f} % after"
        )
    else:
        click.echo(f"{done.pictures:,} pictures are too few to hold some out: how much better it reads is not known")
    click.echo(f"{out} is ready: handread read PICTURE --model {out}")
