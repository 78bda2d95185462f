"""handread evaluate: a model against labelled characters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.options import REPORT, SKIP_BROKEN, SPLIT, check_page, parse_alphabet, tell_skipped, write_page
from handread.cli.progress import counting
from handread.cli.stressing import strengths_of, stress_table, stressed

if TYPE_CHECKING:
    from handread.evaluation.report import EvaluationReport

_PAIRS = 10
"""Confused pairs that the summary shows."""


@click.command("evaluate", epilog="Example: handread evaluate handread --data photos/ --alphabet digits")
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="A catalogue name, a folder, a file, or several.")
@SPLIT
@click.option("--alphabet", metavar="NAME|CHARACTERS", help="Answers allowed; by default all it knows.")
@click.option("--json", "out", metavar="FILE", type=click.Path(path_type=Path), help="Write the whole report here.")
@REPORT
@click.option("--stress", "worse", is_flag=True, help="Measure worse pictures too: MNIST-C's fifteen, and paper.")
@click.option("--strengths", metavar="N,N", help="Strengths of --stress, 1 to 5. Default: 3.")
@click.option("--count", type=click.IntRange(1), help="Items for --stress, drawn by chance. Default: all.")
@SKIP_BROKEN
def command(
    model: str,
    data: str,
    split: str | None,
    alphabet: str | None,
    out: Path | None,
    page: Path | None,
    worse: bool,
    strengths: str | None,
    count: int | None,
    skip_broken: bool,
) -> None:
    """Measure a model on labelled characters.

    Every item is one character; pictures take the road of `handread read --one`. MODEL is a shipped name, an
    ONNX file or the folder of a run. Items outside the alphabet are left out, and counted. Where some were
    trained on, it says so.
    """
    if not worse and (strengths is not None or count is not None):
        raise click.UsageError("--strengths and --count are for --stress; add it")
    levels = strengths_of("3" if strengths is None else strengths)
    from handread.data.load import load_data
    from handread.evaluation.leak import list_beside
    from handread.evaluation.report import examine
    from handread.recognizer import Recognizer
    from handread.runtime import store

    check_page(page)
    reader = Recognizer(model)
    wanted = None if alphabet is None else parse_alphabet(alphabet)
    if wanted is not None:
        reader.alphabet.indices_of(wanted)  # a wrong one is told before minutes of loading
    with counting("loading") as progress:
        items = load_data(data, split=split, progress=progress, skip_broken=skip_broken, frame=reader.card.frame)
    tell_skipped(items.skipped, len(items))
    if wanted is not None:
        inside = items.restricted(wanted)
        if len(inside) < len(items):
            outside = len(items) - len(inside)
            click.echo(f"handread: left out {outside:,} of {len(items):,} items outside the alphabet", err=True)
        items = inside
    with counting("scoring") as progress:
        seen = list_beside(store.locate(model), reader.card.seen)
        evaluation = examine(reader, items, alphabet=wanted, seen=seen, progress=progress)
    _tell_leak(evaluation.report, split)
    if worse:
        evaluation = stressed(evaluation, reader, wanted, strengths=levels, count=count)
    if out is not None:
        evaluation.report.save(out)
    if page is not None:
        from handread.reports.evaluation import evaluation_page

        write_page(page, evaluation_page(evaluation))
    click.echo(summary(evaluation.report))
    if evaluation.report.stress is not None:
        click.echo("\n" + stress_table(evaluation.report.stress))


def _tell_leak(report: EvaluationReport, split: str | None) -> None:
    """Warn of items that were trained on, unless the training part was asked for."""
    from handread.data.reader import canonical_split

    asked_for = split is not None and canonical_split(split) == "train"
    if report.leak is not None and report.leak.leaks and not asked_for:
        click.echo(f"handread: {report.leak.sentence}", err=True)


def summary(report: EvaluationReport) -> str:
    """The report in a few lines for people."""
    low, high = report.interval95
    lines = [
        f"{report.model} on {report.data}: {report.n:,} characters, {len(report.alphabet)} classes, "
        f"{report.seconds:.1f} s",
        "",
        f"accuracy          {_percent(report.accuracy)}  (95 %: {_percent(low)} to {_percent(high)})",
        f"right in first 2  {_percent(report.top2)}",
        f"right in first 3  {_percent(report.top3)}",
        f"case ignored      {_percent(report.case_insensitive)}",
        f"look-alikes as 1  {_percent(report.merged)}",
        f"refused           {_percent(report.refused)}",
        f"log loss          {report.nll:.4f}",
        f"calibration error {report.ece:.4f}",
    ]
    pairs = report.confused_pairs()[:_PAIRS]
    if pairs:
        named = report.alphabet
        shown = ", ".join(f"{named[true]} read as {named[read]} ({count})" for true, read, count in pairs)
        lines += ["", f"most confused: {shown}"]
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:6.2f} %"
