"""What this process runs on: the processor, in the names that the system gives, and the versions of packages."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16",
                "i8mm")  # fmt: skip
"""Sets of instructions that speed networks up, and may round otherwise, by Linux's names (x86-64, then ARM)."""

_CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's name; its kind where the system does not tell."""
    return _told("model name") or platform.processor() or platform.machine()


def instructions() -> tuple[str, ...]:
    """Those of `INSTRUCTIONS` that the processor has; empty where the system does not tell."""
    flags = set((_told("flags") or _told("Features")).split())
    return tuple(name for name in INSTRUCTIONS if name in flags)


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


def versions(*packages: str) -> dict[str, str]:
    """Name -> version of those of `packages` that are installed: OpenCV, for one, has several names."""
    from importlib import metadata  # slow to import, and no reading needs it

    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _told(key: str) -> str:
    """What Linux says of the first core under `key`; empty elsewhere."""
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() == key:
            return " ".join(value.split())
    return ""
