"""Writes the reference of the public names, docs/api/*.md, from what stands in the sources.

    python docs/api.py

The sources are parsed, never imported: neither PyTorch nor a server is needed. `PAGES` says which names are public.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = ROOT / "src/handread"
FOLDER = HERE / "api"
sys.path.insert(0, str(ROOT))

from benchmarks.results import markdown, replace  # noqa: E402


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the reference."""

    name: str
    title: str
    modules: dict[str, str]
    """Module, dotted, below `handread` -> its public names, a space between; empty: all that have a docstring."""


PAGES = (
    Page(
        "recognizer",
        "Reading pictures",
        {
            "recognizer": "Recognizer Seen Runs",
            "decode": "Scores score LOOK_ALIKES look_alikes",
            "answer": "as_row",
        },
    ),
    Page(
        "values",
        "Readings, alphabets, frames, cards",
        {
            "types": "",
            "alphabet": "",
            "frame": "Frame DEFAULT_FRAME MNIST_FRAME",
            "card": "ModelCard DataSource Seen FORMAT",
            "registry": "Registry",
        },
    ),
    Page("errors", "Errors", {"errors": ""}),
    Page(
        "imaging",
        "From a picture to the network's input",
        {
            "imaging.read": "read_picture Picture WORKING_SIDE",
            "imaging.ink": "extract_ink",
            "imaging.segment": "segment TextLine Piece",
            "imaging.single": "single_character Single",
            "imaging.glyph": "normalise",
            "imaging.cues": "unknown_cues picture_cue line_cue",
            "imaging.draw": "draw_character draw_text Pen Paper Drawing",
        },
    ),
    Page(
        "data",
        "Labelled data",
        {
            "data.load": "load_data",
            "data.images": "LabelledImages",
            "data.unlabelled": "load_unlabelled Unlabelled",
            "data.split": "split_off",
            "data.reader": "Reader ReadOptions",
            "data.readers": "READERS form_of",
            "data.catalog": "CATALOG Entry Download",
            "data.explore": "explore Exploration NearPair Crop findings",
        },
    ),
    Page(
        "evaluation",
        "Measuring",
        {
            "evaluation.report": "evaluate examine EvaluationReport Evaluation Items ReliabilityBin",
            "evaluation.metrics": "",
            "evaluation.compare": "compare Comparison Disagreement ClassChange mcnemar paired_interval",
            "evaluation.audit": "audit Audit Suspect",
            "evaluation.stress": "stress",
            "evaluation.stress_report": "StressReport Row",
            "evaluation.corruption": "corruption Corruption CORRUPTIONS STRENGTHS",
            "evaluation.leak": "find_leak seen_list joined_sketch list_beside SeenList Leak Overlap",
            "evaluation.submission": "submit Submission submission_csv",
        },
    ),
    Page(
        "reports",
        "Pages of results",
        {
            "reports.evaluation": "evaluation_page",
            "reports.exploration": "exploration_page",
            "reports.comparison": "comparison_page",
            "reports.audit": "audit_page",
            "reports.run": "run_page",
        },
    ),
    Page(
        "runtime",
        "Model files",
        {"runtime.session": "Session read_card", "runtime.store": "shipped load checksum"},
    ),
    Page(
        "networks",
        "Networks",
        {"networks.base": "Network NETWORKS parameter_count", "networks.build": "build_network"},
    ),
    Page(
        "training",
        "Training",
        {
            "training.config": "TrainConfig SourceConfig AugmentConfig BaselineConfig load_recipe config_from config_to",
            "training.run": "train_recipe export_run pack_run",
            "training.watcher": "Watcher",
            "training.export": "export_network",
            "training.learning": "learn Learned LearnWatcher",
            "training.finetune": "LearnConfig",
            "training.adopting": "adopt Order Adopted Trial",
            "training.finder": "find_learning_rate Finding",
            "training.verify": "verify_run Verification Finding",
            "training.seen": "seen_by seen_of_recipe lists_of with_seen",
        },
    ),
    Page("scale", "Millions of pictures", {"scale.run": "read_all ReadConfig Summary"}),
    Page(
        "web",
        "The server",
        {"web.settings": "Settings", "web.app": "create_app", "web.server": "serve listen make_server"},
    ),
    Page(
        "bench", "What reading costs here", {"bench": "measure_bench Bench Machine ModelBench Times Rate Peak Process"}
    ),
)

