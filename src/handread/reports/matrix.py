"""The confusion matrix as a table that stays readable at 62 classes: counts or rates, every cell a link."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from handread.reports.charts import class_rows
from handread.reports.page import Content, Markup, tag

Matrix = Sequence[Sequence[int]]
"""Counts; row the true class, column the class read."""


def confusion_table(
    matrix: Matrix, characters: str, caption: Content, *, target: Callable[[int, int], str | None]
) -> Markup:
    """The matrix; `target` gives the anchor of a cell's pictures, or None where none are shown.

    Counts and rates (per cent of the row) stand in each cell and two radio buttons choose, without script.
    """
    size = len(characters)
    edges = _edges(characters)
    cell, letters = _sizes(size, max((max(row, default=0) for row in matrix), default=0))
    head = tag(
        "tr",
        tag("td", tag("span", "is \N{DOWNWARDS ARROW} read as \N{RIGHTWARDS ARROW}", class_="quiet") if size <= 30 else None),
        [tag("th", c, scope="col", class_="g" if k in edges else None) for k, c in enumerate(characters)],
    )  # fmt: skip
    rows = []
    for true, counts in enumerate(matrix):
        total = sum(counts)
        cells = [tag("th", characters[true], scope="row")]
        for read, held in enumerate(counts):
            edge = "g" if read in edges else ""
            cells.append(_cell(held, total, (true, read), characters, edge, target(true, read)))
        rows.append(tag("tr", cells, class_="g" if true in edges else None))
    body = tag(
        "table",
        tag("caption", tag("span", caption)), tag("thead", head), tag("tbody", rows),
        class_="matrix", style=f"--cell:{cell}px;--cell-type:{letters}px",
    )  # fmt: skip
    radios = [
        tag("input", type="radio", name="matrix-shows", id="as-counts", class_="choice-input", checked=True),
        tag("input", type="radio", name="matrix-shows", id="as-rates", class_="choice-input"),
        tag("div", tag("label", "counts", for_="as-counts"), tag("label", "per cent of the row", for_="as-rates"), class_="choice"),
    ]  # fmt: skip
    return tag("div", radios, tag("div", body, class_="scroll", tabindex=0), _scale(), class_="matrix-box")


def _cell(held: int, total: int, place: tuple[int, int], characters: str, edge: str, anchor: str | None) -> Markup:
    if not held:
        return tag("td", class_=edge or None)
    true, read = place
    part = held / total
    heat = f"{'r' if true == read else 'h'}{_heat(part)}"
    text: Content = [tag("b", str(held)), tag("i", _rate(part, len(characters)))]
    title = f"{characters[true]} read as {characters[read]}: {held:,} of {total:,} ({100 * part:.1f} %)"
    inner = tag("a", text, href=f"#{anchor}", title=title) if anchor else tag("span", text, title=title)
    return tag("td", inner, class_=f"{heat} {edge}".strip())


def _heat(part: float) -> int:
    """1 to 5: up to 2, 5, 15, 50 per cent of the row, and above."""
    return 1 + sum(part > limit for limit in (0.02, 0.05, 0.15, 0.5))


def _rate(part: float, size: int) -> str:
    if size > 30:
        return f"{100 * part:.0f}" if part >= 0.005 else "\N{MIDDLE DOT}"
    return f"{100 * part:.1f}"


def _edges(characters: str) -> set[int]:
    """Last class of each kind but the last: where digits end and letters begin."""
    ends, place = set(), -1
    lengths = class_rows(list(characters))
    for length in lengths[:-1]:
        place += length
        ends.add(place)
    return ends


def _sizes(size: int, largest: int) -> tuple[float, float]:
    """Side of a cell and height of its figures in pixels."""
    if size > 40:
        return (17 if largest < 1000 else 21), 8.5
    if size > 16:
        return 30, 11
    return 48, 14


def _scale() -> Markup:
    steps = ("to 2 %", "to 5 %", "to 15 %", "to 50 %", "above")
    shades = [
        tag("li", tag("i", class_=f"r{k}"), tag("i", class_=f"h{k}"), text) for k, text in enumerate(steps, start=1)
    ]
    return tag("ul", tag("li", "share of the row, as labelled and otherwise:"), shades, class_="scale")
