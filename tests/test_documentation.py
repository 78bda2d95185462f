"""The documentation is true: its commands run and print what it shows, its snippets run, its tables are the code's."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from handread.alphabet import NAMED
from handread.card import DataSource, ModelCard
from handread.cli.main import COMMANDS, LazyGroup, group, run
from handread.data.catalog import CATALOG
from handread.data.readers import READERS
from handread.evaluation import mnist_c, paper
from handread.evaluation.report import EvaluationReport
from handread.runtime import store
from handread.training.config import config_from, load_recipe
from tests.conftest import module_at

ROOT = Path(__file__).resolve().parent.parent
RUN_FILES = ("config.json", "recipe.toml", "environment.json", "architecture.json", "sources.json", "record.json",
             "history.csv", "curves.png", "last.safetensors", "best.safetensors", "seen.npz", "model.onnx",
             "report.html")  # fmt: skip
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
INSTALL = (
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/handread demo",
    "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[all,dev]' && .venv/bin/python -m pytest",
)

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *kinds: str) -> list[str]:
    return [body for kind, body in _BLOCK.findall(text_of(page)) if kind in kinds]


def anchors(page: Path) -> set[str]:
    """What a link may point at: headings as GitHub names them, and explicit ids."""
    prose = _BLOCK.sub("", text_of(page))
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([\w-]+)">', prose))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(_BLOCK.sub("", text_of(page))):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def test_every_page_can_be_found_from_the_index() -> None:
    linked = set(_LINK.findall(text_of(ROOT / "docs/index.md")))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked


def test_every_picture_is_shown_and_drawn_by_a_script() -> None:
    pictures = {path.name for path in (ROOT / "docs/images").glob("*.png")}
    shown = {Path(target).name for page in PAGES for target in _LINK.findall(text_of(page)) if target.endswith(".png")}
    drawn = {name for path in (ROOT / "docs/images").glob("draw_*.py") for name in module_at(path).PICTURES}
    assert pictures == shown == drawn


@pytest.mark.parametrize("line", INSTALL, ids=["newcomer", "contributor"])
def test_the_two_commands_stand_whole_in_the_readme_and_are_what_ci_runs(line: str) -> None:
    assert line in [row for body in blocks(ROOT / "README.md", "bash") for row in body.splitlines()]
    assert line in [row.strip() for row in text_of(ROOT / ".ci/run").splitlines()]


def test_ci_is_executable() -> None:
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_that_the_code_tells_are_up_to_date(page: Path) -> None:
    assert module_at(ROOT / "docs/tables.py").written(text_of(page)) == text_of(page), "run python docs/tables.py"


def unfolded(name: str) -> dict[str, click.Command]:
    """A command by what is typed for it; a group's commands instead of the group."""
    command = LazyGroup().get_command(click.Context(group), name)
    assert command is not None
    if not isinstance(command, LazyGroup):
        return {name: command}
    inner = {f"{name} {word}": command.get_command(click.Context(command), word) for word in command.table}
    return {words: found for words, found in inner.items() if found is not None}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_and_has_a_table_of_its_options(name: str) -> None:
    assert f"`handread {name}" in text_of(ROOT / "README.md")
    pages = "".join(map(text_of, PAGES))
    assert [words for words in unfolded(name) if f"<!-- options {words} -->" not in pages] == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("docs/reading.md", tuple(NAMED)),
        ("docs/robustness.md", (*mnist_c.NAMES, *paper.NAMES)),
        ("docs/data.md", tuple(CATALOG)),
        ("docs/data.md", (*(field.name for field in dataclasses.fields(EvaluationReport)), "format")),
        ("docs/card.md", tuple(field.name for kind in (ModelCard, DataSource) for field in dataclasses.fields(kind))),
        ("docs/training.md", RUN_FILES),
    ],
    ids=["alphabets", "corruptions", "catalogue", "report", "card", "run"],
)
def test_every_name_is_explained(page: str, words: tuple[str, ...]) -> None:
    text = text_of(ROOT / page)
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_network_is_in_the_table_with_its_size() -> None:
    pytest.importorskip("torch")
    from handread.networks.base import NETWORKS, parameter_count
    from handread.networks.build import build_network

    table = text_of(ROOT / "docs/training.md")
    rows = [f"| `{name}` | {parameter_count(build_network(name, 63)):,} |" for name in NETWORKS]
    assert [row for row in rows if row not in table] == []


def test_every_form_of_data_has_a_paragraph() -> None:
    text = text_of(ROOT / "docs/data.md")
    assert [name for name in READERS if f"<!-- form {name} -->\n**" not in text] == []


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.name)
def test_recipes_load(recipe: Path) -> None:
    config = load_recipe(recipe)
    assert config.name
    assert all(source.licence and source.origin for source in config.sources if source.data)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_recipes_in_the_text_are_recipes(page: Path) -> None:
    for body in blocks(page, "toml"):
        config_from(tomllib.loads(body))


