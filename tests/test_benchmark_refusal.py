"""What stands in docs/accuracy.md: counted rightly, and as the files of results have it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from handread.imaging.ink import extract_ink
from handread.runtime import store
from tests.conftest import module_at

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "accuracy.md"


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are no part of the package: they are found from the repository's root."""
    monkeypatch.syspath_prepend(str(ROOT))


def test_ten_labels_are_overturned_three_are_neither_and_two_undecided() -> None:
    from benchmarks.mnist_accuracy import CONFIRMED, CORRECTED, NEITHER, SPLIT, VOTES

    assert CORRECTED == {947: 9, 1621: 6, 1901: 4, 2462: 0, 2597: 3, 3558: 0, 5937: 3, 6651: 6, 6783: 6, 9729: 6}
    assert NEITHER == (2654, 3520, 9679)
    assert SPLIT == (2130, 8527)
    assert len(VOTES) + len(CONFIRMED) == 100
    assert not CONFIRMED & set(VOTES)
    assert all(votes.for_label + votes.for_other + votes.neither == 5 for votes in VOTES.values())


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (947, "9, by 5 of 5"),
        (2654, "neither, by 3 of 5"),
        (2130, "split: 4 by 2, 9 by 2"),
        (1232, "9, by 3 of 5"),
        (247, "the label, by 5 of 5"),
        (5, "not asked"),
    ],
)
def test_what_the_five_said(place: int, said: str) -> None:
    from benchmarks.mnist_accuracy import word

    assert word(place) == said


def labels_of_the_test_file() -> np.ndarray:
    """Zeros, with the true labels where somebody voted."""
    from benchmarks.mnist_accuracy import VOTES

    labels = np.zeros(10_000, np.int64)
    labels[list(VOTES)] = [votes.label for votes in VOTES.values()]
    return labels


def test_right_answers_are_counted_with_official_and_with_corrected_labels() -> None:
    from benchmarks.mnist_accuracy import accuracies, right_counts

    labels = labels_of_the_test_file()
    assert right_counts(labels, labels) == (10_000, 10_000, 9_987, 9_997)
    answers = labels.copy()
    answers[[947, 2654, 2130, 17]] = [9, 1, 9, 5]  # overturned and read so; neither; undecided; plainly wrong
    assert right_counts(labels, answers) == (9_996, 10_000, 9_986, 9_997)
    assert accuracies(labels, answers) == (pytest.approx(99.96), pytest.approx(100 * 9_986 / 9_997))


def test_other_images_than_the_test_file_are_refused() -> None:
    from benchmarks.mnist_accuracy import right_counts

    labels = labels_of_the_test_file()
    with pytest.raises(ValueError, match="10,000 images"):
        right_counts(labels[:100], labels[:100])
    labels[947] = 3
    with pytest.raises(ValueError, match="label at 947 is 3, in the test file 8"):
        right_counts(labels, labels)


def test_the_record_table_has_a_line_for_each_kind_and_network() -> None:
    from benchmarks import mnist_accuracy

    values = [
        ("ensemble", "1", "99.800", "99.900", "4000000", "36000"),
        ("single", "1", "99.700", "99.800", "1400000", "3600"),
        ("single", "2", "99.740", "99.840", "1400000", "3600"),
        ("single", "1", "99.500", "99.600", "99000", "600"),
    ]
    rows = [dict(zip(mnist_accuracy.COLUMNS, (*row, "x86_64"), strict=True)) for row in values]
    assert mnist_accuracy.table(rows).splitlines()[2:] == [
        "| one network | 99,000 | 1 | 99.500 | 99.50 to 99.50 | 99.600 | 99.60 to 99.60 | 10 min |",
        "| one network | 1.40 M | 2 | 99.720 ± 0.028 | 99.70 to 99.74 | 99.820 ± 0.028 | 99.80 to 99.84 | 60 min |",
        "| ensemble | 4.00 M | 1 | 99.800 | 99.80 to 99.80 | 99.900 | 99.90 to 99.90 | 10.0 h |",
    ]


ERRORS = [
    {"place": "3", "label": "4", "read": "9", "confidence": "0.5000", "raters": "not asked"},
    {"place": "1", "label": "8", "read": "3", "confidence": "0.9876", "raters": "3, by 4 of 5"},
]


