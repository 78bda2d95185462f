"""Temperature and acceptance thresholds, fitted on validation data of several sources together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

KEPT = 0.985
"""Share of true characters that the ink threshold lets pass; also of those, that the confidence one does."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Logits of one validation source with the truth."""

    logits: Floats
    """float32 (N, K)."""
    labels: npt.NDArray[np.int64]
    """int64 (N,)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What goes onto the card."""

    temperature: float
    accept_above: float
    ink_above: float


def calibrate(parts: Mapping[str, Judged], classes: int, *, has_none: bool) -> Calibration:
    """Fit one temperature (Guo et al. 2017) and two thresholds; every source weighs the same.

    `classes` is the number of characters; with `has_none` one more logit says "no character".
    """
    temperature = fit_temperature(list(parts.values()), classes)
    sure = [_confidence(p, classes, temperature) for p in parts.values()]
    accept = float(np.mean(np.array([np.quantile(s, 1 - KEPT) for s in sure])))
    ink = 0.0
    if has_none:
        ink = min(0.5, float(np.mean(np.array([np.quantile(_ink(p, temperature), 1 - KEPT) for p in parts.values()]))))
    return Calibration(round(temperature, 4), round(min(accept, 0.5), 4), round(ink, 4))


def fit_temperature(parts: list[Judged], classes: int) -> float:
    """The temperature in 0.25..4 with the least mean negative log likelihood over the sources."""

    def loss(temperature: float) -> float:
        return float(np.mean(np.array([_nll(p, classes, temperature) for p in parts])))

    # the loss has one minimum in 1 / temperature: golden-section search
    low, high, ratio = math.log(0.25), math.log(4.0), (math.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if loss(math.exp(a)) < loss(math.exp(b)):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)


def _log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), dtype=np.float64)


def _nll(part: Judged, classes: int, temperature: float) -> float:
    log_probability = _log_softmax(part.logits[:, :classes] / temperature)
    return float(-log_probability[np.arange(len(part.labels)), part.labels].mean())


def _confidence(part: Judged, classes: int, temperature: float) -> npt.NDArray[np.float64]:
    return np.asarray(np.exp(_log_softmax(part.logits[:, :classes] / temperature)).max(axis=1))


def _ink(part: Judged, temperature: float) -> npt.NDArray[np.float64]:
    return np.asarray(1 - np.exp(_log_softmax(part.logits / temperature)[:, -1]))
