"""The reference is what the sources say; what is public says what it is, and is used by a test."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import handread
import handread.training
from tests.conftest import module_at

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
FOLDER = ROOT / "docs/api"

ARRAY = re.compile(r"NDArray|UInt8Array|\b(Floats|Doubles|Reals|Labels|Logs)\b")
"""Annotations that say neither dtype nor shape; the aliases of `handread.types` stand in the reference with both."""
DTYPE = re.compile(r"\b(uint8|float32|float64|int64|int32|bool)\b")
SHAPE = re.compile(r"\([A-Z0-9][\w.]*[,)]|\([a-z_.]+, |\(len\(|any shape")

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


api = module_at(ROOT / "docs/api.py")
OVERRIDES = {"forward", "logit_layers"}
"""Methods of networks that `handread.networks.base.Network` explains."""


@cache
def entries() -> tuple[Any, ...]:
    """All public names, members of classes among them."""
    return tuple(
        entry for modules in api.reference().pages.values() for part in modules for entry in api.walk(part.entries)
    )


def test_the_pages_are_what_the_sources_say() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == api.written(), (
        "run python docs/api.py"
    )


def test_every_link_of_the_pages_leads_somewhere() -> None:
    pages = api.written()
    lost = []
    for name, text in pages.items():
        for target in LINK.findall(CODE.sub("", text)):
            file, _, anchor = target.partition("#")
            there = (FOLDER / file).resolve() if file else FOLDER / name
            if not there.exists() or (anchor and f'<a id="{anchor}">' not in pages[there.name]):
                lost.append(f"{name}: {target}")
    assert lost == []


def test_writing_the_pages_loads_nothing_heavy() -> None:
    code = (
        f"import runpy, sys; runpy.run_path({str(ROOT / 'docs/api.py')!r})['written']()\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules} & {'numpy', 'handread', 'torch', 'click'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("package", [handread, handread.training], ids=lambda package: package.__name__)
def test_what_a_package_offers_is_in_the_reference(package: ModuleType) -> None:
    offered = {name for name in package.__all__ if not name.startswith("_")}
    assert offered - {entry.name for entry in entries()} == set()


def test_training_offers_its_names_without_pytorch_where_none_is_needed() -> None:
    code = (
        "import sys\nfrom handread.training import TrainConfig, load_recipe\n"
        "assert 'torch' not in sys.modules\n"
        "import handread.training\n"
        "assert not hasattr(handread.training, 'train_recpie')\n"
        "print(TrainConfig.__module__, load_recipe.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["handread.training.config", "load_recipe"]


def test_every_name_of_training_is_the_one_at_home() -> None:
    pytest.importorskip("torch")
    for name, home in handread.training._HOMES.items():
        assert getattr(handread.training, name) is getattr(importlib.import_module(home), name)


def test_every_public_name_has_a_docstring() -> None:
    assert [f"{entry.module}.{entry.name}" for entry in entries() if not entry.said] == []


def test_every_name_without_an_underscore_has_a_docstring() -> None:
    """Also of what is not in the reference: whoever opens a module shall find every name explained."""
    silent = []
    for path in sorted((ROOT / "src/handread").rglob("*.py")):
        for owner in (tree := ast.parse(path.read_text(encoding="utf-8")), *tree.body):
            if owner is not tree and (not isinstance(owner, ast.ClassDef) or owner.name.startswith("_")):
                continue
            for node in owner.body:
                named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                if (
                    named
                    and not node.name.startswith("_")
                    and node.name not in OVERRIDES
                    and not ast.get_docstring(node)
                ):
                    silent.append(f"{path.name}:{node.lineno} {node.name}")
    assert silent == []


def test_what_has_arrays_says_their_dtype_and_shape() -> None:
    """In its own sentence, or once for all in its class or its module."""
    around = {part.name: part.said for modules in api.reference().pages.values() for part in modules}
    classes = {(entry.module, entry.name): entry.said for entry in entries()}
    vague = []
    for entry in entries():
        said = f"{entry.said} {classes.get((entry.module, entry.name.partition('.')[0]), '')} {around[entry.module]}"
        rows = [(f".{name}", kind, text) for name, kind, _, text in entry.fields] or [("", entry.types, said)]
        for name, kind, text in rows:
            if ARRAY.search(kind) and not (DTYPE.search(text) and SHAPE.search(text)):
                vague.append(f"{entry.module}.{entry.name}{name}")
    assert vague == []


def test_every_public_name_is_used_by_a_test() -> None:
    """A type that only comes out of something is used where that is."""
    used: set[str] = set()
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.alias):
                used.add(node.name.rpartition(".")[2])
    known = {entry.name for entry in entries() if entry.name.rpartition(".")[2] in used}
    for _ in range(2):  # a type inside a type inside a function
        types = " ".join(entry.types for entry in entries() if entry.name in known)
        known |= {entry.name for entry in entries() if entry.is_type and re.search(rf"\b{entry.name}\b", types)}
    known |= {entry.name for entry in entries() if entry.name.rpartition(".")[2] in OVERRIDES or "__" in entry.name}
    unused = [f"{entry.module}.{entry.name}" for entry in entries() if entry.name not in known]
    assert unused == []
