"""Runs a target in children and watches them: a crash, a hang or a swollen child is a find, and the run goes on."""

from __future__ import annotations

import contextlib
import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fuzz.case import processor_seconds
from fuzz.worker import STATUS
from handread.data.atomic import write_atomic

ROOT = Path(__file__).resolve().parent.parent
BLOCK = 100
"""Cases that a child is given at a time."""
KEEP_SECONDS = 2.0
"""Time between two writings of the state: so much is lost at most when a run is broken off."""
HANG_SECONDS, WALL_SECONDS = 30.0, 600.0
"""Processor time and time on the clock after which a case is broken off; what takes less the child judges itself."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to run, and how."""

    cases: int | None = None
    """So many, numbers 0 and on; None for all that come in `seconds`."""
    seconds: float | None = None
    """On the clock; the blocks that are begun then are ended."""
    processes: int = 1
    keep: Path | None = None
    """Where the state is kept meanwhile."""
    hang_seconds: float = HANG_SECONDS


@dataclass(slots=True)
class State:
    """How far a run has come; what a broken one goes on from."""

    target: str
    seed: int
    versions: str
    done: list[int] = field(default_factory=list)
    """First case of each block that is done."""
    counts: dict[str, int] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    largest: tuple[float, int] = (0.0, -1)
    finds: list[tuple[int, str, str]] = field(default_factory=list)
    """Case, what it was, what was wrong."""
    seconds: float = 0.0
    """On the clock, of all its parts."""

    @property
    def cases(self) -> int:
        """How many were run."""
        return sum(self.counts.values())

    def add(self, first: int, answer: dict[str, Any]) -> None:
        """Take a block's answer in."""
        self.done.append(first)
        self.counts = dict(Counter(self.counts) + Counter(answer["counts"]))
        self.slowest = max(tuple(self.slowest), tuple(answer["slowest"]))
        self.largest = max(tuple(self.largest), tuple(answer["largest"]))
        self.finds += [(int(index), str(kind), str(why)) for index, kind, why in answer["finds"]]


