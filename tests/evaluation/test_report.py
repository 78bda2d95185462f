"""evaluate and its report, with a reader whose answers are known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handread
from handread.alphabet import NAMED, Alphabet
from handread.card import ModelCard
from handread.data.images import LabelledImages
from handread.errors import DataError, ModelError
from handread.evaluation import report as report_module
from handread.evaluation.report import EvaluationReport, digest_of, evaluate, examine
from handread.frame import DEFAULT_FRAME


@dataclass(frozen=True)
class Answers:
    probabilities: np.ndarray
    accepted: np.ndarray


class Plain:
    """Reads the class that stands in the image's first pixel, sure by 0.7; accepts all but class 0."""

    card = ModelCard("plain", "1", NAMED["alphanumeric"], 32, 32)

    def __init__(self, change: Callable[[Answers], Answers] = lambda answers: answers) -> None:
        self.change = change
        self.calls: list[dict[str, Any]] = []

    def score(self, images: np.ndarray, **how: Any) -> Answers:
        self.calls.append({"count": len(images), **how})
        alphabet = how["alphabet"]
        own = np.array([alphabet.index(self.card.alphabet[place]) for place in images[:, 0, 0]])
        probabilities = np.full((len(images), len(alphabet)), 0.3 / (len(alphabet) - 1), np.float32)
        probabilities[np.arange(len(images)), own] = 0.7
        return self.change(Answers(probabilities, own > 0))


def shown(true: str, drawn: str, alphabet: str = "alphanumeric", **more: Any) -> LabelledImages:
    """Items labelled `true` whose pictures show `drawn`."""
    images = np.zeros((len(true), 3, 3), np.uint8)
    images[:, 0, 0] = [NAMED["alphanumeric"].index(c) for c in drawn]
    classes = Alphabet.of(alphabet)
    labels = np.array([classes.index(c) for c in true], np.int64)
    return LabelledImages("shown", images, labels, classes, **more)


def test_is_public() -> None:
    assert handread.evaluate is evaluate
    assert handread.EvaluationReport is EvaluationReport


def test_figures() -> None:
    report = evaluate(Plain(), shown("aA10", "aa1O"))
    assert (report.model, report.data, report.n, report.correct) == ("plain", "shown", 4, 2)
    assert report.accuracy == 0.5
    assert report.case_insensitive == 0.75
    assert report.merged == 0.75
    assert report.interval95 == pytest.approx((0.15004, 0.84996), abs=1e-5)
    assert report.refused == 0
    assert report.ece == pytest.approx(0.2)
    assert report.alphabet == NAMED["alphanumeric"]
    confusion = np.array(report.confusion)
    assert confusion.sum() == 4
    assert confusion[NAMED["alphanumeric"].index("A"), NAMED["alphanumeric"].index("a")] == 1
    assert report.refusal_curve[0] == (1.0, 0.5)
    assert report.seconds >= 0
    assert report.environment["numpy"] == np.__version__


def test_digits_among_all_characters_and_among_digits() -> None:
    data = shown("017", "017", "digits")
    wide, narrow = evaluate(Plain(), data), evaluate(Plain(), data, alphabet="digits")
    assert len(wide.confusion) == 62
    assert len(narrow.confusion) == 10
    assert wide.accuracy == narrow.accuracy == 1
    assert narrow.refused == pytest.approx(1 / 3)


def test_labels_are_matched_by_character() -> None:
    report = evaluate(Plain(), shown("ba", "ba", "ab"), alphabet="cba")
    assert report.accuracy == 1
    assert np.diag(report.confusion).tolist() == [0, 1, 1]


def test_items_outside_the_alphabet_are_named() -> None:
    with pytest.raises(DataError, match="item 1 is 'A', outside the alphabet 'digits'"):
        evaluate(Plain(), shown("1A", "1A"), alphabet="digits")


def test_nothing_to_evaluate() -> None:
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluate(Plain(), shown("", ""))


def test_every_batch_gets_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "_BATCH", 3)
    cues = np.arange(28, dtype=np.float32).reshape(7, 4)
    reader = Plain()
    data = shown("1234567", "1234567", cues=cues)
    inputs = np.pad(data.images, ((0, 0), (0, 29), (0, 29)))
    report = evaluate(reader, dataclasses.replace(data, images=inputs, frame=DEFAULT_FRAME))
    assert report.n == report.correct == 7
    assert [call["count"] for call in reader.calls] == [3, 3, 1]
    assert np.array_equal(np.concatenate([call["cues"] for call in reader.calls]), cues)
    assert all(call["normalised"] for call in reader.calls)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda a: Answers(a.probabilities[:-1], a.accepted), "every item must be answered"),
        (lambda a: Answers(a.probabilities, a.accepted[:-1]), "every item must be answered"),
        (lambda a: Answers(a.probabilities[:, :-1], a.accepted), "every item must be answered"),
        (lambda a: Answers(a.probabilities * np.nan, a.accepted), "no numbers"),
    ],
    ids=["a row lost", "a decision lost", "a class lost", "not a number"],
)
def test_a_reader_that_does_not_answer_everything(change: Callable[[Answers], Answers], phrase: str) -> None:
    with pytest.raises(ModelError, match=phrase):
        evaluate(Plain(change), shown("12", "12"))


