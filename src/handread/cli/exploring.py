"""handread explore: what a labelled set holds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.options import JSON, REPORT, SPLIT, check_page, write_page
from handread.cli.progress import counting

if TYPE_CHECKING:
    from rich.table import Table

    from handread.data.explore import Exploration

_SIDE = 96
"""Pixels of the square in which a whole picture is looked at."""
_BAR = 16
"""Characters of the longest bar."""


@click.command("explore", epilog="Example: handread explore digits --report digits.html")
@click.argument("data")
@SPLIT
@REPORT
@JSON
def command(data: str, split: str | None, page: Path | None, as_json: bool) -> None:
    """Show what a labelled set holds.

    Counts of each class, sizes, unreadable and empty images, copies and contradictions, and where the padding is.
    Pictures that cannot be read are left out and named.
    """
    from handread.data.explore import WHOLE_PICTURE, explore
    from handread.data.load import load_data
    from handread.frame import Frame

    check_page(page)
    frame = Frame(_SIDE, _SIDE, window=WHOLE_PICTURE)
    with counting("loading") as progress:
        items = load_data(data, split=split, progress=progress, skip_broken=True, frame=frame)
    with counting("looking") as progress:
        found = explore(items, progress)
    if page is not None:
        from handread.reports.exploration import exploration_page

        write_page(page, exploration_page(found, items))
    if as_json:
        click.echo(found.to_json())
    else:
        _show(found)
        if page is not None:
            click.echo(f"The same with pictures: {page}")


def _show(found: Exploration) -> None:
    from rich.console import Console
    from rich.text import Text

    from handread.data.explore import findings

    console = Console(highlight=False, markup=False)
    there = sum(count > 0 for count in found.counts)
    console.print(Text(f"{found.name}: {found.n:,} images, {there} classes", style="bold"))
    for line in _facts(found):
        console.print(Text(line))
    console.print()
    console.print(_bars(found))
    said = findings(found)
    if said:
        console.print()
    for sentence in said:
        console.print(Text("! ", style="yellow").append(sentence, style="default"), soft_wrap=True)


def _facts(found: Exploration) -> list[str]:
    sizes = ", ".join(f"{height} x {width} ({count:,})" for height, width, count in found.shapes[:3])
    more = len(found.shapes) - 3
    lines = [
        f"size     {sizes or 'none'}{f' and {more} more' if more > 0 else ''}",
        f"pixels   {found.lowest} to {found.highest}, mean {found.mean:.1f}, {found.levels} values",
    ]
    if found.writers:
        lines.append(f"writers  {found.writers:,}")
    lines.append(f"crop     {_crop(found)}")
    return lines


def _crop(found: Exploration) -> str:
    crop = found.crop
    if crop is None:
        return "there is no ink" if not found.highest else "none fits pictures of several sizes"
    height, width, _ = found.shapes[0]
    if (crop.top, crop.left, crop.bottom, crop.right) == (0, 0, height, width):
        return "every row and column has ink in some image"
    return f"rows {crop.top} to {crop.bottom}, columns {crop.left} to {crop.right} of {height} x {width} hold all ink"


def _bars(found: Exploration) -> Table:
    """Counts of all classes as bars, in as many columns as kinds of character."""
    from rich.table import Table
    from rich.text import Text

    most = max(found.counts, default=0) or 1
    digits = len(f"{most:,}")
    columns = _columns(found)
    grid = Table.grid(padding=(0, 3))
    for _ in columns:
        grid.add_column(no_wrap=True)
    for row in range(max(map(len, columns), default=0)):
        cells = []
        for column in columns:
            if row >= len(column):
                cells.append(Text())
                continue
            character, count = column[row]
            bar = "\N{FULL BLOCK}" * round(_BAR * count / most) or ("\N{LEFT ONE EIGHTH BLOCK}" if count else "")
            cells.append(Text(f"{character} {count:>{digits},} ").append(bar, style="blue"))
        grid.add_row(*cells)
    return grid


def _columns(found: Exploration) -> list[list[tuple[str, int]]]:
    from handread.reports.charts import class_rows

    pairs = iter(zip(found.alphabet, found.counts, strict=True))
    return [list(islice(pairs, length)) for length in class_rows(list(found.alphabet))]
