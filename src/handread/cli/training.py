"""handread train: a recipe and data to a run."""

from __future__ import annotations

from pathlib import Path

import click

from handread.cli.extras import require


@click.command("train", epilog="Example: handread train recipes/handread.toml --data photos/ --out runs/mine")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--data", required=True, metavar="DATA", help="A folder, a file or several, comma separated.")
@click.option(
    "--out", required=True, metavar="RUN", type=click.Path(path_type=Path), help="Folder of the run."
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option of the recipe."
)
@click.option("--resume", is_flag=True, help="Go on where the run in RUN stopped.")
def command(recipe: Path, data: str, out: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """Train a network by a recipe.

    RUN receives the configuration, the history, checkpoints and the finished model.
    """
    require("training", "train", "torch", "onnx", "safetensors")
    from handread.training.run import train_recipe

    train_recipe(recipe, data, out, list(overrides), resume)
