"""The few errors a caller of Handread meets; each message names the value, the reason and the way out."""

from __future__ import annotations

import reprlib


class HandreadError(Exception):
    """Base of every error that Handread raises on purpose; the command line turns it into exit code 2.

    Its text is one printable line: names in strangers' files may hold what moves the cursor or is no text at all.
    """

    def __str__(self) -> str:
        return "".join(c if c.isprintable() else _escaped(c) for c in super().__str__())


class ImageError(HandreadError):
    """A picture cannot be read: missing, empty, not an image, truncated, too large, wrong dtype or rank."""


class DataError(HandreadError):
    """A data set cannot be read: unknown form, ragged rows, missing files, labels outside the alphabet."""


class AlphabetError(HandreadError):
    """An alphabet is empty, repeats a character, or asks for one that the model has never seen."""


class ModelError(HandreadError):
    """A weights file is missing, damaged, without a card, with a foreign card or from a newer format."""


class ConfigError(HandreadError):
    """A recipe has an unknown key, a wrong type, or a value out of range."""


class UnknownNameError(HandreadError):
    """A name is not registered; the message lists or suggests the near ones."""


class MissingExtraError(HandreadError):
    """A feature needs an optional dependency that is not installed; names the pip line that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra {extra!r}: pip install 'handread[{extra}]'")
        self.extra = extra


def bug(error: BaseException, way: str) -> str:
    """The sentence for an `error` that nobody has foreseen, and the `way` to report it.

    >>> bug(KeyError(7), "with the picture")
    'this is a bug in Handread (KeyError: 7); please report it with the picture'
    """
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"this is a bug in Handread ({what}); please report it {way}"


def _escaped(character: str) -> str:
    # A byte of a name that is no UTF-8 stands in Python's text as a lone surrogate.
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode()


def shown(value: object) -> str:
    """`value` for a message: as `repr` writes it, cut where a stranger made it longer or deeper than a sentence bears.

    >>> shown("7"), shown([0] * 1000)
    ("'7'", '[0, 0, 0, 0, 0, 0, 0, 0, ...]')
    """
    try:
        return _SHORT.repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return f"a {type(value).__name__} of endless length"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 60
_SHORT.maxlevel = 3
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 8
