"""The page of a comparison: two models on the same items."""

from __future__ import annotations

from collections.abc import Sequence

from handread.evaluation.compare import Comparison, Disagreement
from handread.reports import charts
from handread.reports.page import (
    Content,
    Markup,
    Section,
    breakable,
    count,
    facts,
    page,
    percent,
    prose,
    table,
    tag,
)

SHOWN = 400
"""Items of each kind in the lists; the others are counted."""


def comparison_page(found: Comparison) -> str:
    """The HTML of `found`, whole and self-contained. Reports hold no pictures: items go by number and file name."""
    only_first = [d for d in found.disagreements if d.first == d.label]
    only_second = [d for d in found.disagreements if d.second == d.label]
    sections = [
        Section("both", "Item by item", _fourfold(found)),
        Section("classes", "Class by class", _classes(found), "Classes"),
        Section("first", f"Only {found.first} reads these", _listed(only_first, found)),
        Section("second", f"Only {found.second} reads these", _listed(only_second, found)),
        Section("made", "How this was compared", _method(found), "Method"),
    ]
    return page(
        f"{found.first} and {found.second}",
        kicker="Comparison",
        head=_head(found),
        sections=[section for section in sections if section.body],
        foot=prose("Written by handread compare. The page holds all it needs and loads nothing."),
    )


def points(difference: float, digits: int = 2) -> str:
    """A difference of two fractions in percentage points, with its sign."""
    written = f"{100 * difference:+.{digits}f}"
    return written[1:] if not float(written) else written.replace("-", "\N{MINUS SIGN}")


def p_value(value: float) -> str:
    """``0.031``; what is smaller than a thousandth says only that."""
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _head(found: Comparison) -> Content:
    a, b = found.accuracies
    low, high = found.interval95
    says = f"Difference {points(found.difference)} points, 95 % interval {points(low)} to {points(high)}"
    big = "big" if found.p_value < 0.05 and found.difference > 0 else "big bad" if found.p_value < 0.05 else "big open"
    pairs: list[tuple[Content, Content]] = [
        (found.first, percent(a)),
        (found.second, percent(b)),
        ("p (exact McNemar test)", p_value(found.p_value)),
        ("items", f"{found.n:,}"),
    ]
    return [
        tag(
            "div",
            tag("p", points(found.difference), tag("small", "points"), class_=big,),
            tag(
                "div",
                tag("p", f"{found.second} less {found.first} on {found.data}. {found.verdict}"),
                charts.interval(found.difference, low, high, says, middle=0.0, written=lambda v: points(v, 1)),
            ),
            class_="verdict",
        ),
        facts(pairs),
    ]  # fmt: skip


def _fourfold(found: Comparison) -> Content:
    columns = ["", f"{found.second} right", f"{found.second} wrong", "together"]
    ours = found.both_right + found.only_first
    theirs = found.both_right + found.only_second
    rows: list[Sequence[Content]] = [
        [f"{found.first} right", f"{found.both_right:,}", tag("strong", f"{found.only_first:,}"), f"{ours:,}"],
        [f"{found.first} wrong", tag("strong", f"{found.only_second:,}"), f"{found.both_wrong:,}", f"{found.n - ours:,}"],
        ["together", f"{theirs:,}", f"{found.n - theirs:,}", f"{found.n:,}"],
    ]  # fmt: skip
    return [
        prose(
            "The same items, read by both. Only those that one reads and the other does not tell them apart: "
            f"{found.only_second:,} gained, {found.only_first:,} lost."
        ),
        table("Items by what became of them", columns, rows),
    ]


def _classes(found: Comparison) -> Content:
    changed = [c for c in found.classes if c.first != c.second]
    if not changed:
        return prose("Both read as many of every class.")
    changed.sort(key=lambda c: (-abs(c.second - c.first), c.character))
    rows = [
        [
            c.character, f"{c.support:,}", percent(c.first / c.support, 1), percent(c.second / c.support, 1),
            tag("span", f"{c.second - c.first:+,}".replace("-", "\N{MINUS SIGN}"), class_="right" if c.second > c.first else "wrong"),
        ]
        for c in changed
    ]  # fmt: skip
    same = len(found.classes) - len(changed)
    caption = "Recall of each class that changed, the largest change first"
    if same:
        caption += f"; {count(same, 'class', 'classes')} did not"
    return table(f"{caption}.", ["class", "items", found.first, found.second, "items gained"], rows)


def _listed(items: Sequence[Disagreement], found: Comparison) -> Content:
    if not items:
        return None
    rows: list[Sequence[Content]] = [
        [_item(d), d.label, _read(d.first, d.label, d.first_confidence), _read(d.second, d.label, d.second_confidence)]
        for d in items[:SHOWN]
    ]
    caption = f"{count(len(items), 'item')}, in the order of the data"
    if len(items) > SHOWN:
        caption += f"; the first {SHOWN:,} are shown"
    return table(f"{caption}.", ["item", "label", found.first, found.second], rows, words=4)


def _item(found: Disagreement) -> Content:
    return breakable(found.file) if found.file else f"item {found.item:,}"


def _read(said: str, label: str, confidence: float) -> Content:
    shown = tag("span", said, class_="right" if said == label else "wrong")
    return [shown, "\N{NO-BREAK SPACE}", tag("span", percent(confidence, 0), class_="quiet")]


def _method(found: Comparison) -> Markup:
    low, high = found.interval95
    return tag(
        "div",
        prose(
            "Both models were measured on the same items: the digests of images and labels in both reports are equal. "
            f"The exact McNemar test (McNemar 1947) asks how likely a split at least as uneven as {found.only_first:,} "
            f"to {found.only_second:,} were if both were equally good: p {p_value(found.p_value)}, two-sided."
        ),
        prose(
            f"The 95 % interval of the difference, {points(low)} to {points(high)} points, is the adjusted Wald interval "
            "for paired proportions (Bonett and Price 2012). Neither tells what another set of items, or another seed of "
            "training, would give."
        ),
    )