def resumed(path: Path, fresh: State) -> State:
    """The state at `path` if it is one of the same run; otherwise `fresh`."""
    try:
        state = State(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return fresh
    same = (state.target, state.seed, state.versions) == (fresh.target, fresh.seed, fresh.versions)
    state.finds = [(int(index), kind, why) for index, kind, why in state.finds]
    return state if same else fresh


def run(state: State, plan: Plan, progress: Progress) -> None:
    """Go on from `state` as planned; it is brought up to date with every block."""
    children = [_Child(state.target, state.seed, plan.hang_seconds) for _ in range(plan.processes)]
    start, before, kept = time.monotonic(), state.seconds, 0.0
    blocks = _blocks(set(state.done), plan.cases)
    try:
        busy = True
        while busy:
            busy = False
            for child in children:
                over = plan.seconds is not None and time.monotonic() - start >= plan.seconds
                if child.idle and not over and (given := next(blocks, None)) is not None:
                    child.give(*given)
                busy |= not child.idle
            for first, answer in _answers(children):
                state.add(first, answer)
                state.seconds = before + time.monotonic() - start
                if plan.keep is not None and state.seconds - kept > KEEP_SECONDS:
                    write_atomic(plan.keep, json.dumps(asdict(state)).encode())
                    kept = state.seconds
                if plan.cases is not None:
                    progress(state.cases, plan.cases)
    finally:
        for child in children:
            child.close()


def _blocks(done: set[int], cases: int | None) -> Iterator[tuple[int, int]]:
    first = 0
    while cases is None or first < cases:
        stop = first + BLOCK if cases is None else min(first + BLOCK, cases)
        if first not in done:
            yield first, stop
        first += BLOCK


def _answers(children: list[_Child]) -> Iterator[tuple[int, dict[str, Any]]]:
    with selectors.DefaultSelector() as selector:
        for child in children:
            if not child.idle:
                selector.register(child.answers, selectors.EVENT_READ, child)
        ready = {key.data for key, _ in selector.select(timeout=0.5)} if selector.get_map() else set()
    for child in children:
        if not child.idle:
            yield from child.look(ready=child in ready)


class _Child:
    """A worker and the block that it has; replaced when it dies or hangs."""

    def __init__(self, target: str, seed: int, hang_seconds: float) -> None:
        self._target, self._seed, self._hang_seconds = target, seed, hang_seconds
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._status = Path(self._folder.name, "status")
        self._errors = Path(self._folder.name, "errors")
        self._first = self._next = self._stop = 0
        self._collected: dict[str, Any] = _nothing()
        self._seen: tuple[int, int, float, float] | None = None
        self.idle = True
        self._start()

    def _start(self) -> None:
        self._status.write_bytes(STATUS.pack(-1, 0))
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fuzz.worker", self._target, str(self._status)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        self.answers = self._process.stdout
        if self.answers.readline().strip() != "ready":
            raise RuntimeError(f"the worker does not start: {self._last_words()}")

    def give(self, first: int, stop: int) -> None:
        """Let it run a block."""
        self._first = self._next = first
        self._stop = stop
        self._collected = _nothing()
        self.idle = False
        self._send()

    def _send(self) -> None:
        assert self._process.stdin is not None
        self._seen = None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{self._seed} {self._next} {self._stop}\n")
            self._process.stdin.flush()

    def look(self, *, ready: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the block's answer once it is whole."""
        if ready and (line := self.answers.readline()):
            _merge(self._collected, json.loads(line))
            self.idle = True
            yield self._first, self._collected
            return
        code = self._process.poll()
        if ready and code is None:  # its end of the pipe is shut: it is about to die
            code = self._process.wait()
        hung = self._hung()
        if code is None and not hung:
            return
        index = max(STATUS.unpack(self._status.read_bytes())[0], self._next)
        if hung:
            self._process.kill()
        code = self._process.wait()
        why = (
            f"broken off after {self._hang_seconds:g} s"
            if hung
            else f"the process died with {code}: {self._last_words()}"
        )
        yield from self._after(index, why)

    def _after(self, index: int, why: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Put the lost case down, and the ones before it again into a new child."""
        self._shut()
        self._start()
        lost = {"counts": {"find": 1}, "slowest": (0.0, -1), "largest": (0.0, -1), "finds": [(index, "unknown", why)]}
        _merge(self._collected, lost)
        stop, self._stop = self._stop, index
        if self._next < index:  # what the dead one had not told of yet
            self._send()
            answer = self.answers.readline()
            if not answer:
                raise RuntimeError(f"cases {self._next} to {index} end otherwise the second time: {self._last_words()}")
            _merge(self._collected, json.loads(answer))
        self._next, self._stop = index + 1, stop
        if self._next < stop:
            self._send()
        else:
            self.idle = True
            yield self._first, self._collected

    def _hung(self) -> bool:
        index, begun = STATUS.unpack(self._status.read_bytes())
        spent, now = processor_seconds(self._process.pid), time.monotonic()
        if self._seen is None or self._seen[:2] != (index, begun):
            self._seen = (index, begun, spent or 0.0, now)
            return False
        if spent is None:
            return now - self._seen[3] > self._hang_seconds
        return spent - self._seen[2] > self._hang_seconds or now - self._seen[3] > WALL_SECONDS

    def _last_words(self) -> str:
        lines = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()
        frames = [line.strip() for line in lines if line.lstrip().startswith("File ")]
        if any(line.startswith("Traceback") for line in lines):  # the innermost stands last, after a crash first
            return " ".join([*frames[-1:], *lines[-1:]])[:300]
        frames = frames[:2]
        return " < ".join(frames) or " ".join(lines[-1:])[:200]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._shut()
        self._folder.cleanup()

    def _shut(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self.answers.close()


def _nothing() -> dict[str, Any]:
    return {"counts": {}, "slowest": (0.0, -1), "largest": (0.0, -1), "finds": []}


def _merge(collected: dict[str, Any], answer: dict[str, Any]) -> None:
    collected["counts"] = dict(Counter(collected["counts"]) + Counter(answer["counts"]))
    for name in ("slowest", "largest"):
        collected[name] = max(tuple(collected[name]), tuple(answer[name]))
    collected["finds"] = [*collected["finds"], *answer["finds"]]
