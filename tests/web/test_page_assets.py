"""What the page is made of: nothing inline, nothing from elsewhere, and every file what it says it is."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import module_at

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/handread/web/static"
PAGES = ("index.html", "about.html")
OWN = [
    path for path in sorted(STATIC.rglob("*")) if path.suffix in (".html", ".css", ".js") and "vendor" not in path.parts
]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    return Tags((STATIC / page).read_text(encoding="utf-8")).found


def test_what_comes_from_the_package_is_as_the_package_has_it() -> None:
    for name, content in module_at(ROOT / "docs/page_assets.py").written().items():
        assert (STATIC / name).read_bytes() == content, f"{name}: run python docs/page_assets.py"


def test_what_is_vendored_is_what_it_says_with_its_licence() -> None:
    assert module_at(ROOT / "docs/page_assets.py").foreign() == []
    listed = {name for row in json.loads((STATIC / "vendor/VENDORED.json").read_text()) for name in row["files"]}
    there = {
        path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.parent.name in ("vendor", "fonts")
    }
    assert {name for name in there if name.endswith((".js", ".woff2"))} == listed


def test_a_changed_vendored_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = module_at(ROOT / "docs/page_assets.py")
    (tmp_path / "vendor").mkdir()
    row = {"package": "p", "version": "1", "files": {"a.js": "0" * 64}, "licence_file": "none"}
    (tmp_path / "vendor/VENDORED.json").write_text(json.dumps([row]))
    (tmp_path / "a.js").write_text("changed")
    monkeypatch.setattr(module, "STATIC", tmp_path)
    digest = hashlib.sha256(b"changed").hexdigest()
    assert module.foreign() == [
        f"a.js is not that of p 1: its SHA-256 is {digest}",
        "none is missing: the licence of p must travel with it",
    ]


def test_the_checker_of_accessibility_is_what_it_says() -> None:
    folder = Path(__file__).parent / "vendor"
    (row,) = json.loads((folder / "VENDORED.json").read_text())
    for name, expected in row["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert (folder / row["licence_file"]).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_nothing_stands_inline(page: str) -> None:
    for tag, attributes in tags(page):
        assert tag != "style"
        assert tag != "script" or attributes.get("src"), "a script inside the page"
        assert [name for name in attributes if name == "style" or name.startswith("on")] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = [v for _, attributes in tags(page) for k, v in attributes.items() if k in ("src", "href") and v]
    files = [name for name in named if not name.startswith("#") and name not in ("./", "about")]
    assert files
    assert [name for name in files if not (STATIC.parent / name).is_file()] == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_comes_from_another_host(path: Path) -> None:
    assert re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+", path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("page", "scripts"), [("index.html", ("app", "photo", "reading", "sheet")), ("about.html", ("about",))]
)
def test_every_element_that_a_script_asks_for_is_on_its_page(page: str, scripts: tuple[str, ...]) -> None:
    ids = {attributes["id"] for _, attributes in tags(page) if "id" in attributes}
    asked = {
        name for script in scripts for name in re.findall(r'\bat\("([\w-]+)"\)', (STATIC / f"{script}.js").read_text())
    }
    assert asked - ids == set()


def test_the_page_stays_small() -> None:
    first = [path for path in STATIC.rglob("*") if path.suffix in (".html", ".css", ".js", ".woff2", ".svg")]
    first = [path for path in first if "offline" not in path.parts]  # loaded by exported pages alone
    first = [path for path in first if "offline" not in path.parts]  # which the page with a server never asks for
    assert sum(path.stat().st_size for path in first) < 200_000
