"""What worse pictures cost: MNIST-C's fifteen corruptions and paper's own thirteen, through the whole road.

    python -m benchmarks.run stress --data FOLDER [--count N] [--all-strengths]

FOLDER holds mnist/ (the IDX files of the test set). Every picture is read as `handread read --one` reads it, digits
among digits. Rows of strengths that are not measured anew stay when they are of the same weights and items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

if TYPE_CHECKING:
    from handread.evaluation.stress_report import StressReport

FILE = RESULTS / "stress.csv"
PAGE = ROOT / "docs" / "robustness.md"
COLUMNS = ("corruption", "kind", "strength", "n", "errors", "no_ink", "value", "low", "high", "seed", "weights")
TITLES = {"mnist-c": "mean of MNIST-C's fifteen", "paper": "mean of paper's thirteen"}
QUOTED = "3"


def measure(
    data: Path, model: str, count: int | None, strengths: Sequence[int], say: Callable[[str], None]
) -> list[Row]:
    """One row a corruption and strength, with those of the file that are of the same weights and items."""
    import hashlib

    from handread import load_data
    from handread.cli.stressing import stress_table
    from handread.evaluation.stress import chosen, stress
    from handread.recognizer import Recognizer
    from handread.runtime import store

    reader = Recognizer(model)
    weights = hashlib.sha256(store.load(model)).hexdigest()[:12]
    items = chosen(load_data(data / "mnist", split="test", frame=reader.card.frame), count)
    found, _ = stress(
        lambda pictures: reader.read_many(pictures, alphabet="digits", one=True, top=1), items, strengths=strengths
    )
    say(stress_table(found))
    return merged(rows_of(found, weights), read_csv(FILE) if FILE.exists() else [])


def rows_of(found: StressReport, weights: str) -> list[Row]:
    """The report as rows of the file."""
    rows: list[Row] = []
    for row in found.rows:
        low, high = row.interval95
        values = (
            row.name, row.kind, str(row.strength), str(row.n), str(row.errors), str(row.empty),
            f"{row.error_rate:.6f}", f"{low:.6f}", f"{high:.6f}", str(found.seed), weights,
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def merged(new: Sequence[Row], old: Sequence[Row]) -> list[Row]:
    """`new`, and what `old` has of other strengths with the same weights, items and seed."""
    same = {(row["weights"], row["n"], row["seed"]) for row in new}
    done = {(row["corruption"], row["strength"]) for row in new}
    kept = [
        row
        for row in old
        if (row["weights"], row["n"], row["seed"]) in same and (row["corruption"], row["strength"]) not in done
    ]
    order = {name: place for place, name in enumerate(dict.fromkeys(row["corruption"] for row in [*new, *kept]))}
    return sorted([*new, *kept], key=lambda row: (order[row["corruption"]], row["strength"]))


def table(rows: Sequence[Row]) -> str:
    """One line a corruption, strength 3 with its interval, the others where they were measured; and the means."""
    levels = sorted({row["strength"] for row in rows} - {"0"})
    quoted = QUOTED if QUOTED in levels else levels[0]
    others = [level for level in levels if level != quoted]
    lines = [[f"*{row['corruption']}*", _percent(row["value"]), _interval(row), *[""] * len(others)]
             for row in rows if row["strength"] == "0"]  # fmt: skip
    for kind, title in TITLES.items():
        own = [row for row in rows if row["kind"] == kind and row["strength"] != "0"]
        by_name: dict[str, dict[str, Row]] = {}
        for row in own:
            by_name.setdefault(row["corruption"], {})[row["strength"]] = row
        lines += [
            [
                name,
                _percent(each[quoted]["value"]),
                _interval(each[quoted]),
                *(_percent(each[k]["value"]) for k in others),
            ]
            for name, each in by_name.items()
        ]
        means = {k: sum(float(row["value"]) for row in own if row["strength"] == k) / len(by_name) for k in levels}
        lines.append(
            [
                f"**{title}**",
                f"**{_percent(str(means[quoted]))}**",
                "",
                *(f"**{_percent(str(means[k]))}**" for k in others),
            ]
        )
    head = ["corruption", f"errors, strength {quoted}", "95 % interval", *(f"strength {k}" for k in others)]
    n = f"n = {int(rows[0]['n']):,} test images of MNIST in each cell; weights `{rows[0]['weights']}`."
    return markdown(head, lines, right=range(1, len(head))) + f"\n\n{n}"


def _interval(row: Row) -> str:
    return f"{_percent(row['low'])} to {_percent(row['high'])}"


def _percent(share: str) -> str:
    return f"{100 * float(share):.2f} %"