def lines_for_handread(page: Path) -> Iterator[list[str]]:
    typed = [row for body in blocks(page, "bash") for row in body.splitlines()]
    typed += [row[2:] for body in blocks(page, "console") for row in body.splitlines() if row.startswith("$ ")]
    for row in typed:
        words = shlex.split(row.split(" | ")[-1], comments=True)
        if words and words[0] == "handread":
            yield words[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_the_text_have_the_options_that_they_use(page: Path) -> None:
    for arguments in lines_for_handread(page):
        command: click.Command | None = group
        while isinstance(command, LazyGroup):
            command = command.get_command(click.Context(command), arguments.pop(0))
        assert command is not None, arguments
        command.make_context(command.name, arguments)  # a wrong option raises


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_it_understands(name: str) -> None:
    for line, command in unfolded(name).items():
        words = shlex.split((command.epilog or "").removeprefix("Example: "))
        named = line.split()
        assert words[: 1 + len(named)] == ["handread", *named]
        command.make_context(command.name, words[1 + len(named) :])


def masked(text: str) -> list[str]:
    """Lines without what differs between weights and machines: probabilities, places, sizes, white space."""
    text = re.sub(r'"box": \[[^\]]*\]', '"box": []', text)
    text = re.sub(r"\d+\.\d+(e-\d+)?|\be-\d+|\d+(?= %)", "#", text)
    text = re.sub(r"^\[\S\]", "[?]", text, flags=re.MULTILINE)  # which letter a digit is likest is not promised
    text = re.sub(r'\["[^"]*", [#\d.e-]+\]', "[]", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def agree(shown: list[str], printed: list[str]) -> bool:
    """True when the lines are the same; three dots stand for the rest of a line, or for lines."""
    pattern = "\n".join(shown)
    parts = [re.escape(part) for part in pattern.split("...")]
    return re.fullmatch(".*".join(parts), "\n".join(printed), re.DOTALL) is not None


def execute(row: str, capfd: pytest.CaptureFixture[str]) -> str:
    """What a line prints, on both streams: `handread` here and now, anything else by a shell."""
    if row.startswith("handread ") and " | " not in row:
        with pytest.raises(SystemExit):
            run(shlex.split(row)[1:])
        printed = capfd.readouterr()
        return printed.out + printed.err
    row = row.replace("handread", f"{shlex.quote(sys.executable)} -m handread")
    done = subprocess.run(row, shell=True, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_print_what_is_shown_and_snippets_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the page's order, in a folder with the examples in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.py"))
    monkeypatch.chdir(tmp_path)
    for kind, body in _BLOCK.findall(text_of(page)):
        if kind == "python" and page.name != "CONTRIBUTING.md":  # there it is a piece of a module
            exec(compile(body, name_of(page), "exec"), {"__name__": "snippet"})
        if kind == "console":
            for said in body.removeprefix("$ ").split("\n$ "):
                row, _, shown = said.partition("\n")
                printed = execute(row, capfd)
                assert agree(masked(shown), masked(printed)), f"{row}\n{printed}"
        capfd.readouterr()


def test_the_readmes_figures_are_those_of_the_shipped_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import accuracy, reading
    from benchmarks.results import read_csv

    page = text_of(ROOT / "README.md")
    weights = hashlib.sha256(store.load("handread")).hexdigest()[:12]
    for part, marker in ((accuracy, "figures"), (reading, "speed")):
        rows = read_csv(part.FILE)
        assert {row["weights"] for row in rows} == {weights}, f"run benchmarks.run {part.__name__} --update-readme"
        assert f"<!-- {marker} -->\n{part.table(rows).strip()}\n<!-- /{marker} -->" in page


@pytest.mark.parametrize("path", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "constraints.txt"], ids=name_of)
def test_nothing_points_outside_the_project(path: Path) -> None:
    text = text_of(path)
    assert re.findall(r"(?:^|[\s(`'\"])(?:/(?:home|root|work|tmp|opt|Users)\b|\.\./\.\.)", text) == []
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)


def test_constraints_pin_every_dependency_exactly() -> None:
    rows = [row for row in text_of(ROOT / "constraints.txt").splitlines() if row and not row.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9.a-z]*", row) for row in rows)
    pinned = {row.partition("==")[0] for row in rows}
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["heic"], *extras["train"], *extras["dev"]]
    assert {re.split(r"[\[<>=~!]", need)[0].lower() for need in wanted} - pinned == set()
    assert "torch==2.13.0" in rows
