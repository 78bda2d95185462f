"""Temperature and acceptance thresholds, fitted on validation data of several sources together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.decode import look_alikes

if TYPE_CHECKING:
    from handread.types import Floats


KEPT = 0.975
"""Share of true characters that the ink threshold lets pass: what is no character and resembles one most, a letter of
another script, has to fail it."""

MOST_INK = 0.999
"""Largest ink threshold: beyond it probabilities differ by rounding."""

KEPT_SURE = 0.995
"""Share of true characters that the confidence threshold lets pass. An o that might be an O is not refused for it."""

KEPT_IN_ALPHABET = 0.995
"""Share of the digits that pass the alphabet threshold when only digits are asked for; of letters likewise."""


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
    alphabet_above: float


def calibrate(parts: Mapping[str, Judged], alphabet: Alphabet, *, has_none: bool) -> Calibration:
    """Fit one temperature (Guo et al. 2017) and three thresholds; every source weighs the same.

    `alphabet` is what the first logits mean; with `has_none` one more logit says "no character".
    """
    classes = len(alphabet)
    # a few of the classes are easier to tell apart than all of them, and would ask for more of everything
    whole = [p for p in parts.values() if 2 * len(np.unique(p.labels)) > classes] or list(parts.values())
    temperature = fit_temperature(whole, classes)
    sure = [_confidence(p, classes, temperature) for p in whole]
    accept = min(float(np.quantile(s, 1 - KEPT_SURE)) for s in sure)
    ink = 0.0
    if has_none:
        found = [np.quantile(_ink(p, temperature), 1 - KEPT) for p in whole]
        ink = min(MOST_INK, float(np.mean(np.array(found))))
    mass = _alphabet_above(parts, alphabet, temperature)
    return Calibration(round(temperature, 4), round(min(accept, 0.5), 4), round(ink, 6), mass)


def _alphabet_above(parts: Mapping[str, Judged], alphabet: Alphabet, temperature: float) -> float:
    """The share of probability that nearly all digits give to digits, and letters to letters.

    A character of another alphabet than the one that was asked for gives less and is refused.
    """
    least = []
    for name in ("digits", "letters"):
        wanted = Alphabet.of(name)
        if not all(c in alphabet for c in wanted) or len(wanted) == len(alphabet):
            continue
        inside = look_alikes(alphabet, wanted)
        own = np.zeros(len(alphabet), dtype=np.bool_)
        own[alphabet.indices_of(wanted)] = True
        for part in parts.values():
            chosen = part.logits[own[part.labels], : len(alphabet)]
            if len(chosen) >= 200:  # too few would make the quantile a single item's
                mass = np.exp(_log_softmax(chosen / temperature))[:, inside].sum(axis=1)
                least.append(float(np.quantile(mass, 1 - KEPT_IN_ALPHABET)))
    return round(min(min(least), 0.5), 4) if least else 0.0


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
