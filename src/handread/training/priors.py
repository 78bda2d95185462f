"""How often a source holds each class: knowledge of that source, which the network need not take for a law.

A set of digits says nothing of how a 0 is told from an O, and NIST's forms hold twenty-five times as many S as s, a
photographed page does not. Adding the logarithm of a source's class frequencies to the logits in the loss leaves the
network with what the shape says (logit adjustment, Menon et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handread.training.config import SourceConfig
from handread.training.sources import TrainingSet

LEAST = -4.0
"""Floor of a logarithm, in nats against equal shares: classes that a source lacks."""


class Priors:
    """What is added to the logits of each image of a training set."""

    def __init__(self, data: TrainingSet, sources: Sequence[SourceConfig], characters: int, outputs: int) -> None:
        """`characters` of the `outputs` are characters; "no character" is never corrected."""
        table = np.zeros((max(len(sources), 1), outputs), dtype=np.float32)
        for index, source in enumerate(sources):
            if source.prior != "learnt":
                own = data.origins == index
                table[index, :characters] = _logarithms(data.labels[own], data.alternatives[own], characters)
        self._table = table
        self._cued_only = np.array([source.prior == "cued" for source in sources] or [False])
        self.idle = not table.any()
        """True where nothing is corrected."""

    def of(self, origins: npt.NDArray[np.int16], cues: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """float32 (N, K) for images of the sources `origins` shown with `cues`, or None where nothing is corrected."""
        if self.idle:
            return None
        found = self._table[origins]
        silent = self._cued_only[origins] & ~cues.any(axis=1)
        return np.where(silent[:, None], np.float32(0), found)


def _logarithms(
    labels: npt.NDArray[np.int64], alternatives: npt.NDArray[np.int64], characters: int
) -> npt.NDArray[np.float32]:
    """float32 (characters,): log of each class' share over the equal one; doubtful labels are shared out as the
    certain ones of the same two classes are."""
    sure = alternatives < 0
    counts = np.bincount(labels[sure], minlength=characters)[:characters].astype(np.float64)
    shares = counts + 1e-9
    own, other = labels[~sure], alternatives[~sure]
    part = shares[own] / (shares[own] + shares[other])
    np.add.at(counts, own, part)
    np.add.at(counts, other, 1 - part)
    total = counts.sum()
    if not total:
        return np.zeros(characters, dtype=np.float32)
    with np.errstate(divide="ignore"):
        found = np.log(counts / total * characters)
    return np.asarray(np.maximum(found, LEAST), dtype=np.float32)
