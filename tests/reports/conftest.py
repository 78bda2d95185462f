from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise

import pytest

_VOID = {"meta", "img", "input", "br", "wbr"}
_LOADING = {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}


class Page(HTMLParser):
    """A page taken apart; whatever does not nest, or would load something, fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that a reader sees, white space made one."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.seen if name == tag]

    @property
    def addresses(self) -> list[str]:
        """Everything that a browser would fetch or follow."""
        return [value or "" for _, attributes in self.seen for key, value in attributes.items() if key in _LOADING]


def checked(text: str) -> Page:
    """A page that is whole, self-contained and accessible as far as a parser can tell."""
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert [address[:1] for address in page.addresses if not address.startswith(("#", "data:image/png;base64,"))] == []
    assert "url(" not in text
    assert "@import" not in text
    assert len(page.all("script")) == 1
    assert not any(key.startswith("on") for _, attributes in page.seen for key in attributes)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {address[1:] for address in page.addresses if address.startswith("#")} - {"_"}
    assert targets <= set(ids)
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in page.all("svg"))
    headings = [name for name, _ in page.seen if name in ("h1", "h2", "h3", "h4")]
    assert all(int(after[1]) - int(before[1]) <= 1 for before, after in pairwise(headings))
    return page


@pytest.fixture
def check() -> Callable[[str], Page]:
    """A function that takes a page apart and fails for one that is not whole, self-contained and accessible."""
    return checked
