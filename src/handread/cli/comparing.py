"""handread compare: two reports on the same items."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.options import JSON, REPORT, check_page, write_page

if TYPE_CHECKING:
    from handread.evaluation.compare import Comparison
    from handread.evaluation.report import EvaluationReport

_SHOWN = 5
"""Items of each kind that the summary names."""
_LARGEST = 256 << 20
"""Bytes of a report that is no mistake."""


@click.command("compare", epilog="Example: handread compare old.json new.json --report compared.html")
@click.argument("first", type=click.Path(path_type=Path), metavar="A.json")
@click.argument("second", type=click.Path(path_type=Path), metavar="B.json")
@REPORT
@JSON
def command(first: Path, second: Path, page: Path | None, as_json: bool) -> None:
    """Compare two reports on the same items.

    The reports come from `handread evaluate --json`. Which items does only one of the models read as labelled, and
    is the difference more than chance (exact McNemar test)?
    """
    from handread.evaluation.compare import compare

    check_page(page)
    a, b = _read(first), _read(second)
    # two versions of one model are told apart by the reports' names
    names = (first.stem, second.stem) if a.model == b.model and first.stem != second.stem else None
    found = compare(a, b, names=names)
    if page is not None:
        from handread.reports.comparison import comparison_page

        write_page(page, comparison_page(found))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), ensure_ascii=False))
    else:
        click.echo(summary(found))


def _read(path: Path) -> EvaluationReport:
    from handread.errors import DataError
    from handread.evaluation.report import EvaluationReport

    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is too large for a report; name a file that handread evaluate --json wrote")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise DataError(f"{path} cannot be read ({reason}); name a file that handread evaluate --json wrote") from None
    try:
        return EvaluationReport.from_json(text)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def summary(found: Comparison) -> str:
    """The comparison in a few lines for people."""
    a, b = found.accuracies
    low, high = found.interval95
    wide = max(len(found.first), len(found.second), len("neither"))
    rows = (
        ("both right", found.both_right),
        (f"only {found.first}", found.only_first),
        (f"only {found.second}", found.only_second),
        ("both wrong", found.both_wrong),
    )
    column = max(len(name) for name, _ in rows)
    lines = [
        f"{found.n:,} items of {found.data}, each read by both",
        "",
        f"{found.first:<{wide}}  {100 * a:6.2f} %",
        f"{found.second:<{wide}}  {100 * b:6.2f} %  ({100 * found.difference:+.2f}; 95 %: {100 * low:+.2f} to {100 * high:+.2f})",
        "",
        *(f"{name:<{column}}  {held:>7,}" for name, held in rows),
        "",
        f"p {_p(found.p_value)} (exact McNemar test). {found.verdict}",
    ]  # fmt: skip
    return "\n".join([*lines, *_examples(found)])


def _examples(found: Comparison) -> list[str]:
    lines = []
    for name, lost in ((found.first, True), (found.second, False)):
        items = [d for d in found.disagreements if (d.first == d.label) == lost]
        shown = ", ".join(
            f"{d.file or f'item {d.item}'} ({d.label}, not {d.second if lost else d.first})" for d in items[:_SHOWN]
        )
        if items:
            more = f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else ""
            lines.append(f"only {name} reads {shown}{more}")
    return ["", *lines] if lines else []


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"
