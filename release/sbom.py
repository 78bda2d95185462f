"""Bills of materials in CycloneDX 1.6: the package, what it needs, what it carries, each with its SHA-256.

The same sources give the same bytes: there is no time in them, and the serial number is made of the content.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement

from handread import __version__
from handread.data.atomic import write_atomic
from handread.runtime import store
from handread.runtime.session import read_card
from release.dependencies import BASE, Package, load, normal, wanted
from release.rendering import EXTRAS, VENDORED, chosen

BILLS = {f"handread-{__version__}.cdx.json": (BASE,), f"handread-{__version__}-all.cdx.json": (BASE, *EXTRAS)}
"""File -> the sets of packages in it."""

_ROOT = f"pkg:pypi/handread@{__version__}"


def write(folder: Path) -> list[Path]:
    """Write all `BILLS` into `folder`; returns their paths."""
    for name, sets in BILLS.items():
        write_atomic(folder / name, bill(sets).encode())
    return [folder / name for name in BILLS]


def bill(sets: tuple[str, ...]) -> str:
    """The bill of Handread with the packages of `sets`, as JSON."""
    packages = chosen(load(), sets)
    carried = [*_weights(), *_vendored()]
    body = {
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": _ROOT,
                "name": "handread",
                "version": __version__,
                "licenses": _licences("Apache-2.0"),
                "purl": _ROOT,
            }
        },
        "components": [*map(_package, packages), *carried],
        "dependencies": _dependencies(packages, sets, [component["bom-ref"] for component in carried]),
    }
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    head = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
    }
    return json.dumps({**head, **body}, indent=1) + "\n"


def _dependencies(packages: tuple[Package, ...], sets: tuple[str, ...], carried: list[str]) -> list[dict[str, Any]]:
    named = {package.name: _purl(package) for package in packages}
    asked = {normal(Requirement(line).name) for kind in sets for line in wanted()[kind]}
    rows = [{"ref": _ROOT, "dependsOn": [*(named[name] for name in sorted(asked)), *carried]}]
    for package in packages:
        rows.append({"ref": _purl(package), "dependsOn": [named[name] for name in package.needs if name in named]})
    return rows


def _package(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package.name,
        "version": package.version,
        "licenses": _licences(package.licence),
        "purl": _purl(package),
        "components": [_file(file.name, file.sha256) for file in package.files],
    }


def _vendored() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(VENDORED.read_text(encoding="utf-8"))
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{quote(row['package'], safe='/')}@{row['version']}",
            "name": row["package"],
            "version": row["version"],
            "licenses": _licences(row["licence"]),
            "purl": f"pkg:npm/{quote(row['package'], safe='/')}@{row['version']}",
            "components": [_file(f"handread/web/static/{name}", digest) for name, digest in row["files"].items()],
        }
        for row in rows
    ]


def _weights() -> list[dict[str, Any]]:
    rows = []
    for name in store.shipped():
        content = store.load(name)
        card = read_card(content, name=name)
        rows.append(
            {
                "type": "machine-learning-model",
                "bom-ref": f"weights/{name}@{card.version}",
                "name": name,
                "version": card.version,
                "licenses": _licences(card.licence),
                "components": [_file(f"handread/weights/{name}{store.SUFFIX}", store.checksum(content))],
            }
        )
    return rows


def _file(name: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": sha256}]}


def _licences(expression: str) -> list[dict[str, Any]]:
    if expression.startswith("LicenseRef-"):
        return [{"license": {"name": expression.removeprefix("LicenseRef-")}}]
    if " " in expression:
        return [{"expression": expression}]
    return [{"license": {"id": expression}}]


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"
