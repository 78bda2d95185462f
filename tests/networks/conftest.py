"""Networks need torch: without it every file here is skipped, and says so."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

MISSING = [name for name in ("torch", "onnx", "safetensors") if importlib.util.find_spec(name) is None]


class _Skipped(pytest.Module):
    def collect(self) -> Any:
        pytest.skip(f"{', '.join(MISSING)} absent; pip install 'handread[train]'")


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    return _Skipped.from_parent(parent, path=module_path) if MISSING else None
