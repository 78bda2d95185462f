"""What is written from dependencies.json: files for `pip install --require-hashes`, and docs/licences.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from release.dependencies import BASE, BUILD, ROOT, Package, load

REQUIREMENTS = ROOT / "requirements"
LICENCES = ROOT / "docs/licences.md"
VENDORED = ROOT / "src/handread/web/static/vendor/VENDORED.json"

EXTRAS = ("heic", "train", "web", "scale")
"""What `handread[all]` brings beside the base."""

LOCKS = {
    "base": (BASE,),
    "web": (BASE, "web"),
    "all": (BASE, *EXTRAS),
    "build": (BUILD,),
}
"""File in requirements/ -> the sets in it."""

_NAMES = {BASE: "always", BUILD: "to build"}

BUNDLED = (
    ("opencv-python-headless", "FFmpeg, libquadmath (LGPL-2.1-or-later), OpenBLAS, OpenSSL, libaom, libvpx and others, "
     "as shared libraries beside it; its LICENSE-3RD-PARTY.txt"),
    ("numpy, scipy", "OpenBLAS (BSD), libgfortran (GPL-3.0 with GCC's exception, which lets any program use it), "
     "libquadmath (LGPL-2.1-or-later)"),
    ("pillow", "libjpeg-turbo, libpng, libtiff, libwebp, FreeType (under its own licence), HarfBuzz and others, all "
     "permissive; its LICENSE"),
    ("pillow-heif", "libheif, libde265 (LGPL-3.0), x265 (GPL-2.0): who hands `handread[heic]` on as one whole, hands it "
     "on under the GPL"),
    ("onnxruntime", "many libraries, permissive; its ThirdPartyNotices.txt"),
    ("torch", "on Linux it brings NVIDIA's libraries, under NVIDIA's terms; PyTorch's builds for the processor alone do "
     "without"),
)  # fmt: skip
"""What lies inside the wheels under other licences, as the wheels' own notices say."""


def written() -> dict[Path, str]:
    """Path -> content of every file that is made of dependencies.json."""
    packages = load()
    files = {REQUIREMENTS / f"{name}.txt": requirements(name, packages) for name in LOCKS}
    return files | {LICENCES: licences(packages)}


def chosen(packages: tuple[Package, ...], sets: tuple[str, ...]) -> tuple[Package, ...]:
    """Those that one of `sets` brings."""
    return tuple(package for package in packages if set(sets) & set(package.sets))


def requirements(name: str, packages: tuple[Package, ...]) -> str:
    """A file for `pip install --require-hashes -r`, for the sets of `LOCKS[name]`."""
    lines = [
        f"# pip install --require-hashes -r requirements/{name}.txt",
        "# On Linux for x86-64 with Python 3.11 or 3.12. Written by: python -m release lock",
    ]
    for package in chosen(packages, LOCKS[name]):
        hashes = sorted(file.sha256 for file in package.files)
        lines.append(" \\\n    ".join([f"{package.name}=={package.version}", *(f"--hash=sha256:{h}" for h in hashes)]))
    return "\n".join(lines) + "\n"


def licences(packages: tuple[Package, ...]) -> str:
    """The page of licences."""
    vendored: list[dict[str, Any]] = json.loads(VENDORED.read_text(encoding="utf-8"))
    shipped = chosen(packages, (BASE, BUILD, *EXTRAS))
    tools = [package for package in packages if package not in shipped]
    parts = [
        _BEGINNING,
        _table(["package", "version", "licence", "brought by"],
               [[p.name, p.version, p.licence, ", ".join(_brought_by(p))] for p in shipped]),
        "## Inside the wheels\n\nSome wheels hold libraries of others, loaded as shared libraries:",
        _table(["package", "holds"], [list(row) for row in BUNDLED]),
        "## In the page\n\nThese lie in the wheel of Handread itself, unchanged, each with its licence beside it. "
        "`src/handread/web/static/vendor/VENDORED.json` has their SHA-256.",
        _table(["package", "version", "licence", "files"],
               [[row["package"], row["version"], row["licence"], ", ".join(sorted(row["files"]))] for row in vendored]),
        "## Tools for contributors\n\nThe extra `dev` brings these to test and to check; nothing that is handed on "
        "contains them.",
        _table(["package", "version", "licence"], [[p.name, p.version, p.licence] for p in tools]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _brought_by(package: Package) -> list[str]:
    sets = [name for name in package.sets if name != "dev"]
    if BASE in sets:
        return [_NAMES[BASE]]
    return [_NAMES.get(name, f"`{name}`") for name in sets]


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


_BEGINNING = """\
# Licences

Handread is under the [Apache License 2.0](../LICENSE), its weights too. What it stands on, in the versions that
`constraints.txt` pins: "always" is what every installation needs, the rest comes with an extra. No package that is
always there is under the GPL, and none is without a licence.

Written by `python -m release pages`; [a release](release.md) carries the same as a bill of materials (CycloneDX)."""
