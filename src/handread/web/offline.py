"""The page without a server: a folder that reads in the browser alone, from any static host or as a file on a stick."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from handread import __version__
from handread.data.atomic import make_folder, sweep, write_atomic
from handread.errors import DataError, ModelError
from handread.runtime import store
from handread.runtime.session import Session
from handread.runtime.wire import operators_of
from handread.web.bundle import bundle

STATIC = Path(__file__).resolve().parent / "static"

MARK = "handread.json"
"""The file by which an earlier export is known."""

# fmt: off
OPERATORS = frozenset((
    "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv", "DequantizeLinear",
    "Div", "Dropout", "Elu", "Flatten", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Log", "LogSoftmax", "MatMul", "MaxPool", "Mul", "QuantizeLinear", "ReduceMax", "ReduceMean",
    "ReduceSum", "Relu", "Reshape", "Sigmoid", "Softmax", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze",
))
# fmt: on
"""What ``static/offline/network.js`` can work out."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # the innermost loop is WebAssembly; JavaScript's eval stays forbidden
        "worker-src blob:",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Nothing may be fetched from anywhere: what the page needs came with it."""

_PAGES = {"index.html": "app.js", "about.html": "about.js"}
_COPIED = ("theme.js", "icon.svg", "examples/*", "fonts/*", "vendor/LICENSE*")
_CARRIED = ("pen.json", "examples/*")
"""What the page fetches: browsers fetch nothing from a file on a stick."""


def export_page(model: str | Path, folder: Path) -> int:
    """Write the page with a shipped `model`, one at a path, or that of a training run into `folder`.

    Returns the size in bytes. Each file is written whole or not at all, the first page last. Raises `DataError` for a
    folder that holds anything but an earlier export, `ModelError` for a model that the page cannot run.
    """
    name, content = _model(model)
    files = dict(_files(content))
    _prepare(folder)
    mark = json.dumps({"handread": __version__, "model": name, "files": sorted(files)}, indent=1) + "\n"
    write_atomic(folder / MARK, mark.encode())
    for path in sorted(files, key=lambda path: path == "index.html"):
        target = folder / path
        make_folder(target.parent)
        write_atomic(target, files[path])
    return sum(map(len, files.values()))


def _model(model: str | Path) -> tuple[str, bytes]:
    content = store.load(model)
    card = Session(content, name=str(model)).card
    if card.window:
        raise ModelError(
            f"{model} was trained on pictures of one character at its own size, and the page reads drawings and lines; "
            "read such pictures with handread read --one"
        )
    foreign = sorted(set(operators_of(content)) - OPERATORS)
    if foreign:
        raise ModelError(
            f"{model} uses {', '.join(foreign)}, which the page without a server cannot work out; "
            "serve it with handread serve --model"
        )
    return card.name, content


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        empty = next(folder.iterdir(), None) is None
    except OSError as error:
        raise DataError(f"{folder} cannot be used: {error.strerror or error}; name a folder") from None
    if not empty and not (folder / MARK).is_file():
        raise DataError(f"{folder} holds other files; name a new folder, or one with an earlier export")


def _files(model: bytes) -> Iterator[tuple[str, bytes]]:
    for pattern in _COPIED:
        for path in sorted(STATIC.glob(pattern)):
            yield f"static/{path.relative_to(STATIC).as_posix()}", path.read_bytes()
    yield "static/style.css", _style().encode()
    yield "static/model.js", f'globalThis.handreadModel = "{_base64(model)}";\n'.encode()
    reader = bundle(STATIC, "offline/reader.js")
    yield "static/reader.js", f"globalThis.handreadReader = function () {{\n{reader}return entry;\n}};\n".encode()
    carried = {
        path.relative_to(STATIC).as_posix(): _base64(path.read_bytes())
        for pattern in _CARRIED
        for path in sorted(STATIC.glob(pattern))
    }
    for page, entry in _PAGES.items():
        script = bundle(STATIC, entry, replaced={"engine.js": "offline/engine.js"}, fetch="offline/shelf.js")
        table = json.dumps(carried if page == "index.html" else {})
        yield f"static/{entry}", f"(() => {{\nconst handreadFiles = {table};\n{script}}})();\n".encode()
        yield page, _page((STATIC / page).read_text(encoding="utf-8"), entry).encode()


def _page(html: str, entry: str) -> str:
    """A page whose scripts are classic ones and whose links name files; it carries its own security policy."""
    lines = [line for line in html.splitlines(keepends=True) if 'rel="preload"' not in line]  # fetched, and so refused
    scripts = "\n    ".join(f'<script defer src="static/{name}"></script>' for name in ("model.js", "reader.js", entry))
    policy = f'<meta http-equiv="content-security-policy" content="{CONTENT_SECURITY_POLICY}" />'
    html = "".join(lines)
    for before, after in (
        ('<meta charset="utf-8" />', f'<meta charset="utf-8" />\n    {policy}'),
        (f'<script type="module" src="static/{entry}"></script>', scripts),
        ('href="./"', 'href="index.html"'),
        ('href="about"', 'href="about.html"'),
    ):
        if before not in html:
            raise AssertionError(f"the page has no {before}")
        html = html.replace(before, after)
    return html


def _style() -> str:
    """The style sheet; a mask is fetched as scripts are, and so stands in it."""
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    mask = _base64((STATIC / "wordmark.svg").read_bytes())
    return style.replace('url("wordmark.svg")', f'url("data:image/svg+xml;base64,{mask}")')


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
