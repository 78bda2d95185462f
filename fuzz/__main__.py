"""Attack a part of Handread by chance, always the same way for the same seed.

    python -m fuzz pictures --cases 200000 --seed 1      a long run; broken off, it goes on; adds a row to its CSV
    python -m fuzz pictures --seconds 60                 a slice of it; ends with 1 when something is found
    python -m fuzz pictures --case 1:4711                one case again, in this process
    python -m fuzz crashes --kills 50 --seed 1           kill commands at random moments, and look what is lost

What is found is written to fuzz/finds: the bytes, and a text that says what is wrong and how to see it again.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fuzz.case import Case, Target
from fuzz.supervise import Plan, State, resumed, run
from fuzz.targets import TARGETS, load
from handread.cli.progress import counting
from handread.data.atomic import write_atomic
from handread.machine import processor

HERE = Path(__file__).resolve().parent
RESULTS, FINDS = HERE / "results", HERE / "finds"
SAME = 2
"""Finds of the same sort that are written down."""
LARGEST = 100_000
"""Bytes of a find that are written down; a larger one is made anew from its number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run, write; 1 when something was found."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["crashes"]:  # which has options of its own
        from fuzz import crashes

        return crashes.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--cases", type=int, help="how many; a run that was broken off goes on")
    parser.add_argument("--seconds", type=float, help="as many as come in this time; leaves no row")
    parser.add_argument("--case", metavar="SEED:INDEX", help="this one alone, here")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--processes", type=int, default=1, help="default 1")
    wanted = parser.parse_args(given)
    if sum(value is not None for value in (wanted.cases, wanted.seconds, wanted.case)) != 1:
        parser.error("give one of --cases, --seconds and --case")
    if wanted.case is not None:
        seed, _, index = wanted.case.partition(":")
        if not (seed.isdecimal() and index.isdecimal()):
            parser.error(f"a case is SEED:INDEX such as 1:4711, not {wanted.case!r}")
        return _again(wanted.target, int(seed), int(index))
    keep = RESULTS / f"{wanted.target}-{wanted.seed}.part.json" if wanted.cases is not None else None
    plan = Plan(wanted.cases, wanted.seconds, max(1, wanted.processes), keep)
    return attack(wanted.target, wanted.seed, plan)


def _again(name: str, seed: int, index: int) -> int:
    target = load(name)
    case = target.make(seed, index)
    print(f"case {seed}:{index} is {case.kind} on road {case.road}", flush=True)
    target.prepare()
    verdict = target.run(case)
    print(f"{verdict.outcome}  {verdict.seconds:.3f} s  {verdict.peak_mb:.0f} MB  {verdict.why}")
    return int(verdict.outcome == "find")


def attack(name: str, seed: int, plan: Plan) -> int:
    """Run, print what came, write down what was found and, of a run with a number of cases, its row."""
    target = load(name)
    fresh = State(name, seed, target.versions())
    state = fresh if plan.keep is None else resumed(plan.keep, fresh)
    with counting(f"{target.name}, seed {seed}") as progress:
        run(state, plan, progress)
    _write_finds(target, state)
    print(_summary(target, state))
    if plan.keep is not None:
        _append(plan.keep.with_name(f"{target.name}.csv"), _row(target, state))
        plan.keep.unlink(missing_ok=True)
    return int(bool(state.finds))


def _summary(target: Target, state: State) -> str:
    ends = ", ".join(f"{state.counts.get(name, 0):,} {name}" for name in (*target.outcomes, "find"))
    text = (
        f"{state.cases:,} cases of {state.target} with seed {state.seed} in {state.seconds:.0f} s: {ends}. "
        f"Slowest {state.slowest[0]:.2f} s ({state.seed}:{state.slowest[1]}), "
        f"largest {state.largest[0]:.0f} MB ({state.seed}:{state.largest[1]})."
    )
    for index, kind, why in state.finds[:20]:
        text += f"\n  {state.seed}:{index}  {kind}\n    {why}"
    if len(state.finds) > 20:
        text += f"\n  and {len(state.finds) - 20:,} more"
    return text


def _row(target: Target, state: State) -> dict[str, str]:
    counts = {name: str(state.counts.get(name, 0)) for name in target.outcomes}
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cases": str(state.cases),
        "seed": str(state.seed),
        "seconds": f"{state.seconds:.0f}",
        "slowest_seconds": f"{state.slowest[0]:.3f}",
        "slowest_case": str(state.slowest[1]),
        "peak_mb": f"{state.largest[0]:.0f}",
        "peak_case": str(state.largest[1]),
        "finds": str(state.counts.get("find", 0)),
        **counts,
        "machine": processor(),
        "versions": state.versions,
    }


def _append(path: Path, row: dict[str, str]) -> None:
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(row), lineterminator="\n")
    if not old:
        table.writeheader()
    table.writerow(row)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, (old + text.getvalue()).encode())


def _write_finds(target: Target, state: State) -> None:
    FINDS.mkdir(exist_ok=True)
    seen: dict[str, int] = {}
    for index, kind, why in state.finds:
        seen[why] = seen.get(why, 0) + 1
        if seen[why] > SAME:
            continue
        name = f"{target.name}-{state.seed}-{index}"
        case = _made(target, state.seed, index)
        command = f"python -m fuzz {state.target} --case {state.seed}:{index}"
        text = (
            f"{kind if kind != 'unknown' else f'{case.kind} on road {case.road}'}\n{why}\n{command}\n{state.versions}\n"
        )
        write_atomic(FINDS / f"{name}.txt", text.encode("utf-8", "backslashreplace"))
        if (data := _bytes_of(case)) is not None and len(data) <= LARGEST:
            write_atomic(FINDS / f"{name}.bin", data)


def _made(target: Target, seed: int, index: int) -> Case:
    try:
        return target.make(seed, index)
    except Exception:  # of the fuzzer itself; the child has told of it
        return Case("unmade", "nowhere", None)


def _bytes_of(case: Case) -> bytes | None:
    return bytes(case.payload) if isinstance(case.payload, (bytes, bytearray)) else None


if __name__ == "__main__":
    sys.exit(main())
