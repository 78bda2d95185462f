"""In a child: runs cases and tells of them, so that a crash takes nobody along.

    python -m fuzz.worker pictures STATUS-FILE

Reads lines ``SEED FIRST STOP`` and answers each with one line of JSON. While a case runs its number stands in the
status file, and since when: whoever watches can tell which one does not come back.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import mmap
import os
import struct
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fuzz.case import Target
from fuzz.targets import load

STATUS = struct.Struct("<qq")
"""Number of the case, and how many were begun."""
ADDRESS_SPACE = 8 << 30
"""Bytes of address space from which the system refuses: the machine is to survive what is found."""
MOST_FINDS = 200
"""Told of a block; the rest is counted."""


def main() -> None:
    """Serve blocks until the input ends."""
    target = load(sys.argv[1])
    faulthandler.enable()
    _limit_memory()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what decoders print is no answer
    target.prepare()
    with Path(sys.argv[2]).open("r+b") as file, mmap.mmap(file.fileno(), STATUS.size) as status:
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            seed, first, stop = map(int, line.split())
            print(json.dumps(block(target, seed, first, stop, status)), file=answers, flush=True)


def block(target: Target, seed: int, first: int, stop: int, status: mmap.mmap | bytearray) -> dict[str, Any]:
    """The cases from `first` to before `stop`: how they ended, the slowest, the largest, what was found."""
    counts: Counter[str] = Counter()
    finds: list[tuple[int, str, str]] = []
    slowest, largest = (0.0, -1), (0.0, -1)
    for index in range(first, stop):
        STATUS.pack_into(status, 0, index, STATUS.unpack_from(status, 0)[1] + 1)
        try:
            case = target.make(seed, index)
        except Exception as error:  # a run of hours is not to end with a slip of the fuzzer
            counts["find"] += 1
            finds.append((index, "unmade", f"the fuzzer itself: {error!r}"))
            continue
        verdict = target.run(case)
        counts[verdict.outcome] += 1
        slowest = max(slowest, (verdict.seconds, index))
        largest = max(largest, (verdict.peak_mb, index))
        if verdict.outcome == "find" and len(finds) < MOST_FINDS:
            finds.append((index, f"{case.kind} on road {case.road}", verdict.why))
    return {"counts": counts, "slowest": slowest, "largest": largest, "finds": finds}


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(hard, ADDRESS_SPACE)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