def test_errors_are_told_the_surest_first() -> None:
    from benchmarks import mnist_errors

    assert mnist_errors.table(ERRORS).splitlines()[2:] == [
        "| 1 | 8 | 3 | 98.8 % | 3, by 4 of 5 |",
        "| 3 | 4 | 9 | 50.0 % | not asked |",
    ]


def test_errors_are_shown_dark_on_light() -> None:
    from benchmarks import mnist_errors

    images = np.zeros((4, 28, 28), np.uint8)
    images[1] = 255
    with Image.open(io.BytesIO(mnist_errors.sheet(images, ERRORS))) as sheet:
        assert sheet.getpixel((40, 40)) == (0, 0, 0)  # the surest, all ink
        assert sheet.getpixel((220, 40)) == (255, 255, 255)


def test_errors_of_another_set_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    from benchmarks import mnist_errors

    (tmp_path / "mnist").mkdir()
    np.savez(tmp_path / "mnist" / "test.npz", images=np.zeros((2, 28, 28), np.uint8), labels=np.array([1, 7]))
    with pytest.raises(ValueError, match="10,000 images"):
        mnist_errors.run(tmp_path, str(tiny_model), tmp_path / "errors.png")
    assert not (tmp_path / "errors.png").exists()


def test_confusions_are_told_by_kind_and_by_pair() -> None:
    from benchmarks import confusions

    counts = [("O", "0", 3), ("0", "O", 1), ("a", "A", 2), ("h", "n", 1), ("x", "x", 93)]
    rows = [
        {"set": name, "n": "100", "true": t, "read": r, "count": str(c)}
        for name in confusions.SETS
        for t, r, c in counts
    ]
    lines = confusions.groups_table(rows).splitlines()[2:]
    assert [line.split("|")[2].strip() for line in lines] == ["7 (7.00 %)", "4 (4.00 %)", "2 (2.00 %)", "1 (1.00 %)"]
    assert confusions.pairs_table(rows).splitlines()[2:] == [
        "| `0` `O` | 1 / 3 | 1 / 3 |",
        "| `A` `a` | 0 / 2 | 0 / 2 |",
        "| `h` `n` | 1 / 0 | 1 / 0 |",
    ]


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[[str], Image.Image]) -> Path:
    """Digits of two forms, a photograph, and an empty cell: as much as the benchmark asks for."""
    inks = np.stack([extract_ink(np.asarray(draw(what).convert("L"))) for what in ("7", "1", "0", "blot")])
    for place, labels in (("mnist/test.npz", [7, 1, 0, 4]), ("emnist/validation.npz", [7, 18, 24, 10])):
        (tmp_path / place).parent.mkdir(parents=True)
        np.savez(tmp_path / place, images=inks, labels=np.array(labels), characters=characters(place))
    for sample, what in (("Sample008", "7"), ("Sample025", "0"), ("Sample011", "blot")):
        (tmp_path / "photos/validation" / sample).mkdir(parents=True)
        draw(what).save(tmp_path / "photos/validation" / sample / "a.png")
    (tmp_path / "blank-cells").mkdir()
    draw("").save(tmp_path / "blank-cells/a.png")
    return tmp_path


def characters(place: str) -> str:
    digits = "0123456789"
    return digits if place.startswith("mnist") else digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_refusal_measures_every_part(folder: Path, tiny_model: Path) -> None:
    from benchmarks import refusal

    said: list[str] = []
    found = refusal.measure(folder, str(tiny_model), 48, said.append)
    assert all(tuple(row) == refusal.COLUMNS for row in found.rows)
    value = {(row["part"], row["set"], row["kind"], row["measure"]): row for row in found.rows}
    assert value["card", "mnist", "true", "kept"]["value"] == "0.750000"  # the blot labelled 4 is refused
    assert value["strangers", "emnist", "all", "accepted"]["n"] == "48"
    assert value["strangers", "photos", "cells", "accepted"]["value"] == "0.000000"
    assert value["letters", "emnist", "look-alikes", "refused by the card"]["n"] == "2"  # I and O
    assert value["letters", "photos", "letters", "refused by the card"]["value"] == "1.000000"  # A, a blot
    assert value["left", "mnist", "0", "wrong"]["value"] == "0.250000"
    assert value["calibration", "together", "", "ece"]["n"] == "11"
    assert {row["curve"] for row in found.curves} == {"reliability", "left", "strangers"}
    for table in refusal.tables(found.rows).values():
        assert len(table.splitlines()) > 2
    assert any("strangers read" in line for line in said)


