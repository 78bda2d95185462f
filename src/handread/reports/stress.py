"""The part of an evaluation's page that shows worse pictures and what they cost."""

from __future__ import annotations

from collections.abc import Sequence

from handread.evaluation.stress_report import KINDS, Kind, Row, Samples, StressReport
from handread.reports.page import Content, Markup, count, percent, prose, table, tag
from handread.reports.pictures import data_uri, thumbnail

SHOWN = 6
"""Pictures beside each corruption."""
SIDE = 56
"""Longer side in pixels of a picture in the page."""

_TITLES: dict[Kind, str] = {"mnist-c": "The fifteen of MNIST-C", "paper": "Pens, paper and cameras"}


def stress_section(found: StressReport | None, samples: Samples | None) -> Content:
    """Tables of both kinds with pictures; None where no stress test was made."""
    if found is None:
        return None
    said = " ".join(
        f"{'Without a corruption' if row.kind == 'mnist-c' else 'Written on plain paper'}, "
        f"{percent(row.error_rate)} of them are read wrongly ({_interval(row)})."
        for row in found.plain
    )
    levels = ", ".join(map(str, found.strengths))
    return [
        prose(
            f"{count(found.n, 'item')}, each made worse and read as a picture, from finding its ink to naming it; a "
            f"picture in which no ink is found is an error. {said} Strengths run from 1 to 5; measured: {levels}. "
            "A red frame marks a picture that was read wrongly."
        ),
        [_kind(kind, found, samples) for kind in KINDS if found.of_kind(kind)],
    ]


def _kind(kind: Kind, found: StressReport, samples: Samples | None) -> Markup:
    levels = found.strengths
    shown = 3 if 3 in levels else levels[-1]
    single = len(levels) == 1
    heads = ["errors", "95 %", "no ink found"] if single else [f"strength {level}" for level in levels]
    rows: list[Sequence[Content]] = []
    for name, row in found.of_kind(kind).items():
        pictures = _pictures(row[shown], found, samples)
        if single:
            one = row[shown]
            rows.append(
                [name, pictures, percent(one.error_rate), _interval(one), f"{one.empty:,}" if one.empty else ""]
            )
        else:
            rows.append([name, pictures, *(percent(row[level].error_rate) for level in levels)])
    means = [percent(found.mean(kind, level)) for level in levels]
    rows.append(["mean", None, *means, *([None, None] if single else [])])
    caption = f"{_TITLES[kind]}, pictures of strength {shown}."
    return table(caption, ["corruption", "", *heads], rows, words=2)


def _pictures(row: Row, found: StressReport, samples: Samples | None) -> Content:
    if samples is None:
        return None
    place = found.rows.index(row)
    pairs = zip(samples.pictures[place], samples.read[place], samples.labels, strict=True)
    shots = []
    for picture, read, label in list(pairs)[:SHOWN]:
        told = f"{label} read as {read}" if read else f"{label}, no ink found"
        shots.append(
            tag(
                "img", src=data_uri(thumbnail(picture, largest=SIDE)), alt=told, title=told,
                class_="photo" if read == label else "photo bad",
            )
        )  # fmt: skip
    return tag("span", shots, class_="photos")


def _interval(row: Row) -> str:
    low, high = row.interval95
    return f"{percent(low)} to {percent(high)}"
