"""Does the page without a server read as Handread does? Both read the same pictures, and what differs is counted.

    python -m benchmarks.offline --data FOLDER        photographs, with what --data holds of them
    python -m benchmarks.offline --count 500          pictures and drawings of the project's own hand, so many a class

The page runs in Chromium, from the exported folder, as a file on a stick would. What is counted goes into
benchmarks/results/offline.csv and docs/page.md.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import handread
from benchmarks.results import RESULTS, ROOT, Row, update_page, write_csv
from handread.alphabet import NAMED
from handread.answer import as_row
from handread.errors import HandreadError
from handread.imaging.draw import Paper, Pen, draw_character, draw_text
from handread.imaging.read import SUFFIXES
from handread.imaging.strokes import CAP_HEIGHT, variants
from handread.web.drawing import draw_canvas
from handread.web.offline import export_page
from handread.web.schemas import Point

FILE = RESULTS / "offline.csv"
PAGE = ROOT / "docs" / "page.md"
NEAR = 0.01
"""Difference of a confidence that is still called equal."""
_TOGETHER = 20
_EXAMPLES = ROOT / "examples"
_READER = """
const source = new Blob([`(${handreadReader})().attend(self);`], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(source));
const waiting = new Map();
let last = 0;
worker.onmessage = ({ data }) => waiting.get(data.id)(data);
window.asked = (deed, more) => new Promise((resolve) => {
  last += 1;
  waiting.set(last, resolve);
  worker.postMessage({ id: last, deed, ...more });
});
window.loaded = asked("load", { model: Uint8Array.from(atob(handreadModel), (letter) => letter.charCodeAt(0)) });
"""
_READ = """
const [some, done] = arguments;
(async () => {
  await loaded;
  const rows = [];
  for (const { content, strokes, ...rest } of some) {
    const what = strokes ? { strokes, width: 900, height: 380, pen: 8 }
      : { pictures: [{ name: rest.name, blob: new Blob([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))]) }] };
    const start = performance.now();
    const { answer, error } = await asked("read", { ...what, alphabet: null, top: 5, look: false, one: rest.one });
    rows.push({ row: answer ? answer.readings[0] : { error: error.message }, ms: performance.now() - start });
  }
  return rows;
})().then(done, (error) => done(String(error)));
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture or drawing."""

    name: str
    content: bytes = b""
    """The file."""
    strokes: tuple[tuple[dict[str, float], ...], ...] = ()
    """Instead of a file, on a canvas of 900 x 380."""
    one: bool = False


def drawn_texts(rng: np.random.Generator) -> Iterator[Case]:
    """Text on paper of every kind, as PNG."""
    letters = [c for c in NAMED["alphanumeric"] if variants(c)]
    while True:
        words = ["".join(rng.choice(letters, rng.integers(1, 7))) for _ in range(rng.integers(1, 4))]
        text = str(rng.choice([" ", "\n"])).join(words)
        paper = Paper(
            kind=rng.choice(["plain", "ruled", "squared", "boxes"]), tone=int(rng.choice([250, 235, 200, 40])),
            texture=rng.uniform(0, 6), shadow=float(rng.choice([0, 0.3, 0.6])), noise=rng.uniform(0, 6),
            blur=float(rng.choice([0, 0.7])), jpeg=int(rng.choice([40, 80])) if rng.random() < 0.5 else None,
        )  # fmt: skip
        drawing = draw_text(text, height_px=rng.uniform(18, 140), pen=_pen(rng), paper=paper, rng=rng)
        yield Case(text, _png(Image.fromarray(drawing.image)))


def drawn_characters(rng: np.random.Generator) -> Iterator[Case]:
    """One character a picture, white on black, black on white, and black on nothing."""
    letters = [c for c in NAMED["alphanumeric"] if variants(c)]
    while True:
        letter = str(rng.choice(letters))
        ink = draw_character(letter, height_px=rng.uniform(20, 200), pen=_pen(rng), rng=rng)
        ink = np.pad(ink, int(rng.integers(2, 40)))
        kind = rng.integers(3)
        if kind == 2:
            clear = np.zeros((*ink.shape, 4), np.uint8)
            clear[..., 3] = ink
            yield Case(letter, _png(Image.fromarray(clear)), one=True)
        else:
            yield Case(letter, _png(Image.fromarray(ink if kind else 255 - ink)), one=True)


def drawn_strokes(rng: np.random.Generator) -> Iterator[Case]:
    """Strokes as a pointer leaves them, with and without pressure."""
    letters = [c for c in NAMED["alphanumeric"] if variants(c)]
    while True:
        text = "".join(rng.choice(letters, rng.integers(1, 8)))
        height, left, pressed = rng.uniform(60, 220), 30.0, rng.random() < 0.5
        strokes = []
        for letter in text:
            ways = variants(letter)
            skeleton = ways[int(rng.integers(len(ways)))]
            points = skeleton.basis @ skeleton.controls / CAP_HEIGHT
            points = points + rng.normal(0, 0.006, points.shape)
            places = np.column_stack([left + points[:, 0] * height, 290 - points[:, 1] * height]).round(2)
            for stroke in range(int(skeleton.point_stroke.max()) + 1):
                own = places[skeleton.point_stroke == stroke]
                strength = rng.uniform(0.2, 0.9, len(own)).round(3) if pressed else np.zeros(len(own))
                strokes.append(
                    tuple(
                        {"x": float(x), "y": float(y), "pressure": float(p)}
                        for (x, y), p in zip(own, strength, strict=True)
                    )
                )
            left = float(places[:, 0].max()) + height * 0.16
            if left > 820:
                break
        yield Case(text, strokes=tuple(strokes))


def files_in(folder: Path, *, one: bool) -> Iterator[Case]:
    """Pictures of a folder, in the order of their names."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        yield Case(path.name, path.read_bytes(), one=one)


