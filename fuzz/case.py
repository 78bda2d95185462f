"""What a fuzzer draws and what it finds: the border between the targets and what runs them."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from handread.errors import HandreadError

SECONDS = 2.0
"""Processor time from which a case counts as a hang."""
MEGABYTES = 1000.0
"""Resident memory of the whole process from which a case counts as a bomb."""
LONGEST_MESSAGE = 1000
"""Characters of an error; a longer one has carried the file's content to the terminal."""


@dataclass(frozen=True, slots=True)
class Case:
    """One attack."""

    kind: str
    """What was done to what, such as ``png flip``."""
    road: str
    """Where it is sent."""
    payload: Any
    """The bytes of a file, or what else is handed over."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a case ended."""

    outcome: str
    """One word for what is right; ``find`` for what is not."""
    why: str = ""
    """Of a find: what is wrong, with the place in the code, the same for the same bug."""
    seconds: float = 0.0
    """Processor time."""
    peak_mb: float = 0.0
    """Largest resident memory of the process meanwhile."""


class Target(Protocol):
    """A road that is attacked."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def outcomes(self) -> tuple[str, ...]:
        """How a case may end, finds aside."""

    def prepare(self) -> None:
        """Load what every case needs; not counted."""

    def make(self, seed: int, index: int) -> Case:
        """The case of that number, always the same one."""

    def run(self, case: Case) -> Verdict:
        """Send it down its road."""

    def versions(self) -> str:
        """What the outcome depends on."""


def refusal(error: BaseException, allowed: tuple[type[HandreadError], ...]) -> Verdict:
    """The verdict on an exception: a documented one in one printable sentence, or a find."""
    if not isinstance(error, allowed):
        return Verdict("find", f"{type(error).__name__} {_place(error)}: {str(error)[:200]!r}")
    text = str(error)
    if not text.isprintable() or not text or len(text) > LONGEST_MESSAGE:
        return Verdict("find", f"message of {len(text)} characters {_place(error)}: {text[:200]!r}")
    return Verdict("refused")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "nowhere"
    inner = frames[-1]
    own = next((f for f in reversed(frames) if "handread" in Path(f.filename).parts), inner)
    places = dict.fromkeys(f"{Path(f.filename).name}:{f.name}" for f in (own, inner))
    return " > ".join(places)


def give_back() -> None:
    """Let go of memory that is free, so that a peak measured next is not of what came before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class Peak:
    """The largest resident memory since `reset`, in megabytes, of this process."""

    def __init__(self) -> None:
        self._resets = self.reset()

    def reset(self) -> bool:
        """Begin anew; False where the system cannot, and the peak is that of the whole life."""
        try:
            with open("/proc/self/clear_refs", "wb", buffering=0) as file:
                file.write(b"5")
        except OSError:
            return False
        return True

    def megabytes(self) -> float:
        """The peak so far."""
        try:
            with open("/proc/self/status", "rb") as file:
                for line in file:
                    if line.startswith(b"VmHWM:"):
                        return int(line.split()[1]) / 1e3
        except OSError:
            pass
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def processor_seconds(process: int) -> float | None:
    """Processor time of another process so far; None where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
