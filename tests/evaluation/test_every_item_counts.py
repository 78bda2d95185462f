"""A figure is over every item of its set, once: whoever loses, doubles or swaps in an answer is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from handread import decode
from handread.alphabet import Alphabet
from handread.data import pictures
from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.data.reader import ReadOptions
from handread.errors import DataError, ModelError
from handread.evaluation import report as module
from handread.evaluation.report import EvaluationReport, evaluate
from handread.frame import DEFAULT_FRAME
from handread.recognizer import Recognizer
from handread.runtime.session import Session

Tamper = Callable[[int, np.ndarray], np.ndarray]
"""A batch's number and its logits (N, K) to the logits that are handed on."""


class Tampered:
    """A loaded network of which somebody changes the answers."""

    def __init__(self, session: Session, tamper: Tamper) -> None:
        self.card, self.alphabet, self.threads = session.card, session.alphabet, 1
        self._session, self._tamper, self._batch = session, tamper, 0

    def run(self, images: np.ndarray, cues: np.ndarray | None = None) -> np.ndarray:
        self._batch += 1
        return self._tamper(self._batch, self._session.run(images, cues))


@pytest.fixture
def items(switch: Callable[..., np.ndarray]) -> LabelledImages:
    """Seven inputs that the tiny network reads as 0 to 6."""
    digits = Alphabet.of("digits")
    return LabelledImages("seven", switch(*range(7)), np.arange(7, dtype=np.int64), digits, frame=DEFAULT_FRAME)


def examined(tiny_bytes: bytes, items: LabelledImages, tamper: Tamper) -> EvaluationReport:
    reader = Recognizer.of_session(Tampered(Session.from_bytes(tiny_bytes), tamper))
    return evaluate(reader, items, alphabet="digits")


def test_an_honest_reader_is_measured_on_all(tiny_bytes: bytes, items: LabelledImages) -> None:
    report = examined(tiny_bytes, items, lambda batch, logits: logits)
    assert (report.n, report.correct, sum(map(sum, report.confusion))) == (7, 7, 7)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda batch, logits: logits[:-1],
        lambda batch, logits: logits[1:],
        lambda batch, logits: np.concatenate([logits, logits[-1:]]),
        lambda batch, logits: logits[:0],
        lambda batch, logits: {1: logits[:-1], 2: np.concatenate([logits, logits[:1]])}.get(batch, logits),
        lambda batch, logits: {2: logits[:-1], 3: np.concatenate([logits, logits])}.get(batch, logits),
        lambda batch, logits: logits[:-1] if batch == 3 else logits,
    ],
    ids=["last lost", "first lost", "one doubled", "all lost", "lost and made up for", "made up for at the end",
         "lost at the end"],
)  # fmt: skip
def test_an_answer_too_few_or_too_many_is_refused(
    tiny_bytes: bytes, items: LabelledImages, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches of three, three and one: also where the sum is right again."""
    monkeypatch.setattr(module, "_BATCH", 3)
    with pytest.raises(ModelError, match=r"gave \d+ answers for [13] characters"):
        examined(tiny_bytes, items, tamper)
    with pytest.raises(ModelError, match="every item must be answered once"):
        evaluate(Careless(tiny_bytes, tamper), items, alphabet="digits")


class Careless:
    """A reader that hands on whatever comes."""

    def __init__(self, content: bytes, tamper: Tamper) -> None:
        self.session = Tampered(Session.from_bytes(content), tamper)
        self.card = self.session.card

    def score(self, images: np.ndarray, *, alphabet: Alphabet, **how: Any) -> Any:
        return decode.score(self.session.run(images[:, None]), self.card, alphabet)


class Right:
    """Reads item k as its first pixel says, and counts what it is asked."""

    def __init__(self, card: Any) -> None:
        self.card, self.asked = card, 0

    def score(self, images: np.ndarray, *, alphabet: Alphabet, **how: Any) -> Any:
        self.asked += len(images)
        shares = np.full((len(images), len(alphabet)), 0.01, np.float32)
        shares[np.arange(len(images)), images[:, 0, 0]] = 0.9

        class Answer:
            probabilities = shares
            accepted = np.ones(len(images), np.bool_)

        return Answer


@pytest.mark.parametrize("count", [1, 2048, 2049])
def test_n_is_the_size_of_the_set_on_either_side_of_a_batch(tiny_bytes: bytes, count: int) -> None:
    labels = np.arange(count, dtype=np.int64) % 10
    images = np.zeros((count, 8, 8), np.uint8)
    images[:, 0, 0] = labels
    reader = Right(Session.from_bytes(tiny_bytes).card)
    report = evaluate(reader, LabelledImages("set", images, labels, Alphabet.of("digits")), alphabet="digits")
    assert (report.n, report.correct, reader.asked, sum(map(sum, report.confusion))) == (count, count, count, count)
    assert report.items is not None
    assert report.items.labels == tuple(labels.tolist())
    assert sum(row.count for row in report.reliability) == sum(row.support for row in report.classes) == count


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[[str], Image.Image]) -> Path:
    for character in "017":
        (tmp_path / "set" / character).mkdir(parents=True)
        for number in range(2):
            draw(character).save(tmp_path / "set" / character / f"{number}.png")
    return tmp_path / "set"


def test_a_picture_lost_on_the_way_in_is_no_smaller_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = pictures.read_singles

    def forgetful(files: Sequence[Path], options: ReadOptions) -> Iterator[Any]:
        yield from list(honest(files, options))[:-1]

    assert len(load_data(folder)) == 6
    monkeypatch.setattr(pictures, "read_singles", forgetful)
    with pytest.raises((DataError, ValueError), match="shorter"):
        load_data(folder)


def test_what_is_left_out_on_purpose_is_told(folder: Path, tiny_model: Path) -> None:
    (folder / "1" / "broken.png").write_text("no picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        load_data(folder)
    report = evaluate(Recognizer(tiny_model), load_data(folder, skip_broken=True), alphabet="digits")
    assert (report.n, report.skipped) == (6, 1)
    assert EvaluationReport.from_json(report.to_json()) == report
