"""The three tests of the house: who may know whom, what is loaded when, what the wheel can do alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

import handread

PACKAGE = Path(handread.__file__).resolve().parent
SOURCE = PACKAGE.parent.parent

BASE = {"alphabet", "card", "errors", "frame", "machine", "registry", "types"}
ANY = None
MAY_KNOW: dict[str, set[str] | None] = {
    **dict.fromkeys(BASE, BASE),
    "decode": BASE,
    "imaging": BASE,
    "layout": BASE | {"decode", "imaging"},
    "data": BASE | {"imaging"},
    "evaluation": BASE | {"decode", "imaging", "data"},
    "reports": BASE | {"decode", "imaging", "data", "evaluation"},
    "runtime": BASE | {"decode", "imaging", "data", "evaluation"},
    "recognizer": BASE | {"decode", "imaging", "layout", "data", "evaluation", "runtime"},
    "answer": BASE,
    "networks": BASE,
    "training": BASE | {"decode", "imaging", "data", "evaluation", "reports", "networks"},
    "scale": BASE | {"decode", "imaging", "data", "evaluation", "runtime", "recognizer"},
    "bench": BASE | {"imaging", "runtime", "recognizer"},
    "cli": ANY,
    "web": ANY,
    "desktop": ANY,
    "__init__": ANY,  # names that resolve on first use
    "__main__": {"cli"},
}
"""Room -> rooms that it may import; itself always."""
_RUNS_MODELS = ("adopting", "baseline", "export", "learning", "members", "peak", "quantise", "restore", "rewire", "run",
                "seen", "teacher", "verify")  # fmt: skip
MAY_ALSO_KNOW = {f"training/{name}.py": {"runtime"} for name in _RUNS_MODELS}
"""What training writes is run once as prediction will run it."""

HEAVY_HOMES = {
    "torch": {"networks", "training"},
    "onnx": {"training"},
    "safetensors": {"training"},
    "onnxruntime": {"runtime", "training"},
    "fastapi": {"web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "pydantic": {"web"},
    "python_multipart": {"web"},
    "prometheus_client": {"web"},
    "ray": {"scale"},
    "pyarrow": {"scale"},
    "fsspec": {"scale"},
    "tkinter": {"desktop"},
}
"""Heavy package -> the only rooms that import it."""
WITHOUT_TORCH = {"training/config.py"}

NOT_FOR_HELP = ("numpy", "cv2", "PIL", "onnxruntime", "torch", "rich", "fastapi", "ray", "tkinter")
NOT_FOR_READING = (
    "torch",
    "onnx",
    "safetensors",
    "fastapi",
    "ray",
    "pyarrow",
    "fsspec",
    "tkinter",
    "sklearn",
    "scipy",
    "matplotlib",
)


def module_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Dotted names that a file imports, wherever in it, for types too."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)} line {node.lineno}: name the module from its root"
            assert node.module is not None
            if node.module == "handread":
                yield from (f"handread.{alias.name}" for alias in node.names)
            else:
                yield node.module


def rooms() -> set[str]:
    return {room_of(path) for path in module_files()}


def test_every_room_has_its_place_in_the_order() -> None:
    assert rooms() - set(MAY_KNOW) == set()


@pytest.mark.parametrize("path", module_files(), ids=relative)
def test_no_file_knows_a_room_above_it(path: Path) -> None:
    allowed = MAY_KNOW[room_of(path)]
    if allowed is ANY:
        return
    allowed = allowed | {room_of(path)} | MAY_ALSO_KNOW.get(relative(path), set())
    known = {name.split(".")[1] for name in imported(path) if name.startswith("handread.")}
    assert (known & rooms()) - allowed == set()


@pytest.mark.parametrize("path", module_files(), ids=relative)
def test_heavy_packages_stay_in_their_rooms(path: Path) -> None:
    found = {name.split(".")[0] for name in imported(path)} & set(HEAVY_HOMES)
    foreign = {name for name in found if room_of(path) not in HEAVY_HOMES[name]}
    assert foreign == set()
    if relative(path) in WITHOUT_TORCH:
        assert found == set()


STRESS = {f"handread.evaluation.{name}" for name in ("corruption", "mnist_c", "paper", "stress")}
"""What pictures are made worse by to measure: not to be learnt from."""


@pytest.mark.parametrize(
    "path", [p for p in module_files() if room_of(p) in ("training", "networks", "data")], ids=relative
)
def test_training_does_not_know_what_it_is_stressed_with(path: Path) -> None:
    named = {name for found in imported(path) for name in (found, found.rpartition(".")[0])}
    assert named & STRESS == set()
    assert not any(name in path.read_text(encoding="utf-8") for name in ("mnist_c", "evaluation.stress "))


def test_what_is_stressed_with_is_not_even_loaded_for_training() -> None:
    pytest.importorskip("torch")
    code = (
        "import handread.training.run, handread.training.learning, handread.training.augment, handread.data.synthetic\n"
        f"found = {sorted(STRESS)!r}\n"
        "assert [name for name in found if name in sys.modules] == []"
    )
    assert "torch" in loaded_after(code)


def loaded_after(code: str, *arguments: str) -> set[str]:
    """Top-level modules that a clean interpreter has loaded after running `code`."""
    report = "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    script = f"import sys\n{code}\nimport json\n{report}"
    done = subprocess.run([sys.executable, "-I", "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import handread")
    assert "handread" in loaded
    assert loaded.isdisjoint({*NOT_FOR_HELP, "click"})


def test_help_of_every_command_loads_nothing_heavy() -> None:
    code = (
        "from handread.cli.data import COMMANDS as INNER\n"
        "from handread.cli.main import COMMANDS, group\n"
        "named = [*([name] for name in COMMANDS), *(['data', name] for name in INNER)]\n"
        "for line in [['--help'], *([*words, '--help'] for words in named)]:\n"
        "    group.main(line, 'handread', standalone_mode=False)"
    )
    assert loaded_after(code).isdisjoint(NOT_FOR_HELP)


def test_reading_a_picture_never_loads_torch(
    tiny_model: Path, tmp_path: Path, draw: Callable[[str], Image.Image]
) -> None:
    draw("7").save(tmp_path / "seven.png")
    code = (
        "from handread.cli.main import group\n"
        "arguments = ['read', sys.argv[1], '--one', '--json', '--model', sys.argv[2]]\n"
        "assert group.main(arguments, 'handread', standalone_mode=False) == 0"
    )
    loaded = loaded_after(code, str(tmp_path / "seven.png"), str(tiny_model))
    assert "onnxruntime" in loaded
    assert loaded.isdisjoint(NOT_FOR_READING)


ALONE = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"{name} is not among the dependencies", name=name)

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])

import handread
assert handread.__file__.startswith(sys.argv[1]), handread.__file__

from handread.cli.doctor import drawn_seven
reading = handread.Recognizer().read(drawn_seven(), alphabet="digits", one=True)
print(reading.text, reading.accepted)
"""


def test_the_wheel_without_extras_reads_a_character(tmp_path: Path) -> None:
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-build-isolation", "--wheel-dir", str(wheels), str(SOURCE)]
    install = ["install", "--no-index", "--find-links", str(wheels), "--target", str(site), "handread"]
    for arguments in ([*build, "--no-deps"], [*install, "--no-deps", "--no-compile"]):
        done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    optional = ",".join(sorted({*HEAVY_HOMES, *NOT_FOR_READING, "pyarrow", "pillow_heif"} - {"onnxruntime"}))
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(site), optional],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["7", "True"]
