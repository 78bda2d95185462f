"""The shell: everything is text until it is said to be markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import handread.reports.page as shell
from handread.reports.page import Markup, Section, breakable, count, escape, page, percent, table, tag

Check = Callable[[str], Any]


def test_text_is_escaped_and_markup_is_not() -> None:
    assert escape("<b> & \"'") == "&lt;b&gt; &amp; &quot;&#x27;"
    assert escape(tag("b", "<")) == "<b>&lt;</b>"
    assert escape(["<", None, Markup("<br>"), ["&"]]) == "&lt;<br>&amp;"


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "\x1b[31m"])
def test_what_cannot_stand_in_a_page_is_replaced(odd: str) -> None:
    shown = escape(f"a{odd}")
    shown.encode()
    assert shown.startswith("a\N{REPLACEMENT CHARACTER}")


def test_attributes() -> None:
    assert tag("td", "x", class_="a", for_=None, aria_label="1 < 2", hidden=True, checked=False) == (
        '<td class="a" aria-label="1 &lt; 2" hidden>x</td>'
    )
    assert tag("meta", name="a", content="b") == '<meta name="a" content="b">'
    assert tag("line", x1=1.5, x2=2) == '<line x1="1.5" x2="2"/>'
    assert tag("a", title='"><script>') == '<a title="&quot;&gt;&lt;script&gt;"></a>'


def test_a_page_is_whole(check: Check) -> None:
    sections = [
        Section("a", "First <i>", "text & more"),
        Section("b", "Second", tag("p", "x")),
        Section("c", "Third", ""),
    ]
    found = check(page("A title </title><script>", kicker="Kind", head="head", sections=sections, foot="foot"))
    assert "A title </title><script>" in found.text
    assert "First <i>" in found.text
    assert [link["href"] for link in found.all("a")] == ["#a", "#b", "#c"]


def test_the_policy_allows_our_script_and_nothing_else() -> None:
    text = page("t", kicker="k", head="", sections=[], foot="")
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].replace("&#x27;", "'") == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def colours(block: str) -> dict[str, tuple[float, float, float]]:
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)
    full = {name: value if len(value) == 7 else "#" + "".join(2 * c for c in value[1:]) for name, value in found}
    return {name: tuple(int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)) for name, value in full.items()}  # type: ignore[misc]


def contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Ratio of relative luminances (WCAG 2.2)."""

    def luminance(colour: tuple[float, float, float]) -> float:
        line = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * line[0] + 0.7152 * line[1] + 0.0722 * line[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_theme_can_be_read() -> None:
    style = (Path(shell.__file__).parent / "style.css").read_text()
    themes = [colours(block) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)]
    assert len(themes) == 3  # light, dark, print
    for theme in themes:
        for ground in ("paper", "raised", "faint"):
            assert contrast(theme["text"], theme[ground]) >= 7
            assert all(contrast(theme[name], theme[ground]) >= 4.5 for name in ("quiet", "ink", "red"))
        assert all(contrast(theme["on-heat"], theme[name]) >= 4.5 for name in ("ink", "red"))


def test_a_table_names_its_rows_and_columns(check: Check) -> None:
    text = table("About <it>", ["class", "items"], [["<a>", "1"], ["b", tag("b", "2")]])
    assert text.count('scope="row"') == text.count('scope="col"') == 2
    assert "&lt;a&gt;" in text
    assert "<b>2</b>" in text


def test_words() -> None:
    assert percent(0.85501) == "85.50\N{NO-BREAK SPACE}%"
    assert percent(None) == "–"
    assert (count(1, "item"), count(2000, "item"), count(0, "class", "classes")) == (
        "1 item",
        "2,000 items",
        "0 classes",
    )
    assert escape(breakable("a/<b>/c")) == "a/<wbr>&lt;b&gt;/<wbr>c"
