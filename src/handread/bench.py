"""What reading costs on this machine, in about ten seconds, and what the limit is.

    found = measure_bench(models=("handread",), seconds=4, progress=lambda done, total: None)
    found.models[0].single.median

Everything is timed as a user meets it, except `Rate.multiply_adds`, which is the network alone and is told as a share
of the most that a matrix multiplication gives in the same precision on as many threads (`handread.runtime.peak`).
"""

from __future__ import annotations

import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from handread.errors import ConfigError, ModelError
from handread.frame import MNIST_FRAME, Frame
from handread.imaging.draw import Paper, Pen, draw_character, draw_text
from handread.imaging.glyph import normalise
from handread.machine import cores, processor, versions
from handread.recognizer import Recognizer
from handread.runtime import store
from handread.runtime.count import Work, count_work
from handread.runtime.peak import KINDS, measure_peak
from handread.runtime.session import Session

if TYPE_CHECKING:
    from handread.types import Progress

BATCHES = (1, 16, 64, 256)
"""Characters at once."""

LARGE, SMALL = (4000, 3000), (1200, 900)
"""Widths and heights in pixels of the photographs: 12 megapixels with `LARGE_COUNT` digits, about 1 with one."""
LARGE_COUNT = 30

LEAST_SECONDS, MOST_SECONDS = 0.5, 600.0
MOST_THREADS = 1024

_COLD_STARTS = 3
_STEPS = 6
_SEED = 2026
_NOISE_ROWS = 250

# Linux hands the resident size of a process down to the peak of its children: this one, that starts the reading and
# prints seconds and kilobytes, must be small.
_WATCH = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
usage = None
if hasattr(os, "wait4"):
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
else:
    code = process.wait()
print(code, time.perf_counter() - start, usage.ru_maxrss if usage else -1)
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured on."""

    processor: str
    cores: int
    """That this process may use."""
    system: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Times:
    """An action repeated."""

    median: float
    """Seconds."""
    p95: float
    """Seconds that 95 of 100 turns did not exceed."""
    turns: int


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a matrix multiplication gave."""

    precision: str
    threads: int
    multiply_adds: float
    """A second."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Many characters at once."""

    batch: int
    threads: int
    per_second: float
    """Characters of an array through `Recognizer.classify`, normalisation and all."""
    multiply_adds: float
    """A second, by the network alone."""
    of_peak: float | None
    """The same as a share (0..1) of the peak in the network's precision on as many threads."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process from its start to its exit."""

    seconds: float
    peak_mb: float | None
    """Largest resident memory in megabytes; None where the system does not tell."""


@dataclass(frozen=True, slots=True)
class ModelBench:
    """One model on this machine."""

    name: str
    megabytes: float
    multiply_adds: int
    """Of one character (`handread.runtime.count`)."""
    precision: str
    single: Times
    """One character of an array, one thread, in process."""
    rates: tuple[Rate, ...]
    small_photo: Times
    """From the file's bytes to the reading, in process, all threads."""
    large_photo: Times
    cold: Process
    """``handread read small.jpg --one``: the median time and the largest memory of three."""
    cold_large: Process
    """``handread read large.jpg``, once."""

    def rate(self, batch: int, threads: int) -> Rate:
        """The rate of one batch size on so many threads; KeyError for one that was not measured."""
        for rate in self.rates:
            if (rate.batch, rate.threads) == (batch, threads):
                return rate
        raise KeyError((batch, threads))


@dataclass(frozen=True, slots=True)
class Bench:
    """All of it."""

    machine: Machine
    peaks: tuple[Peak, ...]
    models: tuple[ModelBench, ...]


