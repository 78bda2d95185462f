"""JavaScript modules to one classic script: browsers load no modules from a file on a stick.

Only as much of the language is understood as the page's own modules use; anything else is refused, by
`BundleError`, when the page is exported, not by a browser later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_IMPORT = re.compile(r'^import\s+(?P<what>[^;"\']*?)\s*from\s*"(?P<path>\./[^"]+|\.\./[^"]+)";', re.MULTILINE)
_NAMED = re.compile(r"^export\s+(?=(?:async\s+)?(?:function\*?|class|const|let)\s+(?P<name>[\w$]+))", re.MULTILINE)
_LIST = re.compile(r"(?:^|(?<=;))export\s*\{(?P<names>[^}]*)\};?", re.MULTILINE)
_MAP = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
_HERE = "import.meta.url"


class BundleError(Exception):
    """A module that is written in a way that this bundler does not know: a bug of the package."""


@dataclass(frozen=True, slots=True)
class _Module:
    path: str
    code: str
    exports: tuple[tuple[str, str], ...]
    """Name outside and name inside."""
    needs: tuple[str, ...]


def bundle(root: Path, entry: str, *, replaced: Mapping[str, str] | None = None, fetch: str | None = None) -> str:
    """The statements of `entry`, a path below `root`, and of all that it imports, each module in a scope of its own.

    `replaced` maps paths to those that take their place. Where `fetch` names a module, its `fetched` stands for the
    browser's fetch in all others. The constant `entry` holds what the entry exports.
    """
    order: list[_Module] = []
    for start in ([fetch] if fetch else []) + [entry]:
        _collect(root, start, dict(replaced or {}), order, ())
    lines = ['"use strict";']
    names = {module.path: f"m{number}" for number, module in enumerate(order)}
    for module in order:
        code = re.sub(r"%%([^%]+)%%", lambda found: names[found[1]], module.code)
        returned = ", ".join(f"{outside}: {inside}" for outside, inside in module.exports)
        lines.append(
            f"// {module.path}\nconst {names[module.path]} = (() => {{\n{code}\nreturn {{ {returned} }};\n}})();"
        )
        if module.path == fetch:
            lines.append(f"const fetch = {names[module.path]}.fetched;")
    lines.append(f"const entry = {names[entry]};")
    return "\n".join(lines) + "\n"


def _collect(root: Path, path: str, replaced: dict[str, str], order: list[_Module], above: tuple[str, ...]) -> None:
    if any(module.path == path for module in order):
        return
    if path in above:
        raise BundleError(f"{path} imports itself by way of {' and '.join(above)}")
    module = _read(root, path, replaced)
    for need in module.needs:
        _collect(root, need, replaced, order, (*above, path))
    order.append(module)


def _read(root: Path, path: str, replaced: Mapping[str, str]) -> _Module:
    code = (root / path).read_text(encoding="utf-8")
    needs: list[str] = []
    exports: list[tuple[str, str]] = []

    def imported(found: re.Match[str]) -> str:
        target = _joined(path, found["path"])
        target = replaced.get(target, target)
        needs.append(target)
        return _binding(" ".join(found["what"].split()), target)

    def named(found: re.Match[str]) -> str:
        exports.append((found["name"], found["name"]))
        return ""

    def listed(found: re.Match[str]) -> str:
        for name in filter(None, (part.strip() for part in found["names"].split(","))):
            inside, _, outside = name.partition(" as ")
            exports.append((outside.strip() or inside, inside.strip()))
        return ""

    code = _MAP.sub("", code)
    code = _LIST.sub(listed, _NAMED.sub(named, _IMPORT.sub(imported, code)))
    code = code.replace(_HERE, f'new URL("static/{path}", document.baseURI).href')
    left = _LEFT.search(code)
    if left:
        raise BundleError(f"{path} has a line that cannot be bundled: {left[0]}")
    return _Module(path, code, tuple(exports), tuple(needs))


def _binding(what: str, target: str) -> str:
    if what.startswith("* as "):
        return f"const {what.removeprefix('* as ')} = %%{target}%%;"
    if what.startswith("{"):
        return f"const {what.replace(' as ', ': ')} = %%{target}%%;"
    if what.isidentifier():
        return f"const {what} = %%{target}%%.default;"
    raise BundleError(f"the import of {what!r} cannot be bundled")


def _joined(path: str, target: str) -> str:
    parts: list[str] = []
    for part in (*PurePosixPath(path).parent.parts, *PurePosixPath(target).parts):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)
