"""How fast and how large reading is: the process that a user starts, and the picture inside it.

    python -m benchmarks.run reading [--update-readme]

Processes are timed from start to exit, with a warm disk, each turn one of every kind so that a busy moment meets
all alike; the median counts. `python -c "import numpy, onnxruntime"` is what any program with this runtime must
pay, so reading is told as a ratio to it. Peak memory is the largest resident set, of all turns.

This module imports only the standard library at its top: Linux hands the resident size of the parent at the
start of a child down to that child's peak, so the measuring process must be small.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import child, measured_on
from benchmarks.results import RESULTS, Row, markdown

FILE = RESULTS / "reading.csv"
COLUMNS = ("measure", "value", "unit", "runs", "machine", "versions", "weights")

TITLES = {
    "read-seconds": "`handread read one.png`, the whole process",
    "read-ratio": '— as a ratio to `python -c "import numpy, onnxruntime"`',
    "read-peak": "— largest memory",
    "read-peak-ratio": "— as a ratio to the same",
    "import-seconds": '`python -c "import handread"`, the whole process',
    "help-seconds": "`handread --help`, the whole process",
    "one-photo": "a photograph of 1200 x 900 with one character, inside a process, one core",
    "page-photo": "the same size with twelve digits in three lines",
    "classify": "a digit of an array, in batches of 1,000, one core",
    "weights-size": "the shipped weights file",
}
"""Measure -> what it is, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process."""

    seconds: float
    peak_mb: float


def measure(runs: int, say: Callable[[str], None]) -> list[Row]:
    """One row a measure; `say` hears of each."""
    with tempfile.TemporaryDirectory() as folder:
        child("from benchmarks.reading import draw; draw(sys.argv[1])", folder)
        found = _processes(Path(folder), runs)
        inside = child(
            "from benchmarks.reading import inside; inside(sys.argv[1], int(sys.argv[2]))", folder, str(runs)
        )
    for line in inside.splitlines():
        name, value = line.split()
        found[name] = float(value)
    machine, versions, weights = measured_on()
    rows: list[Row] = []
    for name in TITLES:
        unit = UNITS[name]
        values = (name, f"{found[name]:.4f}", unit, str(1 if unit == "MB" and "weights" in name else runs))
        rows.append(dict(zip(COLUMNS, (*values, machine, versions, weights), strict=True)))
        say(f"{name:18} {found[name]:10.4f} {unit}")
    return rows


UNITS = {
    "read-seconds": "s", "read-ratio": "times", "read-peak": "MB", "read-peak-ratio": "times", "import-seconds": "s",
    "help-seconds": "s", "one-photo": "ms", "page-photo": "ms", "classify": "ms", "weights-size": "MB",
}  # fmt: skip


def table(rows: list[Row]) -> str:
    """The rows for people, with the machine below."""
    lines = [[TITLES[row["measure"]], _shown(row)] for row in rows]
    first = rows[0]
    return (
        markdown(["what", "median"], lines, right=[1])
        + f"\n\nMedian of {first['runs']} turns on {first['machine']}, with {first['versions']}."
    )


def _shown(row: Row) -> str:
    value, unit = float(row["value"]), row["unit"]
    digits = {"s": 2, "ms": 1 if value >= 1 else 2, "MB": 1 if value < 10 else 0, "times": 2}[unit]
    return f"{value:.{digits}f} {unit}"


def _processes(folder: Path, runs: int) -> dict[str, float]:
    script = Path(sys.executable).parent / "handread"
    program = [str(script)] if script.is_file() else [sys.executable, "-m", "handread"]
    commands = {
        "read": [*program, "read", str(folder / "one.png")],
        "floor": [sys.executable, "-c", "import numpy, onnxruntime"],
        "import": [sys.executable, "-c", "import handread"],
        "help": [*program, "--help"],
    }
    turns: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            done = timed(command)
            if turn:  # the first turn warms the disk
                turns[name].append(done)
    seconds = {name: statistics.median(run.seconds for run in done) for name, done in turns.items()}
    peak = {name: max(run.peak_mb for run in done) for name, done in turns.items()}
    return {
        "read-seconds": seconds["read"],
        "read-ratio": seconds["read"] / seconds["floor"],
        "read-peak": peak["read"],
        "read-peak-ratio": peak["read"] / peak["floor"],
        "import-seconds": seconds["import"],
        "help-seconds": seconds["help"],
    }


def timed(command: list[str]) -> Run:
    """Run a command to its end; raises `RuntimeError` when it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    # kilobytes on Linux, bytes on macOS
    return Run(seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))


def draw(folder: str) -> None:
    """In a child: one.png, one-photo.jpg and page-photo.jpg by the project's own pen."""
    import cv2
    import numpy as np

    from handread.imaging.draw import Paper, Pen, draw_text

    light = Paper(tone=216, texture=3, shadow=0.45, shadow_angle=30, noise=3, blur=0.8)
    plain = draw_text("7", height_px=90, pen=Pen(width_px=7), paper=Paper(texture=2), rng=np.random.default_rng(1))
    cv2.imwrite(f"{folder}/one.png", plain.image)
    for name, text, height in (("one-photo", "7", 420), ("page-photo", "2026\n8063\n4952", 150)):
        pen = Pen(width_px=height / 15, slant=6)
        drawn = draw_text(text, height_px=height, pen=pen, paper=light, rng=np.random.default_rng(2))
        cv2.imwrite(f"{folder}/{name}.jpg", cv2.resize(drawn.image, (1200, 900), interpolation=cv2.INTER_AREA))


def inside(folder: str, runs: str) -> None:
    """In a child: prints milliseconds a picture, from the file's bytes to the reading, and the weights' megabytes."""
    import cv2
    import numpy as np

    from handread.recognizer import Recognizer
    from handread.runtime import store

    cv2.setNumThreads(1)
    reader = Recognizer(threads=1)
    one = Path(folder, "one-photo.jpg").read_bytes()
    page = Path(folder, "page-photo.jpg").read_bytes()
    images = np.random.default_rng(3).integers(0, 256, (1000, 28, 28)).astype(np.uint8)
    images[:, :4] = images[:, -4:] = 0
    actions: dict[str, tuple[Callable[[], object], int]] = {
        "one-photo": (lambda: reader.read(one, one=True), 1),
        "page-photo": (lambda: reader.read(page, alphabet="digits"), 1),
        "classify": (lambda: reader.classify(images, alphabet="digits"), len(images)),
    }
    for name, (action, items) in actions.items():
        action()
        turns = []
        for _ in range(int(runs)):
            start = time.perf_counter()
            action()
            turns.append(time.perf_counter() - start)
        print(name, 1e3 * statistics.median(turns) / items)
    print("weights-size", len(store.load("handread")) / 1e6)
