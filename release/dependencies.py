"""The locked dependencies: one record a package in `dependencies.json`, which `python -m release lock` writes."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "release/dependencies.json"
CONSTRAINTS = ROOT / "constraints.txt"
PYTHONS = ("3.11", "3.12")
"""Versions of Python on Linux for x86-64 for which files are recorded."""

BASE, BUILD = "base", "build"
"""The sets without an extra of their own: what reading needs, and what makes the wheel."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file of a package."""

    name: str
    sha256: str
    """Hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of one version."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    licence: str
    """An SPDX expression."""
    sets: tuple[str, ...]
    """`base`, `build`, and the extras that bring it."""
    needs: tuple[str, ...]
    """Names of the locked packages that it requires here."""
    files: tuple[Wheel, ...]
    """One for all `PYTHONS`, or one for each."""


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    """Name -> version of every line of constraints.txt."""
    rows = [line.strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()]
    return {normal(name): version for name, _, version in (row.partition("==") for row in rows) if version}


def wanted() -> dict[str, list[str]]:
    """Set -> requirements, as pyproject.toml states them; without `all`, which names the others."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    return {
        BASE: project["project"]["dependencies"],
        BUILD: project["build-system"]["requires"],
        **{name: needs for name, needs in extras.items() if name not in ("all", "tensorboard")},
    }


def load() -> tuple[Package, ...]:
    """All locked packages, sorted by name."""
    rows: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(
        Package(
            row["name"], row["version"], row["licence"], tuple(row["sets"]), tuple(row["needs"]),
            tuple(Wheel(**file) for file in row["files"]),
        )
        for row in rows
    )  # fmt: skip


def dump(packages: tuple[Package, ...]) -> str:
    """The content of `FILE`."""
    return json.dumps([asdict(package) for package in packages], indent=1) + "\n"
