"""The learning rate at each step."""

from __future__ import annotations

import itertools
import math

import pytest

from handread.training.config import TrainConfig
from handread.training.schedule import Watched, cosine, factor, one_cycle


def rates(steps: int, warmup: float, final: float) -> list[float]:
    return [cosine(step, steps, warmup=warmup, final=final) for step in range(steps)]


def test_it_rises_in_a_line_to_the_peak() -> None:
    assert rates(100, 0.1, 0.01)[:10] == pytest.approx([k / 10 for k in range(1, 11)])


def test_it_falls_as_half_a_cosine() -> None:
    factors = rates(100, 0.1, 0.0)
    assert factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert all(a > b for a, b in itertools.pairwise(factors[10:]))


def test_it_ends_at_the_final_fraction() -> None:
    assert cosine(1000, 1000, warmup=0.1, final=0.02) == pytest.approx(0.02)
    assert cosine(5000, 1000, warmup=0.1, final=0.02) == pytest.approx(0.02)
    assert min(rates(1000, 0.1, 0.02)[100:]) >= 0.02


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.0), (1, 1.0), (2, 0.5), (3, 1.0), (5, 0.0)])
def test_short_runs_stay_within_bounds(steps: int, warmup: float) -> None:
    assert all(0 < factor <= 1 for factor in rates(steps, warmup, 0.01))


def test_one_cycle_rises_from_a_25th_and_falls() -> None:
    rates = [one_cycle(step, 100, warmup=0.3, final=0.01) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert rates[15] == pytest.approx((1 / 25 + 1) / 2)
    assert rates[30] == 1
    assert all(a < b for a, b in itertools.pairwise(rates[:31]))
    assert all(a > b for a, b in itertools.pairwise(rates[30:]))


def test_exponential_falls_by_its_factor_each_epoch() -> None:
    config = TrainConfig(schedule="exponential", epoch_factor=0.9, warmup_fraction=0.0, epochs=4)
    rates = [factor(config, step, 5, 1.0) for step in range(20)]
    assert rates == pytest.approx([0.9**k for k in range(4) for _ in range(5)])


def test_constant_stays_and_warms_up() -> None:
    config = TrainConfig(schedule="constant", warmup_fraction=0.2, epochs=2)
    assert [factor(config, step, 5, 1.0) for step in range(10)] == pytest.approx([0.5] + [1.0] * 9)


def test_plateau_waits_then_lowers_down_to_its_floor() -> None:
    config = TrainConfig(schedule="plateau", plateau_patience=2, plateau_factor=0.5, final_fraction=0.2)
    progress, factors = Watched(), []
    for epoch, value in enumerate([0.5, 0.6, 0.6, 0.5, 0.6, 0.6, 0.6, 0.6, 0.7], start=1):
        progress = progress.after(value, epoch, config)
        factors.append(progress.factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]
    assert (progress.best, progress.best_epoch, progress.since_best) == (0.7, 9, 0)
    assert factor(config, 0, 5, 0.25) == 0.25 * factor(config, 0, 5, 1.0)


def test_early_stopping_waits_as_long_as_it_is_told() -> None:
    config, never = TrainConfig(stop_after=2), TrainConfig()
    progress = Watched().after(0.5, 1, config)
    assert not progress.stops(config)
    progress = progress.after(0.5, 2, config)
    assert not progress.stops(config)
    progress = progress.after(0.4, 3, config)
    assert progress.stops(config)
    assert not progress.stops(never)
