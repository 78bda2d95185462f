"""Run a benchmark by name: `python -m benchmarks.run accuracy --data FOLDER`, `python -m benchmarks.run reading`.

Each writes its CSV below benchmarks/results, which nothing else writes; with --update-readme also its table in
README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import accuracy, reading
from benchmarks.results import README, update_page, write_csv


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True)
    for name, text in (("accuracy", "how often the model is right"), ("reading", "how fast and how large reading is")):
        one = names.add_parser(name, help=text)
        one.add_argument("--update-readme", action="store_true", help="put the table into README.md too")
    names.choices["accuracy"].add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets")
    names.choices["accuracy"].add_argument("--model", default="handread", help="a shipped name or a file")
    names.choices["reading"].add_argument("--runs", type=int, default=9, help="turns of each measure, default 9")
    wanted = parser.parse_args(arguments)
    if wanted.name == "accuracy":
        rows = accuracy.measure(wanted.data, wanted.model, print)
        write_csv(accuracy.FILE, rows)
        if wanted.update_readme:
            update_page(README, "figures", accuracy.table(rows))
    else:
        rows = reading.measure(wanted.runs, print)
        write_csv(reading.FILE, rows)
        if wanted.update_readme:
            update_page(README, "speed", reading.table(rows))


if __name__ == "__main__":
    main()
