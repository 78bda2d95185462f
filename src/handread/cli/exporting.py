"""handread export: a run to one ONNX file with its card inside, or to an archive of all that matters in it."""

from __future__ import annotations

from pathlib import Path

import click

from handread.cli.extras import require


@click.command("export", epilog="Example: handread export runs/mine --out mine.onnx --int8")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The .onnx or .tar.gz to write."
)
@click.option("--int8", is_flag=True, help="Store the weights in 8 bits: a smaller file, slightly less exact.")
def command(run: Path, out: Path, int8: bool) -> None:
    """Turn a training run into one ONNX file.

    A FILE that ends in .tar.gz becomes an archive of the whole run without its checkpoints, to keep or to send.
    """
    require("export", "train", "torch", "onnx", "safetensors")
    from handread.training.run import export_run, pack_run

    if out.name.endswith((".tar.gz", ".tgz")):
        if int8:
            raise click.UsageError("--int8 is for an .onnx file; an archive holds the run as it is")
        pack_run(run, out)
        click.echo(f"{out} is ready")
        return
    export_run(run, out, int8)
    click.echo(f"{out} is ready: handread read PICTURE --model {out}")
