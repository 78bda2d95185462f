"""submit: what a reader makes of unlabelled characters, and the table `ImageId,Label` of it."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.errors import DataError

if TYPE_CHECKING:
    from handread.data.unlabelled import Unlabelled
    from handread.evaluation.report import Scored, Scorer
    from handread.types import Progress

HEADER = ("ImageId", "Label")
_BATCH = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Submission:
    """One answer an item, in the order of the data."""

    ids: tuple[str, ...]
    """N names: numbers from 1, or files."""
    labels: tuple[str, ...]
    """N characters."""
    confidence: npt.NDArray[np.float32]
    """float32 (N,), calibrated probability (0..1) of each answer."""
    accepted: npt.NDArray[np.bool_]
    """bool (N,), False where the reader would rather refuse; the answer stands all the same."""

    def __len__(self) -> int:
        return len(self.ids)


def submit(
    reader: Scorer, items: Unlabelled, alphabet: Alphabet | str = "digits", *, progress: Progress | None = None
) -> Submission:
    """Read every item of `items`, restricted to `alphabet`.

    `progress` is called with items done and their total. Raises `AlphabetError` for a character that the reader has
    never seen and `DataError` where there are no items.
    """
    if not len(items):
        raise DataError(f"{items.name} holds no items; there is nothing to submit")
    wanted = Alphabet.of(alphabet)

    def scored(start: int) -> Scored:
        rows = slice(start, start + _BATCH)
        cues = None if items.cues is None else items.cues[rows]
        return reader.score(items.images[rows], cues=cues, normalised=items.normalised, alphabet=wanted)

    parts: list[Scored] = []
    # Two batches under way: while the network works on one, the next is laid out for it.
    with ThreadPoolExecutor(2) as pool:
        for part in pool.map(scored, range(0, len(items), _BATCH)):
            parts.append(part)
            if progress is not None:
                progress(min(_BATCH * len(parts), len(items)), len(items))
    probabilities = np.concatenate([part.probabilities for part in parts])
    return Submission(
        ids=items.ids,
        labels=tuple(wanted[label] for label in probabilities.argmax(axis=1).tolist()),
        confidence=probabilities.max(axis=1),
        accepted=np.concatenate([part.accepted for part in parts]),
    )


def submission_csv(submission: Submission) -> bytes:
    """The table as Kaggle takes it: `ImageId,Label` and one line an item, UTF-8."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    table.writerows(zip(submission.ids, submission.labels, strict=True))
    # A file name that is no text must not stop the others.
    return text.getvalue().encode("utf-8", "backslashreplace")
