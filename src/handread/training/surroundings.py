"""Where a run took place: versions, processor, settings and the state of the working folder, for the record.

A run repeats bit for bit where all of it is the same but what `BESIDE` names.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import handread
from handread.machine import cores, instructions, processor, versions

PACKAGES = ("numpy", "opencv-python-headless", "pillow", "onnx", "onnxruntime", "safetensors")
"""What every run computes with; torch and scikit-learn say theirs where they are used."""
SETTINGS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_NUM_THREADS",
            "OMP_NUM_THREADS", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG")  # fmt: skip
"""Environment variables by which the same program on the same machine rounds otherwise."""
BESIDE = frozenset({"system", "cores", "commit", "changed", "parameters", "model bytes", "earlier"})
"""What is told and decides nothing: `threads` are what was computed with, `code` is what was computed by."""

_PATIENCE = 10.0
"""Seconds for git; a record is no reason to wait longer."""


def surroundings(*packages: str) -> dict[str, object]:
    """Versions, of `packages` too, processor, settings, and the commit of the working folder where it has one."""
    found: dict[str, object] = {
        "handread": handread.__version__,
        "code": code_digest(),
        "python": platform.python_version(),
    }
    found |= versions(*packages, *PACKAGES) | {
        "system": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": cores(),
        "instructions": " ".join(instructions()),
    }
    settings = " ".join(f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name))
    return found | ({"settings": settings} if settings else {}) | git_state(Path.cwd())


@functools.cache
def code_digest() -> str:
    """SHA-256 of Handread's own Python files: a version number stands still while one works on them."""
    root = Path(handread.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def git_state(folder: Path) -> dict[str, object]:
    """``commit`` of `folder`, and whether tracked files were ``changed`` since; empty without git or a commit."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return {}
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    return {"commit": commit} | ({} if changes is None else {"changed": bool(changes)})


def _git(folder: Path, *words: str) -> str | None:
    """What git prints; None where there is no git, no repository, or no answer in time."""
    program = shutil.which("git")
    if program is None:
        return None
    # no lock that could be in another's way, no program that the repository names
    command = [program, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()


def differences(
    then: Mapping[str, object], now: Mapping[str, object], *, but: Sequence[str] = ()
) -> dict[str, tuple[object, object]]:
    """What of two surroundings is not the same, name -> (then, now), without `BESIDE` and `but`; None for absent."""
    names = [name for name in dict.fromkeys((*then, *now)) if name not in BESIDE and name not in but]
    return {name: (then.get(name), now.get(name)) for name in names if then.get(name) != now.get(name)}
