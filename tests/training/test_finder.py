"""The learning-rate finder."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from handread.training.config import load_recipe
from handread.training.finder import EXPLODED, Finding, find_learning_rate, save_finding, suggested
from handread.training.sources import prepare


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_least_loss() -> None:
    assert suggested([1e-4, 1e-3, 1e-2, 1e-1], [2.0, 1.0, 0.5, 3.0]) == pytest.approx(0.001)
    assert suggested([0.2, 0.37], [2.0, 1.0]) == pytest.approx(0.04)


def test_rates_rise_until_the_loss_explodes(shop: Path, tmp_path: Path) -> None:
    config = load_recipe(shop / "tiny.toml", ['optimizer="sgd"'])
    ticks: list[tuple[int, int]] = []
    found = find_learning_rate(config, prepare(config, str(shop)).training, steps=40, tick=lambda *d: ticks.append(d))
    assert found.rates[0] == pytest.approx(1e-6)
    assert list(found.rates) == sorted(found.rates)
    assert max(found.losses) <= EXPLODED * min(found.losses)
    assert len(ticks) - len(found.rates) in (0, 1)
    assert 1e-7 <= found.suggestion <= 0.1
    again = find_learning_rate(config, prepare(config, str(shop)).training, steps=40)
    assert again == found


def test_the_finding_is_saved_as_table_and_picture(tmp_path: Path) -> None:
    save_finding(Finding((0.1, 0.2), (2.0, 1.5), 0.02), tmp_path / "new")
    with (tmp_path / "new" / "learning_rate.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"learning_rate": "0.1", "loss": "2"},
            {"learning_rate": "0.2", "loss": "1.5"},
        ]
    assert (tmp_path / "new" / "learning_rate.png").read_bytes().startswith(b"\x89PNG")
