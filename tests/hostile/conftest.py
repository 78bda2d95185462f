"""What every attack with a file has to leave alone: time, memory, the folder it lies in and what lies beside it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handread.errors import HandreadError

SECONDS = 2.0
"""Processor time that an attack may cost on a core that has nothing else to do."""
USUAL = 0.02
"""Seconds that `slowness` counts in on such a core."""
MEGABYTES = 350
"""Resident memory by which the process may grow meanwhile."""

Refused = Callable[..., str]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def most_resident(*, anew: bool = False) -> float:
    """Megabytes that this process has had in memory at most, since it was last asked anew; 0 where nobody tells."""
    with contextlib.suppress(OSError):
        if anew:
            Path("/proc/self/clear_refs").write_bytes(b"5")
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1e3
    return 0.0


@pytest.fixture(scope="session")
def slowness() -> float:
    """How many times slower than usual Python is here, at least 1: cores are shared, and some are old."""
    begun = time.process_time()
    sum(number % 7 for number in range(300_000))
    return max(1.0, (time.process_time() - begun) / USUAL)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def refused(tmp_path: Path, temporary: Path, slowness: float) -> Refused:
    """A function that opens something hostile and gives the one sentence with which that was refused.

    It must be refused soon, within little memory, in one printable line of no more than 1,000 characters, and no file
    may have come, gone or changed in the test's folder, nor stayed among the temporary ones.
    """

    def attack(kind: type[HandreadError], do: Callable[..., Any], *arguments: Any, **options: Any) -> str:
        before = snapshot(tmp_path)
        resident, begun = most_resident(anew=True), time.process_time()
        with pytest.raises(HandreadError) as caught:
            do(*arguments, **options)
        seconds, grown = time.process_time() - begun, most_resident() - resident
        assert type(caught.value) is kind
        said = str(caught.value)
        assert said.isprintable()
        assert len(said) <= 1000
        assert snapshot(tmp_path) == before
        assert list(temporary.iterdir()) == []
        assert seconds < SECONDS * slowness
        assert grown < MEGABYTES
        return said

    return attack
