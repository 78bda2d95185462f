"""handread export: a run to one ONNX file with its card inside."""

from __future__ import annotations

from pathlib import Path

import click

from handread.cli.extras import require


@click.command("export", epilog="Example: handread export runs/mine --out mine.onnx --int8")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The ONNX file to write.")
@click.option("--int8", is_flag=True, help="Store the weights in 8 bits: a smaller file, slightly less exact.")
def command(run: Path, out: Path, int8: bool) -> None:
    """Turn a training run into one ONNX file.

    Nothing is written when the exported network and the trained one disagree.
    """
    require("export", "train", "torch", "onnx", "safetensors")
    from handread.training.run import export_run

    export_run(run, out, int8)
    click.echo(f"{out} is ready: handread read PICTURE --model {out}")
