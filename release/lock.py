"""From constraints.txt to dependencies.json: pip says which files there are, and their metadata the rest.

Every pinned package is asked for by its exact version, on Linux for x86-64, for each Python of `PYTHONS`; pip 25 or
newer is needed, and fetches the files into its cache. Its settings are left aside, so that no mirror decides.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from release.dependencies import PYTHONS, Package, Wheel, dump, normal, pinned, wanted

Report = dict[str, Any]
"""What pip writes with --report (version 1)."""

PLATFORM = {
    "implementation_name": "cpython", "os_name": "posix", "platform_machine": "x86_64", "platform_system": "Linux",
    "platform_python_implementation": "CPython", "sys_platform": "linux",
}  # fmt: skip

_BY_CLASSIFIER = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_BY_WORD = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License v2.0": "Apache-2.0",
    "Apache-2.0": "Apache-2.0",
    "BSD-3-Clause": "BSD-3-Clause",
    "LicenseRef-NVIDIA-Proprietary": "LicenseRef-NVIDIA-Proprietary",
    "MIT": "MIT",
    "MIT License": "MIT",
    "MIT OR Apache-2.0": "MIT OR Apache-2.0",
    "MPL-2.0": "MPL-2.0",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
}
_BY_NAME = {
    **dict.fromkeys(
        ("contourpy", "cycler", "httpcore", "jinja2", "kiwisolver", "mpmath", "pysocks", "scipy", "sympy"),
        "BSD-3-Clause",
    ),
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",
    "pillow-heif": "BSD-3-Clause AND LGPL-3.0-only AND GPL-2.0-only",
}
"""Packages whose metadata says too little, such as BSD without a number: as the files in them say."""


def locked() -> str:
    """The content of dependencies.json. ValueError where a package has no licence, no file or no pin."""
    return dump(packages({python: _asked(python) for python in PYTHONS}))


def packages(reports: Mapping[str, Report]) -> tuple[Package, ...]:
    """What pip's reports, by version of Python, say of every pinned package."""
    rows = {python: {normal(row["metadata"]["name"]): row for row in reports[python]["install"]} for python in PYTHONS}
    pins = pinned()
    metadata = {name: rows[PYTHONS[-1]][name]["metadata"] for name in pins}
    sets: dict[str, set[str]] = {name: set() for name in pins}
    needs: dict[str, set[str]] = {name: set() for name in pins}
    for python in PYTHONS:
        for kind, requirements in wanted().items():
            _follow(kind, requirements, {**PLATFORM, "python_version": python, "python_full_version": f"{python}.9"},
                    metadata, sets, needs)  # fmt: skip
    return tuple(
        Package(
            name,
            pins[name],
            licence(metadata[name]),
            tuple(sorted(sets[name])),
            tuple(sorted(needs[name])),
            tuple(sorted({_file(rows[python][name]) for python in PYTHONS}, key=lambda file: file.name)),
        )
        for name in sorted(pins)
    )


def licence(metadata: Mapping[str, Any]) -> str:
    """The licence that a package's metadata names, as an SPDX expression; ValueError where it names none for certain."""
    name = normal(metadata["name"])
    if name in _BY_NAME:
        return _BY_NAME[name]
    if said := metadata.get("license_expression"):
        return str(said)
    word = str(metadata.get("license") or "").strip()
    if word in _BY_WORD:
        return _BY_WORD[word]
    classes = [line.rpartition(" :: ")[2] for line in metadata.get("classifier", []) if line.startswith("License")]
    if len(classes) == 1 and classes[0] in _BY_CLASSIFIER:
        return _BY_CLASSIFIER[classes[0]]
    raise ValueError(f"{name} has no certain licence ({word[:60]!r}, {classes}); read its own and put it into lock.py")


def _follow(
    kind: str,
    requirements: Iterable[str],
    environment: Mapping[str, str],
    metadata: Mapping[str, Mapping[str, Any]],
    sets: Mapping[str, set[str]],
    needs: Mapping[str, set[str]],
) -> None:
    """Put `kind` into the sets of all that `requirements` bring, and who needs whom into `needs`."""
    todo = [("", Requirement(line)) for line in requirements]
    seen: set[tuple[str, str]] = set()
    while todo:
        parent, requirement = todo.pop()
        name = normal(requirement.name)
        if name not in metadata:
            raise ValueError(f"{name}, which {parent or kind} needs, is not in constraints.txt")
        if not requirement.specifier.contains(metadata[name]["version"], prereleases=True):
            raise ValueError(f"{parent or kind} needs {requirement}, constraints.txt has {metadata[name]['version']}")
        sets[name].add(kind)
        if parent and parent != name:
            needs[parent].add(name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in metadata[name].get("requires_dist", []):
                further = Requirement(line)
                if further.marker is None:
                    applies = not extra
                else:
                    applies = further.marker.evaluate({**environment, "extra": extra})
                if applies:
                    todo.append((name, further))


def _file(row: Mapping[str, Any]) -> Wheel:
    told = row["download_info"]
    return Wheel(told["url"].rpartition("/")[2], told["archive_info"]["hashes"]["sha256"])


def _asked(python: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder, "pins.txt"), Path(folder, "report.json")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in pinned().items()))
        options = ["--isolated", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--python-version", python, "--target", folder,
             "--report", str(report), "-r", str(pins)],
            check=True,
        )  # fmt: skip
        found: Report = json.loads(report.read_text(encoding="utf-8"))
        return found