def measure_bench(
    models: Sequence[str] = (),
    *,
    seconds: float = 10.0,
    threads: Sequence[int] = (),
    progress: Progress = lambda done, total: None,
) -> Bench:
    """Measure `models` (names or files; none: all that are shipped) for about `seconds` (0.5 to 600) in all.

    `threads` are the numbers of threads, by default one and all cores. Raises `ConfigError` for seconds or threads out of range, and what `Recognizer` does for a model.
    """
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ConfigError(f"{seconds:g} seconds are out of range; give {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    counts = tuple(threads) or tuple(sorted({1, cores()}))
    for count in counts:
        if not 1 <= count <= MOST_THREADS:
            raise ConfigError(f"{count} threads are out of range; give 1 to {MOST_THREADS}")
    subjects = [_subject(name) for name in models or store.shipped()]  # a wrong name ends it here
    total = len(KINDS) * len(counts) + _STEPS * len(subjects)
    steps = iter(range(1, total + 1))
    share = seconds / total

    def done() -> None:
        progress(next(steps), total)

    peaks = []
    for precision in KINDS:
        for count in counts:
            peaks.append(Peak(precision, count, measure_peak(precision, threads=count, seconds=share)))
            done()
    with tempfile.TemporaryDirectory() as folder:
        pictures = Pictures(Path(folder, "small.jpg"), Path(folder, "large.jpg"), drawn_digits(max(BATCHES)))
        pictures.small.write_bytes(photo("7", *SMALL, seed=_SEED))
        pictures.large.write_bytes(photo(digits_in_lines(LARGE_COUNT, seed=_SEED), *LARGE, seed=_SEED))
        found = [_measure(one, pictures, counts, peaks, share, done) for one in subjects]
    return Bench(describe_machine(), tuple(peaks), tuple(found))


@dataclass(frozen=True, slots=True)
class _Subject:
    name: str
    content: bytes
    work: Work


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What every model is given to read."""

    small: Path
    large: Path
    characters: npt.NDArray[np.uint8]
    """uint8 (N, 28, 28) ink."""


def _subject(name: str) -> _Subject:
    content = store.load(name)
    return _Subject(name, content, count_work(content, name=name))


def _measure(
    subject: _Subject,
    pictures: Pictures,
    counts: Sequence[int],
    peaks: Sequence[Peak],
    share: float,
    done: Callable[[], None],
) -> ModelBench:
    """One model, a `share` of seconds for each of `_STEPS` steps."""
    name, work = subject.name, subject.work
    single = _classifying(subject, pictures.characters[:1], 1, share)
    done()
    rates = []
    for count in counts:
        peak = next((p.multiply_adds for p in peaks if (p.precision, p.threads) == (work.precision, count)), None)
        part = 2 * share / len(counts) / len(BATCHES)
        rates += [_rate(subject, pictures.characters[:batch], count, peak, part) for batch in BATCHES]
    done()
    reader = Recognizer(name)
    small, large = pictures.small.read_bytes(), pictures.large.read_bytes()
    small_times = repeat(lambda: reader.read(small, alphabet="digits", one=True), share, least=3)
    done()
    large_times = repeat(lambda: reader.read(large, alphabet="digits"), share, least=2)
    done()
    read = [sys.executable, "-m", "handread", "read", "--alphabet", "digits", "--model", name]
    starts = [watched([*read, "--one", str(pictures.small)]) for _ in range(_COLD_STARTS)]
    done()
    cold_large = watched([*read, str(pictures.large)])
    done()
    return ModelBench(
        name=name,
        megabytes=len(subject.content) / 1e6,
        multiply_adds=work.multiply_adds,
        precision=work.precision,
        single=single,
        rates=tuple(rates),
        small_photo=small_times,
        large_photo=large_times,
        cold=_typical(starts),
        cold_large=cold_large,
    )


def _classifying(subject: _Subject, characters: npt.NDArray[np.uint8], threads: int, seconds: float) -> Times:
    reader = Recognizer.of_session(Session(subject.content, name=subject.name, threads=threads))
    return repeat(lambda: reader.classify(characters), seconds, least=2)


def _rate(
    subject: _Subject, characters: npt.NDArray[np.uint8], threads: int, peak: float | None, seconds: float
) -> Rate:
    whole = _classifying(subject, characters, threads, seconds / 2).median
    session = Session(subject.content, name=subject.name, threads=threads)
    glyphs = normalise(characters, session.card.frame)
    network = repeat(lambda: session.run(glyphs), seconds / 2, least=2).median
    count = len(characters)
    done = count * subject.work.multiply_adds / network
    return Rate(count, threads, count / whole, done, None if peak is None else done / peak)


def repeat(action: Callable[[], object], seconds: float, *, least: int = 5) -> Times:
    """Time `action` again and again for about `seconds`, at least `least` times, after one turn that is not counted."""
    action()
    turns: list[float] = []
    end = time.perf_counter() + seconds
    while len(turns) < least or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        turns.append(time.perf_counter() - start)
    ordered = sorted(turns)
    return Times(statistics.median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1], len(ordered))


def watched(command: Sequence[str]) -> Process:
    """Run a command to its end; raises `ModelError` when it fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _WATCH, *command], capture_output=True, text=True, check=False
    )
    code, seconds, kilobytes = done.stdout.split() if done.returncode == 0 else ("-1", "nan", "-1")
    if code != "0":
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelError(f"{' '.join(command[1:4])} ended with {code} ({said[:300]}); run handread doctor")
    # kilobytes on Linux, bytes on macOS
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return Process(float(seconds), None if float(kilobytes) < 0 else float(kilobytes) / scale)


