"""The exported page: the folder is whole, foreign folders and models are refused, modules are bundled rightly."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handread.card import METADATA_KEY, ModelCard
from handread.cli.main import group
from handread.errors import DataError, ModelError, UnknownNameError
from handread.runtime import store
from handread.runtime.wire import operators_of
from handread.web.bundle import BundleError, bundle
from handread.web.offline import MARK, OPERATORS, STATIC, export_page

BuildModel = Callable[..., Path]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "deep" / "page"
    export_page(tiny_model, folder)
    return folder


class Addresses(HTMLParser):
    """Every address in a page, and whether anything stands inline."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.policy = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        self.found += [have[name] for name in ("href", "src") if name in have]
        self.inline += [name for name in have if name == "style" or name.startswith("on")]
        if tag == "script" and "src" not in have:
            self.inline.append(tag)
        if have.get("http-equiv") == "content-security-policy":
            self.policy = have["content"]


@pytest.mark.parametrize("page", ["index.html", "about.html"])
def test_a_page_names_only_files_that_came_with_it(exported: Path, page: str) -> None:
    found = Addresses((exported / page).read_text(encoding="utf-8"))
    named = [address for address in found.found if not address.startswith("#")]
    assert [address for address in named if not (exported / address).is_file()] == []
    assert {"index.html", "about.html", "static/model.js", "static/reader.js"} <= set(named)
    assert found.inline == []
    assert "default-src 'none'" in found.policy
    assert "unsafe-inline" not in found.policy
    assert "'unsafe-eval'" not in found.policy
    assert "connect-src" not in found.policy


def test_no_file_of_it_asks_another_host(exported: Path) -> None:
    for path in exported.rglob("*"):
        if path.suffix in (".js", ".css", ".html", ".svg"):
            text = path.read_text(encoding="utf-8")
            told = set(re.findall(r"https?://[\w.-]+", text))
            assert told <= {"http://www.w3.org", "https://github.com"}, path  # names of a format and in a licence
            assert "import.meta" not in text
            assert not re.search(r"^\s*(?:import|export)\b", text, re.MULTILINE), path
    for address in re.findall(r'url\("([^"]+)"\)', (exported / "static/style.css").read_text(encoding="utf-8")):
        assert address.startswith("data:") or (exported / "static" / address).is_file()


def test_licences_of_what_comes_from_others_come_along(exported: Path) -> None:
    rows = json.loads((STATIC / "vendor/VENDORED.json").read_text(encoding="utf-8"))
    assert [row["licence_file"] for row in rows if not (exported / "static" / row["licence_file"]).is_file()] == []


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_every_script_is_one_for_a_browser_without_modules(exported: Path) -> None:
    for path in exported.glob("static/*.js"):
        found = subprocess.run(["node", "--check", path.name], cwd=path.parent, capture_output=True, timeout=20)
        assert found.returncode == 0, path


