"""Draws growth.png of docs/performance.md from benchmarks/results/growth.csv.

python docs/images/draw_growth.py
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from benchmarks.growth import FILE, ROADS  # noqa: E402
from benchmarks.results import Row, read_csv  # noqa: E402
from handread.data.atomic import write_atomic  # noqa: E402

TIME, MEMORY, LINEAR = "#1b5e9e", "#b4471f", "#999999"


def growth(rows: list[Row]) -> bytes:
    """One panel a road: time on the left axis, memory on the right, and a dotted line that is linear."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 7.2), dpi=110, layout="constrained")
    for axes, (road, (title, _)) in zip(figure.subplots(2, 2).flat, ROADS.items(), strict=True):
        points = [row for row in rows if row["road"] == road]
        axes.set_title(title.replace("`", ""), fontsize=10.5, loc="left")
        if points:
            panel(axes, points)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def panel(axes: Any, points: list[Row]) -> None:
    """One road."""
    n = [float(row["n"]) for row in points]
    seconds = [float(row["seconds"]) for row in points]
    axes.loglog(n, seconds, "o-", color=TIME, linewidth=1.6, markersize=4.5)
    linear = [seconds[-1] * one / n[-1] for one in n]
    low = min(seconds) / 2
    kept = [(x, y) for x, y in zip(n, linear, strict=True) if y >= low]
    axes.loglog([x for x, _ in kept], [y for _, y in kept], ":", color=LINEAR, linewidth=1.2)
    axes.set_ylabel("seconds", color=TIME)
    axes.set_ylim(low, 2 * max(seconds))
    other = axes.twinx()
    memory = [float(row["peak_mb"]) for row in points]
    other.semilogx(n, memory, "s--", color=MEMORY, linewidth=1.2, markersize=3.8)
    other.set_ylabel("megabytes", color=MEMORY)
    other.set_ylim(0, 1.25 * max(memory))
    for axis, values in ((axes.xaxis, n), (axes.yaxis, seconds)):
        plain_ticks(axis, values)
    for side in (axes, other):
        side.spines["top"].set_visible(False)
    axes.grid(True, which="major", color="#e4e4e2", linewidth=0.7)


def plain_ticks(axis: Any, values: list[float]) -> None:
    """Numbers as people write them, 1, 2 and 5 of each power where few powers are spanned."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    near = max(values) < 30 * min(values)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if near else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


PICTURES: dict[str, Callable[[list[Row]], bytes]] = {"growth.png": growth}


def main(folder: Path) -> None:
    """Draw all."""
    rows = read_csv(FILE)
    for name, draw in PICTURES.items():
        data = draw(rows)
        write_atomic(folder / name, data)
        print(f"{folder / name}  {len(data):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
