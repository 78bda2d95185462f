"""The few errors a caller of Handread meets; each message names the value, the reason and the way out."""

from __future__ import annotations


class HandreadError(Exception):
    """Base of every error that Handread raises on purpose; the command line turns it into exit code 2."""


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
