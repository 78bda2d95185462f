"""Alphabets: ordered characters and their class indices."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handread.errors import AlphabetError

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
        for place, character in enumerate(self.characters):
            if len(character) != 1 or character.isspace():
                raise AlphabetError(f"{character!r} cannot be a class: an alphabet holds single, visible characters")
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
            return cls(spec, tuple(NAMED[spec]))
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
        """Places in this alphabet of every character of `other`, shape (len(other),).

        Raises `AlphabetError` naming every character of `other` that this alphabet lacks.
        """
        missing = [c for c in other.characters if c not in self]
        if missing:
            raise AlphabetError(
                f"this model has never seen {', '.join(map(repr, missing))}; it knows "
                f"{''.join(self.characters)}: leave {'them' if len(missing) > 1 else 'it'} out of the alphabet"
            )
        return np.array([self._places[c] for c in other.characters], dtype=np.int64)
