"""The page of an evaluation: figures, confusion matrix with its pictures, errors, classes, calibration."""

from __future__ import annotations

import numpy as np

from handread.evaluation import metrics
from handread.evaluation.report import Evaluation, EvaluationReport
from handread.reports import charts
from handread.reports.charts import Axis, Series
from handread.reports.matrix import confusion_table
from handread.reports.page import (
    Content,
    Markup,
    Section,
    breakable,
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
from handread.reports.pictures import ink_picture
from handread.reports.stress import stress_section

ROOM = 5_500_000
"""Characters of HTML that the pictures of the matrix may take; with it a page stays below 8 MB."""
MOST_WRONG, MOST_RIGHT = 24, 12
"""Pictures shown of a cell off and on the diagonal."""
LISTED = 1000
"""Suspects that are listed as text."""
WORST, PAIRS, PAIR_PICTURES, SUSPECTS = 48, 12, 8, 36

_UNDECIDABLE = (*metrics.MERGED_GROUPS, *metrics.CASE_GROUPS)


def evaluation_page(evaluation: Evaluation) -> str:
    """The HTML of an evaluation, whole and self-contained."""
    return _Writer(evaluation).page()


class _Writer:
    """One page in the making: the evaluation, and what several sections need of it."""

    def __init__(self, evaluation: Evaluation) -> None:
        self.report, self.data, self.samples = evaluation.report, evaluation.data, evaluation.samples
        self.probabilities = evaluation.probabilities
        self.labels = evaluation.data.labels
        self.read = evaluation.probabilities.argmax(axis=1)
        self.confidence = evaluation.probabilities.max(axis=1)
        self.wrongness = metrics.wrongness(self.labels, evaluation.probabilities)
        self.files = evaluation.report.items.files if evaluation.report.items else ()
        self.sheets: dict[tuple[int, int], list[Markup]] = {}

    def page(self) -> str:
        report = self.report
        self._fill_sheets()
        sections = [
            Section("matrix", "What is read as what", self._matrix(), "Confusion matrix"),
            Section("pairs", "Most confused", self._pairs(), "Confused pairs"),
            Section("errors", "Worst errors", self._errors()),
            Section("suspects", "Labels to look at again", self._suspects(), "Suspect labels"),
            Section("classes", "Class by class", classes_tables(report), "Classes"),
            Section("certainty", "Certainty", certainty(report)),
            Section("stress", "When pictures become worse", self._stress(), "Worse pictures"),
            Section("made", "How this was measured", made(report), "Method"),
        ]
        return page(
            f"{report.model} on {report.data}",
            kicker="Evaluation",
            head=[verdict(report), leak(report), figures(report)],
            sections=[s for s in sections if s.body],
            foot=prose("Written by handread evaluate. The page holds all it needs, pictures too, and loads nothing."),
        )

    def _stress(self) -> Content:
        return stress_section(self.report.stress, self.samples)

    # matrix

    def _fill_sheets(self) -> None:
        """Pictures for the cells, a first one for each before any gets a second, as far as there is room."""
        room = ROOM
        for item in self._order():
            cell = (int(self.labels[item]), int(self.read[item]))
            shown = self._shot(item)
            room -= len(shown)
            if room < 0:
                break
            self.sheets.setdefault(cell, []).append(shown)

    def _order(self) -> list[int]:
        """Items in the order in which they get a place: errors first by their rank within their cell."""
        wrong = self.labels != self.read
        # the surest errors and the least sure hits tell most
        merit = np.where(wrong, self.wrongness, 1 - self.confidence)
        cell = self.labels * self.probabilities.shape[1] + self.read
        order = np.lexsort((-merit, cell))
        starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
        rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
        most = np.where(wrong[order], MOST_WRONG, MOST_RIGHT)
        kept = rank < most
        order, rank = order[kept], rank[kept]
        # an error is worth three hits of its rank
        urgency = np.where(wrong[order], rank, 3 * rank + 2)
        return [int(item) for item in order[np.argsort(urgency, kind="stable")]]

    def _matrix(self) -> Content:
        report = self.report
        shown = sum(map(len, self.sheets.values()))
        table_ = confusion_table(
            report.confusion, report.alphabet,
            [
                "Row: the label. Column: what was read. Choose a cell to see its pictures; Escape or “close” puts them "
                f"away. {count(shown, 'picture')} of {report.n:,} are in this page."
            ],
            target=lambda true, read: _anchor(true, read) if (true, read) in self.sheets else None,
        )  # fmt: skip
        return [table_, [self._sheet(cell, shots) for cell, shots in sorted(self.sheets.items())]]

    def _sheet(self, cell: tuple[int, int], shots: list[Markup]) -> Markup:
        true, read = (self.report.alphabet[k] for k in cell)
        held = self.report.confusion[cell[0]][cell[1]]
        what = f"{true} read as {read}" if true != read else f"{true} read rightly"
        order = "the least sure first" if true == read else "the surest first"
        left = f"{len(shots)} of {held:,} shown, {order}" if held > len(shots) else f"{count(held, 'picture')}, {order}"
        return tag(
            "div",
            tag("h3", what), tag("p", left),
            tag("a", "close", href="#_", class_="close", aria_label=f"Close the pictures of {what}"),
            tag("ul", shots, class_="shots"),
            id=_anchor(*cell), class_="sheet",
        )  # fmt: skip

    def _shot(self, item: int) -> Markup:
        """One picture with what it is, what was read and how surely."""
        true, read = self.report.alphabet[self.labels[item]], self.report.alphabet[self.read[item]]
        sure = percent(float(self.confidence[item]), 0)
        own = percent(float(self.probabilities[item, self.labels[item]]), 0)
        name = self.name(item)
        if true == read:
            words: Content = [tag("b", true), f" {sure}"]
        else:
            words = [
                tag("b", true, " \N{RIGHTWARDS ARROW} ", tag("span", read, class_="wrong")),
                tag("br"), f"{sure} / {own}",
            ]  # fmt: skip
        picture = ink_picture(self.data.images[item], f"{name}: {true} read as {read}")
        return tag("li", picture, tag("br"), words, tag("br"), breakable(name))

    def name(self, item: int) -> str:
        """What an item is called: its file, or its number."""
        return self.files[item] if self.files and self.files[item] else f"item {item:,}"

    # errors

    def _pairs(self) -> Content:
        found = self.report.confused_pairs()
        if not found:
            return prose("No character was read as another.")
        most = [pair for pair in found[:PAIRS] if pair[2] > 1] or found[:PAIRS]
        blocks = []
        for true, read, held in most:
            total = sum(self.report.confusion[true])
            items = np.flatnonzero((self.labels == true) & (self.read == read))
            items = items[np.argsort(-self.wrongness[items], kind="stable")][:PAIR_PICTURES]
            a, b = self.report.alphabet[true], self.report.alphabet[read]
            told = f"{count(held, 'time')}, {100 * held / total:.1f} % of all {a}"
            link = tag("a", "all", href=f"#{_anchor(true, read)}", aria_label=f"All pictures of {a} read as {b}")
            blocks.append(
                tag(
                    "div",
                    tag(
                        "p",
                        tag("b", a, " \N{RIGHTWARDS ARROW} ", tag("span", b, class_="wrong")), " ",
                        tag("span", told, class_="quiet"), tag("span", link, class_="more") if (true, read) in self.sheets else None,
                    ),
                    tag(
                        "div",
                        [ink_picture(self.data.images[i], f"{self.name(i)}: {a} read as {b}") for i in items.tolist()],
                        class_="row",
                    ),
                )
            )  # fmt: skip
        wrong = self.report.n - self.report.correct
        shown = sum(held for _, _, held in most)
        said = f"{count(len(most), 'pair')} make up {shown:,} of {count(wrong, 'error')}"
        said += f"; the other {wrong - shown:,} are in the matrix above." if wrong > shown else "."
        return [prose(said), tag("div", blocks, class_="rowed")]

    def _errors(self) -> Content:
        order = np.argsort(-self.wrongness, kind="stable")[:WORST]
        items = [int(i) for i in order if self.labels[i] != self.read[i]]
        if not items:
            return prose("There are none: every item was read as labelled.")
        wrong = self.report.n - self.report.correct
        return [
            prose(
                f"{len(items)} of {count(wrong, 'error')}, ranked by the probability of the wrong answer less the "
                "probability of the label; both stand below each picture."
            ),
            tag("ul", [self._shot(i) for i in items], class_="shots"),
        ]

    def _suspects(self) -> Content:
        same = metrics.same_in(self.data.alphabet, _UNDECIDABLE)
        found = metrics.label_suspects(self.labels, self.probabilities, same).tolist()
        if not found:
            return prose("No label looks wrong: wherever the reader is sure of another character, ink does not decide.")
        listing = "\n".join(
            f"{self.name(i)}\t{self.report.alphabet[self.labels[i]]}\t{self.report.alphabet[self.read[i]]}" for i in found[:LISTED]
        )  # fmt: skip
        return [
            prose(
                f"{count(len(found), 'item')} where the reader is as sure of another character as it is where that "
                "character stands, and not of the label (confident learning, Northcutt et al. 2021). Pairs that ink "
                "does not tell apart, as o and 0, are left out. Look before you change a label: the reader may be the "
                "one who errs."
            ),
            tag("ul", [self._shot(i) for i in found[:SUSPECTS]], class_="shots"),
            folded(
                "As text: item, label, read",
                tag("pre", _lines(listing)),
            ),
        ]  # fmt: skip


def _lines(text: str) -> list[Content]:
    # page.escape takes control characters out, and a line end is one
    return [Markup(part + "\n") for part in (tag("span", line) for line in text.replace("\t", "   ").split("\n"))]


def _anchor(true: int, read: int) -> str:
    return f"c{true}-{read}"


def verdict(report: EvaluationReport) -> Markup:
    """The accuracy, large, with its interval."""
    low, high = report.interval95
    says = f"Accuracy {percent(report.accuracy)}, 95 % interval {percent(low)} to {percent(high)}"
    return tag(
        "div",
        tag("p", f"{100 * report.accuracy:.2f}", tag("small", "%"), class_="big"),
        tag(
            "div",
            tag(
                "p",
                f"of {count(report.n, 'character')} read as labelled, refused ones counted too. With 95 % certainty "
                f"the reader's rate on such writing lies between {percent(low)} and {percent(high)} (Wilson).",
            ),
            charts.interval(report.accuracy, low, high, says),
        ),
        class_="verdict",
    )


def leak(report: EvaluationReport) -> Content:
    """A warning where items were trained on."""
    said = report.leak.sentence if report.leak is not None else ""
    return tag("p", said[:1].upper() + said[1:] + ".", class_="wrong") if said else None


def figures(report: EvaluationReport) -> Markup:
    """The other figures of the whole set."""
    letters = any(c.isalpha() for c in report.alphabet)
    pairs: list[tuple[Content, Content]] = [
        ("read as labelled", f"{report.correct:,}"),
        ("label in first two answers", percent(report.top2)),
        ("label in first three", percent(report.top3)),
    ]
    if letters:
        pairs += [
            ("upper and lower case as one", percent(report.case_insensitive)),
            ("look-alikes as one", percent(report.merged)),
        ]
    pairs += [
        ("refused", percent(report.refused)),
        ("calibration error", percent(report.ece)),
        ("log loss, nats", f"{report.nll:.4f}"),
    ]
    return facts(pairs)


def classes_tables(report: EvaluationReport) -> Content:
    """Precision, recall and F1 of every class, beside each other where there is room."""
    rows = [row for row in report.classes if row.support or row.read]
    if not rows:
        return None
    weakest = sorted((r for r in rows if r.f1 is not None), key=lambda r: r.f1 or 0.0)[:5]
    cells = [
        [
            row.character, f"{row.support:,}", percent(row.precision, 1), percent(row.recall, 1),
            percent(row.f1, 1), charts.bar(row.f1),
        ]
        for row in rows
    ]  # fmt: skip
    columns = ["class", "items", "precision", "recall", "F1", ""]
    half = -(-len(cells) // 2) if len(cells) > 14 else len(cells)
    parts = [cells[:half], cells[half:]] if half < len(cells) else [cells]
    shown = [
        table(f"Classes {part[0][0]} to {part[-1][0]}" if len(parts) > 1 else "All classes", columns, part)
        for part in parts
    ]
    named = ", ".join(f"{row.character} ({percent(row.f1, 1)})" for row in weakest)
    return [
        prose(
            "Precision: how many of those read as this character are. Recall: how many that are this character were "
            f"read so. F1: the harmonic mean of the two. Weakest by F1: {named}."
        ),
        tag("div", shown, class_="pair"),
    ]


def certainty(report: EvaluationReport) -> Content:
    """Reliability diagram, and what refusing brings."""
    parts: list[Content] = []
    if report.reliability:
        bins = [(b.count, b.confidence, b.accuracy) for b in report.reliability]
        says = f"Reliability diagram: accuracy against confidence in {len(bins)} bins; calibration error {percent(report.ece)}"
        parts.append(
            figure(
                charts.reliability(bins, says),
                f"Confidence against accuracy. On the dotted line the reader is right as often as it says; red is the gap. The larger a dot, the more items. "
                f"Averaged over all items it is {percent(report.ece)} (ECE, {len(bins)} bins).",
            )
        )  # fmt: skip
    curve = sorted(report.refusal_curve)
    x = Axis("answered", 0.5, 1, (0.5, 0.6, 0.7, 0.8, 0.9, 1), charts.share)
    y = charts.axis("wrong among those", [risk for _, risk in curve], written=charts.share, zero=True)
    half = min(curve, key=lambda point: abs(point[0] - 0.9))
    parts.append(
        figure(
            charts.lines([Series("wrong", tuple(curve), bad=True)], x, y, "Risk against coverage when the least sure are refused"),
            "What refusing brings: of the surest share of the items, how many are wrong. Answering "
            f"{percent(half[0], 0)} leaves {percent(half[1])} wrong.",
        )
    )  # fmt: skip
    return tag("div", parts, class_="pair")


def made(report: EvaluationReport) -> Content:
    """What the figures depend on."""
    rate = report.n / report.seconds if report.seconds else 0.0
    rows: list[tuple[Content, Content]] = [
        ("model", report.model),
        ("data", report.data),
        ("characters that could be answered", report.alphabet),
        ("time of scoring", f"{report.seconds:.1f} s, {rate:,.0f} a second"),
        *report.environment.items(),
    ]
    if report.leak is not None:
        rows.insert(3, ("of these items, trained on", report.leak.told))
    if report.skipped:
        rows.insert(3, ("left out, cannot be read", count(report.skipped, "picture")))
    return [
        facts(rows, listed=True),
        prose("Digest of images and labels: ", tag("code", report.digest)) if report.digest else None,
    ]
