"""Charts as inline SVG: drawn small, so that a phone shows them whole; coloured by the page's own variables.

Every chart carries a text that says what it shows, and every mark a title with its value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handread.reports.page import Content, Markup, tag

WIDTH, HEIGHT = 420, 270
"""Units of a chart; a phone shows about 350 pixels, a desk 500."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 40

STYLES = 6
"""Lines that can be told apart in one chart."""


@dataclass(frozen=True, slots=True)
class Series:
    """A line: its name and its points."""

    name: str
    points: tuple[tuple[float, float], ...]
    bad: bool = False
    """Drawn in red: it tells what is wrong."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart."""

    name: str
    low: float
    high: float
    ticks: tuple[float, ...]
    written: Callable[[float], str]


def number(value: float) -> str:
    """A tick as people write it: 2,000, 0.25, 1e-5."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e7):
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.0f}"


def share(value: float) -> str:
    """A fraction as percent without idle digits."""
    return f"{round(100 * value, 4):g} %"


def axis(
    name: str, values: Sequence[float], *, written: Callable[[float], str] = number, about: int = 5, zero: bool = False
) -> Axis:
    """An axis that holds all finite `values`, with ticks at round numbers; with `zero` it begins there."""
    finite = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    if zero:
        low = min(low, 0.0)
    if high - low < 1e-12:
        pad = abs(high) * 0.1 or 1.0
        low, high = (low if zero else low - pad), high + pad
    step = nice_step((high - low) / about)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(k * step, 12) for k in range(first, last + 1))
    return Axis(name, ticks[0], ticks[-1], ticks, written)


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= rough * (1 - 1e-9)), 10 * power)


@dataclass(frozen=True, slots=True)
class _Plot:
    x: Axis
    y: Axis
    height: int = HEIGHT

    def across(self, value: float) -> float:
        return _LEFT + (value - self.x.low) / (self.x.high - self.x.low) * (WIDTH - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        return (
            self.height - _BOTTOM - (value - self.y.low) / (self.y.high - self.y.low) * (self.height - _TOP - _BOTTOM)
        )

    def grid(self) -> list[Markup]:
        left, right, bottom = _LEFT, WIDTH - _RIGHT, self.height - _BOTTOM
        marks = []
        for value in self.y.ticks:
            level = self.up(value)
            marks.append(tag("line", x1=left, x2=right, y1=level, y2=level, class_="rule" if value else "axis"))
            marks.append(tag("text", self.y.written(value), x=left - 6, y=level + 4.0, text_anchor="end"))
        marks.append(tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
        for value in self.x.ticks:
            marks.append(tag("text", self.x.written(value), x=self.across(value), y=bottom + 15, text_anchor="middle"))
        marks.append(
            tag("text", self.x.name, x=(left + right) / 2, y=self.height - 6.0, text_anchor="middle", class_="name")
        )
        return marks


def svg(marks: Content, says: str, *, height: int = HEIGHT, width: int = WIDTH) -> Markup:
    """A drawing of `width` x `height` units with a text for whoever cannot see it."""
    return tag(
        "svg", tag("title", says), marks,
        viewBox=f"0 0 {width} {height}", width=width * 1.2, role="img", xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip


def lines(series: Sequence[Series], x: Axis, y: Axis, says: str) -> Markup:
    """Lines over a common axis, each point with its value; a legend where there are several."""
    plot = _Plot(x, y)
    marks = plot.grid()
    for place, one in enumerate(series):
        style = _style(place, one)
        spots = [(a, b) for a, b in one.points if math.isfinite(a) and math.isfinite(b)]
        path = " ".join(f"{plot.across(a):.1f},{plot.up(b):.1f}" for a, b in spots)
        marks.append(tag("polyline", points=path, class_=style))
        for a, b in spots:
            title = f"{one.name}: {x.name} {x.written(a)}, {_exact(y, b)}"
            marks.append(
                tag(
                    "g",
                    tag("title", title),
                    tag("circle", cx=plot.across(a), cy=plot.up(b), r=9, class_="hit"),
                    tag("circle", cx=plot.across(a), cy=plot.up(b), r=2.6, class_="dot bad" if one.bad else "dot"),
                )
            )
    chart = svg([_heading(y), marks], says)
    return Markup(chart + (legend(series) if len(series) > 1 else ""))


def _heading(y: Axis) -> Markup:
    return tag("text", y.name, x=0, y=3, class_="name")


def _exact(y: Axis, value: float) -> str:
    return f"{100 * value:.2f} %" if y.written is share else f"{value:.5g}"


def _style(place: int, one: Series) -> str:
    return f"s{place % STYLES}" + (" bad" if one.bad else "")


def legend(series: Sequence[Series]) -> Markup:
    """Which line is which."""
    rows = []
    for place, one in enumerate(series):
        line = tag("line", x1=0, x2=28, y1=5, y2=5, class_=_style(place, one))
        sample = tag("svg", line, viewBox="0 0 28 10", width=28, height=10, aria_hidden="true")
        rows.append(tag("li", tag("span", sample, style="display:inline-block;margin-right:.4rem"), one.name))
    return tag("ul", rows, class_="scale")


def interval(
    value: float,
    low: float,
    high: float,
    says: str,
    *,
    middle: float | None = None,
    written: Callable[[float], str] = share,
) -> Markup:
    """A value with its interval on a short scale; `middle` marks a value to compare with, such as 0."""
    spread = [low, high, value] + ([] if middle is None else [middle])
    room = max((max(spread) - min(spread)) * 0.6, 0.002)
    ends = [min(spread) - room, max(spread) + room]
    if middle is None:
        ends = [max(0.0, ends[0]), min(1.0, ends[1])]
    scale = axis("", ends, written=written, about=4)
    left, right = 22, WIDTH - 22

    def across(v: float) -> float:
        return left + (v - scale.low) / (scale.high - scale.low) * (right - left)

    marks = [tag("line", x1=left, x2=right, y1=30, y2=30, class_="axis")]
    for v in scale.ticks:
        marks.append(tag("line", x1=across(v), x2=across(v), y1=27, y2=33, class_="axis"))
        marks.append(tag("text", written(v), x=across(v), y=47, text_anchor="middle"))
    if middle is not None:
        marks.append(tag("line", x1=across(middle), x2=across(middle), y1=4, y2=33, class_="guide"))
    marks.append(tag("rect", x=across(low), width=max(across(high) - across(low), 1.0), y=11, height=10, class_="soft"))
    marks.append(tag("circle", cx=across(value), cy=16, r=4.5, class_="dot"))
    return svg(marks, says, height=52)


def reliability(bins: Sequence[tuple[int, float, float | None]], says: str) -> Markup:
    """Reliability diagram of (count, mean confidence, accuracy or None) bins, and below how many items each holds."""
    full = Axis("sure by (confidence)", 0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1), share)
    plot = _Plot(full, Axis("read as labelled", 0, 1, (0, 0.25, 0.5, 0.75, 1), share))
    wide = (WIDTH - _LEFT - _RIGHT) / len(bins)
    fullest = max((held for held, _, _ in bins), default=0) or 1
    marks: list[Content] = [_heading(plot.y), plot.grid()]
    for place, (held, sure, right) in enumerate(bins):
        if right is None:
            continue
        x = _LEFT + place * wide
        top, bottom = plot.up(max(sure, right)), plot.up(min(sure, right))
        weight = 0.3 + 0.7 * min(1.0, 8 * held / fullest)  # a bin of three items must not shout
        title = f"{held:,} items, sure by {100 * sure:.1f} % on average, {100 * right:.1f} % of them right"
        marks.append(
            tag(
                "g",
                tag("title", title),
                tag("rect", x=x + 1, width=wide - 2, y=_TOP, height=HEIGHT - _TOP - _BOTTOM, class_="hit"),
                tag("rect", x=x + 1, width=wide - 2, y=bottom, height=plot.up(0) - bottom, class_="soft", opacity=weight),
                tag("rect", x=x + 1, width=wide - 2, y=top, height=max(bottom - top, 0.0), class_="gap", opacity=weight),
                tag("circle", cx=plot.across(sure), cy=plot.up(right), r=2.2 + 4.0 * math.sqrt(held / fullest), class_="dot"),
            )
        )  # fmt: skip
    marks.append(
        tag("line", x1=plot.across(0), y1=plot.up(0), x2=plot.across(1), y2=plot.up(1), class_="guide")
    )  # fmt: skip
    return svg(marks, says)


def columns(rows: Sequence[tuple[str, float]], says: str, *, written: Callable[[float], str] = number) -> Markup:
    """One upright bar a class, at most 26 in a line so that the names stay readable; all lines to one scale."""
    most = max((value for _, value in rows), default=0) or 1
    groups = class_rows([name for name, _ in rows])
    tall, pitch = 62, 92
    marks: list[Content] = []
    place = 0
    for line, length in enumerate(groups):
        step = min((WIDTH - 4) / max(groups), 24)
        base = line * pitch + tall + 12
        marks.append(tag("line", x1=0, x2=step * length, y1=base, y2=base, class_="axis"))
        for k in range(length):
            name, value = rows[place + k]
            x, high = k * step, tall * value / most
            marks.append(
                tag(
                    "g",
                    tag("title", f"{name}: {written(value)}"),
                    tag("rect", x=x, width=step, y=base - tall, height=tall + 16, class_="hit"),
                    tag("rect", x=x + 1.5, width=step - 3, y=base - high, height=high, class_="fill"),
                    tag("text", name, x=x + step / 2, y=base + 13, text_anchor="middle", class_="name"),
                )
            )
        place += length
    return svg(marks, says, height=pitch * len(groups))


def class_rows(names: Sequence[str]) -> list[int]:
    """Lengths of the lines in which classes are shown: digits, capitals, small letters where they stand in order,
    and never more than 26.

    >>> class_rows("0123456789ABC")
    [10, 3]
    """
    lengths: list[int] = []
    last = ""
    for name in names:
        kind = "digit" if name.isdigit() else "upper" if name.isupper() else "lower" if name.islower() else "other"
        if not lengths or kind != last or lengths[-1] == 26:
            lengths.append(0)
        lengths[-1] += 1
        last = kind
    return lengths if len(lengths) <= max(4, len(names) // 8) else _even(len(names))


def _even(count: int) -> list[int]:
    return [26] * (count // 26) + ([count % 26] if count % 26 else [])


def histogram(shares: Sequence[float], x: Axis, y_name: str, says: str) -> Markup:
    """Shares (0..1) that fall into equal parts of the x axis."""
    y = axis(y_name, shares, written=share, about=3, zero=True)
    plot = _Plot(x, y, height=200)
    marks: list[Content] = [_heading(y), plot.grid()]
    span = (x.high - x.low) / len(shares)
    for place, held in enumerate(shares):
        low = x.low + place * span
        left, right = plot.across(low), plot.across(low + span)
        title = f"{x.written(low)} to {x.written(low + span)}: {100 * held:.2f} %"
        marks.append(
            tag(
                "g",
                tag("title", title),
                tag("rect", x=left, width=right - left, y=_TOP, height=200 - _TOP - _BOTTOM, class_="hit"),
                tag("rect", x=left + 0.5, width=right - left - 1, y=plot.up(held), height=plot.up(0) - plot.up(held), class_="fill"),
            )
        )  # fmt: skip
    return svg(marks, says, height=200)


def bar(fraction: float | None, *, bad: bool = False) -> Markup:
    """A thin bar of a fraction, for a table."""
    width = 0 if fraction is None else round(100 * min(max(fraction, 0), 1), 1)
    return tag(
        "span", tag("i", class_="bad" if bad else None, style=f"width:{width}%"), class_="bar", aria_hidden="true"
    )
