"""Draws the charts of docs/accuracy.md from benchmarks/results/refusal_curves.csv; no data set is needed.

python docs/images/draw_charts.py
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from benchmarks.refusal import CURVES  # noqa: E402
from benchmarks.results import Row, read_csv  # noqa: E402
from handread.data.atomic import write_atomic  # noqa: E402
from handread.evaluation.metrics import wilson_interval  # noqa: E402

SETS = {
    "mnist": ("MNIST, digits", "#1b5e9e", "-"),
    "emnist": ("EMNIST, 62 classes", "#b4471f", "--"),
    "photos": ("photographs, 62 classes", "#2c7a3f", ":"),
}
"""Set -> name, colour, line: told apart without colour too."""

Axes = Any
Points = list[tuple[float, float, int]]


def points(rows: list[Row], curve: str, name: str) -> Points:
    """x, y and n of one curve of one set."""
    chosen = (row for row in rows if (row["curve"], row["set"]) == (curve, name))
    return [(float(row["x"]), float(row["y"]), int(row["n"])) for row in chosen]


def reliability(rows: list[Row]) -> bytes:
    """One panel a set: of the answers that are sure by so much, how many are right."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 3.9), dpi=110, layout="constrained")
    for axes, (name, (title, colour, _)) in zip(figure.subplots(1, 3, sharey=True), SETS.items(), strict=True):
        bins = points(rows, "reliability", name)
        total = sum(n for _, _, n in bins)
        axes.plot([0, 1], [0, 1], color="#888888", linewidth=1)
        for sure, right, n in bins:
            low, high = wilson_interval(round(right * n), n)
            axes.plot([sure, sure], [low, high], color=colour, linewidth=1.2, alpha=0.55)
            axes.scatter([sure], [right], s=14 + 260 * n / total, color=colour, alpha=0.85, linewidths=0, clip_on=False)
        axes.set_title(f"{title}, n = {total:,}", fontsize=10.5, loc="left")
        axes.set_xlabel("confidence")
        quiet(axes)
        axes.set_xlim(0, 1.03)
        axes.set_ylim(0, 1.03)
        axes.set_aspect("equal")
        if name == "mnist":
            axes.set_ylabel("right")
    return png(figure)


def refusal(rows: list[Row]) -> bytes:
    """What refusing the least sure leaves wrong; what of the strangers passes where so much is kept."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(10.2, 4.1), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (title, colour, line) in SETS.items():
        curve = [(x, y) for x, y, _ in points(rows, "left", name) if y > 0]
        left.plot(*zip(*curve, strict=True), line, color=colour, label=title, linewidth=1.8)
        curve = [(x, y) for x, y, _ in points(rows, "strangers", name)]
        right.plot(*zip(*curve, strict=True), line, color=colour, label=title, linewidth=1.8)
    left.set_yscale("log")
    left.set_xlim(0, 0.3)
    left.set_xlabel("refused, the least sure first")
    left.set_ylabel("wrong among the answered")
    left.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    right.set_xlim(0.8, 1)
    right.set_xticks([0.8, 0.85, 0.9, 0.95, 1])
    top = max(y for name in SETS for x, y, _ in points(rows, "strangers", name) if x <= 0.99)
    right.set_ylim(0, max(0.05, 1.1 * top))
    right.axvline(0.95, color="#888888", linewidth=1)
    right.set_xlabel("characters kept")
    right.set_ylabel("strangers accepted")
    right.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %", decimals=0))
    for axes in (left, right):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %", decimals=0))
        quiet(axes)
    left.legend(frameon=False, fontsize=9, loc="center right")
    return png(figure)


def quiet(axes: Axes) -> None:
    """No box, a faint grid."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def png(figure: Any) -> bytes:
    """The figure as a file without a date, so that equal figures are equal files."""
    figure.set_facecolor("#fafaf8")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


PICTURES: dict[str, Callable[[list[Row]], bytes]] = {"reliability.png": reliability, "refusal-curve.png": refusal}


def main() -> None:
    """Draw all."""
    rows = read_csv(CURVES)
    for name, draw in PICTURES.items():
        write_atomic(HERE / name, draw(rows))


if __name__ == "__main__":
    main()
