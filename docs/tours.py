"""Runs the notebooks of docs/tour and stores what every cell shows, so that a page on the web shows it too.

    python docs/tours.py [NAME ...]

Needs no Jupyter. A cell with the tag ``slow`` takes minutes: it is run here, and left out by the tests. What a cell
with the tag ``varies`` prints depends on weights and machine, and is not compared.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = HERE / "tour"
sys.path.insert(0, str(ROOT))

from benchmarks.results import replace  # noqa: E402

Output = dict[str, Any]
"""As nbformat 4 has it."""


def notebooks() -> list[Path]:
    """All of them, in the order in which one takes them."""
    return sorted(FOLDER.glob("*.ipynb"))


def is_slow(cell: dict[str, Any]) -> bool:
    """True for a cell that takes minutes."""
    return "slow" in cell["metadata"].get("tags", ())


def source_of(cell: dict[str, Any]) -> str:
    """The cell's text."""
    return "".join(cell["source"])


def executed(notebook: dict[str, Any], *, slow: bool) -> list[list[Output] | None]:
    """What every cell shows, None for one that was not run, in a copy of the place where the notebooks stand.

    What a cell raises is raised. Files that the cells write are gone afterwards.
    """
    shown: list[list[Output] | None] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "docs/tour")
        place.mkdir(parents=True)
        shutil.copytree(ROOT / "examples", Path(folder, "examples"))
        names: dict[str, Any] = {"__name__": "__main__"}
        number = 0
        with contextlib.chdir(place):
            for cell in notebook["cells"]:
                if cell["cell_type"] != "code" or (is_slow(cell) and not slow):
                    shown.append(None)
                    continue
                number += 1
                shown.append(_run(source_of(cell), number, names))
    return shown


def _run(source: str, number: int, names: dict[str, Any]) -> list[Output]:
    outputs: list[Output] = []
    printed = io.StringIO()

    def flush() -> None:
        if text := printed.getvalue().splitlines(keepends=True):
            outputs.append({"name": "stdout", "output_type": "stream", "text": text})
            printed.seek(0)
            printed.truncate()

    def display(value: object) -> None:
        flush()
        outputs.append({"output_type": "display_data", **_bundle(value)})

    names["display"] = display
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        value = None
        if last is not None and isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    flush()
    if value is not None:
        outputs.append({"execution_count": number, "output_type": "execute_result", **_bundle(value)})
    return outputs


def _bundle(value: object) -> Output:
    """A picture as PNG, anything else as its text."""
    text = re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))
    data: dict[str, Any] = {"text/plain": [text]}
    drawn: Callable[[], bytes] | None = getattr(value, "_repr_png_", None)
    if drawn is not None:
        data = {"image/png": base64.b64encode(drawn()).decode("ascii") + "\n", **data}
    return {"data": data, "metadata": {}}


def refreshed(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook with new outputs."""
    number = 0
    for cell, outputs in zip(notebook["cells"], executed(notebook, slow=True), strict=True):
        if outputs is not None:
            number += 1
            cell["outputs"], cell["execution_count"] = outputs, number
    return notebook


def as_text(notebook: dict[str, Any]) -> str:
    """As Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(wanted: list[str]) -> None:
    """Run the notebooks whose names begin with one of `wanted`, by default all."""
    for path in notebooks():
        if not wanted or path.name.startswith(tuple(wanted)):
            replace(path, as_text(refreshed(json.loads(path.read_text(encoding="utf-8")))))
            print(f"docs/tour/{path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