def _typical(runs: Sequence[Process]) -> Process:
    peaks = [run.peak_mb for run in runs if run.peak_mb is not None]
    return Process(statistics.median(run.seconds for run in runs), max(peaks) if peaks else None)


def drawn_digits(count: int, *, side: int = 28, seed: int = _SEED) -> npt.NDArray[np.uint8]:
    """uint8 (count, side, side), 0 paper .. 255 ink: drawn digits 0, 1, 2 .. laid out as MNIST's makers did."""
    rng = np.random.default_rng(seed)
    frame = Frame(side, side, round(side * MNIST_FRAME.ink / MNIST_FRAME.height), MNIST_FRAME.centre)
    pen = Pen(width_px=0.09 * side)
    # the same hundred again and again: drawing takes longer than reading
    drawn = [
        draw_character(str(number % 10), height_px=0.68 * side, pen=pen, rng=rng) for number in range(min(count, 100))
    ]
    return np.resize(normalise(drawn, frame)[:, 0], (count, side, side))


def digits_in_lines(count: int, *, seed: int) -> str:
    """`count` random digits in lines that together are about as wide as a photograph is, for its height."""
    chosen = np.random.default_rng(seed).integers(0, 10, count)
    columns = max(1, round(math.sqrt(2.7 * count)))
    digits = "".join(map(str, chosen))
    return "\n".join(digits[first : first + columns] for first in range(0, count, columns))


def photo(text: str, width: int, height: int, *, seed: int) -> bytes:
    """A JPEG of `width` x `height` pixels: `text` by Handread's pen in the middle of grey paper in uneven light."""
    rng = np.random.default_rng(seed)
    rows = text.count("\n") + 1
    size = float(np.clip(0.5 * height / rows, 20, 220))
    paper = Paper(tone=216)
    drawn = draw_text(text, height_px=size, pen=Pen(width_px=size / 15, slant=5), paper=paper, rng=rng).image
    scale = 0.9 * min(width / drawn.shape[1], height / drawn.shape[0])
    shape = (max(1, round(drawn.shape[1] * scale)), max(1, round(drawn.shape[0] * scale)))
    # linear: cubic would overshoot beside the ink
    written = cv2.resize(drawn, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    page = np.full((height, width), paper.tone, np.float32)
    y, x = (height - shape[1]) // 2, (width - shape[0]) // 2
    page[y : y + shape[1], x : x + shape[0]] = written
    page *= np.linspace(1, 0.72, width, dtype=np.float32) * np.linspace(1, 0.86, height, dtype=np.float32)[:, None]
    noise = 3 * rng.standard_normal((_NOISE_ROWS, width), np.float32)
    for top in range(0, height, _NOISE_ROWS):  # the same noise again: twelve million numbers take longer than reading
        page[top : top + _NOISE_ROWS] += noise[: height - top]
    done, data = cv2.imencode(".jpg", np.clip(page, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return data.tobytes()


def describe_machine() -> Machine:
    """The processor, the cores that this process may use, the system, and the versions that matter."""
    packages = ("handread", "onnxruntime", "numpy", "opencv-python-headless", "pillow")
    return Machine(
        processor(), cores(), platform.system(), {"python": platform.python_version(), **versions(*packages)}
    )
