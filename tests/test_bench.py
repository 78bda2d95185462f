from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread import bench
from handread.errors import ConfigError, ModelError, UnknownNameError
from handread.recognizer import Recognizer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures, small batches, no processes."""
    monkeypatch.setattr(bench, "LARGE", (400, 300))
    monkeypatch.setattr(bench, "SMALL", (120, 90))
    monkeypatch.setattr(bench, "LARGE_COUNT", 2)
    monkeypatch.setattr(bench, "BATCHES", (1, 3))
    monkeypatch.setattr(bench, "watched", lambda command: bench.Process(0.25, 40.0))
    monkeypatch.setattr("handread.runtime.peak.SIDES", (16,))


def test_everything_is_measured_and_the_steps_are_counted(quick: None, tiny_model: Path) -> None:
    heard: list[tuple[int, int]] = []
    found = bench.measure_bench(
        [str(tiny_model)], seconds=0.5, threads=[1, 2], progress=lambda *step: heard.append(step)
    )
    assert heard == [(done, 10) for done in range(1, 11)]
    assert [(peak.precision, peak.threads) for peak in found.peaks] == [
        ("int8", 1), ("int8", 2), ("fp32", 1), ("fp32", 2)
    ]  # fmt: skip
    (model,) = found.models
    assert model.multiply_adds == 32 * 32 * 63
    assert [(rate.threads, rate.batch) for rate in model.rates] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    peak = found.peaks[3].multiply_adds
    assert model.rate(3, 2).of_peak == pytest.approx(model.rate(3, 2).multiply_adds / peak)
    assert model.single.p95 >= model.single.median > 0
    assert model.cold == bench.Process(0.25, 40.0)
    with pytest.raises(KeyError):
        model.rate(5, 1)


@pytest.mark.parametrize("seconds", [0.4, 601, float("nan")])
def test_seconds_out_of_range_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match=r"give 0\.5 to 600"):
        bench.measure_bench(seconds=seconds)


def test_threads_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 threads are out of range"):
        bench.measure_bench(threads=[0])


def test_a_model_that_is_not_there_ends_it_before_anything_is_timed() -> None:
    heard: list[int] = []
    with pytest.raises(UnknownNameError, match="did you mean handread"):
        bench.measure_bench(["handraed"], progress=lambda done, _: heard.append(done))
    assert heard == []


def test_times_are_the_median_and_the_95th_of_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"at": 0.0}
    lengths = iter([9.0, *map(float, range(1, 21))])
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now["at"])

    def action() -> None:
        now["at"] += next(lengths)

    times = bench.repeat(action, 0, least=20)
    assert times == bench.Times(median=10.5, p95=19.0, turns=20)


def test_a_process_is_watched_from_outside() -> None:
    done = bench.watched([sys.executable, "-S", "-c", "x = bytearray(30_000_000)"])
    assert done.seconds > 0
    assert done.peak_mb is None or 30 <= done.peak_mb < 60
    with pytest.raises(ModelError, match=r"ended with 3 \(no more\); run handread doctor"):
        bench.watched([sys.executable, "-S", "-c", "import sys; sys.stderr.write('no more'); raise SystemExit(3)"])


def test_a_drawn_photograph_has_its_size_and_is_read() -> None:
    text = bench.digits_in_lines(12, seed=4)
    assert [len(line) for line in text.split("\n")] == [6, 6]
    data = bench.photo(text, 1200, 900, seed=4)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, picture.format) == ((1200, 900), "JPEG")
    assert Recognizer().read(data, alphabet="digits").text == text
    assert bench.photo(text, 1200, 900, seed=4) == data


def test_drawn_digits_count_upwards_and_come_again_after_a_hundred() -> None:
    images = bench.drawn_digits(120)
    assert (images.shape, images.dtype) == ((120, 28, 28), np.uint8)
    assert (images[100:] == images[:20]).all()
    labels, _ = Recognizer().classify(images[:30], alphabet="digits")
    assert labels.tolist() == [number % 10 for number in range(30)]
