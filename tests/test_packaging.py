"""The wheel and the source archive hold what they must, and nothing heavy."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 5_000_000
"""Of a whole wheel: weights of at most 3 MB, pictures and code."""

pytest.importorskip("hatchling", reason="needs the extra dev")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hatchling.builders.wheel import WheelBuilder

    folder = tmp_path_factory.mktemp("wheel")
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def test_the_wheel_holds_code_weights_and_examples(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = {
        f"handread/{path.relative_to(ROOT / 'src/handread').as_posix()}"
        for path in (ROOT / "src/handread").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    pictures = {f"handread/examples/{path.name}" for path in (ROOT / "examples").iterdir() if path.suffix != ".py"}
    pictures -= {"handread/examples/__pycache__"}
    assert names == source | pictures
    assert {"handread/weights/handread.onnx", "handread/weights/checksums.json", "handread/py.typed"} <= names


def test_the_wheel_and_the_weights_are_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= MOST_BYTES
    assert (ROOT / "src/handread/weights/handread.onnx").stat().st_size <= 3_000_000


def test_the_source_archive_can_be_tested(tmp_path: Path) -> None:
    from hatchling.builders.sdist import SdistBuilder

    (path,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "constraints.txt", ".ci/run", "pyproject.toml",
        "recipes/handread.toml", "examples/truth.csv", "examples/draw_examples.py", "benchmarks/run.py",
        "benchmarks/results/accuracy.csv", "docs/images/demo.png", "tests/conftest.py",
        "src/handread/weights/handread.onnx",
    } <= names  # fmt: skip
    assert not any(name.startswith((".venv", "runs")) for name in names)
