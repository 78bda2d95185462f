"""Roads to a faster answer from the same file: what onnxruntime makes of the graph, how many at once, who copies.

    python -m benchmarks.run roads [--turns 7] [--model handread-int8 ...]

Every road is a session of its own in one process, on one thread but where it says otherwise; they take turns, and the
median of the turns counts. A time is that of the network alone: laying out and deciding are the same on all roads.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.child import measured_on
from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "roads.csv"
PAGE = ROOT / "docs" / "performance.md"
COLUMNS = ("road", "model", "microseconds", "turns", "machine", "versions")
"""`microseconds` an item."""

MODELS = ("handread", "handread-int8", "handread-small", "handread-digits")
CHUNK = 64
"""Items at once where a road does not say."""
TURN_SECONDS = 0.25

LEVELS = {
    "as the file has it": "ORT_DISABLE_ALL",
    "constants folded, what has no effect left out": "ORT_ENABLE_BASIC",
    "and operators fused": "ORT_ENABLE_EXTENDED",
    "and channels laid in blocks (NCHWc)": "ORT_ENABLE_ALL",
}
"""What onnxruntime does to the graph -> its level; each holds the ones before, the last is the default."""
BATCHES = (1, 16, 64, 256, 1024)
BOUND = "inputs and output bound to memory once, no copy"
INSIDE = "two threads inside a batch of 128"
BESIDE = "two threads, a batch of 64 each"

Action = Callable[[], object]


def measure(models: Sequence[str], turns: int, say: Callable[[str], None]) -> list[Row]:
    """One row a road and model; `say` hears of each."""
    machine, versions, _ = measured_on()
    rows: list[Row] = []
    for model in models:
        roads = actions(model)
        seen: dict[str, list[float]] = {road: [] for road in roads}
        for _ in range(turns):
            for road, (items, action) in roads.items():
                seen[road].append(seconds_of(action) / items)
        for road, values in seen.items():
            found = 1e6 * statistics.median(values)
            rows.append(dict(zip(COLUMNS, (road, model, f"{found:.2f}", str(turns), machine, versions), strict=True)))
            say(f"{model:16} {found:9.1f} us  {road}")
    return rows


def seconds_of(action: Action) -> float:
    """Mean of as many calls as fit into a turn, after one that is not counted."""
    action()
    calls, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < TURN_SECONDS or not calls:
        action()
        calls += 1
    return passed / calls


def actions(model: str) -> dict[str, tuple[int, Action]]:
    """Road -> the items of a call, and the call."""
    from handread.runtime import store

    content = store.load(model)
    roads: dict[str, tuple[int, Action]] = {}
    for title, level in LEVELS.items():
        roads[f"{CHUNK} at once, {title}"] = (CHUNK, _run(opened(content, level), CHUNK))
    usual = opened(content)
    for count in BATCHES:
        if count != CHUNK:
            roads[f"{count:,} at once"] = (count, _run(usual, count))
    for count in (1, CHUNK):
        roads[f"{count} at once, {BOUND}"] = (count, _bound(usual, count))
    roads[INSIDE] = (2 * CHUNK, _run(opened(content, threads=2), 2 * CHUNK))
    roads[BESIDE] = (2 * CHUNK, _beside(usual))
    return roads


def opened(content: bytes, level: str = "ORT_ENABLE_ALL", threads: int = 1) -> Any:
    """A session as `handread.runtime.session` opens it, but for these two."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def feeds(session: Any, count: int) -> dict[str, Any]:
    """`count` random items in the shapes that the network takes."""
    rng = np.random.default_rng(1)
    found: dict[str, Any] = {}
    for taken in session.get_inputs():
        shape = (count, *taken.shape[1:])
        whole = taken.type == "tensor(uint8)"
        found[taken.name] = rng.integers(0, 256, shape, np.uint8) if whole else np.zeros(shape, np.float32)
    return found


def _run(session: Any, count: int) -> Action:
    given = feeds(session, count)
    return lambda: session.run(["logits"], given)


def _bound(session: Any, count: int) -> Action:
    import onnxruntime as ort

    given = feeds(session, count)
    binding = session.io_binding()
    kept = [ort.OrtValue.ortvalue_from_numpy(value) for value in given.values()]
    for name, value in zip(given, kept, strict=True):
        binding.bind_ortvalue_input(name, value)
    result = ort.OrtValue.ortvalue_from_numpy(session.run(["logits"], given)[0])
    binding.bind_ortvalue_output("logits", result)
    return lambda: session.run_with_iobinding(binding)


def _beside(session: Any) -> Action:
    given = feeds(session, CHUNK)
    pool = ThreadPoolExecutor(2)
    return lambda: list(pool.map(lambda _: session.run(["logits"], given), range(2)))


def table(rows: Sequence[Row]) -> str:
    """One line a road, one column a model."""
    models = [model for model in MODELS if any(row["model"] == model for row in rows)]
    models += sorted({row["model"] for row in rows} - set(models))
    found = {(row["road"], row["model"]): float(row["microseconds"]) for row in rows}
    roads = list(dict.fromkeys(row["road"] for row in rows))
    lines = [
        [road, *(_microseconds(found.get((road, model))) for model in models)] for road in roads
    ]  # fmt: skip
    header = ["µs a character", *(f"`{model}`" for model in models)]
    first = rows[0]
    return (
        markdown(header, lines, right=range(1, len(header)))
        + f"\n\nMedians of {first['turns']} turns; {first['machine']}; {first['versions']}."
    )


def _microseconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.{0 if value >= 100 else 1}f}"