@pytest.mark.parametrize("picture", ["reliability.png", "refusal-curve.png"])
def test_charts_are_drawn_from_the_curves_alone(picture: str) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.refusal import ROADS

    rows = [
        {"curve": curve, "set": road.set, "x": x, "y": y, "n": "40"}
        for curve in ("reliability", "left", "strangers")
        for road in ROADS
        for x, y in (("0.85", "0.75"), ("0.95", "0.10"), ("1", "0"))
    ]
    charts = module_at(ROOT / "docs/images/draw_charts.py")
    file = charts.PICTURES[picture](rows)
    with Image.open(io.BytesIO(file)) as drawn:
        assert drawn.width == 1122
        assert len(np.unique(np.asarray(drawn.convert("L")))) > 20


def test_refusal_needs_its_sets(tmp_path: Path, tiny_model: Path) -> None:
    from benchmarks import refusal

    with pytest.raises(SystemExit, match=r"lacks mnist, emnist/validation\.npz, photos/validation"):
        refusal.measure(tmp_path, str(tiny_model), 8, print)


def between(marker: str) -> str:
    page = PAGE.read_text(encoding="utf-8")
    return page.split(f"<!-- {marker} -->\n")[1].split(f"<!-- /{marker} -->")[0].strip()


def test_the_page_has_the_tables_of_the_results_and_they_are_of_the_shipped_weights() -> None:
    from benchmarks import accuracy, confusions, mnist_accuracy, mnist_errors, refusal
    from benchmarks.results import read_csv

    rows = {part: read_csv(part.FILE) for part in (accuracy, refusal, confusions, mnist_errors)}
    weights = hashlib.sha256(store.load("handread")).hexdigest()[:12]
    for part, own in rows.items():
        assert {row["weights"] for row in own} == {weights}, f"run {part.__name__}"
    shown = {
        "accuracy": accuracy.table(rows[accuracy]),
        "groups": confusions.groups_table(rows[confusions]),
        "pairs": confusions.pairs_table(rows[confusions]),
        "mnist errors": mnist_errors.table(rows[mnist_errors]),
        **refusal.tables(rows[refusal]),
    }
    if mnist_accuracy.FILE.exists():
        shown["mnist"] = mnist_accuracy.table(read_csv(mnist_accuracy.FILE))
    assert {marker: between(marker) for marker in shown} == shown


def test_what_is_known_of_networks_of_other_sizes_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import mnist_accuracy
    from benchmarks.results import write_csv

    def row(kind: str, seed: int, parameters: int, accuracy: str) -> dict[str, str]:
        values = (kind, str(seed), accuracy, accuracy, str(parameters), "1", "here")
        return dict(zip(mnist_accuracy.COLUMNS, values, strict=True))

    monkeypatch.setattr(mnist_accuracy, "FILE", tmp_path / "rows.csv")
    write_csv(tmp_path / "rows.csv", [row("single", 1, 500, "99.1"), row("single", 2, 500, "99.2"),
                                      row("ensemble", 1, 1000, "99.3")])  # fmt: skip
    found = mnist_accuracy.merged([row("ensemble", 1, 1000, "99.4"), row("single", 1, 400, "99.0")])
    assert [(one["kind"], one["parameters"], one["accuracy"]) for one in found] == [
        ("single", "400", "99.0"), ("single", "500", "99.1"), ("single", "500", "99.2"), ("ensemble", "1000", "99.4"),
    ]  # fmt: skip


def test_an_ensemble_with_more_members_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import mnist_accuracy

    def refuse(*_: object, **__: object) -> None:
        raise LookupError("the test file is read")

    monkeypatch.setattr("handread.load_data", refuse)
    members = [tmp_path / "member-1", tmp_path / "member-2"]
    for member in members:
        member.mkdir()
        (member / "architecture.json").write_text('{"parameters": 500}')
    (tmp_path / "result.json").write_text(json.dumps({"kind": "ensemble", "parameters": "500"}))
    assert mnist_accuracy._row("ensemble", 1, members[:1], tmp_path, tmp_path)["kind"] == "ensemble"
    with pytest.raises(LookupError, match="the test file is read"):
        mnist_accuracy._row("ensemble", 1, members, tmp_path, tmp_path)
