"""The public names: each is listed, has a home, and resolves on first use."""

from __future__ import annotations

import importlib
import re
from importlib.metadata import version

import pytest

import handread

NAMES = [
    "Alphabet", "Box", "Candidate", "Character", "EvaluationReport", "HandreadError", "ModelCard", "Reading",
    "Recognizer", "__version__", "evaluate", "load_data",
]  # fmt: skip


def test_the_public_names() -> None:
    assert sorted(handread.__all__) == sorted(NAMES)
    assert dir(handread) == sorted(handread.__all__)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("_")])
def test_a_name_resolves_to_the_one_at_home(name: str) -> None:
    home = importlib.import_module(handread._HOMES[name])
    assert getattr(handread, name) is getattr(home, name)
    assert getattr(handread, name).__doc__


def test_a_star_brings_all() -> None:
    names: dict[str, object] = {}
    exec("from handread import *", names)
    assert set(NAMES) <= set(names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'handread' has no attribute 'Recogniser'"):
        handread.Recogniser  # noqa: B018
    assert not hasattr(handread, "nothing")


def test_the_version_is_the_packages() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", handread.__version__)
    assert version("handread") == handread.__version__
