"""A run's history for the eye: curves.png, and TensorBoard's files where somebody wants them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handread.data.atomic import write_atomic
from handread.errors import MissingExtraError

_INK, _SECOND, _GRID = "#1f3a5f", "#c8553d", "#d9d9d9"


def draw_curves(history: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    """Loss and accuracy over the epochs as one PNG; rows as in history.csv."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=120)  # a computed layout takes three times as long as the drawing
    FigureCanvasAgg(figure)
    epochs = [row["epoch"] for row in history]
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.08, right=0.985, bottom=0.14, top=0.83, wspace=0.2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    _lines(left, epochs, history, "loss", "loss, nats", {"loss": "training"})
    _lines(right, epochs, history, "accuracy", "errors, %", {})
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(path, buffer.getvalue())


def _lines(
    axes: Any, epochs: list[float], history: Sequence[dict[str, float]], kind: str, label: str, own: dict[str, str]
) -> None:
    names = own | {key: key.removeprefix(kind + " ") for key in history[0] if key.startswith(kind + " ")}
    for place, (key, name) in enumerate(names.items()):
        values = [row[key] if kind == "loss" else 100 * (1 - row[key]) for row in history]
        place += kind != "loss"  # a set has one colour in both pictures
        style = {"color": (_INK, _SECOND)[place]} if place < 2 else {}
        axes.plot(epochs, values, label=name, linewidth=1.6, marker="o" if len(epochs) == 1 else "", **style)
    positive = [row[key] for row in history for key in names if row.get(key, 0) > 0]
    if kind == "loss" and positive and max(positive) > 20 * min(positive):
        axes.set_yscale("log")
    axes.set_xlabel("epoch")
    axes.set_title(label, loc="left", fontsize=10)  # beside the axis it would have to make room for long numbers
    axes.grid(color=_GRID, linewidth=0.6)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.spines[["top", "right"]].set_visible(False)
    if names:
        axes.legend(frameon=False, fontsize=8)


class Board:
    """Writes every epoch for TensorBoard, which is no part of any extra: pip install tensorboard."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("--tensorboard", "tensorboard") from None
        self._writer = SummaryWriter(str(folder))

    def add(self, row: dict[str, float]) -> None:
        """One row of the history."""
        for name, value in row.items():
            if name != "epoch":
                self._writer.add_scalar(name.replace(" ", "/"), value, int(row["epoch"]))
        self._writer.flush()
