"""The shell of a report: one HTML file with style, script and pictures inside, that asks nothing of the network.

Everything that becomes part of a page passes through `tag` or `escape`: a plain string is always text, never HTML.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_VOID = frozenset({"img", "input", "meta", "br", "line", "rect", "circle", "path", "polyline"})

_SCRIPT = """\
addEventListener("keydown", e => { if (e.key === "Escape" && location.hash) location.hash = "_"; });
addEventListener("hashchange", () => { const c = document.querySelector(".sheet:target .close"); if (c) c.focus(); });
"""
"""Comfort only: Escape closes a sheet of pictures, and a sheet that opens takes the focus."""


class Markup(str):
    """HTML that may stand in a page as it is."""

    __slots__ = ()


Content = str | Markup | Iterable["Content"] | None
"""What `tag` takes: text, markup, several of them, or nothing."""


def escape(content: Content) -> Markup:
    """Markup for `content`: a plain string is escaped, markup stays, several are put one after the other."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(_printable(content), quote=True))
    return Markup("".join(escape(part) for part in content))


def _printable(text: str) -> str:
    # Control characters and lone surrogates (a file name may hold them) cannot stand in a UTF-8 page.
    return "".join(c if c >= " " and not "\ud800" <= c <= "\udfff" else "\N{REPLACEMENT CHARACTER}" for c in text)


def tag(name: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Markup:
    """One element. An attribute that is None or False is left out; ``class_`` and ``for_`` lose the line, other
    underscores become hyphens.

    >>> tag("a", "1 < 2", href="#x", class_="far")
    '<a href="#x" class="far">1 &lt; 2</a>'
    """
    shown = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        shown.append(f" {written}" if value is True else f' {written}="{escape(_plain(value))}"')
    opening = f"<{name}{''.join(shown)}>"
    if name in _VOID and not content:
        return Markup(opening if name in ("img", "input", "meta", "br") else f"{opening[:-1]}/>")
    return Markup(f"{opening}{escape(content)}</{name}>")


def _plain(value: str | int | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page with a heading of its own."""

    anchor: str
    """Target of links to it."""
    title: str
    body: Content
    short: str = ""
    """What the list of contents calls it; by default the title."""


def page(title: str, *, kicker: str, head: Content, sections: Sequence[Section], foot: Content) -> str:
    """A whole document: `kicker` above the title says what kind it is, `head` holds what matters most."""
    contents = tag(
        "nav",
        tag("ul", [tag("li", tag("a", s.short or s.title, href=f"#{s.anchor}")) for s in sections]),
        aria_label="Contents",
    )
    body = (
        tag("header", tag("p", kicker, class_="kicker"), tag("h1", title), head),
        contents if len(sections) > 2 else None,
        tag("main", [_section(s) for s in sections]),
        tag("footer", foot),
    )
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return "<!doctype html>\n" + tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", http_equiv="Content-Security-Policy", content=_policy()),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title),
            tag("style", Markup(style)),
        ),
        tag("body", body, tag("script", Markup(_SCRIPT))),
        lang="en",
    )


def _policy() -> str:
    """Nothing from elsewhere is loaded and no script but ours runs, whatever a class or a file is called."""
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _section(section: Section) -> Markup:
    return tag("section", tag("h2", section.title), section.body, id=section.anchor)


def prose(*sentences: Content) -> Markup:
    """A paragraph."""
    return tag("p", sentences)


def figure(body: Content, caption: Content, *, class_: str | None = None) -> Markup:
    """A figure with its caption below."""
    return tag("figure", body, tag("figcaption", caption), class_=class_)


def table(caption: Content, columns: Sequence[str], rows: Iterable[Sequence[Content]], *, words: int = 1) -> Markup:
    """A table of figures with a caption: the first `words` columns are text and stand left, the others right.

    The first cell of a row names it.
    """
    kinds = ["w" if place < words else "n" for place in range(len(columns))]
    head = tag("tr", [tag("th", c, scope="col", class_=k) for c, k in zip(columns, kinds, strict=True)])
    body = [
        tag(
            "tr",
            [
                tag("th", cell, scope="row", class_=_kind(cell, "w"))
                if place == 0
                else tag("td", cell, class_=_kind(cell, kinds[place]))
                for place, cell in enumerate(row)
            ],
        )
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("caption", tag("span", caption)), tag("thead", head), tag("tbody", body)),
        class_="scroll",
    )


def _kind(cell: Content, kind: str) -> str:
    """A long text keeps a width in which it can be read, on a phone too."""
    return f"{kind} long" if kind == "w" and isinstance(cell, str) and len(cell) > 24 else kind


def facts(pairs: Iterable[tuple[Content, Content]], *, listed: bool = False) -> Markup:
    """Names with their values: short figures side by side or, `listed`, one below the other."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs]
    return tag("dl", rows, class_="listed" if listed else "facts")


def folded(summary: Content, body: Content) -> Markup:
    """Something that is there for whoever wants it."""
    return tag("details", tag("summary", summary), body)


def percent(share: float | None, digits: int = 2) -> str:
    """``85.50 %`` for .855, with a space that no line breaks at; a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def count(number: int, one: str, many: str | None = None) -> str:
    """``1 item``, ``2,000 items``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def breakable(path: str) -> Content:
    """A file's name that a narrow column may break behind its slashes."""
    parts = path.split("/")
    return [[part, Markup("/<wbr>")] for part in parts[:-1]] + [parts[-1]]
