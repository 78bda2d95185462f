"""Run a benchmark by name: `python -m benchmarks.run accuracy --data FOLDER`, `python -m benchmarks.run reading`.

Each writes its CSV below benchmarks/results, which nothing else writes; with --update-readme also its table in
README.md. Those whose tables stand in docs/accuracy.md put them there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import (
    accuracy,
    baselines,
    confusions,
    growth,
    mnist_accuracy,
    mnist_errors,
    mnist_tiny,
    notebooks,
    peers,
    reading,
    refusal,
    roads,
    scale,
    serving,
    speedrun,
    stress,
    training,
)
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
    record = names.add_parser("mnist-accuracy", help="MNIST alone: single networks, their ensemble, one taught by it")
    record.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="MNIST's four files")
    record.add_argument("--runs", type=Path, required=True, metavar="RUNS", help="where runs are kept and go on")
    record.add_argument("--seeds", type=int, default=5, help="single networks, the ensemble's members; default 5")
    record.add_argument("--distil", action="store_true", help="train one network on the ensemble's answers too")
    record.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the recipes' option")
    least = names.add_parser("mnist-tiny", help="MNIST in less than 8,000 parameters; into docs/accuracy.md too")
    least.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="MNIST's four files")
    least.add_argument("--runs", type=Path, required=True, metavar="RUNS", help="where runs are kept and go on")
    least.add_argument("--seeds", type=int, default=5, help="networks, default 5")
    many = names.add_parser("scale", help="millions of pictures on threads and on Ray; into docs/scale.md too")
    many.add_argument("--pictures", type=int, default=4000, help="of each kind, for rates and equality; default 4000")
    many.add_argument("--runs", type=int, default=5, help="turns of each rate, default 5")
    many.add_argument("--memory", type=int, nargs="*", default=[10_000, 100_000], metavar="N", help="default both")
    many.add_argument("--engine", action="append", choices=scale.ENGINES, help="only this one; may be repeated")
    beside = names.add_parser("peers", help="beside other recognisers; puts its table into docs/performance.md too")
    beside.add_argument("--folder", type=Path, required=True, metavar="FOLDER", help="their environment, kept; 2 GB")
    beside.add_argument("--turns", type=int, default=5, help="of each, by turns, default 5")
    beside.add_argument("--digits", type=int, default=10_000, help="for the throughput, default 10,000")
    beside.add_argument("--singles", type=int, default=50, help="digits of each turn, one at a time, default 50")
    beside.add_argument("--photos", type=int, default=5, help="whose characters are counted, default 5")
    beside.add_argument("--measure", action="append", choices=peers.MEASURES, help="only this; may be repeated")
    beside.add_argument("--model", action="append", help="a name or a file, default handread-int8; may be repeated")
    ways = names.add_parser("roads", help="what makes onnxruntime faster or not; into docs/performance.md too")
    ways.add_argument("--turns", type=int, default=7, help="of each road, default 7")
    ways.add_argument("--model", action="append", help="a shipped name, default all; may be repeated")
    grown = names.add_parser("growth", help="time and memory against size; into docs/performance.md too")
    grown.add_argument("--turns", type=int, default=5, help="of each point, default 5")
    grown.add_argument("--model", default="handread-int8", help="a shipped name or a file")
    for road, (text, sizes) in growth.ROADS.items():
        shown = " ".join(f"{size:g}" for size in sizes)
        grown.add_argument(
            f"--{road}", type=float, nargs="*", default=sizes, metavar="N", help=f"{text}, default {shown}"
        )
    race = names.add_parser("speedrun", help="seconds to 99.0 .. 99.7 percent of MNIST; into docs/performance.md too")
    race.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="MNIST's four files")
    race.add_argument("--seeds", type=int, default=speedrun.ENOUGH, help=f"of each mark, default {speedrun.ENOUGH}")
    race.add_argument("--mark", nargs="+", choices=speedrun.FLOORS, default=list(speedrun.FLOORS), help="default all")
    race.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default cpu, two threads")
    race.add_argument("--runs", type=Path, metavar="RUNS", help="where seeds are kept, and not done again")
    race.add_argument("--peers", type=Path, metavar="PEERS", help="time Keras too: the FOLDER of peers")
    race.add_argument("--held-out", action="store_true", help="judge held-out digits instead, and write nothing")
    race.add_argument("--set", action="append", metavar="KEY=VALUE", help="with --held-out: change a recipe's option")
    pace = names.add_parser("training", help="images a second beside Keras and PyTorch; into docs/performance.md too")
    pace.add_argument("--folder", type=Path, required=True, metavar="FOLDER", help="as of peers")
    pace.add_argument("--turns", type=int, default=5, help="of each, by turns, default 5")
    pace.add_argument("--recipe", action="append", choices=list(training.STEPS), help="only this; may be repeated")
    pace.add_argument("--steps", type=int, default=0, help="most steps of a turn; each recipe's own")
    load = names.add_parser("serving", help="how the server bears load; puts its table into docs/serving.md too")
    load.add_argument("--seconds", type=int, default=60, help="of the main part, default 60")
    refused = names.add_parser("refusal", help="what the model refuses, and its calibration; into docs/accuracy.md too")
    refused.add_argument("--count", type=int, default=refusal.COUNT, help=f"strangers, default {refusal.COUNT}")
    confused = names.add_parser("confusions", help="which classes are taken for which; into docs/accuracy.md too")
    errors = names.add_parser(
        "mnist-errors", help="the test digits that are read otherwise than labelled, as a picture"
    )
    errors.add_argument("--out", type=Path, metavar="FILE.png", help="the picture")
    errors.add_argument("--update-page", action="store_true", help="put the table into docs/accuracy.md")
    for one in (refused, confused, errors):
        one.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets")
        one.add_argument("--model", default="handread", help="a shipped name or a file")
    worse = names.add_parser("stress", help="what worse pictures cost; puts its table into docs/robustness.md too")
    worse.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the data sets")
    worse.add_argument("--model", default="handread", help="a shipped name or a file")
    worse.add_argument("--count", type=int, help="test images, drawn by chance; default all 10,000")
    worse.add_argument("--all-strengths", action="store_true", help="1 to 5, not 3 alone")
    wanted = parser.parse_args(arguments)
    if wanted.name == "refusal":
        seen = refusal.measure(wanted.data, wanted.model, wanted.count, print)
        write_csv(refusal.FILE, seen.rows)
        write_csv(refusal.CURVES, seen.curves)
        for marker, content in refusal.tables(seen.rows).items():
            update_page(refusal.PAGE, marker, content)
        print("the charts: python docs/images/draw_charts.py")
    elif wanted.name == "confusions":
        rows = confusions.measure(wanted.data, wanted.model, print)
        write_csv(confusions.FILE, rows)
        update_page(confusions.PAGE, "groups", confusions.groups_table(rows))
        update_page(confusions.PAGE, "pairs", confusions.pairs_table(rows))
    elif wanted.name == "mnist-accuracy":
        rows = mnist_accuracy.measure(wanted.data, wanted.runs, wanted.seeds, wanted.distil, wanted.set, print)
        found = mnist_accuracy.merged(rows)
        write_csv(mnist_accuracy.FILE, found)
        update_page(mnist_accuracy.PAGE, "mnist", mnist_accuracy.table(found))
    elif wanted.name == "mnist-tiny":
        rows = mnist_tiny.measure(wanted.data, wanted.runs, wanted.seeds, print)
        write_csv(mnist_tiny.FILE, rows)
        update_page(mnist_tiny.PAGE, "mnist tiny", mnist_tiny.table(rows))
    elif wanted.name == "mnist-errors":
        rows = mnist_errors.run(wanted.data, wanted.model, wanted.out)
        print(mnist_errors.table(rows))
        if wanted.update_page:
            write_csv(mnist_errors.FILE, rows)
            update_page(mnist_errors.PAGE, "mnist errors", mnist_errors.table(rows))
    elif wanted.name == "serving":
        found = serving.measure(wanted.seconds, print)
        write_csv(serving.FILE, found)
        update_page(serving.PAGE, "load", serving.table(found))
    elif wanted.name == "stress":
        strengths = (1, 2, 3, 4, 5) if wanted.all_strengths else (3,)
        rows = stress.measure(wanted.data, wanted.model, wanted.count, strengths, print)
        write_csv(stress.FILE, rows)
        update_page(stress.PAGE, "stress", stress.table(rows))
    elif wanted.name == "peers":
        plan = peers.Plan(
            wanted.folder.resolve(), wanted.turns, wanted.digits, wanted.singles, wanted.photos,
            tuple(wanted.model or ["handread-int8"]), tuple(wanted.measure or peers.MEASURES),
        )  # fmt: skip
        rows = peers.merged(peers.measure(plan, print))
        write_csv(peers.FILE, rows)
        update_page(peers.PAGE, "peers", peers.table(rows))
    elif wanted.name == "speedrun":
        if wanted.set and not wanted.held_out:
            parser.error("--set is for choosing recipes, with --held-out; what is written is of recipes as they stand")
        race_plan = speedrun.Plan(
            wanted.data, wanted.seeds, tuple(wanted.mark), wanted.device, wanted.held_out, tuple(wanted.set or ()),
            wanted.runs, wanted.peers and wanted.peers.resolve(),
        )  # fmt: skip
        raced = speedrun.measure(race_plan, print)
        print(speedrun.table(raced.rows))
        if not wanted.held_out:
            rows = speedrun.merged(raced.rows)
            write_csv(speedrun.FILE, rows)
            update_page(speedrun.PAGE, "speedrun", speedrun.table(rows))
        if raced.beside:
            write_csv(speedrun.BESIDE, raced.beside)
            update_page(speedrun.PAGE, "speedrun keras", speedrun.beside_table(raced.beside))
    elif wanted.name == "training":
        pace_plan = training.Plan(
            wanted.folder.resolve(), wanted.turns, tuple(wanted.recipe or training.STEPS), wanted.steps
        )
        rows = training.merged(training.measure(pace_plan, print))
        write_csv(training.FILE, rows)
        update_page(training.PAGE, "training", training.table(rows))
    elif wanted.name == "roads":
        rows = roads.measure(wanted.model or roads.MODELS, wanted.turns, print)
        write_csv(roads.FILE, rows)
        update_page(roads.PAGE, "roads", roads.table(rows))
    elif wanted.name == "growth":
        points = {road: getattr(wanted, road.replace("-", "_")) for road in growth.ROADS}
        rows = growth.measure(points, wanted.turns, wanted.model, print)
        write_csv(growth.FILE, rows)
        update_page(growth.PAGE, "growth", growth.table(rows))
        print("the charts: python docs/images/draw_growth.py")
    elif wanted.name == "scale":
        rows = scale.measure(wanted.pictures, wanted.runs, wanted.memory, wanted.engine or scale.ENGINES, print)
        write_csv(scale.FILE, rows)
        update_page(scale.PAGE, "scale", scale.table(rows))
        update_page(scale.PAGE, "billion", scale.billion(rows))
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
            update_page(refusal.PAGE, "accuracy", accuracy.table(rows))
    else:
        rows = reading.measure(wanted.runs, print)
        write_csv(reading.FILE, rows)
        if wanted.update_readme:
            update_page(README, "speed", reading.table(rows))


if __name__ == "__main__":
    main()
