"""handread adopt: a card for a network that was trained elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.extras import require
from handread.cli.options import SKIP_BROKEN, SPLIT, parse_alphabet
from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.training.adopting import Adopted

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"


@click.command(
    "adopt",
    epilog="Example: handread adopt mnist.onnx --alphabet digits --input 28x28 --calibrate photos/ --out mine.onnx",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--alphabet", required=True, metavar="NAME|CHARACTERS", help="Its classes, in the order of its outputs.")
@click.option("--input", "size", required=True, metavar="HxW", help="Height and width of its input in pixels.")
@click.option("--calibrate", "data", required=True, metavar="DATA", help="Labelled characters to find the rest out by.")
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The ONNX file to write.")
@SPLIT
@click.option("--scale", metavar="LO..HI", help="Numbers of black and white in its training: 0..1, 0..255, -1..1.")
@click.option("--invert/--no-invert", default=None, help="It was trained on dark ink (or, --no-invert, on bright).")
@click.option("--ink", metavar="N", type=click.IntRange(4, 1024), help="Longer side of the ink in its input in pixels.")
@click.option("--centre", metavar="box|mass", type=click.Choice(["box", "mass"]), help="What of the ink is centred.")
@click.option("--output", metavar="NAME", help="Which output to take, where it has several.")
@click.option("--name", metavar="NAME", help="Name on the card; by default that of the file written.")
@click.option("--licence", default="not stated", metavar="TEXT", help="Licence of its weights, for the card.")
@SKIP_BROKEN
def command(
    model: Path,
    alphabet: str,
    size: str,
    data: str,
    out: Path,
    split: str | None,
    scale: str | None,
    invert: bool | None,
    ink: int | None,
    centre: str | None,
    output: str | None,
    name: str | None,
    licence: str,
    skip_broken: bool,
) -> None:
    """Make a network that was trained elsewhere one of Handread's.

    MODEL is an ONNX file from Keras, PyTorch or scikit-learn. Its layout, and of --scale, --invert, --ink and
    --centre what is not given, is found out on the labelled characters; probabilities and refusal are calibrated on
    the same.
    """
    require("adopting a network", "train", "onnx")
    height, width = parse_size(size)
    limits = None if scale is None else parse_scale(scale)
    from handread.training.adopting import Order, adopt

    order = Order(
        alphabet=parse_alphabet(alphabet), height=height, width=width, scale=limits, invert=invert, ink=ink,
        centre=centre, output=output, name=name or out.stem, licence=licence,
    )  # fmt: skip
    with counting("adopting") as progress:
        found = adopt(model, out, order, data=data, split=split, skip_broken=skip_broken, progress=progress)
    for picture in found.skipped:
        click.echo(f"handread: left out {picture}", err=True)
    if found.left_out:
        every = found.n + found.left_out
        click.echo(f"handread: left out {found.left_out:,} of {every:,} items outside the alphabet", err=True)
    for warning in warnings(found):
        click.echo(f"handread: {warning}", err=True)
    click.echo(summary(found, data))
    click.echo(f"{out} is ready: handread read PICTURE --model {out}")


def parse_size(text: str) -> tuple[int, int]:
    """``28x28`` as height and width; `ConfigError` for anything else."""
    from handread.errors import ConfigError

    match = re.fullmatch(r"(\d{1,5})(?:[xX×](\d{1,5}))?", text.strip())
    if match is None:
        raise ConfigError(f"--input {text!r} is no size; write height and width, such as 28x28")
    return int(match[1]), int(match[2] or match[1])


def parse_scale(text: str) -> tuple[float, float]:
    """``-1..1`` as its two numbers; `ConfigError` for anything else."""
    from handread.errors import ConfigError

    match = re.fullmatch(rf"({_NUMBER})\.\.({_NUMBER})", text.strip())
    if match is None:
        raise ConfigError(f"--scale {text!r} is no range; write two numbers, such as 0..1, 0..255 or -1..1")
    return float(match[1]), float(match[2])


def warnings(found: Adopted) -> list[str]:
    """What should make one careful, one sentence each."""
    from handread.training.adopting import FEW

    said = []
    if found.n < FEW:
        said.append(f"{found.n} items are few to choose and to calibrate by; {FEW} or more make it surer")
    if found.accuracy < 0.5:
        said.append(
            f"it is right on {100 * found.accuracy:.0f} % only: check the order of --alphabet, --scale and --invert, "
            "and that the data is what it was trained for"
        )
    return said


def summary(found: Adopted, data: str) -> str:
    """What was found out, for people."""
    wiring, card = found.wiring, found.card
    best = min(found.trials, key=lambda trial: trial.nll)
    lines = [
        f"input     {found.input}",
        f"answers   {found.answers}",
        f"numbers   {wiring.paper:g} for paper, {wiring.ink:g} for ink",
        "",
        "the ink in the input          log loss   right",
    ]
    for trial in found.trials:
        mark = "  <- taken" if trial is best else ""
        placed = f"{trial.frame.ink} pixels, by its {trial.frame.centre}"
        lines.append(f"  {placed:28}{trial.nll:8.3f}{100 * trial.accuracy:8.1f} %{mark}")
    lines += [
        "",
        f"temperature {card.temperature:g}, accepted from {100 * card.accept_above:.0f} % on",
        f"right on {100 * found.accuracy:.1f} % of the {found.n:,} items of {data} that all this was chosen by;",
        "that is no test figure: measure it with handread evaluate on other data",
    ]
    return "\n".join(lines)
