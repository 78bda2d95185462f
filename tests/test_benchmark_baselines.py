"""The benchmark of the classic classifiers keeps rows of other recipes and says what it measured."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


def row(recipe: str, right: str) -> dict[str, str]:
    return {
        "recipe": recipe, "seed": "1", "training_images": "39900", "held_out_percent": "97.00", "test": "mnist/test",
        "n": "10000", "test_percent": right, "low_percent": "96.00", "high_percent": "98.00",
        "processor_seconds": "6", "megabytes": "31.8", "reading_ms": "0.50", "machine": "x86_64",
    }  # fmt: skip


def test_new_rows_take_the_place_of_old_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import baselines
    from benchmarks.results import write_csv

    monkeypatch.setattr(baselines, "FILE", tmp_path / "baselines.csv")
    assert baselines.merged([row("baseline-svm", "1")]) == [row("baseline-svm", "1")]
    write_csv(baselines.FILE, [row("baseline-svm", "1"), row("baseline-knn", "2")])
    assert baselines.merged([row("baseline-svm", "3")]) == [row("baseline-knn", "2"), row("baseline-svm", "3")]


def test_the_table_is_for_people() -> None:
    from benchmarks import baselines

    assert baselines.table([row("baseline-knn", "96.93")]).splitlines()[2] == (
        "| `baseline-knn` | 39,900 | 96.93 | 96.00 to 98.00 | 6 | 31.8 | 0.50 |"
    )


def test_every_baseline_has_a_recipe_that_is_measured() -> None:
    from benchmarks import baselines

    assert set(baselines.RECIPES) == {path.stem for path in (ROOT / "recipes").glob("baseline-*.toml")}
