"""Logits to characters: temperature, restriction to an alphabet, tests of acceptance, ranked candidates.

A character is accepted when all three hold, each against its threshold on the card:

* confidence: its probability among the allowed classes, calibrated by the card's temperature;
* ink: the probability that the ink is a character at all (networks with a "no character" output);
* mass: the share of the probability of all characters that falls on the alphabet in use.

`Scores.acceptance` is one number for the last two, for whoever wants to move the threshold between keeping what is a
character and refusing what is none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.errors import ModelError
from handread.types import REFUSED, Box, Candidate, Character, Reading

if TYPE_CHECKING:
    from handread.card import ModelCard
    from handread.types import Floats, Labels, Logits


LOOK_ALIKES: tuple[str, ...] = (
    # a digit and the letters that are the same ink in many hands
    "0oO", "0OQ", "1lIi", "2zZ", "5sS", "6b", "6G", "8B", "9gq",
    # pairs that only size tells apart: those EMNIST merges (Cohen et al. 2017, arXiv 1702.05373), and f, k, t
    "cC", "fF", "iI", "jJ", "kK", "lL", "mM", "oO", "pP", "sS", "tT", "uU", "vV", "wW", "xX", "yY", "zZ",
    # joined or round strokes
    "uvUV", "hn", "rv", "a9", "4y",
)  # fmt: skip
"""Characters of one group can be the same ink. Only the test of `Scores.mass` uses it: an ``O`` in a field of
digits is a zero drawn large, not a foreign character. The relation is not transitive: ``L`` is no ``1``."""

NO_INK = "no ink"
NO_CHARACTER = "not a character"
FOREIGN = "not in the alphabet"
UNSURE = "too uncertain"
_TINY = np.finfo(np.float32).tiny
_REASONS = ("", NO_INK, NO_CHARACTER, FOREIGN, UNSURE)
"""Why a character is refused, in the order in which the tests are made; empty when it is accepted."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the network makes of N characters, restricted to an alphabet of K."""

    alphabet: Alphabet
    probabilities: Floats
    """float32 (N, K), calibrated, each row sums to 1."""
    ink: Floats
    """float32 (N,), probability (0..1) that the ink is a character; 1 where the network cannot tell."""
    mass: Floats
    """float32 (N,), share (0..1) of all characters' probability on the alphabet and its look-alikes."""
    acceptance: Floats
    """float32 (N,), natural logarithm of how many times likelier the character answered is than the likelier of two: no
    character at all, and the likeliest character outside the alphabet and its look-alikes; minus infinity without ink.
    That two characters of the alphabet are as likely does not lower it: which one it is, is `confidence`'s business. A
    network that knows nothing else sets the answer against the alphabet's other characters."""
    accepted: npt.NDArray[np.bool_]
    """bool (N,)"""
    reasons: tuple[str, ...]
    """N phrases, empty where accepted."""

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def labels(self) -> Labels:
        """int64 (N,), the most probable class of `alphabet`."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def confidence(self) -> Floats:
        """float32 (N,), the probability of the most probable class."""
        return np.asarray(self.probabilities.max(axis=1), dtype=np.float32)


def probabilities(logits: Logits, *, temperature: float = 1.0) -> Floats:
    """Softmax of ``logits / temperature`` along the last axis, float32 of the same shape.

    Raises `ModelError` when a logit is NaN or infinite: no probability would mean anything.
    """
    if not np.isfinite(logits).all():
        raise ModelError("the network gave NaN or infinite values; its weights are damaged, export it again")
    if not logits.size:
        return np.zeros(logits.shape, dtype=np.float32)
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def score(
    logits: Logits,
    card: ModelCard,
    alphabet: Alphabet | None = None,
    *,
    blank: npt.NDArray[np.bool_] | None = None,
) -> Scores:
    """Score N characters from `logits`, float32 (N, K) or with ``card.has_none`` (N, K + 1), "none" last.

    `alphabet` restricts the answer, None allows all that the card knows; `AlphabetError` when the card lacks
    some of it. `blank`, bool (N,), marks inputs without any ink, which are refused whatever the network says.
    """
    known = _known(card.alphabet)
    wanted = alphabet or known
    own = places(known, wanted)
    restricted = chances(logits, card, wanted)
    full = probabilities(logits, temperature=card.temperature)
    # float32 keeps 1 - p exact enough for thresholds of a thousandth
    ink = 1 - full[:, -1] if card.has_none else np.ones(len(full), dtype=np.float32)
    if blank is not None:
        ink = np.where(blank, np.float32(0), ink)
    inside = look_alikes(known, wanted)
    mass = _mass(logits[:, : len(known)], inside, card.temperature)
    against = np.append(~inside, True) if card.has_none else ~inside
    acceptance = _acceptance(full, own, against)
    if blank is not None:
        acceptance = np.where(blank, np.float32(-np.inf), acceptance)
    code = np.select(
        [
            np.zeros(len(full), dtype=np.bool_) if blank is None else blank,
            ink < card.ink_above,
            mass < card.alphabet_above,
            restricted.max(axis=1, initial=0) < card.accept_above,
        ],
        [1, 2, 3, 4],
        default=0,
    )
    return Scores(wanted, restricted, ink, mass, acceptance, code == 0, tuple(_REASONS[c] for c in code.tolist()))


def chances(logits: Logits, card: ModelCard, alphabet: Alphabet | None = None) -> Floats:
    """Calibrated probabilities of the characters of `alphabet` among themselves, float32 (N, K), each row sums to 1.

    Raises as `score` does, of which it is the cheap half: nothing is refused.
    """
    known = _known(card.alphabet)
    outputs = len(known) + card.has_none
    if logits.ndim != 2 or logits.shape[1] != outputs:
        raise ModelError(f"the network gave logits of shape {logits.shape}; its card promises (N, {outputs})")
    return probabilities(logits[:, places(known, alphabet or known)], temperature=card.temperature)


def _mass(logits: Logits, inside: npt.NDArray[np.bool_], temperature: float) -> Floats:
    if inside.all():
        return np.ones(len(logits), dtype=np.float32)
    # over the characters alone: "none" is the ink test's business
    share = probabilities(logits, temperature=temperature)[:, inside].sum(axis=1)
    return np.asarray(np.minimum(share, 1), dtype=np.float32)


def _acceptance(full: Floats, places: npt.NDArray[np.int64], against: npt.NDArray[np.bool_]) -> Floats:
    """Of small probabilities, which are exact: 1 - p is not, where p is almost 1, and there most characters lie."""
    own = full[:, places]
    best = own.max(axis=1, initial=0)
    # a network that knows nothing else has only the alphabet's own to set against
    rest = full[:, against] if against.any() else np.where(own < best[:, None], own, 0)
    return np.asarray(np.log(np.maximum(best, _TINY)) - np.log(rest.max(axis=1, initial=_TINY)), dtype=np.float32)


@lru_cache(maxsize=256)
def places(known: Alphabet, wanted: Alphabet) -> npt.NDArray[np.int64]:
    """`known.indices_of(wanted)`, int64 (len(wanted),), read-only and remembered."""
    found = known.indices_of(wanted)
    found.flags.writeable = False
    return found


@lru_cache(maxsize=16)
def _known(characters: str) -> Alphabet:
    # single characters are scored a thousand times a second
    return Alphabet.of(characters)


@lru_cache(maxsize=256)
def look_alikes(known: Alphabet, wanted: Alphabet) -> npt.NDArray[np.bool_]:
    """bool (len(known),), read-only: characters of `known` that are in `wanted` or look like one of it.

    >>> known = Alphabet.of("alphanumeric")
    >>> "".join(c for c, inside in zip(known, look_alikes(known, Alphabet.of("01"))) if inside)
    '01IOQilo'
    """
    inside = set(wanted)
    for group in LOOK_ALIKES:
        if any(c in wanted for c in group):
            inside.update(group)
    found = np.array([c in inside for c in known], dtype=np.bool_)
    found.flags.writeable = False
    return found


def character_from(scores: Scores, index: int, box: Box, top: int = 3) -> Character:
    """The `index`-th of `scores` as a `Character` at `box` with its `top` best candidates (at least one)."""
    row = scores.probabilities[index]
    # stable: of equal candidates the alphabet's first comes first, on every machine
    best = np.argsort(-row, kind="stable")[: max(1, top)]
    candidates = tuple(Candidate(scores.alphabet[int(k)], float(row[k])) for k in best)
    return Character(candidates, box, bool(scores.accepted[index]), scores.reasons[index])


def reading_from(characters: Iterable[Character], *, gaps: Sequence[str] = (), strict: bool = False) -> Reading:
    """Characters in reading order as a `Reading`.

    ``gaps[i]`` is what stands before character `i`: nothing, a space, or a newline; missing ones are nothing.
    In a strict reading refused characters stand as U+FFFD in the text, else as their best guess.
    """
    found = tuple(characters)
    texts = (REFUSED if strict and not c.accepted else c.text for c in found)
    text = "".join((gaps[i] if i < len(gaps) else "") + t for i, t in enumerate(texts))
    return Reading(text, found, math.prod(c.confidence for c in found) if found else 0.0)
