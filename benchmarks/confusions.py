"""Which of the 62 classes are taken for which.

    python -m benchmarks.run confusions --data FOLDER

FOLDER holds emnist/validation.npz and photos/validation/ (class folders). Writes benchmarks/results/confusions.csv and
the tables of docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "confusions.csv"
PAGE = ROOT / "docs" / "accuracy.md"
COLUMNS = ("set", "n", "true", "read", "count", "of", "model", "version", "weights")
SETS = {"emnist": ("EMNIST, validation", "emnist/validation.npz"), "photos": ("photographs", "photos/validation")}
SHOWN = 14
"""Pairs in the table."""


def measure(data: Path, model: str, say: Callable[[str], None]) -> list[Row]:
    """One row for each two classes of which one was read as the other, right answers included (`true` = `read`)."""
    import hashlib

    from handread import evaluate, load_data
    from handread.recognizer import Recognizer
    from handread.runtime import store

    reader = Recognizer(model)
    weights = hashlib.sha256(store.load(model)).hexdigest()[:12]
    rows: list[Row] = []
    for name, (_, place) in SETS.items():
        report = evaluate(reader, load_data(data / place, frame=reader.card.frame))
        say(f"{name}: {report.n:,} read, {report.n - report.correct:,} otherwise than labelled")
        for true, counts in zip(report.alphabet, report.confusion, strict=True):
            for read, count in zip(report.alphabet, counts, strict=True):
                if count:
                    values = (name, report.n, true, read, count, sum(counts))
                    stamp = (reader.card.name, reader.card.version, weights)
                    rows.append(dict(zip(COLUMNS, map(str, (*values, *stamp)), strict=True)))
    return rows


def groups_table(rows: Sequence[Row]) -> str:
    """Of the errors, how many are between characters that are the same ink, and how many are not."""
    from handread.evaluation.metrics import CASE_GROUPS, MERGED_GROUPS

    def between(row: Row, groups: Sequence[str]) -> bool:
        return any(row["true"] in group and row["read"] in group for group in groups)

    header, columns = ["errors"], []
    for name, (title, _) in SETS.items():
        own = [row for row in rows if row["set"] == name]
        wrong = [row for row in own if row["true"] != row["read"]]
        merged = [row for row in wrong if between(row, MERGED_GROUPS)]
        case = [row for row in wrong if not between(row, MERGED_GROUPS) and between(row, CASE_GROUPS)]
        rest = [row for row in wrong if row not in merged and row not in case]
        n = int(own[0]["n"])
        header.append(f"{title}, n = {n:,}")
        columns.append([f"{c:,} ({100 * c / n:.2f} %)" for c in map(_count, (wrong, merged, case, rest))])
    titles = (
        "all",
        "between look-alikes that EMNIST merges (c C, i I, …, 0 o O, 1 l I)",
        "between the two cases of another letter (a A, g G, …)",
        "between different characters",
    )
    lines = [[title, *(column[place] for column in columns)] for place, title in enumerate(titles)]
    return markdown(header, lines, right=range(1, len(header)))


def pairs_table(rows: Sequence[Row]) -> str:
    """The pairs confused most often on both sets together, in both directions."""
    counts: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for row in rows:
        if row["true"] != row["read"]:
            first, second = sorted((row["true"], row["read"]))
            own = counts.setdefault((first, second), {})
            own[row["set"], row["true"]] = int(row["count"])
    worst = sorted(counts, key=lambda pair: (-sum(counts[pair].values()), pair))[:SHOWN]
    lines = []
    for first, second in worst:
        line = [f"`{first}` `{second}`"]
        for name in SETS:
            line.append(" / ".join(str(counts[first, second].get((name, true), 0)) for true in (first, second)))
        lines.append(line)
    header = ["pair: first read as second / second as first", *(title for title, _ in SETS.values())]
    return markdown(header, lines, right=[1, 2])


def _count(rows: Sequence[Row]) -> int:
    return sum(int(row["count"]) for row in rows)