def _pen(rng: np.random.Generator) -> Pen:
    return Pen(
        width_px=rng.uniform(1.5, 9), slant=rng.uniform(-10, 30), darkness=rng.uniform(0.4, 1),
        kind=rng.choice(["ballpoint", "pencil", "felt"]),
    )  # fmt: skip


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def expected(reader: handread.Recognizer, case: Case) -> dict[str, Any]:
    """The row that Handread gives, as the server gives it."""
    source: Any = case.content
    if case.strokes:
        points = [[Point(**point) for point in stroke] for stroke in case.strokes]
        source = draw_canvas(points, width=900, height=380, pen=8).gray
    try:
        return as_row(case.name, reader.read(source, one=case.one, top=5))
    except HandreadError as error:
        return as_row(case.name, error)


def difference(one: dict[str, Any], other: dict[str, Any]) -> str:
    """What is different about two rows, one word: error, text, boxes, refusals, confidence, or nothing."""
    if one.get("error") or other.get("error"):
        return "" if one.get("error") and other.get("error") else "error"
    if one["text"] != other["text"]:
        return "text"
    pairs = list(zip(one["characters"], other["characters"], strict=True))
    if any(a["box"] != b["box"] for a, b in pairs):
        return "boxes"
    if any((a["accepted"], a["reason"]) != (b["accepted"], b["reason"]) for a, b in pairs):
        return "refusals"
    return "confidence" if any(abs(a["confidence"] - b["confidence"]) > NEAR for a, b in pairs) else ""


def compare(driver: Any, cases: Sequence[Case], say: Callable[[str], None]) -> dict[str, str]:
    """Counts of one class; the first few differences are told to `say`."""
    reader = handread.Recognizer(threads=1)
    found = dict.fromkeys(("error", "text", "boxes", "refusals", "confidence", ""), 0)
    page_ms: list[float] = []
    own_ms: list[float] = []
    for start in range(0, len(cases), _TOGETHER):
        some = cases[start : start + _TOGETHER]
        asked = [
            {
                "name": c.name,
                "content": base64.b64encode(c.content).decode(),
                "one": c.one,
                "strokes": c.strokes or None,
            }
            for c in some
        ]
        answers = driver.execute_async_script(_READ, asked)
        if isinstance(answers, str):
            raise RuntimeError(answers)
        for case, answer in zip(some, answers, strict=True):
            began = time.perf_counter()
            wanted = expected(reader, case)
            own_ms.append(1000 * (time.perf_counter() - began))
            page_ms.append(answer["ms"])
            what = difference(wanted, answer["row"])
            found[what] += 1
            if what and sum(found.values()) - found[""] <= 8:
                shown = answer["row"].get("text", answer["row"].get("error"))
                say(
                    f"  {what}: {case.name!r} reads {wanted['text']!r} here, {shown!r} in the page {wanted['error'] or ''}"
                )
    return {
        "pictures": str(len(cases)), "equal": str(found.pop("")), **{k: str(v) for k, v in found.items()},
        "page_ms": f"{np.median(page_ms):.0f}", "python_ms": f"{np.median(own_ms):.0f}",
    }  # fmt: skip


def measure(count: int, data: Path | None, say: Callable[[str], None]) -> list[dict[str, str]]:
    """Rows for the CSV, one a class of pictures."""
    from selenium import webdriver

    classes: dict[str, list[Case]] = {}
    for number, (name, make) in enumerate(
        {"texts": drawn_texts, "characters": drawn_characters, "strokes": drawn_strokes}.items()
    ):
        classes[name] = list(islice(make(np.random.default_rng(number)), count))
    classes["examples"] = list(files_in(_EXAMPLES, one=False))
    if data:
        classes["photographed characters"] = list(files_in(data / "photos" / "validation", one=True))
        classes["strings"] = list(files_in(data / "strings" / "validation", one=False))
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        export_page("handread", Path(folder))
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or ""))
        try:
            driver.set_script_timeout(300)
            driver.get((Path(folder) / "index.html").as_uri())
            driver.execute_script(_READER)
            for name, cases in classes.items():
                if cases:
                    rows.append({"class": name, **compare(driver, cases, say)})
                    say(json.dumps(rows[-1]))
        finally:
            driver.quit()
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows as they stand in the documentation."""
    lines = [
        "| pictures | number | read equally | ms in the page | ms in Python |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row['class']} | {row['pictures']} | {row['equal']} | {row['page_ms']} | {row['python_ms']} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="pictures in each drawn class, default 500")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the data sets, for photographs")
    wanted = parser.parse_args(arguments)
    rows = measure(wanted.count, wanted.data, print)
    write_csv(FILE, rows)
    update_page(PAGE, "offline", table(rows))


if __name__ == "__main__":
    main()
