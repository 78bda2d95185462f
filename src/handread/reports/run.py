"""The page of a training run: how it went, what came of it, and everything it was made with."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handread.errors import DataError
from handread.evaluation.report import EvaluationReport
from handread.reports import charts
from handread.reports.charts import Series
from handread.reports.page import (
    Content,
    Markup,
    Section,
    count,
    facts,
    figure,
    folded,
    page,
    percent,
    prose,
    table,
    tag,
)

EVALUATIONS = "evaluation*.json"
"""Reports that a run keeps of its finished model, one a validation set."""

_CHECKSUM = re.compile(r"[0-9a-f]{40,64}")
_TOLD = 12
"""Places of a checksum that are shown: they tell it from every other, and the files have it whole."""


@dataclass(frozen=True, slots=True)
class _History:
    columns: tuple[str, ...]
    rows: tuple[dict[str, float], ...]

    def named(self, prefix: str) -> list[str]:
        """Columns ``prefix NAME``."""
        return [c for c in self.columns if c.startswith(f"{prefix} ")]

    def points(self, column: str) -> tuple[tuple[float, float], ...]:
        return tuple((row["epoch"], row[column]) for row in self.rows if column in row)

    def best(self, column: str) -> dict[str, float] | None:
        """The row with the largest finite value, the earliest of equals."""
        rows = [row for row in self.rows if math.isfinite(row.get(column, math.nan))]
        return max(rows, key=lambda row: row[column]) if rows else None


def run_page(folder: Path) -> str:
    """The HTML of the run in `folder`, whole and self-contained.

    It reads config.json and, where they are there, environment.json, sources.json, architecture.json, history.csv
    and `EVALUATIONS`. Raises `DataError` when the folder holds no run, or a file in it is damaged.
    """
    config = _object(folder / "config.json")
    if config is None:
        raise DataError(f"{folder} holds no config.json, so it is no training run; name the folder given as --out")
    history = _history(folder / "history.csv")
    reports = [_report(path) for path in sorted(folder.glob(EVALUATIONS))]
    sections = [
        Section("curves", "How it went", _curves(history), "Curves"),
        Section("result", "What came of it", _results(reports), "Result"),
        Section("recipe", "The recipe", _recipe(config), "Recipe"),
        Section("data", "The data", _sources(_rows(folder / "sources.json")), "Data"),
        Section("network", "The network", _architecture(_object(folder / "architecture.json")), "Network"),
        Section("made", "Where it ran", _environment(_object(folder / "environment.json")), "Environment"),
    ]
    return page(
        str(config.get("name") or folder.name),
        kicker="Training run",
        head=_head(config, history),
        sections=[section for section in sections if section.body],
        foot=prose("Written by handread train. The page holds all it needs and loads nothing."),
    )


def _head(config: dict[str, Any], history: _History) -> Content:
    if not history.rows:
        return prose("No epoch is finished yet.")
    last = history.rows[-1]
    pairs: list[tuple[Content, Content]] = [
        ("network", str(config.get("network", "–"))),
        ("epochs", f"{last['epoch']:.0f} of {config.get('epochs', '–')}"),
        ("time", _time(sum(row.get("seconds", 0.0) for row in history.rows))),
        ("last training loss", f"{last.get('loss', math.nan):.4f}"),
    ]
    names = history.named("accuracy")
    for column in names[1:]:
        pairs.append((f"right on {column.removeprefix('accuracy ')}", percent(last.get(column))))
    if not names:
        return facts(pairs)
    first = names[0]
    best = history.best(first)
    told = f"right on {first.removeprefix('accuracy ')} after epoch {last['epoch']:.0f}"
    if best is not None and best[first] > last[first]:
        told += f"; the best was {percent(best[first])} after epoch {best['epoch']:.0f}"
    return [
        tag(
            "div",
            tag("p", f"{100 * last[first]:.2f}", tag("small", "%"), class_="big"), tag("p", f"{told}."),
            class_="verdict",
        ),
        facts(pairs),
    ]  # fmt: skip


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _curves(history: _History) -> Content:
    if not history.rows:
        return None
    parts: list[Content] = []
    losses = [Series("training", history.points("loss"))] if "loss" in history.columns else []
    losses += [Series(c.removeprefix("loss "), history.points(c)) for c in history.named("loss")]
    rights = [Series(c.removeprefix("accuracy "), history.points(c)) for c in history.named("accuracy")]
    rate = [Series("learning rate", history.points("learning_rate"))] if "learning_rate" in history.columns else []
    for series, name, caption, written in (
        (losses, "loss", "Loss after each epoch: smaller is better.", charts.number),
        (rights, "right", "Fraction read as labelled on data that was not trained on.", charts.share),
        (rate, "learning rate", "Learning rate of each epoch.", charts.number),
    ):
        if series:
            drawn = charts.lines(series, *_axes(series, name, written), f"{name} by epoch")
            parts.append(figure(drawn, caption))
    rows = [[_cell(c, row.get(c)) for c in history.columns] for row in history.rows]
    listing = table("Every epoch", list(history.columns), rows)
    return [tag("div", parts, class_="pair"), folded(f"{count(len(rows), 'epoch')} as a table", listing)]


def _axes(series: Sequence[Series], name: str, written: Any) -> tuple[charts.Axis, charts.Axis]:
    epochs = [x for one in series for x, _ in one.points]
    values = [y for one in series for _, y in one.points]
    x = charts.axis("epoch", epochs, about=min(8, max(int(max(epochs) - min(epochs)), 1)))
    return x, charts.axis(name, values, written=written, zero=name != "right")


def _cell(column: str, value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    if column == "epoch":
        return f"{value:.0f}"
    if column.startswith("accuracy "):
        return percent(value)
    return f"{value:.1f}" if column == "seconds" else f"{value:.5g}"


def _results(reports: Sequence[EvaluationReport]) -> Content:
    if not reports:
        return None
    rows: list[list[Content]] = []
    for report in reports:
        low, high = report.interval95
        rows.append(
            [
                report.data, f"{report.n:,}", percent(report.accuracy), f"{percent(low)} to {percent(high)}",
                percent(report.top2), percent(report.ece), percent(report.refused),
            ]
        )  # fmt: skip
    columns = ["data", "items", "right", "95 % interval", "in first two", "calibration error", "refused"]
    return [
        table("The finished model on the validation data", columns, rows),
        prose("Chosen and calibrated on these data, so they flatter it; a test set of its own tells more."),
    ]


def _recipe(config: dict[str, Any]) -> Content:
    plain = {key: value for key, value in config.items() if not isinstance(value, (dict, list))}
    parts: list[Content] = [facts([(k, str(v) if k == "seed" else _said(v)) for k, v in plain.items()], listed=True)]
    for key, value in config.items():
        if isinstance(value, dict):
            used = {name: amount for name, amount in value.items() if amount}
            idle = len(value) - len(used)
            parts.append(tag("h3", key))
            parts.append(facts([(name, _said(amount)) for name, amount in used.items()], listed=True))
            parts.append(prose(f"{count(idle, 'option')} at 0: left out.") if idle else None)
        elif isinstance(value, list) and value:
            parts += [tag("h3", key), _listing(value, key)]
    return parts


def _listing(rows: Sequence[Any], name: str) -> Markup:
    """Objects as a table with the columns that say anything; other values as a line of text."""
    objects = [row for row in rows if isinstance(row, dict)]
    if len(objects) < len(rows):
        return prose(", ".join(map(_said, rows)))
    columns = [c for c in dict.fromkeys(key for row in objects for key in row) if any(row.get(c) for row in objects)]
    body = [[_said(row[c]) if row.get(c) else "–" for c in columns] for row in objects]
    return table(f"{name}, {count(len(rows), 'row')}", columns, body, words=len(columns))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return f"{value[:_TOLD]}…" if _CHECKSUM.fullmatch(value) else value


def _sources(rows: list[Any]) -> Content:
    if not rows:
        return None
    return [prose("What the model's card says of its data."), _listing(rows, "data")]


def _architecture(architecture: dict[str, Any] | None) -> Content:
    if architecture is None:
        return None
    plain = [(k, _said(v)) for k, v in architecture.items() if not isinstance(v, (dict, list))]
    lists = [(k, v) for k, v in architecture.items() if isinstance(v, list) and v]
    return [facts(plain, listed=True), [folded(f"{k}, {len(v)}", _listing(v, k)) for k, v in lists]]


def _environment(found: dict[str, Any] | None) -> Content:
    return None if not found else facts([(key, _said(value)) for key, value in found.items()], listed=True)


def _history(path: Path) -> _History:
    text = _text(path)
    if not text:
        return _History((), ())
    rows = []
    reader = csv.DictReader(io.StringIO(text))
    columns = tuple(reader.fieldnames or ())
    if "epoch" not in columns:
        raise DataError(f"{path} has no column epoch; it is damaged, train again or go on with --resume")
    for line, row in enumerate(reader, start=2):
        try:
            # a run that was resumed with another validation set leaves some cells empty
            found = {c: float(row[c]) for c in columns if row[c]}
        except (TypeError, ValueError):
            found = {}
        if "epoch" not in found:
            raise DataError(f"{path}, line {line}: not a row of numbers; it is damaged, go on with --resume")
        rows.append(found)
    return _History(columns, tuple(rows))


def _report(path: Path) -> EvaluationReport:
    try:
        return EvaluationReport.from_json(_text(path))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _object(path: Path) -> dict[str, Any] | None:
    found = _json(path)
    if found is not None and not isinstance(found, dict):
        raise DataError(f"{path} holds no JSON object; it is damaged, train again or go on with --resume")
    return found


def _rows(path: Path) -> list[Any]:
    found = _json(path)
    return found if isinstance(found, list) else []


def _json(path: Path) -> Any:
    text = _text(path)
    try:
        return json.loads(text) if text else None
    except (json.JSONDecodeError, RecursionError):
        raise DataError(f"{path} is not JSON; it is damaged, train again or go on with --resume") from None


def _text(path: Path) -> str:
    """The file's text, empty where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}; check the disk") from None
