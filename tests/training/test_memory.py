"""Memory that is freed stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytest.importorskip("torch")

COUNT = """
import resource, sys
import numpy
from handread.training.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
def touch():
    numpy.ones(2_000_000).sum()
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    touch()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_what_is_freed_is_not_touched_anew() -> None:
    faults = {}
    for how in ("leave", "keep"):
        done = subprocess.run([sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True)
        kept, faults[how] = map(int, done.stdout.split())
        assert kept == (how == "keep")
    assert faults["keep"] * 10 < faults["leave"]
