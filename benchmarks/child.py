"""Work in an interpreter of its own, so that the measuring one stays small; and what everything was measured on."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.results import ROOT


def child(code: str, *arguments: str) -> str:
    """What `code` prints, run in the root of the repository with `arguments` in ``sys.argv``; `RuntimeError` if it
    fails."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def measured_on(*packages: str) -> tuple[str, str, str]:
    """The machine, the versions, those of `packages` among them, and the shipped weights' first twelve digits."""
    machine, versions, weights = child("from benchmarks.child import tell; tell(*sys.argv[1:])", *packages).splitlines()
    return machine, versions, weights


def tell(*packages: str) -> None:
    """In a child: three lines, the machine, the versions, the weights."""
    import hashlib
    import os
    import platform
    from importlib.metadata import version

    from handread.machine import processor
    from handread.runtime import store

    names = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "handread", *packages)
    print(f"{processor()}, {os.cpu_count()} cores, {platform.system()}")
    print("; ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)]))
    print(hashlib.sha256(store.load("handread")).hexdigest()[:12])
