"""Writes what the page carries from the package, and checks what it carries from others.

    python docs/page_assets.py

`pen.json` holds Handread's own ways of writing each character, for the pen that writes what was typed;
`examples/` the pictures to try; `vendor/VENDORED.json` says where foreign files come from and what they are.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from handread.data.atomic import write_atomic
from handread.imaging.strokes import CHARACTERS, variants

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src/handread/web/static"
EXAMPLES = ("ticket.jpg", "prices.jpg", "four-chalk.jpg")
"""The pictures that the page offers to try, as they stand in `examples/`."""

WAYS = 3
"""Ways of writing a character that the page knows."""

STEP = 9.0
"""Hundredths of the capitals' height between two points; the page smooths between them."""


def written() -> dict[str, bytes]:
    """Path below `static/` -> content, for all that the package itself determines."""
    files = {f"examples/{name}": (ROOT / "examples" / name).read_bytes() for name in EXAMPLES}
    ways = {character: [_strokes(character, way) for way in range(_count(character))] for character in CHARACTERS}
    files["pen.json"] = json.dumps(ways, separators=(",", ":")).encode() + b"\n"
    return files


def foreign() -> list[str]:
    """A sentence for each vendored file that is not what `VENDORED.json` says; empty when all is well."""
    table = json.loads((STATIC / "vendor/VENDORED.json").read_text(encoding="utf-8"))
    wrong = []
    for row in table:
        for name, expected in row["files"].items():
            found = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
            if found != expected:
                wrong.append(f"{name} is not that of {row['package']} {row['version']}: its SHA-256 is {found}")
        if not (STATIC / row["licence_file"]).is_file():
            wrong.append(f"{row['licence_file']} is missing: the licence of {row['package']} must travel with it")
    return wrong


def _count(character: str) -> int:
    return min(WAYS, len(variants(character)))


def _strokes(character: str, way: int) -> list[list[int]]:
    """Flat x, y, x, y ... of every stroke, y up."""
    skeleton = variants(character, step=STEP)[way]
    points = np.rint(skeleton.basis @ skeleton.controls).astype(int)
    return [points[skeleton.point_stroke == n].ravel().tolist() for n in range(int(skeleton.point_stroke.max()) + 1)]


if __name__ == "__main__":
    for name, content in written().items():
        write_atomic(STATIC / name, content)
        print(f"{name}  {len(content):,} bytes")
    problems = foreign()
    print("\n".join(problems) or "what is vendored is what it says")
    sys.exit(1 if problems else 0)
