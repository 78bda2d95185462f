"""Wheel and source archive, built so that the same sources give the same bytes, with bills and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from handread.data.atomic import write_atomic
from release import sbom
from release.dependencies import ROOT

CHECKSUMS = "SHA256SUMS"


def build(out: Path, root: Path = ROOT) -> list[Path]:
    """Build the sources at `root` into `out`; returns all that was written, the checksums last.

    Times inside the archives are SOURCE_DATE_EPOCH or, without it, hatchling's own constant.
    """
    made = [Path(path) for kind in (WheelBuilder, SdistBuilder) for path in kind(str(root)).build(
        directory=str(out), versions=["standard"]
    )]  # fmt: skip
    made += sbom.write(out)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made)]
    write_atomic(out / CHECKSUMS, "".join(lines).encode())
    return [*made, out / CHECKSUMS]
