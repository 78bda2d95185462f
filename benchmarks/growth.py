"""How time and memory grow: characters of an array, characters in a photograph, its size, images to train on.

    python -m benchmarks.run growth [--turns 5] [--characters 1 10 ...] [--in-photo ...] [--megapixels ...] [--images ...]

Each point is a process of its own, which prints the median of its turns after one that is not counted, and the most
memory that it held. Pictures are drawn by Handread's own pen. Reading is by all cores.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.child import child, measured_on
from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "growth.csv"
PAGE = ROOT / "docs" / "performance.md"
COLUMNS = ("road", "n", "seconds", "peak_mb", "turns", "model", "machine", "versions")

ROADS: dict[str, tuple[str, tuple[float, ...]]] = {
    "characters": ("characters of an array", (1, 10, 100, 1000, 10_000, 100_000)),
    "in-photo": ("characters in a photograph of 12 megapixels", (1, 3, 10, 30, 100, 200, 500)),
    "megapixels": ("megapixels of a photograph with 30 characters", (0.1, 0.3, 1, 3, 12, 25, 50)),
    "images": (
        "images that `mnist-adam` is trained on, an epoch",
        (1000, 3000, 10_000, 30_000, 60_000, 300_000, 2_500_000),
    ),
}
"""Road -> what grows, and the sizes by default."""

REASONS = {
    "characters": "linear from some hundreds on; below, what a call costs by itself",
    "in-photo": "decoding and cleaning the picture come first; what is left grows with the characters",
    "megapixels": "beyond 4 megapixels only the decoding grows: larger pictures are cleaned at 2,400 pixels a side",
    "images": "linear; from 256 MB on, 335,000 images, every batch comes out of the file and is laid out anew",
}

MOST_MB = {"60000": 600, "2500000": 1500}
"""Images to train on -> megabytes that may be held."""

SEVERAL_EPOCHS = 300_000
"""Larger sets than this are trained on for one epoch, which is then the one that counts."""

TURN_SECONDS = 2.0
"""A process repeats its action for about so long, and at least as often as it is told."""


def measure(sizes: Mapping[str, Sequence[float]], turns: int, model: str, say: Callable[[str], None]) -> list[Row]:
    """One row a point; `say` hears of each."""
    machine, versions, _ = measured_on()
    rows: list[Row] = []
    for road, chosen in sizes.items():
        for n in chosen:
            code = "from benchmarks.growth import point; point(*sys.argv[1:])"
            seconds, peak, done = child(code, road, f"{n:g}", str(turns), model).split()
            values = (road, f"{n:g}", f"{float(seconds):.6f}", f"{float(peak):.1f}", done, model, machine, versions)
            rows.append(dict(zip(COLUMNS, values, strict=True)))
            say(f"{road:11} {n:>9,g} {1e3 * float(seconds):12.2f} ms {float(peak):8.0f} MB")
    return rows


def table(rows: Sequence[Row]) -> str:
    """One line a road: its ends, and the slope."""
    lines = []
    for road, (title, _) in ROADS.items():
        points = [row for row in rows if row["road"] == road]
        if points:
            first, last = points[0], points[-1]
            lines.append(
                [title, f"{_number(first['n'])} to {_number(last['n'])}",
                 f"{_time(first['seconds'])} to {_time(last['seconds'])}",
                 f"{float(first['peak_mb']):,.0f} to {float(last['peak_mb']):,.0f} MB",
                 f"{slope(points):.2f}", REASONS[road]]
            )  # fmt: skip
    header = ["what grows", "from", "time", "memory", "slope of the time", "why"]
    first = rows[0]
    held = [
        f"{_number(row['n'])} images {float(row['peak_mb']):,.0f} MB, asked for at most {MOST_MB[n]:,}"
        for row in rows if row["road"] == "images" and (n := f"{float(row['n']):.0f}") in MOST_MB
    ]  # fmt: skip
    training = f"Training holds at most: {'; '.join(held)}. " if held else ""
    return markdown(header, lines, right=[4]) + f"\n\n{training}On {first['machine']}, with {first['versions']}."


def slope(points: Sequence[Row]) -> float:
    """Exponent of the growth: of the least-squares line through the larger half of the points, both axes logarithmic;
    1 is linear, 0 no growth; NaN for fewer than two points.

    >>> slope([{"n": "1", "seconds": "5"}, {"n": "10", "seconds": "1"}, {"n": "100", "seconds": "10"}])
    1.0
    """
    kept = points[(len(points)) // 2 if len(points) > 2 else 0 :]
    x = [math.log10(float(row["n"])) for row in kept]
    y = [math.log10(float(row["seconds"])) for row in kept]
    if len(set(x)) < 2:
        return math.nan
    return round(statistics.linear_regression(x, y).slope, 6)


def _number(text: str) -> str:
    return f"{float(text):,g}" if float(text) < 1000 else f"{float(text):,.0f}"


def _time(text: str) -> str:
    seconds = float(text)
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{1e3 * seconds:,.{0 if seconds >= 0.1 else 1}f} ms"


def point(road: str, n: str, turns: str, model: str) -> None:
    """In a child: prints seconds, megabytes and turns of one point."""
    seconds = {"characters": _characters, "in-photo": _in_photo, "megapixels": _megapixels, "images": _images}[road](
        float(n), int(turns), model
    )
    print(statistics.median(seconds), _peak_mb(), len(seconds))


def _repeated(action: Callable[[], object], turns: int) -> list[float]:
    action()
    seconds: list[float] = []
    while len(seconds) < turns or (sum(seconds) < TURN_SECONDS and len(seconds) < 100):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return seconds


def _characters(n: float, turns: int, model: str) -> list[float]:
    from handread.bench import drawn_digits
    from handread.recognizer import Recognizer

    reader, images = Recognizer(model), drawn_digits(int(n))
    return _repeated(lambda: reader.classify(images, alphabet="digits"), turns)


def _in_photo(n: float, turns: int, model: str) -> list[float]:
    return _photo(int(n), 4000, 3000, turns, model)


def _megapixels(n: float, turns: int, model: str) -> list[float]:
    height = math.sqrt(n * 1e6 * 3 / 4)
    return _photo(30, round(height * 4 / 3), round(height), turns, model)


def _photo(count: int, width: int, height: int, turns: int, model: str) -> list[float]:
    """The picture is drawn by another process: drawing takes more memory than reading."""
    from handread.recognizer import Recognizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "photo.jpg")
        code = "from benchmarks.growth import draw; draw(*sys.argv[1:])"
        child(code, str(count), str(width), str(height), str(path))
        reader, data = Recognizer(model), path.read_bytes()
        return _repeated(lambda: reader.read(data, alphabet="digits"), turns)


def draw(count: str, width: str, height: str, path: str) -> None:
    """In a child: a photograph of so many digits."""
    from handread.bench import digits_in_lines, photo

    Path(path).write_bytes(photo(digits_in_lines(int(count), seed=1), int(width), int(height), seed=1))


def _images(n: float, turns: int, model: str) -> list[float]:
    """Seconds of each epoch but the first, as the run itself writes them down; the digits are drawn by another
    process, since drawing takes memory too."""
    import csv

    from handread.training.run import train_recipe

    epochs = turns + 1 if n <= SEVERAL_EPOCHS else 1
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder, "train.npz"), Path(folder, "run")
        child("from benchmarks.growth import store; store(*sys.argv[1:])", f"{n:.0f}", str(data))
        train_recipe(ROOT / "recipes" / "mnist-adam.toml", str(data), run, [f"epochs={epochs}"])
        with (run / "history.csv").open(encoding="utf-8", newline="") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    return seconds[1:] or seconds


def store(count: str, path: str) -> None:
    """In a child: an NPZ of so many drawn digits and their labels, as `numpy.savez` writes it."""
    import numpy as np

    from handread.bench import drawn_digits

    np.savez(path, images=drawn_digits(int(count)), labels=np.arange(int(count)) % 10)


def _peak_mb() -> float:
    """The most resident memory that this process held. Linux's ru_maxrss would count its parent's too."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1e3
    except OSError:
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
