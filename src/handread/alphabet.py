"""Alphabets: ordered characters and their class indices."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from handread.errors import AlphabetError, shown

DIGITS = string.digits
UPPER = string.ascii_uppercase
LOWER = string.ascii_lowercase

NAMED: dict[str, str] = {
    "digits": DIGITS,
    "upper": UPPER,
    "lower": LOWER,
    "letters": UPPER + LOWER,
    "alphanumeric": DIGITS + UPPER + LOWER,
    "hex": DIGITS + "ABCDEF" + "abcdef",
}
"""Named alphabets; ``alphanumeric`` fixes the order of the 62 shipped classes."""

LARGEST = 10_000
"""Most characters in one alphabet; the largest sets that are collected have 7,356 (Chinese)."""

_NAMED_AT_MOST = 100


@dataclass(frozen=True, slots=True)
class Alphabet:
    """An ordered set of single characters; a character's place is its class index.

    >>> digits = Alphabet.of("digits")
    >>> len(digits), digits.index("7"), digits[7]
    (10, 7, '7')
    """

    name: str
    characters: tuple[str, ...]
    _places: dict[str, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.characters:
            raise AlphabetError("an alphabet needs at least one character; name one of " + ", ".join(NAMED))
        if len(self.characters) > LARGEST:
            raise AlphabetError(
                f"an alphabet of {len(self.characters):,} characters is too large; {LARGEST:,} are taken"
            )
        for place, character in enumerate(self.characters):
            # what is not printable would move the cursor, turn the line round, or fit into no file
            if len(character) != 1 or character.isspace() or not character.isprintable():
                raise AlphabetError(
                    f"{shown(character)} cannot be a class: an alphabet holds single, visible characters"
                )
            if character in self._places:
                raise AlphabetError(f"{character!r} stands twice in the alphabet; name each character once")
            self._places[character] = place

    @classmethod
    def of(cls, spec: str | Iterable[str] | Alphabet) -> Alphabet:
        """Make an alphabet from a name (``digits``), the characters themselves (``"0123-"``) or another one.

        Raises `AlphabetError` when it is empty, repeats a character, or holds a space.
        """
        if isinstance(spec, Alphabet):
            return spec
        if isinstance(spec, str) and spec in NAMED:
            return _named(spec)
        characters = tuple(spec)
        for name, known in NAMED.items():
            if characters == tuple(known):
                return cls(name, characters)
        return cls("".join(characters), characters)

    def __len__(self) -> int:
        return len(self.characters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._places

    def __getitem__(self, index: int) -> str:
        return self.characters[index]

    def index(self, character: str) -> int:
        """Class index of one character; raises `AlphabetError` for one that is not in the alphabet."""
        try:
            return self._places[character]
        except KeyError:
            raise AlphabetError(
                f"{character!r} is not in the alphabet {self.name!r} ({''.join(self.characters)})"
            ) from None

    def indices_of(self, other: Alphabet) -> npt.NDArray[np.int64]:
        """Places in this alphabet of every character of `other`, int64 (len(other),).

        Raises `AlphabetError` naming every character of `other` that this alphabet lacks.
        """
        missing = [c for c in other.characters if c not in self]
        if missing:
            raise AlphabetError(
                f"this model has never seen {', '.join(map(repr, missing[:_NAMED_AT_MOST]))}"
                f"{' and others' if len(missing) > _NAMED_AT_MOST else ''}; it knows "
                f"{''.join(self.characters)}: leave {'them' if len(missing) > 1 else 'it'} out of the alphabet"
            )
        return np.array([self._places[c] for c in other.characters], dtype=np.int64)


@cache
def _named(name: str) -> Alphabet:
    # whoever reads one digit at a time asks for the same alphabet a thousand times a second
    return Alphabet(name, tuple(NAMED[name]))
