"""Writes the tables of the documentation that the code itself tells: options of commands, fields of a recipe.

    python docs/tables.py

Each stands between ``<!-- options read -->`` and ``<!-- /options read -->`` (``<!-- options data fetch -->`` for a
command of a group), or ``<!-- fields TrainConfig -->`` and its end, in a page below docs/. A test compares, so that no option stays undocumented.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks.results import markdown, put_between, replace  # noqa: E402
from handread.cli.main import LazyGroup, group  # noqa: E402
from handread.training.config import AugmentConfig, BaselineConfig, SourceConfig, TrainConfig  # noqa: E402

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (TrainConfig, SourceConfig, AugmentConfig, BaselineConfig)
}
_MARKER = re.compile(r"<!-- (options|fields) (\w+(?: \w+)*) -->")


def command_of(words: str) -> click.Command:
    """The command that ``read`` or, inside a group, ``data fetch`` names; ValueError where there is none."""
    found: click.Command | None = group
    for word in words.split():
        found = found.get_command(click.Context(found), word) if isinstance(found, LazyGroup) else None
        if found is None:
            raise ValueError(f"there is no command {words}")
    assert found is not None
    return found


def options_table(words: str) -> str:
    """Options of a command."""
    rows = []
    for parameter in command_of(words).params:
        if isinstance(parameter, click.Option):
            rows.append([f"`{_written(parameter)}`", _explained(parameter)])
    return markdown(["option", "what it does"], rows)


def _written(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    value = option.metavar or ("N" if isinstance(option.type, click.IntRange) else "FILE")
    return f"{names} {value}".replace("|", "\\|")


def _explained(option: click.Option) -> str:
    text = option.help or ""
    if option.required:
        text += " Required."
    elif option.show_default:
        text += f" Default: `{option.default}`."
    return text + (" May be repeated." if option.multiple else "")


def fields_table(name: str) -> str:
    """Fields of a dataclass with what the source says below each."""
    kind = KINDS[name]
    said = _docstrings(kind)
    rows = []
    for field in dataclasses.fields(kind):
        low, high = field.metadata.get("low"), field.metadata.get("high")
        limits = "" if low is None else f"{low:.7g} to {high:.10g}"
        limits = ", ".join(f"`{choice}`" for choice in field.metadata.get("choices", ())) or limits
        rows.append([f"`{field.name}`", _type(field), _default(field), limits, said.get(field.name, "")])
    return markdown(["option", "type", "default", "range", "meaning"], rows)


def _type(field: dataclasses.Field[Any]) -> str:
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}.get(
        str(field.type), "table" if field.default is dataclasses.MISSING else "tables"
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "all 0"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default not in ("", ()) else "none"


def _docstrings(kind: type[Any]) -> dict[str, str]:
    """Field -> the text that stands as a string below it."""
    body = ast.parse(inspect.cleandoc("\n" + inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    last = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last:
            found[last] = " ".join(str(node.value.value).split())
            last = ""
        else:
            last = ""
    return found


def written(page: str) -> str:
    """A page with every table that it has a place for as it should be."""
    for what, name in _MARKER.findall(page):
        table = options_table(name) if what == "options" else fields_table(name)
        page = put_between(page, f"{what} {name}", table)
    return page


def main() -> None:
    """Bring all pages up to date."""
    for path in sorted(HERE.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        if written(page) != page:
            replace(path, written(page))
            print(f"{path} is new")


if __name__ == "__main__":
    main()