def test_an_earlier_export_is_written_over(tmp_path: Path, tiny_model: Path) -> None:
    export_page(tiny_model, tmp_path)
    before = (tmp_path / "index.html").read_bytes()
    (tmp_path / "index.html").write_text("half of")
    (tmp_path / "mine.txt").write_text("mine")
    export_page(tiny_model, tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert json.loads((tmp_path / MARK).read_text())["model"] == "tiny"


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "index.html").write_text("someone's own")
    with pytest.raises(DataError, match="holds other files; name a new folder"):
        export_page(tiny_model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "someone's own"


def test_a_file_is_no_folder(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be used"):
        export_page(tiny_model, tmp_path / "file")


def test_a_run_is_exported_by_its_folder(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(tiny_model, tmp_path / "run" / "model.onnx")
    export_page(tmp_path / "run", tmp_path / "page")
    assert (tmp_path / "page" / "index.html").is_file()


def test_a_model_of_whole_pictures_is_refused(tmp_path: Path, build_model: BuildModel, tiny_card: ModelCard) -> None:
    model = build_model(card=replace(tiny_card, window=(0.0, 0.0, 1.0, 1.0)))
    with pytest.raises(ModelError, match="at its own size"):
        export_page(model, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_model_with_a_foreign_operator_is_refused_by_its_name(tmp_path: Path, tiny_bytes: bytes) -> None:
    model = onnx.load_from_string(tiny_bytes)
    model.graph.node[-1].op_type = "Softplus"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="uses Softplus, which the page without a server cannot work out"):
        export_page(tmp_path / "m.onnx", tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_an_unknown_model_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="handraed"):
        export_page("handraed", tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.fixture
def tiny_card(tiny_bytes: bytes) -> ModelCard:
    model = onnx.load_from_string(tiny_bytes)
    return ModelCard.from_json(next(entry.value for entry in model.metadata_props if entry.key == METADATA_KEY))


@pytest.mark.parametrize("name", store.shipped())
def test_operators_are_those_that_onnx_finds(name: str) -> None:
    content = store.load(name)
    assert operators_of(content) == [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert set(operators_of(content)) <= OPERATORS


def test_a_foreign_domain_stands_before_its_operators() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("SVMClassifier", ["y"], ["z"], domain="ai.onnx.ml"),
    ]
    weights = [
        numpy_helper.from_array(numpy_helper.to_array(helper.make_tensor("w", TensorProto.FLOAT, [2], [1, 2])), "w")
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], [], weights))
    assert operators_of(model.SerializeToString()) == ["Relu", "ai.onnx.ml.SVMClassifier"]


def test_the_page_knows_every_operator_that_is_promised() -> None:
    code = (STATIC / "offline/network.js").read_text(encoding="utf-8")
    table = code.split("export const OPERATORS = {", 1)[1].split("\n};", 1)[0]
    assert set(re.findall(r"^  ([A-Z]\w+):", table, re.MULTILINE)) == OPERATORS


def test_bundled_modules_run_in_the_order_of_their_imports(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "one.js").write_text(
        'import two from "./in/two.js";\nimport { three as drei } from "./in/two.js";\nexport const sum = two + drei;\n'
    )
    (tmp_path / "in/two.js").write_text(
        'import * as four from "../four.js";\nconst own = four.value;\nexport function f() {}\n'
        "export { own as default, own as three };\n//# sourceMappingURL=x.map\n"
    )
    (tmp_path / "four.js").write_text("export const value = 4;\nexport const here = import.meta.url;\n")
    made = bundle(tmp_path, "one.js")
    assert [line for line in made.splitlines() if line.startswith("// ")] == ["// four.js", "// in/two.js", "// one.js"]
    assert 'const here = new URL("static/four.js", document.baseURI).href;' in made
    assert "return { f: f, default: own, three: own };" in made
    assert "const two" not in made.splitlines()[0]
    assert "sourceMappingURL" not in made
    if shutil.which("node"):
        told = subprocess.run(
            ["node", "-e", f"var document = {{baseURI: 'file:///x/'}};{made}console.log(entry.sum)"],
            capture_output=True, text=True, timeout=20,
        )  # fmt: skip
        assert told.stdout == "8\n", told.stderr


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ('import { x } from "./a.js";', "a.js imports itself"),
        ("export default 3;", "a.js has a line that cannot be bundled: export default 3;"),
        ('import "./b.js";', "cannot be bundled"),
        ('import a, { x } from "./b.js";\n', "cannot be bundled"),
    ],
)
def test_what_the_bundler_does_not_know_is_refused(tmp_path: Path, code: str, sentence: str) -> None:
    (tmp_path / "a.js").write_text(code)
    (tmp_path / "b.js").write_text("export const x = 1;\n")
    with pytest.raises(BundleError, match=re.escape(sentence)):
        bundle(tmp_path, "a.js")


def test_the_command_writes_the_shipped_model_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group.main(["export", "--page", str(tmp_path / "page")], standalone_mode=False)
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'page'} is ready (")
    assert json.loads((tmp_path / "page" / MARK).read_text())["model"] == "handread"
    size = sum(path.stat().st_size for path in (tmp_path / "page").rglob("*") if path.is_file())
    assert size < 4_000_000


@pytest.mark.parametrize(
    "arguments",
    [[], ["run"], ["--out", "a.onnx"], ["run", "--out", "a.onnx", "--page", "p"], ["--page", "p", "--int8"]],
)
def test_the_command_wants_one_thing_to_do(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"give either --out FILE or --page|name the training run|--int8 is for"):
        group.main(["export", *arguments], standalone_mode=False)


def test_neither_the_server_nor_torch_is_loaded_for_it(tmp_path: Path, tiny_model: Path) -> None:
    code = (
        "import sys; from handread.cli.main import group;"
        f"group.main(['export', {str(tiny_model)!r}, '--page', {str(tmp_path / 'page')!r}], standalone_mode=False);"
        "print(sorted({'fastapi', 'starlette', 'pydantic', 'torch', 'onnx'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert told.stdout.splitlines()[-1] == "[]", told.stderr
