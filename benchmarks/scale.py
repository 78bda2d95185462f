"""Millions of pictures: what a core reads in a second, what it holds, and whether both engines say the same.

    python -m benchmarks.run scale [--pictures 4000] [--runs 5] [--memory 10000 100000] [--engine threads]

Pictures are drawn by the project's own pen: one digit of 96 x 128 pixels, read with ``--one``, and lines of five
digits. Every run is a process of its own; the runs of the engines and kinds take turns, so that a busy moment meets
all alike, and the median counts. The rate leaves the start out: it is counted from the first shard that is finished.
Memory is the proportional set size of the process and all its children together, the largest of all seconds; the
pictures are a list that names the same thousand files again and again.

This module imports only the standard library at its top: the measuring process must be small.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import child, measured_on
from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "scale.csv"
PAGE = ROOT / "docs" / "scale.md"
COLUMNS = ("measure", "engine", "kind", "pictures", "value", "unit", "runs", "machine", "versions", "weights")

ENGINES = ("threads", "ray")
KINDS = {"one": "one digit of 96 x 128 pixels", "line": "a line of five digits, 420 x 130 pixels"}
"""Kind of picture -> what it is; ``one`` is read with --one."""
FILES = 1000
"""Different pictures of a kind; longer lists name them again."""
PARTS = 20
"""Shards that a timed input is cut into."""
SHARD = 500
"""Pictures a shard where memory is measured."""
BILLION = 10**9
SAMPLE_SECONDS = 0.5
UNITS = {"rate": "a second and core", "start": "s", "memory": "MB", "differing": "rows", "core-hours": "h"}


@dataclass(frozen=True, slots=True)
class Run:
    """One process that read a list."""

    rate: float
    """Pictures a second, all cores together, after the first shard."""
    start: float
    """Seconds before the reading went at that rate."""
    peak_mb: float


def measure(
    pictures: int, runs: int, memory: Sequence[int], engines: Sequence[str], say: Callable[[str], None]
) -> list[Row]:
    """One row a measure; `say` hears of each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: list[tuple[str, str, str, int, float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        child(
            "from benchmarks.scale import draw; draw(sys.argv[1], int(sys.argv[2]))", folder, str(min(FILES, pictures))
        )
        turns: dict[tuple[str, str], list[Run]] = {(engine, kind): [] for kind in KINDS for engine in engines}
        for turn in range(runs):
            for engine, kind in turns:
                size = max(1, pictures // PARTS)
                done = _read(place, engine, kind, pictures, size, place / f"{engine}-{kind}-{turn}")
                turns[engine, kind].append(done)
                say(f"{engine:8} {kind:5} {done.rate / cores:8.1f} a second and core, {done.peak_mb:6.0f} MB")
        for (engine, kind), made in turns.items():
            rate = statistics.median(run.rate for run in made) / cores
            found.append(("rate", engine, kind, pictures, rate, runs))
            found.append(("start", engine, kind, pictures, statistics.median(run.start for run in made), runs))
            found.append(("core-hours", engine, kind, BILLION, BILLION / rate / 3600, runs))
        for kind in KINDS if set(engines) == set(ENGINES) else ():
            differing = _differing(*(place / f"{engine}-{kind}-0" for engine in ENGINES))
            found.append(("differing", "ray", kind, pictures, differing, 1))
            say(f"{differing} of {pictures:,} rows differ between the engines ({kind})")
        for engine in engines:
            for count in memory:
                done = _read(place, engine, "one", count, SHARD, place / f"{engine}-memory-{count}")
                found.append(("memory", engine, "one", count, done.peak_mb, 1))
                say(f"{engine:8} {count:,} pictures: at most {done.peak_mb:.0f} MB")
    machine, versions, weights = measured_on("pyarrow", "ray")
    return [
        dict(
            zip(
                COLUMNS,
                (*map(str, row[:4]), f"{row[4]:.3f}", UNITS[row[0]], str(row[5]), machine, versions, weights),
                strict=True,
            )
        )
        for row in found
    ]


def table(rows: list[Row]) -> str:
    """The rows for people, a column an engine, with the machine below."""
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    told: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["measure"] != "core-hours":
            told.setdefault(_title(row), {})[row["engine"]] = _shown(row)
    lines = [[title, *(shown.get(engine, "") for engine in engines)] for title, shown in told.items()]
    first = rows[0]
    return (
        markdown(["what", *(f"`{engine}`" for engine in engines)], lines, right=range(1, len(engines) + 1))
        + f"\n\nMedians of {first['runs']} runs by turns on {first['machine']}, with {first['versions']}."
    )


def billion(rows: list[Row]) -> str:
    """What a billion pictures take, worked out from the measured rates."""
    lines = []
    for row in rows:
        if row["measure"] == "core-hours":
            hours = float(row["value"])
            of = f"{_rate(rows, row):,.0f} a second"
            lines.append([KINDS[row["kind"]], row["engine"], of, f"{hours:,.0f}", _span(hours / 1000)])
    header = ["pictures", "engine", "measured on a core", "core hours for a billion", "on a thousand such cores"]
    return markdown(header, lines, right=[2, 3, 4])


def _span(hours: float) -> str:
    """A time in the unit that people would choose.

    >>> _span(0.5), _span(11.2), _span(77)
    ('30 minutes', '11 hours', '3.2 days')
    """
    if hours < 2:
        return f"{60 * hours:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:,.1f} days"


def _rate(rows: list[Row], of: Row) -> float:
    same = ("engine", "kind")
    (found,) = (r for r in rows if r["measure"] == "rate" and all(r[name] == of[name] for name in same))
    return float(found["value"])


def _title(row: Row) -> str:
    kind, count = KINDS[row["kind"]], f"{int(row['pictures']):,}"
    return {
        "rate": f"{kind}, read a second on each core",
        "start": f"seconds until the reading runs ({row['kind']})",
        "memory": f"memory of all processes at most, {count} pictures",
        "differing": f"rows of {count} that are not the threads' ({row['kind']})",
    }[row["measure"]]


def _shown(row: Row) -> str:
    value = float(row["value"])
    return {"start": f"{value:.1f} s", "memory": f"{value:,.0f} MB"}.get(row["measure"], f"{value:,.0f}")


def _read(place: Path, engine: str, kind: str, count: int, size: int, out: Path) -> Run:
    """Read `count` pictures of a kind, `size` a shard, in a process of its own."""
    names = sorted(path.name for path in (place / kind).iterdir())
    listed = place / f"{kind}-{count}.txt"
    with listed.open("w", encoding="utf-8") as file:
        file.writelines(f"{kind}/{names[number % len(names)]}\n" for number in range(count))
    code = "from benchmarks.scale import inside; inside(*sys.argv[1:])"
    command = [sys.executable, "-c", f"import sys; {code}", engine, kind, str(listed), str(out), str(size)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _tree_mb(process.pid))
        time.sleep(SAMPLE_SECONDS)
    printed, said = process.communicate()
    if process.returncode:
        raise RuntimeError(said)
    told = json.loads(printed)
    return Run(told["rate"], told["start"], peak)


def inside(engine: str, kind: str, listed: str, out: str, size: str) -> None:
    """In a child: reads a list, prints the rate from the first finished shard on, and the seconds before."""
    from handread.scale.run import ReadConfig, read_all

    times: list[tuple[float, int]] = []
    start = time.perf_counter()
    config = ReadConfig("digits", one=kind == "one", shard_size=int(size))
    read_all([listed], out, config, engine=engine, progress=lambda done, _: times.append((time.perf_counter(), done)))
    (first, before), (last, count) = times[0] if len(times) > 1 else (start, 0), times[-1]
    rate = (count - before) / (last - first)
    print(json.dumps({"rate": rate, "start": max(0.0, last - start - count / rate)}))


def draw(folder: str, count: str | int) -> None:
    """In a child: `count` pictures of each kind, in a folder named like it."""
    import cv2
    import numpy as np

    from handread.imaging.draw import Paper, Pen, draw_text

    for kind, size, length in (("one", (96, 128), 1), ("line", (420, 130), 5)):
        Path(folder, kind).mkdir()
        for number in range(int(count)):
            rng = np.random.default_rng(number)
            text = "".join(rng.choice(list("0123456789"), length))
            pen = Pen(width_px=5, slant=float(rng.uniform(-5, 15)))
            paper = Paper(tone=225, texture=3, noise=3, shadow=0.2)
            drawn = draw_text(text, height_px=64, pen=pen, paper=paper, rng=rng).image
            cv2.imwrite(f"{folder}/{kind}/{number}.png", cv2.resize(drawn, size, interpolation=cv2.INTER_AREA))


def _differing(one: Path, other: Path) -> int:
    """Rows of two folders of shards that are not equal; a missing one counts too."""
    code = "from benchmarks.scale import differing; differing(*sys.argv[1:])"
    return int(child(code, str(one), str(other)))


def differing(one: str, other: str) -> None:
    """In a child: prints how many rows of two folders differ."""
    from itertools import zip_longest

    import pyarrow.parquet as pq

    tables = [[row for path in sorted(Path(place).glob("part-*.parquet")) for row in pq.read_table(path).to_pylist()]
              for place in (one, other)]  # fmt: skip
    print(sum(a != b for a, b in zip_longest(*tables)))


def _tree_mb(pid: int) -> float:
    """Megabytes of a process and all below it; shared pages are counted once. 0 where the system does not tell."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        below.setdefault(parent, []).append(int(stat.parent.name))
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += below.get(one, [])
        total += _own_mb(one)
    return total


def _own_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e3
    except OSError:
        pass
    return 0.0
