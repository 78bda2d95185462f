"""Handread beside other recognisers on the same machine, in the same run.

    python -m benchmarks.run peers --folder FOLDER [--turns 5] [--measure single] [--model handread-int8]

The peers are installed from benchmarks/peers/requirements.txt into an environment of their own in FOLDER, which is
kept. Each runs in a process of its own (benchmarks/peers/worker.py) that answers lines, and all take turns, so that a
busy moment meets all alike; the median of the turns counts. Where a peer cannot be installed or does not start, its
rows are left out, and said so. Digits and photographs are drawn by Handread's own pen.

This module imports only the standard library at its top: the measuring process must be small.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, ROOT, Row, markdown, read_csv

FILE = RESULTS / "peers.csv"
PAGE = ROOT / "docs" / "performance.md"
HERE = ROOT / "benchmarks" / "peers"
COLUMNS = ("measure", "peer", "model", "peer_value", "ours", "unit", "ratio", "floor", "n", "turns", "versions",
           "machine")  # fmt: skip

WAYS = {
    "Keras model.predict": ("keras", "predict"),
    "Keras model(x)": ("keras", "call"),
    "Keras tf.function": ("keras", "function"),
    "PyTorch eager": ("torch", "eager"),
    "RapidOCR recogniser": ("rapidocr", "recogniser"),
    "digit-recognizer-py": ("digit-recognizer-py", "predict"),
}
"""Peer -> its worker and its way."""

FLOORS: dict[str, dict[str, float]] = {
    "single": {"Keras model.predict": 200, "Keras model(x)": 50, "Keras tf.function": 8, "PyTorch eager": 5},
    "throughput": {"Keras model.predict": 10, "Keras model(x)": 10, "Keras tf.function": 10, "PyTorch eager": 10,
                   "RapidOCR recogniser": 300, "digit-recognizer-py": 20},
    "cold": {"Keras": 8, "PyTorch": 4},
    "photo": {"Tesseract": 1},
    "photo-accuracy": {"Tesseract": 1},
    "bytes": {"tensorflow-cpu": 5, "torch": 3},
    "limit": {"the matrix multiplication's peak": 0.4},
}  # fmt: skip
"""Measure -> peer -> the least ratio that is asked for."""

TITLES = {
    "single": "one digit of 28 x 28, in process, one thread",
    "throughput": "digits a second, two threads, each with its best batch",
    "cold": "process from its start to an answer",
    "photo": "photograph of 12 megapixels with 30 digits, whole process",
    "photo-accuracy": "— of its digits right",
    "bytes": "installed for reading",
    "limit": "multiply-adds a second at batch 256, two threads",
}
UNITS = {"single": "ms", "throughput": "a second", "cold": "s", "photo": "s", "photo-accuracy": "%", "bytes": "MB",
         "limit": "billion"}  # fmt: skip
HIGHER = {"throughput", "photo-accuracy", "limit"}
"""Where more is better; elsewhere less."""
MEASURES = ("single", "throughput", "cold", "photo", "bytes", "limit")
BATCHES = (16, 64, 256, 1000, 5000)
"""What is tried for the best batch size."""
SLOW = {"rapidocr": 100, "digit-recognizer-py": 10}
"""Worker -> how many times fewer digits it is given: its rate does not depend on how many there are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how much."""

    folder: Path
    turns: int = 5
    digits: int = 10_000
    singles: int = 50
    photos: int = 5
    models: tuple[str, ...] = ("handread-int8",)
    measures: tuple[str, ...] = MEASURES
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison."""

    measure: str
    peer: str
    model: str
    peer_value: float
    ours: float
    n: int
    turns: int

    @property
    def ratio(self) -> float:
        """How many times better Handread is."""
        better, worse = (self.ours, self.peer_value) if self.measure in HIGHER else (self.peer_value, self.ours)
        return better / worse if worse else float("inf")


class WorkerError(RuntimeError):
    """A worker did not start, ended, or answered with an error."""


