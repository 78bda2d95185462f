"""Calls of many threads run together, and each gets its own part back."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from handread.web.batching import MOST, WAIT_SECONDS, Gatherer


class Echo:
    """Stands for a session: the logits of an input are its first pixel and its first cue."""

    card = SimpleNamespace(name="echo")
    alphabet = ("a",)
    threads = 1

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.sizes: list[int] = []

    def run(
        self, images: npt.NDArray[np.uint8], cues: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float32]:
        time.sleep(self.seconds)
        self.sizes.append(len(images))
        if len(images) and images.max() == 255:
            raise ValueError("as the test wants it")
        first = images[:, 0, 0, 0].astype(np.float32)
        cue = np.zeros(len(images), np.float32) if cues is None else cues[:, 0]
        return np.stack([first, cue], axis=1)


def inputs(*values: int) -> npt.NDArray[np.uint8]:
    images = np.zeros((len(values), 1, 2, 2), np.uint8)
    images[:, 0, 0, 0] = values
    return images


def test_calls_that_come_together_are_one_batch_and_come_apart_again() -> None:
    echo = Echo(seconds=0.02)
    told: list[int] = []
    gatherer = Gatherer(echo, told.append)  # type: ignore[arg-type]

    def ask(value: int) -> tuple[list[float], list[float]]:
        with gatherer.coming():
            cues = np.full((2, 4), value, np.float32) if value % 2 else None
            found = gatherer.run(inputs(value, value + 100), cues)
        return found[:, 0].tolist(), found[:, 1].tolist()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(ask, range(20)))
    assert found == [([v, v + 100], [v if v % 2 else 0] * 2) for v in range(20)]
    assert sum(echo.sizes) == 40
    assert len(echo.sizes) < 15
    assert max(echo.sizes) <= MOST
    assert told == echo.sizes
    gatherer.close()


def test_a_call_alone_does_not_wait() -> None:
    gatherer = Gatherer(Echo())  # type: ignore[arg-type]
    best = min(_seconds(gatherer) for _ in range(20))
    assert best < WAIT_SECONDS
    gatherer.close()


def _seconds(gatherer: Gatherer) -> float:
    start = time.perf_counter()
    with gatherer.coming():
        gatherer.run(inputs(1))
    return time.perf_counter() - start


def test_small_calls_overtake_a_large_one() -> None:
    gatherer = Gatherer(Echo(seconds=0.01))  # type: ignore[arg-type]
    ended: list[str] = []

    def ask(name: str, count: int) -> None:
        assert len(gatherer.run(inputs(*[1] * count))) == count
        ended.append(name)

    large = threading.Thread(target=ask, args=("large", 32 * 30))
    large.start()
    time.sleep(0.03)
    ask("small", 1)
    large.join()
    assert ended == ["small", "large"]
    gatherer.close()


def test_a_large_call_keeps_its_order_and_is_not_shut_out() -> None:
    gatherer = Gatherer(Echo())  # type: ignore[arg-type]
    values = [v % 250 for v in range(1000)]
    stop = threading.Event()

    def pester() -> None:
        while not stop.is_set():
            gatherer.run(inputs(3))

    threads = [threading.Thread(target=pester) for _ in range(3)]
    for thread in threads:
        thread.start()
    found = gatherer.run(inputs(*values))
    stop.set()
    for thread in threads:
        thread.join()
    assert found[:, 0].tolist() == values
    gatherer.close()


def test_an_error_reaches_those_who_asked_and_the_next_call_works() -> None:
    gatherer = Gatherer(Echo())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="as the test wants it"):
        gatherer.run(inputs(255))
    assert gatherer.run(inputs(7))[0, 0] == 7
    assert gatherer.run(inputs()).shape == (0, 2)
    gatherer.close()
    with pytest.raises(RuntimeError, match="closed"):
        gatherer.run(inputs(1))
