"""The stress test of ``handread evaluate --stress``: its options read, the test run, its result as a plain table."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.alphabet import Alphabet
    from handread.evaluation.report import Evaluation
    from handread.evaluation.stress_report import Kind, Row, StressReport
    from handread.recognizer import Recognizer

TITLES: dict[Kind, str] = {"mnist-c": "MNIST-C's fifteen", "paper": "pens, paper and cameras"}


def strengths_of(text: str) -> tuple[int, ...]:
    """``"1,3"`` as whole numbers; raises `click.BadParameter` for anything but 1 to 5."""
    try:
        return tuple(sorted({{str(k): k for k in range(1, 6)}[part.strip()] for part in text.split(",")}))
    except KeyError as odd:
        raise click.BadParameter(
            f"{odd.args[0]!r} is no strength; give numbers from 1 to 5, as --strengths 1,3,5"
        ) from None


def stressed(
    evaluation: Evaluation,
    reader: Recognizer,
    alphabet: Alphabet | None,
    *,
    strengths: tuple[int, ...],
    count: int | None,
) -> Evaluation:
    """The evaluation with what its items come to when their pictures become worse."""
    from handread.evaluation.stress import chosen, stress

    items = chosen(evaluation.data, count)
    with counting("stress") as progress:
        found, samples = stress(
            lambda pictures: reader.read_many(pictures, alphabet=alphabet, one=True, top=1),
            items,
            strengths=strengths,
            progress=progress,
        )
    return dataclasses.replace(evaluation, report=dataclasses.replace(evaluation.report, stress=found), samples=samples)


def stress_table(found: StressReport) -> str:
    """Errors of every corruption for people, in percent, the kinds one below the other."""
    levels = found.strengths
    lines = [f"errors in {found.n:,} pictures, each read whole; in brackets the 95 % interval", ""]
    lines += [f"{row.name:16}{_with_interval(row)}" for row in found.plain]
    for kind, title in TITLES.items():
        rows = found.of_kind(kind)
        if not rows:
            continue
        if len(levels) == 1:
            lines += ["", f"{title}, strength {levels[0]}"]
            lines += [f"{name:16}{_with_interval(row[levels[0]])}" for name, row in rows.items()]
        else:
            lines += ["", f"{title:26}" + "".join(f"strength {level:<4}" for level in levels).rstrip()]
            lines += [f"{name:26}" + "".join(_cell(row[k].error_rate) for k in levels) for name, row in rows.items()]
        means = [found.mean(kind, level) or 0.0 for level in levels]
        if len(levels) == 1:
            lines.append(f"{'mean':16}{_percent(means[0])}")
        else:
            lines.append(f"{'mean':26}" + "".join(_cell(value) for value in means))
    return "\n".join(line.rstrip() for line in lines)


def _with_interval(row: Row) -> str:
    low, high = row.interval95
    none = f"  {row.empty:,} without ink" if row.empty else ""
    return f"{_percent(row.error_rate)}  ({100 * low:.2f} to {100 * high:.2f}){none}"


def _cell(share: float) -> str:
    return f"{_percent(share):<13}"


def _percent(share: float) -> str:
    return f"{100 * share:6.2f} %"