class Worker:
    """A process that answers lines of JSON; used in a ``with`` statement, which ends it."""

    def __init__(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        """Start it; raises `WorkerError` unless it says that it is ready."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._ready = self._heard()

    def ask(self, **what: Any) -> dict[str, Any]:
        """Send one line and wait for its answer; raises `WorkerError` for an error."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerError(f"the worker has ended: {error}") from None
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            last = said.strip().splitlines()[-1] if said.strip() else f"code {self._process.returncode}"
            raise WorkerError(last[:300])
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            raise WorkerError(told["error"])
        return told

    def close(self) -> None:
        """End it by ending its input."""
        if self._process.poll() is None:
            self._process.communicate()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Say = Callable[[str], None]


def measure(plan: Plan, say: Say) -> list[Row]:
    """One row a comparison; `say` hears of each."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    python = install(plan.folder, say)
    _own("digits", str(plan.folder / "digits.npy"), str(plan.digits))
    found: list[Found] = []
    for name in plan.measures:
        for one in PARTS[name](plan, python, say):
            say(
                f"{one.measure:15} {one.peer:33} {one.model:14} {one.peer_value:12.4f} {one.ours:12.4f} {one.ratio:8.2f} x"
            )
            found.append(one)
    return rows(found, *described(python))


def rows(found: Sequence[Found], machine: str, versions: str) -> list[Row]:
    """What goes into the file."""
    made: list[Row] = []
    for one in found:
        floor = FLOORS[one.measure].get(one.peer, 1)
        values = (one.measure, one.peer, one.model, f"{one.peer_value:.6g}", f"{one.ours:.6g}", UNITS[one.measure],
                  f"{one.ratio:.3f}", f"{floor:g}", str(one.n), str(one.turns), versions, machine)  # fmt: skip
        made.append(dict(zip(COLUMNS, values, strict=True)))
    return made


def merged(rows: Sequence[Row]) -> list[Row]:
    """The rows of the file, those of the measures in `rows` replaced by these."""
    new = {row["measure"] for row in rows}
    kept = [row for row in (read_csv(FILE) if FILE.exists() else []) if row["measure"] not in new]
    return sorted([*kept, *rows], key=lambda row: list(TITLES).index(row["measure"]))


def table(rows: Sequence[Row]) -> str:
    """One line a comparison, with the machine and the versions below."""
    lines = []
    for row in rows:
        unit = row["unit"]
        lines.append(
            [TITLES[row["measure"]], row["peer"], _shown(row["peer_value"], unit), f"`{row['model']}`" if row["model"] else "",
             _shown(row["ours"], unit), _ratio(row), _floor(row), f"{int(row['n']):,}"]
        )  # fmt: skip
    header = ["measure", "beside", "", "model", "Handread", "better by", "asked for", "n"]
    first = rows[0]
    turns = max(int(row["turns"]) for row in rows)
    return (
        markdown(header, lines, right=[2, 4, 5, 6, 7])
        + f"\n\nMedians of {turns} turns of each by turns on {first['machine']}; {first['versions']}."
    )


def _shown(value: str, unit: str) -> str:
    number = float(value)
    digits = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 0.1 else 3
    return f"{number:,.{digits}f} {unit}"


def _ratio(row: Row) -> str:
    ratio = float(row["ratio"])
    if row["measure"] == "limit":
        return f"{100 * ratio:.0f} % of it"
    return f"{ratio:,.{0 if ratio >= 20 else 1 if ratio >= 2 else 2}f} x"


def _floor(row: Row) -> str:
    floor = float(row["floor"])
    return f"{100 * floor:.0f} %" if row["measure"] == "limit" else "more" if floor == 1 else f"{floor:g} x"


def install(folder: Path, say: Say) -> Path:
    """The interpreter of the peers' environment in `folder`, made and filled where it is not; a package that cannot
    be installed is named and left out."""
    place = folder / "environment"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = (HERE / "requirements.txt").read_text(encoding="utf-8")
    note = place / "requirements.txt"
    if note.exists() and note.read_text(encoding="utf-8") == wanted:
        return python
    if not python.exists():
        say(f"making {place}")
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    for requirement in wanted.split():
        say(f"installing {requirement}")
        if not _pip(python, requirement):
            say(f"{requirement} cannot be installed: its rows are left out")
    note.write_text(wanted, encoding="utf-8")
    return python


def _pip(python: Path, *what: str) -> bool:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False, cwd=ROOT).returncode == 0


def start(plan: Plan, python: Path, threads: int, names: Sequence[str], say: Say) -> dict[str, Worker]:
    """Workers by name, those of our models by the model's; a peer that does not start is named and left out."""
    made: dict[str, Worker] = {}
    digits, limits = str(plan.folder / "digits.npy"), _limits(threads)
    for name in names:
        try:
            made[name] = Worker([str(python), str(HERE / "worker.py"), name, str(threads), digits], limits)
        except WorkerError as error:
            say(f"{name} does not start ({error}): its rows are left out")
    for model in plan.models:
        ours = {**limits, "HANDREAD_BENCHMARK_MODEL": model}
        made[model] = Worker([sys.executable, str(HERE / "worker.py"), "handread", str(threads), digits], ours)
    return made


def trainer(python: Path, name: str, threads: int, data: Path) -> Worker:
    """A library that trains on a .npz file (benchmarks/peers/trainer.py), run by `python`; raises `WorkerError` where it
    does not start."""
    return Worker([str(python), str(HERE / "trainer.py"), name, str(threads), str(data)], _limits(threads))


def _limits(threads: int) -> dict[str, str]:
    return {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}


def alternate(actions: dict[str, Callable[[], float]], turns: int, say: Say) -> dict[str, float]:
    """The median of each over `turns` turns, all in each turn; one that fails is named and left out."""
    seen: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(turns):
        for name, action in actions.items():
            if name in seen:
                try:
                    seen[name].append(action())
                except (WorkerError, subprocess.CalledProcessError) as error:
                    say(f"{name} fails ({error}): left out")
                    del seen[name]
    return {name: statistics.median(values) for name, values in seen.items()}


def compared(name: str, values: dict[str, float], models: Sequence[str], n: int, turns: int) -> list[Found]:
    """Every peer with every model."""
    ours = {model: values[model] for model in models if model in values}
    return [
        Found(name, peer, model, value, own, n, turns)
        for peer, value in values.items() if peer not in ours
        for model, own in ours.items()
    ]  # fmt: skip


def single(plan: Plan, python: Path, say: Say) -> list[Found]:
    """Milliseconds of one digit on one thread."""
    workers = start(plan, python, 1, ["keras", "torch"], say)
    try:
        actions = {}
        for peer in FLOORS["single"]:
            worker, way = WAYS[peer]
            if worker in workers:
                actions[peer] = _asking(workers[worker], "seconds", 1e3, do="single", way=way, count=plan.singles)
        for model in plan.models:
            actions[model] = _asking(workers[model], "seconds", 1e3, do="single", way="classify", count=plan.singles)
        return compared("single", alternate(actions, plan.turns, say), plan.models, plan.singles, plan.turns)
    finally:
        _end(workers)


def throughput(plan: Plan, python: Path, say: Say) -> list[Found]:
    """Digits a second, each with the batch size that was best in one turn before."""
    workers = start(plan, python, plan.threads, ["keras", "torch", "rapidocr", "digit-recognizer-py"], say)
    ways = {peer: WAYS[peer] for peer in FLOORS["throughput"] if WAYS[peer][0] in workers}
    ways |= {model: (model, "classify") for model in plan.models}
    try:
        actions, counts = {}, {}
        for name, (worker, way) in ways.items():
            count = counts[name] = max(1, plan.digits // SLOW.get(worker, 1))
            try:
                batch = _best_batch(workers[worker], way, count)
            except WorkerError as error:
                say(f"{name} fails ({error}): left out")
                continue
            say(f"{name}: best with {batch} at once")
            actions[name] = _asking(workers[worker], "rate", 1, do="many", way=way, count=count, batch=batch)
        found = compared("throughput", alternate(actions, plan.turns, say), plan.models, plan.digits, plan.turns)
        return [replace(one, n=counts[one.peer]) for one in found]
    finally:
        _end(workers)


def _best_batch(worker: Worker, way: str, count: int) -> int:
    sizes = sorted({min(batch, count) for batch in BATCHES})
    return max(sizes, key=lambda batch: worker.ask(do="many", way=way, count=count, batch=batch)["rate"])


def _asking(worker: Worker, key: str, scale: float, **what: Any) -> Callable[[], float]:
    return lambda: scale * float(worker.ask(**what)[key])


def _end(workers: dict[str, Worker]) -> None:
    for worker in workers.values():
        worker.close()


def cold(plan: Plan, python: Path, say: Say) -> list[Found]:
    """Seconds of a whole process that loads its network from a file and reads one digit."""
    digits, one = str(plan.folder / "digits.npy"), str(plan.folder / "one.png")
    _own("one", one)
    files = {"Keras": ("keras", plan.folder / "model.keras"), "PyTorch": ("torch", plan.folder / "model.pt")}
    actions = {}
    for peer, (name, path) in files.items():
        try:
            with Worker([str(python), str(HERE / "worker.py"), name, "1", digits]) as worker:
                worker.ask(do="keep", path=str(path))
        except WorkerError as error:
            say(f"{name} does not start ({error}): its rows are left out")
            continue
        actions[peer] = _timing([str(python), str(HERE / "worker.py"), f"cold-{name}", str(path), digits])
    for model in plan.models:
        actions[model] = _timing([*_program(), "read", one, "--one", "--alphabet", "digits", "--model", model])
    for action in actions.values():  # a turn that warms the disk
        action()
    return compared("cold", alternate(actions, plan.turns, say), plan.models, 1, plan.turns)


def photo(plan: Plan, python: Path, say: Say) -> list[Found]:
    """Seconds of a whole process for a photograph, and how many in a hundred of its characters are right."""
    if shutil.which("tesseract") is None:
        say("there is no tesseract on the PATH (Debian: apt install tesseract-ocr): its rows are left out")
        return []
    texts = json.loads(_own("photos", str(plan.folder), str(plan.photos)))
    paths = [str(plan.folder / f"photo-{number}.jpg") for number in range(plan.photos)]
    right: dict[str, float] = {}
    for name in ("Tesseract", *plan.models):
        shares = []
        for path, text in zip(paths, texts, strict=True):
            said = subprocess.run(_reading(name, path), capture_output=True, text=True, check=True, cwd=ROOT).stdout
            read = said if name == "Tesseract" else json.loads(said)["text"]
            shares.append(correct_share("".join(read.split()), "".join(text.split())))
        right[name] = 100 * statistics.mean(shares)
    actions = {name: _timing(_reading(name, paths[0])) for name in right}
    seconds = alternate(actions, plan.turns, say)
    n = sum(len("".join(text.split())) for text in texts)
    return [
        *compared("photo", seconds, plan.models, 1, plan.turns),
        *compared("photo-accuracy", right, plan.models, n, 1),
    ]


def _reading(name: str, path: str) -> list[str]:
    """The command that reads a photograph of digits: Tesseract's, or that of one of our models."""
    if name == "Tesseract":
        return ["tesseract", path, "stdout", "--psm", "6", "-c", "tessedit_char_whitelist=0123456789"]
    return [*_program(), "read", path, "--alphabet", "digits", "--model", name, "--json"]


def correct_share(read: str, truth: str) -> float:
    """1 less the edits (Levenshtein 1966) from `read` to `truth` for each character of `truth`, at least 0.

    >>> correct_share("1234", "1234"), correct_share("124", "1234"), correct_share("", "12")
    (1.0, 0.75, 0.0)
    """
    before = list(range(len(truth) + 1))
    for row, one in enumerate(read, start=1):
        now = [row]
        for column, other in enumerate(truth, start=1):
            now.append(min(now[-1] + 1, before[column] + 1, before[column - 1] + (one != other)))
        before = now
    return max(0.0, 1 - before[-1] / len(truth))


def installed(plan: Plan, python: Path, say: Say) -> list[Found]:
    """Megabytes that `pip install` brings into an empty folder."""
    sizes = {}
    for name, what in (("Handread", str(ROOT)), *((peer, _pinned(peer)) for peer in FLOORS["bytes"])):
        target = plan.folder / f"target-{name}"
        shutil.rmtree(target, ignore_errors=True)
        if _pip(Path(sys.executable), "--no-compile", "--target", str(target), what):
            sizes[name] = sum(path.stat().st_size for path in target.rglob("*") if path.is_file()) / 1e6
        else:
            say(f"{what} cannot be installed: its row is left out")
        shutil.rmtree(target, ignore_errors=True)
    ours = sizes.pop("Handread", None)
    return [] if ours is None else [Found("bytes", peer, "", size, ours, 1, 1) for peer, size in sizes.items()]


def _pinned(package: str) -> str:
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").split()
    return next(line for line in lines if line.partition("==")[0] == package)


def limit(plan: Plan, python: Path, say: Say) -> list[Found]:
    """How near each network comes to the peak, as `handread bench` measures it."""
    models = [word for model in plan.models for word in ("--model", model)]
    shares: dict[str, list[tuple[float, float]]] = {model: [] for model in plan.models}
    for _ in range(plan.turns):
        command = [sys.executable, "-m", "handread", "bench", "--json", "--threads", str(plan.threads), *models]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
        for name, model in zip(plan.models, told["models"], strict=True):
            rate = max(model["rates"], key=lambda one: one["batch"])
            shares[name].append((rate["multiply_adds"] / 1e9, rate["of_peak"]))
    found = []
    for name, values in shares.items():
        done, share = sorted(values, key=lambda pair: pair[1])[len(values) // 2]
        peer = next(iter(FLOORS["limit"]))
        found.append(Found("limit", peer, name, done / share, done, 256, plan.turns))
    return found


PARTS: dict[str, Callable[[Plan, Path, Say], list[Found]]] = {
    "single": single, "throughput": throughput, "cold": cold, "photo": photo, "bytes": installed, "limit": limit,
}  # fmt: skip


def _timing(command: Sequence[str]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, cwd=ROOT)
        return time.perf_counter() - start

    return run


def _program() -> list[str]:
    script = Path(sys.executable).parent / "handread"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "handread"]


def described(python: Path) -> tuple[str, str]:
    """The machine, and the versions of ours and of the peers."""
    machine, versions = _own("describe").splitlines()
    names = [line.partition("==")[0] for line in (HERE / "requirements.txt").read_text(encoding="utf-8").split()]
    told = packages(python, *names, "keras")
    tesseract = ""
    if shutil.which("tesseract"):
        said = subprocess.run(["tesseract", "--version"], capture_output=True, text=True, check=True)
        tesseract = (said.stdout or said.stderr).splitlines()[0]
    return machine, f"{versions}; beside it {'; '.join(part for part in (told, tesseract) if part)}"


def packages(python: Path, *names: str) -> str:
    """Name and version of those of the packages that `python` has."""
    code = ("from importlib.metadata import version, PackageNotFoundError\nimport sys\nfor name in sys.argv[1:]:\n"
            "  try: print(name, version(name))\n  except PackageNotFoundError: pass")  # fmt: skip
    told = subprocess.run([str(python), "-c", code, *names], capture_output=True, text=True, check=True)
    return "; ".join(told.stdout.splitlines())


def _own(what: str, *arguments: str) -> str:
    """Run a function of this module in a child of its own, for they load numpy."""
    code = f"import sys; from benchmarks.peers import in_child; in_child({what!r}, *sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def in_child(what: str, *arguments: str) -> None:
    """In a child: draw digits, one digit, or photographs (prints their texts); or print machine and versions."""
    import cv2
    import numpy as np

    from handread import bench

    if what == "digits":
        np.save(arguments[0], bench.drawn_digits(int(arguments[1])))
    elif what == "one":
        cv2.imwrite(arguments[0], cv2.resize(255 - bench.drawn_digits(8)[7], (112, 112)))
    elif what == "photos":
        texts = [bench.digits_in_lines(bench.LARGE_COUNT, seed=seed) for seed in range(int(arguments[1]))]
        for seed, text in enumerate(texts):
            Path(arguments[0], f"photo-{seed}.jpg").write_bytes(bench.photo(text, *bench.LARGE, seed=seed))
        print(json.dumps(texts))
    else:
        machine = bench.describe_machine()
        print(f"{machine.processor}, {machine.cores} cores, {machine.system}")
        print("; ".join(f"{name} {number}" for name, number in machine.versions.items()))
