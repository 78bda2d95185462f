"""The notebooks of docs/tour run from the first cell to the last, and show what is stored in them."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import module_at

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 150_000
"""Bytes of a notebook with its pictures."""


tours = module_at(ROOT / "docs/tours.py")
NOTEBOOKS = tours.notebooks()


def told(outputs: list[dict[str, Any]], varies: bool) -> list[tuple[str, str]]:
    """Kind and text of what a cell shows, without figures that differ between weights and machines."""
    found = []
    for output in outputs:
        data = output.get("data", {})
        text = "" if varies else "".join(output.get("text", data.get("text/plain", "")))
        text = re.sub(r"\d+(\.\d+)? ?%|\d+\.\d+", "#", text)
        found.append(("picture" if "image/png" in data else output["output_type"], text))
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_whole_small_and_as_the_script_writes_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == tours.as_text(notebook)
    assert len(text) < LARGEST
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert tours.source_of(notebook["cells"][0]).startswith("# ")
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell["outputs"]) for cell in code) >= len(code) - 2  # run, with what came of it
    assert not re.search(r"/(home|root|work|tmp|Users)/|Traceback", text)
    for cell in code:
        ast.parse(tours.source_of(cell))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", tours.source_of(cell)):
                assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_stored_in_it(path: Path) -> None:
    """But for the cells that take minutes, and the text of those with the tag ``varies``."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if "[train]" in tours.source_of(notebook["cells"][0]):
        pytest.importorskip("torch")
    shown = tours.executed(notebook, slow=False)
    for cell, outputs in zip(notebook["cells"], shown, strict=True):
        if outputs is not None:
            varies = "varies" in cell["metadata"].get("tags", ())
            assert told(outputs, varies) == told(cell["outputs"], varies), tours.source_of(cell)


def test_the_index_leads_to_every_notebook() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"(tour/{path.name})" not in index] == []
    assert len(NOTEBOOKS) == 3
