"""Which optional dependencies are there: told by the package's own metadata, found without importing them."""

from __future__ import annotations

import re
from importlib import metadata, util

from handread.errors import MissingExtraError

_MODULES = {
    "pillow": "PIL",
    "pillow-heif": "pillow_heif",
    "opencv-python-headless": "cv2",
    "python-multipart": "python_multipart",
}
"""Module of a distribution where the names differ."""

_NOT_FEATURES = frozenset({"all", "dev"})


def require(feature: str, extra: str, *modules: str) -> None:
    """Raise `MissingExtraError` naming `extra` unless all `modules` can be imported."""
    if any(util.find_spec(module) is None for module in modules):
        raise MissingExtraError(feature, extra)


def requirements() -> dict[str, tuple[str, ...]]:
    """Distributions that Handread names, by extra; the key "" holds those it cannot do without."""
    table: dict[str, tuple[str, ...]] = {"": ()}
    for line in metadata.requires("handread") or ():
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)['"]""", line)
        key = extra.group(1) if extra else ""
        if name and key not in _NOT_FEATURES:
            table[key] = (*table.get(key, ()), name.group(0).lower())
    return table


def version_of(distribution: str) -> str | None:
    """The installed version; "present" when only the module is there, None when not even that."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        module = _MODULES.get(distribution, distribution.replace("-", "_"))
        return "present" if util.find_spec(module) is not None else None
