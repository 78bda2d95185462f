"""The page of an exploration: what a labelled set holds, in figures and in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handread.data.explore import CLEAR, Crop, Exploration, findings
from handread.data.images import LabelledImages
from handread.reports import charts
from handread.reports.charts import Axis
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
    prose,
    table,
    tag,
)
from handread.reports.pictures import contact_sheet, data_uri, grey_picture, ink_picture

SAMPLES = 8
"""Pictures of each class on the sample sheet."""
SHOWN = 24
"""Pairs or items of each kind that are shown; the others are counted."""


def exploration_page(found: Exploration, data: LabelledImages) -> str:
    """The HTML of `found`, whole and self-contained; `data` is the set that was explored and gives the pictures."""
    names = _Names(data)
    sections = [
        Section("findings", "Worth knowing", _findings(found)),
        Section("classes", "How many of each", _classes(found), "Classes"),
        Section("samples", "Samples", _samples(found, data)),
        Section("place", "Where the ink is", _place(found), "Ink and padding"),
        Section("values", "How dark the ink is", _values(found), "Pixel values"),
        Section("twins", "Same picture, other label", _conflicts(found, data, names), "Contradictions"),
        Section("broken", "Nothing to read", _broken(found, data, names), "Empty or broken"),
    ]
    return page(
        found.name,
        kicker="Data",
        head=_head(found),
        sections=[section for section in sections if section.body],
        foot=prose("Written by handread explore. The page holds all it needs, pictures too, and loads nothing."),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    data: LabelledImages

    def __call__(self, item: int) -> str:
        file = self.data.files[item] if self.data.files else ""
        return "/".join(file.replace("\\", "/").split("/")[-2:]) if file else f"item {item:,}"

    def label(self, item: int) -> str:
        return self.data.alphabet[int(self.data.labels[item])]


def _head(found: Exploration) -> Content:
    there = sum(held > 0 for held in found.counts)
    sizes = (
        f"{len(found.shapes):,} sizes" if len(found.shapes) > 1 else "".join(f"{h} x {w}" for h, w, _ in found.shapes)
    )
    told = f"labelled images of {count(there, 'character')}"
    told += f" by {count(found.writers, 'writer')}" if found.writers else ""
    pairs: list[tuple[Content, Content]] = [
        ("classes", f"{there} of {len(found.alphabet)}"),
        ("size, height x width", sizes or "–"),
        ("most to fewest", f"{found.imbalance:.1f} : 1"),
        ("pixel values", f"{found.lowest} to {found.highest}"),
        ("copies", f"{found.copies:,}"),
        ("without ink", f"{len(found.constant):,}"),
        ("unreadable", f"{len(found.skipped):,}"),
    ]
    return [
        tag(
            "div",
            tag("p", f"{found.n:,}", class_="big"), tag("p", told),
            class_="verdict",
        ),
        facts(pairs),
    ]  # fmt: skip


def _findings(found: Exploration) -> Content:
    said = findings(found)
    if not said:
        return prose("Nothing odd was found: no copies, no contradictions, no empty or broken images.")
    return tag("ul", [tag("li", sentence) for sentence in said], class_="findings")


def _classes(found: Exploration) -> Content:
    rows = list(zip(found.alphabet, map(float, found.counts), strict=True))
    least = min(zip(found.counts, found.alphabet, strict=True))
    most = max(zip(found.counts, found.alphabet, strict=True))
    says = f"Items of each class, from {least[0]:,} of {least[1]} to {most[0]:,} of {most[1]}"
    if least[0] == most[0]:
        says = f"{count(most[0], 'item')} of each class"
    total = max(found.n, 1)
    cells = [
        [c, f"{held:,}", f"{100 * held / total:.1f} %"] for c, held in zip(found.alphabet, found.counts, strict=True)
    ]
    return [
        figure(charts.columns(rows, says), f"{says}."),
        folded("The same as a table", table("Items of each class", ["class", "items", "share"], cells)),
    ]  # fmt: skip


def _samples(found: Exploration, data: LabelledImages) -> Content:
    blocks = []
    for place, character in enumerate(found.alphabet):
        items = np.flatnonzero(data.labels == place)
        if not items.size:
            continue
        chosen = items[np.unique(np.linspace(0, items.size - 1, SAMPLES).round().astype(int))]
        sheet = 255 - contact_sheet([data.images[i] for i in chosen.tolist()], columns=SAMPLES, side=38, gap=4)
        picture = tag(
            "img", src=data_uri(sheet), alt=f"{count(len(chosen), 'sample')} of {character}", class_="shot strip",
            width=sheet.shape[1], height=sheet.shape[0],
        )  # fmt: skip
        blocks.append(tag("div", tag("b", character), picture))
    return [
        prose(f"Up to {SAMPLES} of each class, evenly spaced through the set, ink as it will be read."),
        tag("div", blocks, class_="sheetlet"),
    ]


def _place(found: Exploration) -> Content:
    if not found.n:
        return None
    highest = float(found.mean_image.max()) or 1.0
    spread = float(found.spread.max()) or 1.0
    maps = (
        (found.mean_image / highest, "Mean of all images", f"Mean of all images, at most {highest:.0f} of 255."),
        (found.spread / spread, "Spread of each pixel", f"Spread: standard deviation of each pixel, at most {spread:.0f}. Empty: the same in all images."),
        (found.reach / 255, "Reach of the ink", "Reach: the most ink that any image has at each pixel. Empty: padding in every image."),
    )  # fmt: skip
    if len(found.shapes) > 1 and found.crop is None:
        told = ["The pictures are of several sizes and shown in one square, so that no single crop fits them all."]
    else:
        told = [_cropped(found.crop, found.shapes, "any ink")]
        if found.clear_crop != found.crop:
            told.append(_cropped(found.clear_crop, found.shapes, f"clear ink (at least {CLEAR} of 255)"))
    return [
        tag("div", [figure(grey_picture(values, alt), told) for values, alt, told in maps], class_="maps"),
        [prose(sentence) for sentence in told],
    ]


def _cropped(crop: Crop | None, shapes: tuple[tuple[int, int, int], ...], what: str) -> str:
    height, width, _ = shapes[0]
    if crop is None:
        return f"There is no {what.removeprefix('any ')} in these images."
    if (crop.top, crop.left, crop.bottom, crop.right) == (0, 0, height, width):
        return f"No row and no column is free of {what} in every image: any crop of the {height} x {width} loses some."
    edges = f"rows {crop.top} to {crop.bottom}, columns {crop.left} to {crop.right} of {height} x {width}"
    fractions = ", ".join(f"{edge:g}" for edge in crop.window)
    return f"The smallest crop that loses no {what.removeprefix('any ')}: {edges} (window {fractions})."


def _values(found: Exploration) -> Content:
    if not found.n:
        return None
    total = sum(found.histogram) or 1
    x = Axis("pixel value, 0 paper to 255 ink", 0, 256, (0, 64, 128, 192, 256), charts.number)
    shares = [0.0, *(held / total for held in found.histogram[1:])]
    says = f"Histogram of pixel values; {100 * found.histogram[0] / total:.1f} % of the pixels are paper (below 16)"
    return figure(
        charts.histogram(shares, x, "share of all pixels", says),
        f"Pixels by value. The first bar, paper below 16, is left out: it holds {100 * found.histogram[0] / total:.1f} % "
        f"of all. {count(found.levels, 'value occurs', 'different values occur')}, the mean is {found.mean:.1f}.",
    )


def _conflicts(found: Exploration, data: LabelledImages, names: _Names) -> Content:
    if not found.conflicts and not found.near:
        return None
    rows = [
        tag("div", tag("p", "the very same image"), [_shot(data, names, i) for i in group[:4]])
        for group in found.conflicts[:SHOWN]
    ]
    rows += [
        tag("div", tag("p", f"{100 * pair.distance:.0f} % of the ink differs"), [_shot(data, names, i) for i in (pair.first, pair.second)])
        for pair in found.near[:SHOWN]
    ]  # fmt: skip
    held = len(found.conflicts) + len(found.near)
    said = f"{count(held, 'group')} of images that are the same, or nearly, and have different labels"
    return [
        prose(f"{said}; {len(rows)} are shown." if held > len(rows) else f"{said}."),
        tag("div", rows, class_="twins"),
    ]


def _broken(found: Exploration, data: LabelledImages, names: _Names) -> Content:
    parts: list[Content] = []
    if found.constant:
        listed = ", ".join(f"{names(i)} ({names.label(i)})" for i in found.constant[:SHOWN])
        more = len(found.constant) - SHOWN
        parts.append(
            prose(f"All pixels are equal in {listed}{f' and {more:,} more' if more > 0 else ''}.")
        )  # fmt: skip
    if found.skipped:
        rows = [tag("li", breakable(file)) for file in found.skipped[:200]]
        more = len(found.skipped) - len(rows)
        parts += [prose("These cannot be read:"), tag("ul", rows, class_="files")]
        parts.append(prose(f"and {more:,} more.") if more else None)
    return parts or None


def _shot(data: LabelledImages, names: _Names, item: int) -> Markup:
    name, label = names(item), names.label(item)
    picture = ink_picture(data.images[item], f"{name}, labelled {label}")
    return tag("figure", picture, tag("figcaption", tag("b", label), " ", breakable(name)))
