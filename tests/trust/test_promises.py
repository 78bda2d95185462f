"""Every promise of docs/trust.md stands beside tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "trust.md"
FILE = re.compile(r"^tests/[\w/]+\.py$")


def promises() -> list[tuple[str, str]]:
    """Promise and tests of every row of the page's tables."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 2 and cells != ["promise", "test"] and "---" not in line:
            rows.append((cells[0], cells[1]))
    return rows


def missing(named: str) -> list[str]:
    """Of tests written `file::name, ::name, ...`, those that are not there."""
    file, gone = "", []
    for test in re.split(r",\s*", named.replace("`", "")):
        path, _, name = test.partition("::")
        file = path or file
        place = ROOT / file
        if not FILE.match(file) or not place.is_file() or (name and name not in functions(place)):
            gone.append(test)
    return gone


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_page_lists_promises() -> None:
    assert len(promises()) > 40


@pytest.mark.parametrize(("promise", "tests"), promises(), ids=lambda value: value[:40])
def test_every_promise_has_its_tests(promise: str, tests: str) -> None:
    assert not missing(tests), f"{promise!r} names tests that are not there: {missing(tests)}"


def test_a_test_that_is_not_there_is_noticed() -> None:
    own = "tests/trust/test_promises.py"
    assert missing(f"{own}::test_the_page_lists_promises, ::test_nobody_wrote") == ["::test_nobody_wrote"]
    assert missing("tests/trust/test_nowhere.py") == ["tests/trust/test_nowhere.py"]
    assert missing("the lead says so") == ["the lead says so"]
