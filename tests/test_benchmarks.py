"""The benchmarks count rightly and write what they say; small data, few turns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from handread.recognizer import Recognizer

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


def page_with(*marked: str) -> str:
    return "before\n" + "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\nbetween\n" for name in marked)


def test_a_table_goes_between_its_markers_and_nowhere_else() -> None:
    from benchmarks.results import put_between

    page = put_between(page_with("figures", "speed"), "speed", "new")
    assert page == page_with("figures") + "<!-- speed -->\nnew\n<!-- /speed -->\nbetween\n"


@pytest.mark.parametrize("page", ["", "<!-- speed -->", page_with("speed", "speed"), "<!-- /speed --><!-- speed -->"])
def test_a_page_without_its_two_markers_is_an_error(page: str) -> None:
    from benchmarks.results import put_between

    with pytest.raises(ValueError, match="once each and in this order"):
        put_between(page, "speed", "new")


def test_rows_come_back_from_csv(tmp_path: Path) -> None:
    from benchmarks.results import read_csv, write_csv

    rows = [{"set": "a, b", "n": "3"}, {"set": 'say "c"', "n": "4"}]
    write_csv(tmp_path / "results" / "x.csv", rows)
    assert read_csv(tmp_path / "results" / "x.csv") == rows
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["x.csv"]


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[[str], Image.Image]) -> Path:
    """Two scanned digits, one of them in the wrong folder; two amounts, one with a wrong label; three blanks, one
    of which is none."""
    for place, what in (("transfer/scanned-digits/7/a", "7"), ("transfer/scanned-digits/0/b", "1")):
        (tmp_path / place).parent.mkdir(parents=True)
        draw(what).save(tmp_path / f"{place}.png")
    (tmp_path / "strings/validation").mkdir(parents=True)
    draw("7").save(tmp_path / "strings/validation/x.png")
    (tmp_path / "strings/validation/labels.csv").write_text("image,label\nx.png,7\nx.png,77\n")
    (tmp_path / "blank-cells").mkdir()
    for name, what in (("a", ""), ("b", "blot"), ("c", "7")):
        draw(what).save(tmp_path / f"blank-cells/{name}.png")
    return tmp_path


def test_accuracy_counts_right_ones_of_all(folder: Path, tiny_model: Path) -> None:
    from benchmarks import accuracy

    said: list[str] = []
    rows = accuracy.measure(folder, str(tiny_model), said.append)
    assert [(row["set"], row["measure"], row["n"], row["value"]) for row in rows] == [
        ("scanned-digits", "accuracy", "2", "0.500000"),
        ("strings", "whole", "2", "0.500000"),
        ("blank-cells", "refused", "3", "0.666667"),
    ]
    assert all(tuple(row) == accuracy.COLUMNS for row in rows)
    assert {row["model"] for row in rows} == {"tiny"}
    assert "mnist is not there: left out" in said
    assert "| 3 | 66.67 % | 20.77 % to 93.85 % |" in accuracy.table(rows)


def test_accuracy_of_nothing_is_an_error(tmp_path: Path, tiny_model: Path) -> None:
    from benchmarks import accuracy

    with pytest.raises(SystemExit, match="holds none of mnist"):
        accuracy.measure(tmp_path, str(tiny_model), print)


def test_every_measure_has_a_title() -> None:
    from benchmarks import accuracy, reading

    measured = {
        (part.set, measure)
        for part in accuracy.SETS
        for measure in getattr(part, "measures", ("whole",) if part.set == "strings" else ("refused",))
    }
    assert set(accuracy.TITLES) == measured
    assert set(reading.TITLES) == set(reading.UNITS)


@pytest.mark.parametrize(
    ("share", "text"), [("1", "100.00 %"), ("0.99999", "99.99 %"), ("0.5", "50.00 %"), ("0", "0.00 %")]
)
def test_only_everything_is_a_hundred_percent(share: str, text: str) -> None:
    from benchmarks.accuracy import percent

    assert percent(share) == text


def test_a_process_is_timed_with_its_memory() -> None:
    from benchmarks.reading import timed

    done = timed([sys.executable, "-S", "-c", "x = bytearray(30_000_000); import time; time.sleep(0.05)"])
    assert done.seconds >= 0.05
    assert done.peak_mb >= 30
    with pytest.raises(RuntimeError, match="ended with 3"):
        timed([sys.executable, "-S", "-c", "raise SystemExit(3)"])


def test_the_pictures_for_timing_are_read(tmp_path: Path) -> None:
    from benchmarks.reading import draw as draw_pictures

    draw_pictures(str(tmp_path))
    with Image.open(tmp_path / "page-photo.jpg") as one:
        assert one.size == (1200, 900)
    reader = Recognizer()
    assert reader.read(tmp_path / "one.png", alphabet="digits").text == "7"
    assert reader.read(tmp_path / "one-photo.jpg", one=True, alphabet="digits").text == "7"
    assert reader.read(tmp_path / "page-photo.jpg", alphabet="digits").text == "2026\n8063\n4952"


def test_the_machine_is_told_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.child import tell

    tell()
    machine, versions, weights = capsys.readouterr().out.splitlines()
    assert " cores, " in machine
    assert versions.startswith("Python 3.")
    assert re.fullmatch("[0-9a-f]{12}", weights)


def test_the_notebooks_table_has_a_line_a_recipe_with_mean_and_spread() -> None:
    from benchmarks import notebooks

    row = {
        "recipe": "mnist-adam", "seed": "1", "training_images": "37800", "epochs": "10", "held_out_percent": "99.40",
        "test": "mnist/test", "n": "10000", "test_percent": "99.20", "case_insensitive_percent": "99.20",
        "training_seconds": "60", "processors": "2", "machine": "x86_64",
    }  # fmt: skip
    lines = notebooks.table([row, row | {"seed": "2", "test_percent": "99.40"}]).splitlines()
    assert len(lines) == 3
    assert lines[-1] == "| `mnist-adam` | 99.0 | 99.30 ± 0.14 | mnist/test, 10,000 | 99.40 | 2 | 10 | 1 |"


def test_a_kaggle_sample_is_drawn_once_by_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from benchmarks import notebooks

    monkeypatch.setattr(notebooks, "KAGGLE", 20)
    images = np.eye(30, 36, dtype=np.uint8).reshape(30, 6, 6) * 255
    (tmp_path / "mnist").mkdir()
    np.savez(tmp_path / "mnist" / "train.npz", images=images, labels=np.arange(30) % 10)
    first = np.load(notebooks.sample(tmp_path / "mnist", tmp_path / "runs" / "a.npz", 1))
    second = np.load(notebooks.sample(tmp_path / "mnist", tmp_path / "runs" / "b.npz", 2))
    shown = [sample["images"].reshape(20, -1).argmax(axis=1) for sample in (first, second)]
    assert len(set(shown[0].tolist())) == 20
    assert (first["labels"] == shown[0] % 10).all()
    assert set(shown[0].tolist()) != set(shown[1].tolist())


@pytest.mark.parametrize("name", ["", "growth", "speedrun", "peers"])
def test_a_benchmark_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A percent sign in a help text would end as a traceback."""
    from benchmarks import run

    with pytest.raises(SystemExit) as ended:
        run.main([*filter(None, [name]), "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks.run {name}".rstrip())


def test_the_set_to_grow_on_is_stored_as_numpy_stores_it(tmp_path: Path) -> None:
    import numpy as np

    from benchmarks import growth

    growth.store("120", str(tmp_path / "train.npz"))
    with np.load(tmp_path / "train.npz") as stored:
        assert stored["images"].shape == (120, 28, 28)
        assert stored["labels"][[0, 9, 10]].tolist() == [0, 9, 0]


def test_all_roads_lead_to_the_same_answers() -> None:
    from benchmarks import roads
    from handread.runtime import store

    content = store.load("handread-digits")
    given = roads.feeds(roads.opened(content), 3)
    usual = roads.opened(content).run(["logits"], given)[0]
    for level in roads.LEVELS.values():
        assert abs(roads.opened(content, level).run(["logits"], given)[0] - usual).max() < 0.3  # steps of 8 bits


def test_a_line_a_road_and_a_column_a_model() -> None:
    from benchmarks import roads

    rest = {"turns": "7", "machine": "a machine", "versions": "v 1"}
    rows = [
        {"road": road, "model": model, "microseconds": us} | rest
        for road, model, us in (("a", "handread-small", "12.34"), ("b", "handread-small", "1234.5"), ("a", "x", "9"))
    ]
    assert roads.table(rows).splitlines() == [
        "| µs a character | `handread-small` | `x` |", "| --- | ---: | ---: |", "| a | 12.3 | 9.0 |", "| b | 1,234 |  |",
        "", "Medians of 7 turns; a machine; v 1.",
    ]  # fmt: skip
