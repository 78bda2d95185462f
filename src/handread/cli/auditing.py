"""handread data audit: which labels of a set are likely wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.options import SKIP_BROKEN, SPLIT, check_page, tell_skipped, write_page
from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.evaluation.audit import Audit, Suspect


@click.command("audit", epilog="Example: handread data audit mnist --split test --report suspects.html")
@click.argument("data")
@SPLIT
@click.option(
    "--model", default="handread", show_default=True, metavar="NAME|FILE|RUN", help="The reader whose opinion is heard."
)
@click.option(
    "--top", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="Suspects to show."
)
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="Write the suspects here as a table (CSV)."
)
@click.option(
    "--report", "page", metavar="FILE", type=click.Path(path_type=Path),
    help="Write a page with the suspects' pictures here (HTML).",
)  # fmt: skip
@click.option("--look-alikes", is_flag=True, help="Suspect look-alikes of each other too: c and C, o and 0.")
@SKIP_BROKEN
def command(
    data: str,
    split: str | None,
    model: str,
    top: int,
    out: Path | None,
    page: Path | None,
    look_alikes: bool,
    skip_broken: bool,
) -> None:
    """Find labels that are likely wrong.

    Every item is judged by the model and, by cross-validation, by the other items of the set; the most suspicious
    come first. DATA is a catalogue name, a folder, a file, or several. Nothing is changed: look, then decide.
    """
    from handread.data.atomic import write_atomic
    from handread.data.load import load_data
    from handread.evaluation.audit import audit, suspects_csv
    from handread.evaluation.report import short_names
    from handread.recognizer import Recognizer

    check_page(page)
    reader = Recognizer(model)
    with counting("loading") as progress:
        items = load_data(data, split=split, progress=progress, skip_broken=skip_broken, frame=reader.card.frame)
    tell_skipped(items.skipped, len(items))
    with counting("judging") as progress:
        found = audit(reader, items, look_alikes=look_alikes, progress=progress)
    suspects = found.suspects(top)
    if out is not None:
        write_atomic(out, suspects_csv(suspects))
    if page is not None:
        from handread.reports.audit import audit_page

        write_page(page, audit_page(found, top))
    click.echo(summary(found))
    click.echo()
    click.echo(table(suspects, short_names(items.files)))


def summary(found: Audit) -> str:
    """What was judged and how many are doubted, for people."""
    share = 100 * found.doubted / len(found)
    said = f"{len(found):,} items, {len(found.alphabet)} characters; of {found.doubted:,} ({share:.2f} %) another "
    lines = [f"{found.data.name}: {said}character is more probable than the label"]
    if found.reader_weight is None:
        lines.append(f"{found.model} does not know all of these characters: judged by the other items of the set alone")
    return "\n".join(lines)


def table(suspects: list[Suspect], files: tuple[str, ...]) -> str:
    """One line a suspect under a heading; a file's name stands last, whole, however long it is."""
    rows = [["rank", "item", "label", "suggested", "p(label)", "p(suggested)", "margin"]]
    for s in suspects:
        shares = (f"{100 * s.label_probability:.1f} %", f"{100 * s.suggested_probability:.1f} %")
        rows.append([str(s.rank), str(s.item), s.label, s.suggested, *shares, f"{s.margin:.1f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = ["file", *(files[s.item] for s in suspects)] if files else [""] * len(rows)
    return "\n".join(
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=True)), file]).rstrip()
        for row, file in zip(rows, last, strict=True)
    )