FRONTS = ("", "training")
"""Packages that offer names of their modules by themselves; their `_HOMES` says which."""

_ALIAS = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(\(\))?`(?!`)")
_LINE = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """A public name: a class, a function, a method, a property or a constant."""

    name: str
    """As it is called inside its module: ``Recognizer``, ``Recognizer.read``."""
    module: str
    signature: str
    """Python, of one line or of several."""
    said: str
    """Its docstring, or what stands below a constant; of a class also that of its ``__init__``."""
    types: str
    """All annotations in one string."""
    arguments: tuple[str, ...] = ()
    """Names of a function's own, which are no links."""
    is_property: bool = False
    is_type: bool = False
    fields: tuple[tuple[str, str, str, str], ...] = ()
    """Of a dataclass: name, type, default, meaning."""
    members: tuple[Entry, ...] = ()
    """Of a class: methods and properties."""

    @property
    def anchor(self) -> str:
        """Id of the place in the page."""
        return f"{self.module}-{self.name}".replace(".", "-")


@dataclass(frozen=True, slots=True)
class Module:
    """What a public module says of itself."""

    name: str
    said: str
    entries: tuple[Entry, ...]


@dataclass(slots=True)
class Reference:
    """All pages, and where every name stands."""

    pages: dict[str, tuple[Module, ...]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """Name, short and whole -> ``page.md#anchor``; a short name that stands for two things is left out."""


def path_of(module: str) -> Path:
    """Source of a module named below `handread`."""
    inner = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    return inner / "__init__.py" if inner.is_dir() else inner.with_suffix(".py")


def parsed(module: str, public: str) -> Module:
    """The names of a module in the order of `public`, or all in that of its source; ValueError for one it lacks."""
    tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
    found = {entry.name: entry for entry in _entries(tree.body, module)}
    missing = [name for name in public.split() if name not in found]
    if missing:
        raise ValueError(f"handread.{module} has no {missing[0]}, or says nothing of it")
    return Module(module, ast.get_docstring(tree) or "", tuple(found[name] for name in public.split() or found))


def _entries(body: list[ast.stmt], module: str) -> Iterator[Entry]:
    for place, node in enumerate(body):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from _entries(node.body, module)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield _function(node, module)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield _class(node, module)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            said = _below(body, place)
            if said and node.value is not None:
                for target in _targets(node):
                    written = ast.unparse(node)
                    yield Entry(target, module, _constant(target, node), said, written, is_type="TypeAlias" in written)


def _targets(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        yield from (name.id for name in names if isinstance(name, ast.Name) and not name.id.startswith("_"))


def _below(body: list[ast.stmt], place: int) -> str:
    """The string that stands below a statement."""
    if place + 1 < len(body):
        node = body[place + 1]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return inspect.cleandoc(node.value.value)
    return ""


def _constant(name: str, node: ast.Assign | ast.AnnAssign) -> str:
    assert node.value is not None
    value = _python(node.value)
    shared = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
    if shared or len(value) > 60 or "\n" in value:
        return name
    return f"{name} = {value}"


def _class(node: ast.ClassDef, module: str) -> Entry:
    said = [ast.get_docstring(node) or ""]
    is_dataclass = any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)
    fields: list[tuple[str, str, str, str]] = []
    members: list[Entry] = []
    arguments, names = "", tuple[str, ...]()
    for place, inner in enumerate(node.body):
        if isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            if not inner.target.id.startswith("_"):
                below = " ".join(_below(node.body, place).split())
                fields.append((inner.target.id, _python(inner.annotation), _default(inner.value), below))
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(inner)
            if inner.name == "__init__":
                arguments = _arguments(inner, method=True)[0]
                names = tuple(one.arg for one in (*inner.args.args, *inner.args.kwonlyargs))
                said.append(text or "")
            elif not inner.name.startswith("_") or (text and inner.name.startswith("__")):
                members.append(_function(inner, module, owner=node.name))
    bases = ", ".join(_python(base) for base in node.bases)
    head = f"class {node.name}({bases})" if bases else f"class {node.name}"
    if arguments:
        head += f"\n{node.name}{arguments}"
    types = " ".join(kind for _, kind, _, _ in fields)
    return Entry(
        node.name, module, head, "\n\n".join(filter(None, said)), types, names,
        is_type=True, fields=tuple(fields) if is_dataclass else (), members=tuple(members),
    )  # fmt: skip


def _default(value: ast.expr | None) -> str:
    """What a field is when nothing is given; "" where something must be."""
    if value is None:
        return ""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("option", "field"):
        if value.args:
            return _python(value.args[0])
        named = {word.arg: word.value for word in value.keywords}
        return f"{_python(named['default_factory'])}()" if "default_factory" in named else ""
    return "a function that does nothing" if isinstance(value, ast.Lambda) else _python(value)


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, module: str, owner: str = "") -> Entry:
    marks = {ast.unparse(mark) for mark in node.decorator_list}
    arguments, types = _arguments(node, method=bool(owner) and "staticmethod" not in marks)
    name = f"{owner}.{node.name}" if owner else node.name
    given = f" -> {_python(node.returns)}" if node.returns is not None else ""
    is_property = "property" in marks
    if is_property:
        signature = _python(node.returns) if node.returns is not None else ""
    else:
        signature = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}{name}{arguments}{given}"
    names = tuple(one.arg for one in (*node.args.args, *node.args.kwonlyargs))
    return Entry(name, module, signature, ast.get_docstring(node) or "", f"{types} {given}", names, is_property)


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, *, method: bool) -> tuple[str, str]:
    """The arguments in brackets, and their annotations."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    rows = [_argument(one, value) for one, value in zip(plain, defaults, strict=True)][1 if method else 0 :]
    if given.vararg is not None:
        rows.append("*" + _argument(given.vararg, None))
    elif given.kwonlyargs:
        rows.append("*")
    rows += [_argument(one, value) for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg is not None:
        rows.append("**" + _argument(given.kwarg, None))
    types = " ".join(ast.unparse(one.annotation) for one in (*plain, *given.kwonlyargs) if one.annotation is not None)
    whole = ", ".join(rows)
    if len(whole) + len(node.name) > _LINE:
        whole = "".join(f"\n    {row}," for row in rows) + "\n"
    return f"({whole})", types


def _argument(node: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_python(node.annotation)}" if node.annotation is not None else ""
    if default is None:
        return node.arg + kind
    return f"{node.arg}{kind} = {_python(default)}" if kind else f"{node.arg}={_python(default)}"


def _python(node: ast.expr) -> str:
    """Source of an expression, with the quotes of the house."""
    text = ast.unparse(node)
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', text)


def reference() -> Reference:
    """Everything that `PAGES` names."""
    found = Reference()
    short: dict[str, set[str]] = {}
    for page in PAGES:
        found.pages[page.name] = tuple(parsed(*one) for one in page.modules.items())
        for module in found.pages[page.name]:
            found.places[f"handread.{module.name}"] = f"{page.name}.md#{_module_anchor(module.name)}"
            for entry in walk(module.entries):
                place = f"{page.name}.md#{entry.anchor}"
                found.places[f"handread.{module.name}.{entry.name}"] = place
                short.setdefault(entry.name, set()).add(place)
    found.places |= {name: next(iter(there)) for name, there in short.items() if len(there) == 1}
    return found


def walk(entries: tuple[Entry, ...]) -> Iterator[Entry]:
    """Entries and the members of each."""
    for entry in entries:
        yield entry
        yield from walk(entry.members)


def _module_anchor(name: str) -> str:
    return f"handread-{name}".replace(".", "-")


def homes_of(front: str) -> dict[str, str]:
    """Name -> module, of a package that offers names of its modules by itself."""
    for node in ast.parse(path_of(front).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and list(_targets_of(node)) == ["_HOMES"]:
            value = ast.literal_eval(node.value)
            assert isinstance(value, dict)
            return value
    raise ValueError(f"handread.{front} says nothing of where its names are at home")


def _targets_of(node: ast.Assign) -> Iterator[str]:
    yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def linked(text: str, entry: Entry | None, page: str, places: Mapping[str, str]) -> str:
    """`text` with every name in backticks that the reference knows made a link; code is left as it is."""

    def link(match: re.Match[str]) -> str:
        name = match[1]
        if entry and (name in entry.arguments or name in {row[0] for row in entry.fields}):
            return match[0]
        tried = [f"handread.{name}"]
        if entry:
            tried = [f"{entry.name.partition('.')[0]}.{name}", f"handread.{entry.module}.{name}", *tried]
        if "." in name or name[0].isupper():  # a plain word could be anybody's
            tried.append(name)
        where = next((places[one] for one in tried if one in places), "")
        if not where or (entry and name == entry.name):
            return match[0]
        return f"[{match[0]}]({where.removeprefix(f'{page}.md')})"

    return "\n".join(line if line.startswith("    ") else _ALIAS.sub(link, line) for line in text.splitlines())


def prose(text: str) -> str:
    """A docstring as Markdown: what is typed at a prompt becomes a block of its own."""
    paragraphs = []
    for paragraph in re.split(r"\n{2,}", text):
        if paragraph.lstrip().startswith(">>>"):
            paragraph = f"```pycon\n{re.sub(r' +# doctest:.*', '', paragraph)}\n```"
        paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def _shown(entry: Entry, page: str, places: Mapping[str, str]) -> str:
    depth = "####" if "." in entry.name else "###"
    parts = [f'{depth} <a id="{entry.anchor}"></a>`{entry.name}`']
    if entry.signature not in (entry.name, f"class {entry.name}"):
        parts.append(f"```py\n{entry.signature}\n```")
    if entry.said:
        parts.append(linked(prose(entry.said), entry, page, places))
    if entry.fields:
        with_default = any(default for _, _, default, _ in entry.fields)
        rows = [
            [f"`{name}`", _cell(kind), *([_cell(default)] if with_default else []), linked(said, entry, page, places)]
            for name, kind, default, said in entry.fields
        ]
        parts.append(markdown(["field", "type", *(["default"] if with_default else []), "meaning"], rows))
    properties = [member for member in entry.members if member.is_property]
    if properties:
        rows = [
            [f'<a id="{one.anchor}"></a>`{one.name.partition(".")[2]}`', _cell(one.signature),
             " ".join(linked(one.said, one, page, places).split())]
            for one in properties
        ]  # fmt: skip
        parts.append(markdown(["property", "type", "meaning"], rows))
    parts += [_shown(member, page, places) for member in entry.members if not member.is_property]
    return "\n\n".join(parts)


def _cell(text: str) -> str:
    if not text or text.startswith("a function"):
        return text
    return "`" + text.replace("|", "\\|") + "`"


def _contents(modules: tuple[Module, ...]) -> str:
    rows = []
    for module in modules:
        names = ", ".join(f"[`{entry.name}`](#{entry.anchor})" for entry in module.entries)
        rows.append(f"- [`handread.{module.name}`](#{_module_anchor(module.name)}): {names}")
    return "\n".join(rows)


def _aliases(modules: tuple[Module, ...], found: Reference) -> str:
    """What the types are that these modules name without saying it again."""
    types = " ".join(entry.types for module in modules for entry in walk(module.entries))
    rows = []
    for entry in next(module for module in found.pages["values"] if module.name == "types").entries:
        if "TypeAlias" in entry.types and re.search(rf"\b{entry.name}\b", types) and modules != found.pages["values"]:
            rows.append(f"- [`{entry.name}`]({found.places[f'handread.types.{entry.name}']}): {entry.said}")
    return "Types:\n\n" + "\n".join(rows) if rows else ""


def _raised(found: Reference) -> str:
    """Which public name says that it raises which error."""
    errors = [entry.name for module in found.pages["errors"] for entry in module.entries]
    rows = []
    for error in errors:
        by = sorted(
            f"[`{entry.name}`]({page}.md#{entry.anchor})"
            for page, modules in found.pages.items()
            if page != "errors"
            for module in modules
            for entry in walk(module.entries)
            if re.search(rf"[Rr]aises?\b[^.]*`{error}`|`{error}`[^.]*\b(for|when)\b", entry.said)
        )
        if by:
            rows.append([f"[`{error}`](#errors-{error})", ", ".join(by)])
    return "## Who raises what\n\n" + markdown(["error", "raised by"], rows)


NOTE = "*Written by `python docs/api.py` from the sources. [All pages](index.md).*"


def page_text(page: Page, found: Reference) -> str:
    """One page of the reference."""
    modules = found.pages[page.name]
    parts = [f"# {page.title}", NOTE, _contents(modules)]
    if used := _aliases(modules, found):
        parts.append(used)
    for module in modules:
        parts.append(f'## <a id="{_module_anchor(module.name)}"></a>`handread.{module.name}`')
        parts.append(linked(prose(module.said), None, page.name, found.places))
        parts += [_shown(entry, page.name, found.places) for entry in module.entries]
    if page.name == "errors":
        parts.append(_raised(found))
    return "\n\n".join(parts) + "\n"


def index_text(found: Reference) -> str:
    """The first page: what is public, and where it stands."""
    fronts = []
    for front in FRONTS:
        package = f"handread.{front}".rstrip(".")
        names = [f"[`{name}`]({found.places[f'{home}.{name}']})" for name, home in sorted(homes_of(front).items())]
        fronts.append(f"- `from {package} import` {', '.join(names)}")
    rows = []
    for page in PAGES:
        entries = [entry for module in found.pages[page.name] for entry in module.entries]
        listed = ", ".join(f"[`{entry.name}`]({page.name}.md#{entry.anchor})" for entry in entries)
        rows.append([f"[{page.title}]({page.name}.md)", listed])
    return _INDEX.format(note=NOTE.partition(" [")[0] + "*", fronts="\n".join(fronts),
                         table=markdown(["page", "names"], rows))  # fmt: skip


_INDEX = """# Reference

