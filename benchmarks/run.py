"""Run a benchmark by name: `python -m benchmarks.run accuracy --data FOLDER`, `python -m benchmarks.run reading`.

Each writes its CSV below benchmarks/results, which nothing else writes; with --update-readme also its table in
README.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import accuracy, baselines, notebooks, reading, serving
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
    classic = names.add_parser("baselines", help="what scikit-learn's classic classifiers come to on MNIST")
    classic.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets")
    classic.add_argument("--recipe", action="append", choices=baselines.RECIPES, help="only this one; may be repeated")
    copied = names.add_parser(
        "notebooks", help="what the recipes of five notebooks come to; into docs/notebooks.md too"
    )
    copied.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets")
    copied.add_argument("--runs", type=Path, required=True, metavar="RUNS", help="where runs are kept and go on")
    copied.add_argument("--recipe", action="append", choices=list(notebooks.REPORTED), help="may be repeated")
    copied.add_argument("--seeds", type=int, default=1, help="runs a recipe, default 1")
    load = names.add_parser("serving", help="how the server bears load; puts its table into docs/serving.md too")
    load.add_argument("--seconds", type=int, default=60, help="of the main part, default 60")
    wanted = parser.parse_args(arguments)
    if wanted.name == "serving":
        found = serving.measure(wanted.seconds, print)
        write_csv(serving.FILE, found)
        update_page(serving.PAGE, "load", serving.table(found))
    elif wanted.name == "notebooks":
        chosen = wanted.recipe or list(notebooks.REPORTED)
        rows = notebooks.merged(notebooks.measure(wanted.data, wanted.runs, chosen, wanted.seeds, print))
        write_csv(notebooks.FILE, rows)
        update_page(notebooks.PAGE, "notebooks", notebooks.table(rows))
    elif wanted.name == "baselines":
        write_csv(
            baselines.FILE, baselines.merged(baselines.measure(wanted.data, wanted.recipe or baselines.RECIPES, print))
        )
    elif wanted.name == "accuracy":
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
