"""The steps of a release: `python -m release lock`, `pages`, `sbom`, `build`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from handread.data.atomic import write_atomic
from release import building, lock, sbom
from release.dependencies import FILE, ROOT
from release.rendering import written


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse and do."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("lock", help="ask pip for what constraints.txt names; write dependencies.json and all made of it")
    steps.add_parser("pages", help="write requirements/*.txt and docs/licences.md from dependencies.json")
    for name, text in (("sbom", "write the bills of materials"), ("build", "wheel, source archive, bills, checksums")):
        steps.add_parser(name, help=text).add_argument("--out", type=Path, default=ROOT / "dist", metavar="FOLDER")
    given = parser.parse_args(arguments)
    if given.step == "lock":
        write_atomic(FILE, lock.locked().encode())
    if given.step in ("lock", "pages"):
        for path, text in written().items():
            write_atomic(path, text.encode())
            print(path.relative_to(ROOT))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    for path in building.build(given.out) if given.step == "build" else sbom.write(given.out):
        print(path)


if __name__ == "__main__":
    main()
