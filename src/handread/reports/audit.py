"""The page of an audit: the suspects with their pictures, their labels and what they look like."""

from __future__ import annotations

from collections import Counter

from handread.evaluation.audit import Audit, Suspect
from handread.evaluation.report import short_names
from handread.reports.page import Markup, Section, breakable, count, facts, page, percent, prose, table, tag
from handread.reports.pictures import ink_picture

PAIRS = 12
"""Pairs of label and suggestion in the table."""


def audit_page(found: Audit, top: int = 100) -> str:
    """The HTML of the `top` suspects, whole and self-contained."""
    suspects = found.suspects(top)
    names = short_names(found.data.files)
    return page(
        f"Labels of {found.data.name}",
        kicker="Audit",
        head=[_verdict(found), _figures(found)],
        sections=[
            Section("suspects", "Labels to look at", _pictures(found, suspects, names), "Suspects"),
            Section("pairs", "What is suspected of what", _pairs(suspects), "Pairs"),
            Section("made", "How they were found", _made(found), "Method"),
        ],
        foot=prose("Written by handread data audit. The page holds all it needs, pictures too, and loads nothing."),
    )


def _verdict(found: Audit) -> Markup:
    return tag(
        "div",
        tag("p", f"{found.doubted:,}", class_="big"),
        tag(
            "div",
            tag(
                "p",
                f"of {count(len(found), 'label')} are less probable than another character "
                f"({percent(found.doubted / len(found))}). Not every one of them is wrong, and not every wrong label is "
                "among them: look at the pictures, the most suspicious first.",
            ),
        ),
        class_="verdict",
    )


def _figures(found: Audit) -> Markup:
    return facts(
        [
            ("items", f"{len(found):,}"),
            ("characters", f"{len(found.alphabet)}"),
            ("reader", "not heard" if found.reader_weight is None else found.model),
        ]
    )


def _pictures(found: Audit, suspects: list[Suspect], names: tuple[str, ...]) -> list[Markup]:
    said = "Label, suggestion, and the probability of each; below it the item, counted from 0, or its file."
    return [prose(said), tag("ul", [_shot(found, s, names) for s in suspects], class_="shots")]


def _shot(found: Audit, suspect: Suspect, names: tuple[str, ...]) -> Markup:
    name = names[suspect.item] if names and names[suspect.item] else f"item {suspect.item:,}"
    spoken = f"{name}: labelled {suspect.label}, perhaps {suspect.suggested}"
    return tag(
        "li",
        ink_picture(found.data.images[suspect.item], spoken), tag("br"),
        tag("b", suspect.label, " \N{RIGHTWARDS ARROW} ", tag("span", suspect.suggested, class_="wrong")), tag("br"),
        f"{100 * suspect.label_probability:.0f} % / {100 * suspect.suggested_probability:.0f} %", tag("br"),
        breakable(name),
    )  # fmt: skip


def _pairs(suspects: list[Suspect]) -> Markup:
    pairs = Counter((s.label, s.suggested) for s in suspects)
    rows = [[label, other, f"{held:,}"] for (label, other), held in pairs.most_common(PAIRS)]
    return table(f"Among the first {len(suspects):,}", ["label", "suggested", "items"], rows, words=2)


def _made(found: Audit) -> Markup:
    heard = (
        f"Two witnesses: {found.model}, which never saw these labels, and a light classifier that judges each item by the "
        "shapes and labels of the others (cross-validation). Their probabilities are multiplied, the reader's to the "
        f"power {found.reader_weight:.2f}, the scores of the other times {found.shape_weight:.1f}; with these the product "
        "tells the set's labels best."
        if found.reader_weight is not None
        else f"{found.model} does not know all of these characters. A light classifier judges each item by the shapes "
        "and labels of the others (cross-validation)."
    )
    return prose(heard, " Items are ranked by how much more probable another character is than the label.")