{note}

What most programs need:

{fronts}

{table}

## What is public

Four things are promised to those who build on Handread:

- **Python**: the names on the pages of this reference, and no others. Everything else, also where its name has no
  underscore, may change without a word.
- **The command line**: commands, options and exit codes ([README](../../README.md)), and what `--json` prints.
- **The server**: the addresses, requests and answers below `/v1` ([Serving](../serving.md)); the server itself tells
  them at `/openapi.json`.
- **Files**: model files with their cards ([The card](../card.md)), recipes ([Training](../training.md)) and reports
  ([Data](../data.md)). What an older version wrote stays readable; what a newer one wrote is refused, never half
  understood.

Until version 1.0 a public name may still change; the change stands in the CHANGELOG with what to write instead. Every
public name has a docstring, one with arrays says their shapes and dtypes, and a test uses it: a test of the project
sees to that.
"""


def written() -> dict[str, str]:
    """File name below docs/api/ -> text, of every page."""
    found = reference()
    return {"index.md": index_text(found), **{f"{page.name}.md": page_text(page, found) for page in PAGES}}


def main() -> None:
    """Bring docs/api up to date."""
    pages = written()
    for stale in sorted({path.name for path in FOLDER.glob("*.md")} - set(pages)):
        (FOLDER / stale).unlink()
        print(f"docs/api/{stale} is gone")
    for name, text in pages.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            replace(path, text)
            print(f"docs/api/{name} is new")


if __name__ == "__main__":
    main()
