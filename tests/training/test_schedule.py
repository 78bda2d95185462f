"""The learning rate at each step."""

from __future__ import annotations

import itertools
import math

import pytest

from handread.training.schedule import cosine


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
