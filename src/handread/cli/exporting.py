"""handread export: a run to one ONNX file, to an archive of all that matters in it, or to a page without a server."""

from __future__ import annotations

from pathlib import Path

import click

from handread.cli.extras import require


@click.command("export", epilog="Example: handread export runs/mine --out mine.onnx --int8")
@click.argument("run", required=False)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The .onnx or .tar.gz to write.")
@click.option("--int8", is_flag=True, help="Compute in 8-bit integers: half the size, faster, slightly less exact.")
@click.option(
    "--page", metavar="FOLDER", type=click.Path(path_type=Path),
    help="Write a page that reads in the browser alone; RUN may then also be a model, and by default is the shipped one.",
)  # fmt: skip
def command(run: str | None, out: Path | None, int8: bool, page: Path | None) -> None:
    """Turn a training run into one ONNX file, or a model into a page.

    A FILE that ends in .tar.gz becomes an archive of the whole run without its checkpoints, to keep or to send.
    """
    if (out is None) == (page is None):
        raise click.UsageError("give either --out FILE or --page FOLDER")
    if page is not None:
        if int8:
            raise click.UsageError("--int8 is for an .onnx file; write that first and make the page of it")
        _export_page(run or "handread", page)
        return
    if run is None:
        raise click.UsageError("name the training run to export")
    assert out is not None
    _export_run(Path(run), out, int8)


def _export_page(model: str, folder: Path) -> None:
    from handread.web.offline import export_page

    size = export_page(model, folder)
    click.echo(
        f"{folder} is ready ({size / 1e6:.1f} MB): open {folder / 'index.html'}, or put the folder on any web host"
    )


def _export_run(run: Path, out: Path, int8: bool) -> None:
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
