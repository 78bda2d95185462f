"""The --alphabet option: names or characters, and a hint where a name is misspelt."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from handread.errors import AlphabetError

if TYPE_CHECKING:
    from handread.alphabet import Alphabet


def parse_alphabet(spec: str) -> Alphabet:
    """`Alphabet.of`, with "did you mean" in the `AlphabetError` where `spec` is close to a name."""
    from handread.alphabet import NAMED, Alphabet

    try:
        return Alphabet.of(spec)
    except AlphabetError as error:  # a misspelt name is seldom an alphabet: some letter stands in it twice
        near = difflib.get_close_matches(spec, NAMED, n=1)
        raise AlphabetError(f"{error}; did you mean the name {near[0]!r}?" if near else str(error)) from None