def test_json_both_ways(tmp_path: Path) -> None:
    report = evaluate(Plain(), shown("aA10", "aa1O"))
    report.save(tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert EvaluationReport.from_json(text) == report
    raw = json.loads(text)
    promised = (
        "model data n accuracy interval95 top2 top3 case_insensitive merged nll ece refused seconds confusion alphabet"
    )
    assert set(promised.split()) <= set(raw)
    assert isinstance(raw["interval95"], list)
    assert isinstance(raw["confusion"][0], list)


def test_every_item_is_kept_for_a_paired_comparison() -> None:
    report = evaluate(Plain(), shown("aA10", "aa1O", files=("x/y/1.png", "x/y/2.png", "x/z/3.png", "")))
    assert report.items is not None
    assert "".join(report.alphabet[k] for k in report.items.labels) == "aA10"
    assert "".join(report.alphabet[k] for k in report.items.read) == "aa1O"
    assert report.items.confidence == (7000,) * 4
    assert report.items.label_probability == (7000, 49, 7000, 49)
    assert report.items.files == ("y/1.png", "y/2.png", "z/3.png", "")
    assert sum(row.support for row in report.classes) == 4
    assert sum(row.count for row in report.reliability) == 4


def test_the_digest_is_that_of_images_and_labels(tmp_path: Path) -> None:
    one = evaluate(Plain(), shown("12", "12")).digest
    assert one == evaluate(Plain(), shown("12", "12", "digits"), alphabet="digits").digest
    assert one != evaluate(Plain(), shown("12", "17")).digest
    assert one != evaluate(Plain(), shown("17", "12")).digest
    assert len(one) == 64


def test_pictures_count_by_their_files_whatever_the_network_sees(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(name.encode())
    files = (str(tmp_path / "1.png"), str(tmp_path / "2.png"))
    one, other = shown("12", "12", files=files), shown("12", "17", files=files)
    before = digest_of(one)
    assert digest_of(other) == before
    (tmp_path / "2.png").write_bytes(b"another")
    assert digest_of(one) == digest_of(other) != before
    (tmp_path / "2.png").unlink()
    assert digest_of(one) != digest_of(other)  # what is left is the array


def test_format_1_is_read_with_what_it_has() -> None:
    report = evaluate(Plain(), shown("12", "12"))
    raw = json.loads(report.to_json())
    for name in ("digest", "reliability", "classes", "items"):
        del raw[name]
    old = EvaluationReport.from_json(json.dumps({**raw, "format": 1}))
    assert (old.items, old.digest, old.classes, old.reliability) == (None, "", (), ())
    assert (old.n, old.accuracy, old.confusion) == (report.n, report.accuracy, report.confusion)
    with pytest.raises(DataError, match="'classes' is missing"):
        EvaluationReport.from_json(json.dumps({**raw, "format": 2}))


def items_with(**change: Any) -> dict[str, Any]:
    raw = json.loads(evaluate(Plain(), shown("12", "12")).to_json())
    return {**raw["items"], **change}


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"labels": [1]}, "1 labels for 2 items"),
        ({"read": [1, 62]}, r"read outside 0\.\.61"),
        ({"confidence": [1, 0.5]}, "confidence outside"),
        ({"confidence": [1, True]}, "confidence outside"),
        ({"files": ["a"]}, "1 files for 2 items"),
        ({"read": [1, 3]}, "not those that its confusion matrix counts"),
        ({"more": []}, "damaged"),
    ],
)
def test_damaged_items(change: dict[str, Any], phrase: str) -> None:
    raw = json.loads(evaluate(Plain(), shown("12", "12")).to_json())
    with pytest.raises(DataError, match=phrase):
        EvaluationReport.from_json(json.dumps({**raw, "items": items_with(**change)}))


@pytest.mark.parametrize("name", ["report.html", "report", "report.txt"])
def test_other_forms_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"name it \.json"):
        evaluate(Plain(), shown("1", "1")).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"format": 5}, "upgrade"),
        ({"format": None}, "no Handread report"),
        ({"format": 0}, "no Handread report"),
        ({"items": []}, "damaged"),
        ({"classes": [1]}, "damaged"),
        ({"n": 5}, "does not count 5 items"),
        ({"accuracy": 1.5}, "accuracy is 1.5"),
        ({"accuracy": "high"}, "damaged"),
        ({"confusion": [[1]]}, "confusion matrix"),
        ({"interval95": [0]}, "damaged"),
        ({"surprise": 1}, "'surprise' is unknown"),
    ],
)
def test_damaged_reports(change: dict[str, Any], phrase: str) -> None:
    raw = json.loads(evaluate(Plain(), shown("1", "1")).to_json())
    with pytest.raises(DataError, match=phrase):
        EvaluationReport.from_json(json.dumps({**raw, **change}))


@pytest.mark.parametrize("text", ["", "[]", "3", "{}", "[" * 100_000])
def test_foreign_reports(text: str) -> None:
    with pytest.raises(DataError):
        EvaluationReport.from_json(text)


def test_a_report_with_a_field_missing() -> None:
    raw = json.loads(evaluate(Plain(), shown("1", "1")).to_json())
    del raw["ece"]
    with pytest.raises(DataError, match="'ece' is missing"):
        EvaluationReport.from_json(json.dumps(raw))


def test_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluate(Plain(), shown("1", "1")).n = 2  # type: ignore[misc]


def test_progress_counts_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "_BATCH", 2)
    told: list[tuple[int, int]] = []
    examine(Plain(), shown("123", "123"), progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 3), (3, 3)]
