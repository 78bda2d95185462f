"""handread bench: what reading costs on this machine, and what the limit is."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from typing import TYPE_CHECKING

import click

from handread.cli.options import JSON

if TYPE_CHECKING:
    from handread.bench import Bench, ModelBench, Peak, Process

PRECISIONS = {"int8": "8-bit integers", "fp32": "32-bit floats", "bf16": "bfloat16, through PyTorch"}


@click.command("bench", epilog="Example: handread bench --seconds 20 --json")
@click.option(
    "--model", "models", multiple=True, metavar="NAME|FILE|RUN", help="Only this model; all that are shipped."
)
@click.option("--seconds", type=float, default=10.0, show_default=True, metavar="S", help="How long to measure.")
@click.option("--threads", type=click.IntRange(1, 1024), multiple=True, metavar="N",
              help="Numbers of threads; one, and all cores.")  # fmt: skip
@JSON
def command(models: tuple[str, ...], seconds: float, threads: tuple[int, ...], as_json: bool) -> None:
    """Measure what reading costs on this machine, and what the limit is.

    One character, many at once, photographs, a process from its start: for each shipped model, in about ten
    seconds. The limit is what a matrix multiplication gives here at its best. Other work on the machine slows
    all of it down.
    """
    from handread.bench import measure_bench
    from handread.cli.progress import counting

    with counting("measuring") as progress:
        found = measure_bench(models, seconds=seconds, threads=threads, progress=progress)
    found = dataclasses.replace(found, peaks=(*found.peaks, *_bf16(found, seconds)))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=1))
    else:
        _show(found)


def _bf16(found: Bench, seconds: float) -> list[Peak]:
    """Peaks in bfloat16, where PyTorch is installed and the processor has it."""
    from handread.bench import Peak

    if any(importlib.util.find_spec(name) is None for name in ("torch", "onnx", "safetensors")):
        return []
    from handread.training.peak import measure_bf16_peak

    peaks = []
    for threads in sorted({peak.threads for peak in found.peaks}):
        rate = measure_bf16_peak(threads=threads, seconds=seconds / 20)
        if rate is not None:
            peaks.append(Peak("bf16", threads, rate))
    return peaks


def _show(found: Bench) -> None:
    from rich.console import Console
    from rich.table import Table

    machine = found.machine
    console = Console(highlight=False, markup=False)
    told = "; ".join(f"{name} {number}" for name, number in machine.versions.items())
    console.print(f"{machine.processor}, {machine.cores} cores, {machine.system}; {told}\n", soft_wrap=True)
    threads = sorted({peak.threads for peak in found.peaks})

    table = Table("matrix multiplication at its best", box=None, pad_edge=False)
    for count in threads:
        table.add_column(_threads(count), justify="right")
    for precision, title in PRECISIONS.items():
        row = {peak.threads: peak for peak in found.peaks if peak.precision == precision}
        if row:
            shown = (f"{row[count].multiply_adds / 1e9:,.0f}" if count in row else "" for count in threads)
            table.add_row(f"  {title}, billion multiply-adds a second", *shown)
    console.print(table)
    console.print()

    table = Table("", box=None, pad_edge=False)
    for model in found.models:
        table.add_column(model.name.replace("-", "-\n"), justify="right", no_wrap=True)  # four fit into 80 columns
    for title, cells in _rows(found.models):
        table.add_row(title, *cells)
    console.print(table)
    console.print()
    for model in found.models:
        console.print(_limit(model, max(threads), found.peaks), soft_wrap=True)


def _rows(models: tuple[ModelBench, ...]) -> list[tuple[str, list[str]]]:
    rows: list[tuple[str, list[str]]] = [
        ("weights file, MB", [f"{model.megabytes:.2f}" for model in models]),
        ("multiply-adds a character, million", [f"{model.multiply_adds / 1e6:.1f}" for model in models]),
        ("one character on 1 thread, ms", [_milliseconds(model.single.median) for model in models]),
        ("  95 of 100 within, ms", [_milliseconds(model.single.p95) for model in models]),
    ]
    for rate in models[0].rates:
        same = [model.rate(rate.batch, rate.threads) for model in models]
        title = f"  {rate.batch} at once, {_threads(rate.threads)}"
        if rate.batch == models[0].rates[0].batch:
            rows.append(("", ["" for _ in models]))
            rows.append((f"characters a second, {_threads(rate.threads)}", ["" for _ in models]))
        rows.append((title.partition(",")[0], [f"{one.per_second:,.0f}" for one in same]))
    return [
        *rows,
        ("", ["" for _ in models]),
        ("photo, 1200 x 900, one digit, ms", [_milliseconds(model.small_photo.median) for model in models]),
        ("photo, 12 megapixels, 30 digits, ms", [_milliseconds(model.large_photo.median) for model in models]),
        ("whole process for the first photo, s", [f"{model.cold.seconds:.2f}" for model in models]),
        ("  memory, MB", [_megabytes(model.cold) for model in models]),
        ("whole process for the second, s", [f"{model.cold_large.seconds:.2f}" for model in models]),
        ("  memory, MB", [_megabytes(model.cold_large) for model in models]),
    ]


def _limit(model: ModelBench, threads: int, peaks: tuple[Peak, ...]) -> str:
    """One sentence: how near to the peak the network alone comes."""
    rate = model.rate(max(one.batch for one in model.rates), threads)
    peak = next((p.multiply_adds for p in peaks if (p.precision, p.threads) == (model.precision, threads)), None)
    if peak is None or rate.of_peak is None:
        return f"{model.name}: no peak was measured in {model.precision}."
    return (
        f"The limit of {model.name}: at the peak in {PRECISIONS[model.precision]} its network would read "
        f"{peak / model.multiply_adds:,.0f} characters a second on {_threads(threads)}; at {rate.batch} at once it reads "
        f"{rate.multiply_adds / model.multiply_adds:,.0f}, {100 * rate.of_peak:.0f} %. "
        f"With normalising and deciding it is {rate.per_second:,.0f}."
    )


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _milliseconds(seconds: float) -> str:
    shown = 1e3 * seconds
    return f"{shown:,.{2 if shown < 10 else 1 if shown < 100 else 0}f}"


def _megabytes(process: Process) -> str:
    """Nothing where the system does not tell."""
    return "" if process.peak_mb is None else f"{process.peak_mb:,.0f}"
