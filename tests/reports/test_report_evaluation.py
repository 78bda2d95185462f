"""The page of an evaluation, with a reader whose answers are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.images import LabelledImages
from handread.evaluation.report import Evaluation, examine
from handread.reports import evaluation as module
from handread.reports.evaluation import evaluation_page

Check = Callable[[str], Any]


@dataclass(frozen=True)
class Answers:
    probabilities: np.ndarray
    accepted: np.ndarray


class Says:
    """Gives the probabilities that it was made with, batch after batch."""

    def __init__(self, name: str, characters: str, probabilities: np.ndarray) -> None:
        self.card = ModelCard(name, "1", characters, 32, 32)
        self.probabilities = probabilities
        self.done = 0

    def score(self, images: np.ndarray, **how: Any) -> Answers:
        part = self.probabilities[self.done : self.done + len(images)]
        self.done += len(images)
        return Answers(part, np.ones(len(part), np.bool_))


def evaluated(labels: str, read: str, *, characters: str = "ab<", sure: float = 0.8, **more: Any) -> Evaluation:
    """Items labelled `labels` and read as `read`, each surer than the one before."""
    alphabet = Alphabet.of(characters)
    probabilities = np.full((len(labels), len(characters)), (1 - sure) / (len(characters) - 1), np.float32)
    places = np.array([alphabet.index(c) for c in read])
    probabilities[np.arange(len(labels)), places] = sure + 0.1 * np.arange(len(labels)) / len(labels)
    images = np.zeros((len(labels), 8, 8), np.uint8)
    images[:, 2:6, 3] = np.arange(len(labels))[:, None] % 200 + 50
    data = LabelledImages("<set>", images, np.array([alphabet.index(c) for c in labels]), alphabet, **more)
    return examine(Says("<model>", characters, probabilities), data)


def test_the_page_holds_all_figures_and_escapes_every_name(check: Check) -> None:
    files = tuple(f"photos/{'<script>alert(1)' if k == 1 else k}.png" for k in range(6))
    text = evaluation_page(evaluated("aabb<<", "abbb<a", files=files))
    found = check(text)
    assert "<script>alert" not in text.replace("<script>addEvent", "")
    assert "<script>alert(1).png" in found.text
    assert "<model> on <set>" in found.text
    assert "66.67" in found.text
    assert "4 of 6 shown" not in found.text
    for heading in ("What is read as what", "Most confused", "Worst errors", "Class by class", "Certainty"):
        assert heading in found.text


def test_the_worst_errors_come_first() -> None:
    text = evaluation_page(evaluated("aaaaab", "bbbbbb"))
    section = text.split('id="errors"')[1].split("</section>")[0]
    assert re.findall(r"item (\d):", section) == ["4", "3", "2", "1", "0"]
    assert "5 of 5 errors" in section


def test_every_cell_leads_to_its_pictures(check: Check) -> None:
    text = evaluation_page(evaluated("aaab<", "aabb<"))
    found = check(text)
    cells = re.findall(r'<a href="#(c\d-\d)" title', text)
    assert cells == ["c0-0", "c0-1", "c1-1", "c2-2"]
    sheet = text.split('id="c0-1"')[1].split("</ul>")[0]
    assert "a read as b" in sheet
    assert sheet.count("<img") == 1
    assert found.all("input") == [
        {"type": "radio", "name": "matrix-shows", "id": "as-counts", "class": "choice-input", "checked": None},
        {"type": "radio", "name": "matrix-shows", "id": "as-rates", "class": "choice-input"},
    ]


def test_a_cell_with_many_pictures_says_what_it_leaves_out() -> None:
    text = evaluation_page(evaluated("a" * 40 + "b" * 30, "b" * 40 + "b" * 30))
    assert "24 of 40 shown, the surest first" in text
    assert "12 of 30 shown, the least sure first" in text


def test_pictures_stop_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    monkeypatch.setattr(module, "ROOM", 900)
    text = evaluation_page(evaluated("ab<" * 5, "<b<" * 5))
    found = check(text)
    shown = text.split('id="matrix"')[1].split('id="pairs"')[0].count("<img")
    assert 0 < shown < 15
    assert f"{shown} picture{'s' if shown > 1 else ''} of 15 are in this page" in found.text


def test_all_that_a_page_holds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 60_000)
    characters = "0123456789"
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(10), 600).astype(np.float32)
    images = random.integers(0, 256, (600, 32, 32)).astype(np.uint8)  # noise: nothing to compress
    data = LabelledImages("noise", images, random.integers(0, 10, 600), Alphabet.of(characters))
    text = evaluation_page(examine(Says("chance", characters, probabilities), data))
    matrix = text.split('id="matrix"')[1].split('id="pairs"')[0]
    assert 50_000 < sum(map(len, re.findall(r"<li><img.*?</li>", matrix))) <= 60_000
    most = module.WORST + module.SUSPECTS + module.PAIRS * module.PAIR_PICTURES
    assert text.count("<img") - matrix.count("<img") <= most


def test_nothing_wrong(check: Check) -> None:
    found = check(evaluation_page(evaluated("ab<", "ab<")))
    assert "No character was read as another." in found.text
    assert "There are none: every item was read as labelled." in found.text


def test_one_item(check: Check) -> None:
    found = check(evaluation_page(evaluated("a", "b", characters="ab")))
    assert "1 time, 100.0 % of all a" in found.text


def test_confused_pairs() -> None:
    assert evaluated("aab<<<", "bbbaab").report.confused_pairs() == [(0, 1, 2), (2, 0, 2), (2, 1, 1)]
