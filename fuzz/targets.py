"""The roads that can be attacked, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from fuzz.case import Target


def _pictures() -> Target:
    from fuzz.pictures import Pictures

    return Pictures()


def _files() -> Target:
    from fuzz.files import Files

    return Files()


def load(name: str) -> Target:
    """The target of that name, or of ``module:Class``."""
    module, _, attribute = name.partition(":")
    if not attribute:
        return TARGETS[name]()
    made: Target = getattr(importlib.import_module(module), attribute)()
    return made


TARGETS: Mapping[str, Callable[[], Target]] = {"pictures": _pictures, "files": _files}
"""Name -> what makes the target."""
