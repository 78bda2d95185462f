"""Handread reads handwritten characters: digits and letters, one at a time or several in a picture.

>>> import handread
>>> reader = handread.Recognizer()                          # doctest: +SKIP
>>> reader.read("number.jpg", alphabet="digits").text       # doctest: +SKIP
'2026'

Names resolve on first use (PEP 562), so that importing the package loads nothing heavy.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handread.alphabet import Alphabet as Alphabet
    from handread.card import ModelCard as ModelCard
    from handread.data.load import load_data as load_data
    from handread.errors import HandreadError as HandreadError
    from handread.evaluation.report import EvaluationReport as EvaluationReport
    from handread.evaluation.report import evaluate as evaluate
    from handread.recognizer import Recognizer as Recognizer
    from handread.types import Box as Box
    from handread.types import Candidate as Candidate
    from handread.types import Character as Character
    from handread.types import Reading as Reading

__version__ = "0.1.0"

# From 1.29 on onnxruntime reports to its maker, writes an identifier into the home folder, and looks here once, when
# it is loaded: so it is told before any module of Handread can load it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "Alphabet": "handread.alphabet",
    "Box": "handread.types",
    "Candidate": "handread.types",
    "Character": "handread.types",
    "EvaluationReport": "handread.evaluation.report",
    "HandreadError": "handread.errors",
    "ModelCard": "handread.card",
    "Reading": "handread.types",
    "Recognizer": "handread.recognizer",
    "evaluate": "handread.evaluation.report",
    "load_data": "handread.data.load",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'handread' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
