"""Nothing leaves the machine: no request, no report of use, no page that loads anything, no file that tells of people."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import RECIPE, signs

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src/handread/web/static"


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a process that did everything while it could reach nothing but itself."""
    for name in ("torch", "onnx", "safetensors", "sklearn", "fastapi", "uvicorn"):
        pytest.importorskip(name, reason="needs the extras train and web")
    import numpy as np

    folder = tmp_path_factory.mktemp("cut-off")
    images, labels = signs(60)
    np.savez(folder / "signs.npz", images=images, labels=labels)
    (folder / "tiny.toml").write_text(RECIPE.replace("epochs = 4", "epochs = 1"), encoding="utf-8")
    shutil.copy(ROOT / "examples/prices.jpg", folder / "photo.jpg")
    # some libraries hold their reports back where these say that it is a test
    unspoken = re.compile("CI$|CONTINUOUS|BUILD|GITHUB|GITLAB|ORT_|RAY_|DO_NOT_TRACK|TF_BUILD|PYTEST")
    environment = {name: value for name, value in os.environ.items() if not unspoken.match(name)}
    script = Path(__file__).with_name("cut_off.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def seen(cut_off: Path) -> dict[str, Any]:
    """What the guards saw."""
    found: dict[str, Any] = json.loads((cut_off / "seen.json").read_text())
    return found


def test_nobody_outside_is_asked_for_anything(seen: dict[str, Any]) -> None:
    """Serving, reading, exploring, training, evaluating, learning, comparing, submitting, exporting."""
    assert seen["torch"]
    assert seen["attempts"] == []
    assert [name for name, count in seen["counted"].items() if count] == []  # native code's, where they are counted


def test_the_guards_see_what_they_are_to_see(seen: dict[str, Any]) -> None:
    assert [line.split()[0] for line in seen["tried"]] == ["socket.getaddrinfo", "socket.getaddrinfo", "socket.sendto"]
    if seen["alone"]:
        assert seen["tried natively"] == 1


def test_the_network_runtime_is_told_to_report_nothing(seen: dict[str, Any]) -> None:
    """onnxruntime is silenced twice: for all that look at the environment, and for Windows by its function."""
    assert seen["onnxruntime's telemetry"] == ["off"]
    code = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'\nimport handread, sys\n"
    code += "print(os.environ['ORT_DISABLE_TELEMETRY'], 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "False"]


def test_ray_is_told_to_report_nothing_before_it_is_loaded(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "ray/data").mkdir(parents=True)
    (tmp_path / "ray/__init__.py").write_text("import os\nprint(os.environ['RAY_USAGE_STATS_ENABLED'])\n")
    (tmp_path / "ray/data/__init__.py").write_text("")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport handread.scale.cluster"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["0"]


def test_reading_and_serving_leave_no_file_behind(seen: dict[str, Any]) -> None:
    """Neither in the home folder nor among the temporary files."""
    assert seen["left behind by reading"] == []


def test_what_is_saved_tells_of_no_folder_and_nobody(cut_off: Path) -> None:
    """Runs, models, reports, pages, tables: nothing of the place where they were made."""
    files = [path for name in ("run", "pages") for path in sorted((cut_off / name).rglob("*")) if path.is_file()]
    files += [cut_off / name for name in ("own.onnx", "a.json", "b.json", "submission.csv")]
    assert len(files) > 30
    private = [str(cut_off).encode(), str(ROOT).encode(), str(Path.home()).encode() + b"/", b"site-packages"]
    assert [(path.name, word) for path in files for word in private if word in path.read_bytes()] == []


# pages

_FETCHING = {
    "script": ("src",), "link": ("href",), "img": ("src", "srcset"), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "track": ("src",), "iframe": ("src", "srcdoc"), "embed": ("src",),
    "object": ("data",), "input": ("src",), "image": ("href", "xlink:href"), "use": ("href", "xlink:href"),
    "body": ("background",), "form": ("action",), "base": ("href",), "a": ("ping",), "area": ("ping",),
}  # fmt: skip
"""What a browser fetches without being asked; what a person clicks on is not among it."""
_STYLE_FETCHES = re.compile(r"""url\(\s*["']?([^"')]*)|@import\s+["']([^"']*)""")
_COMMENTS = re.compile(r"/\*.*?\*/|(?:^|\s)//[^\n]*", re.DOTALL)
_ELSEWHERE = re.compile(r"(?:\b(?:https?|wss?|ftp):)?//(?!www\.w3\.org/(?:2000/svg|1999/x))[\w\[-][\w.:\]-]*")
_SILENT_WAYS = ("sendBeacon", "WebSocket", "EventSource", "RTCPeerConnection", "importScripts")


class Fetches(HTMLParser):
    """Addresses that a page makes a browser fetch, and its own policy."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.policy = ""
        self._inside = ""
        self.scripts = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._inside = tag
        self.found += [values[name] for name in _FETCHING.get(tag, ()) if name in values]
        self.found += fetched_by_style(values.get("style", ""))
        kind = values.get("http-equiv", "").lower()
        if kind == "content-security-policy":
            self.policy = values["content"]
        assert kind != "refresh"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._inside = ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.found += fetched_by_style(data)
        if self._inside == "script":
            self.scripts += data


def fetched_by_style(text: str) -> list[str]:
    return [first or second for first, second in _STYLE_FETCHES.findall(_COMMENTS.sub(" ", text))]


def strangers(addresses: list[str]) -> list[str]:
    """Those of `addresses` that are neither beside the page nor within it."""
    return [address for address in addresses if re.match(r"(?!data:)[a-z][a-z0-9+.-]*:|//", address.strip(), re.I)]


def named_by_script(text: str) -> list[str]:
    """Addresses elsewhere, and ways of sending that a policy for fetching is easily forgotten for."""
    code = _COMMENTS.sub(" ", text)
    code = re.sub(r"[A-Za-z0-9+/=]{200,}", "", code)  # files that a page carries
    return [*_ELSEWHERE.findall(code), *(word for word in _SILENT_WAYS if word in code)]


def loads_nothing(path: Path, kind: str) -> None:
    """Fail where a file of a page would make a browser fetch something from elsewhere."""
    if kind not in ("html", "css", "js", "svg"):
        return
    text = path.read_text(encoding="utf-8")
    if kind == "html":
        page = Fetches(text)
        assert strangers(page.found) == []
        assert named_by_script(page.scripts) == []
    elif kind == "css":
        assert strangers(fetched_by_style(text)) == []
    elif kind == "js":
        assert named_by_script(text) == []
    else:
        assert strangers(re.findall(r"""(?:href|src)=["']([^"']*)""", text) + fetched_by_style(text)) == []


def shut(policy: str) -> None:
    """Fail for a policy that lets a browser go elsewhere."""
    rules = {name: sources for name, *sources in (rule.split() for rule in policy.split(";") if rule.strip())}
    assert rules["default-src"] == ["'none'"]
    allowed = re.compile(r"'(?:none|self|wasm-unsafe-eval)'|'sha256-[\w+/=]+'|data:|blob:")
    open_to = {source for name, sources in rules.items() for source in sources if not allowed.fullmatch(source)}
    assert open_to <= {"'unsafe-inline'"}
    assert "'unsafe-inline'" not in rules.get("script-src", [])
    assert set(rules.get("connect-src", [])) <= {"'self'"}


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(STATIC.rglob("*")) if path.suffix in (".html", ".css", ".js", ".svg")],
    ids=lambda path: path.relative_to(STATIC).as_posix(),
)
def test_no_shipped_page_loads_anything_from_elsewhere(path: Path) -> None:
    loads_nothing(path, path.suffix[1:])


def test_no_written_page_loads_anything_from_elsewhere(cut_off: Path) -> None:
    """Reports, the run's own, and the page without a server; each page brings a policy that forbids it too."""
    written = [path for name in ("run", "pages") for path in sorted((cut_off / name).rglob("*"))]
    pages = [path for path in written if path.suffix == ".html"]
    assert {path.name for path in pages} == {
        "report.html", "explored.html", "evaluated.html", "compared.html", "index.html", "about.html",
    }  # fmt: skip
    for path in written:
        loads_nothing(path, path.suffix[1:])
    for path in pages:
        shut(Fetches(path.read_text(encoding="utf-8")).policy)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("html", '<img src="https://example.org/a.png">'),
        ("html", '<link href="//example.org/a.css">'),
        ("html", "<style>@import 'http://example.org/a.css';</style>"),
        ("html", '<p style="background: url(HTTP://example.org/a)">'),
        ("html", "<script>fetch('https://example.org')</script>"),
        ("css", "a { src: url(https://example.org/a.woff2) }"),
        ("js", 'import "https://example.org/a.js";'),
        ("js", "navigator.sendBeacon(address)"),
        ("svg", '<image href="http://example.org/a.png"/>'),
    ],
)
def test_what_would_be_loaded_is_noticed(kind: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_text(text)
    with pytest.raises(AssertionError):
        loads_nothing(tmp_path / "page", kind)


def test_what_a_server_gives_loads_nothing_from_elsewhere(cut_off: Path) -> None:
    """Every answer has the policy, errors too; every page and file is asked for as a browser would."""
    answers: dict[str, Mapping[str, Any]] = json.loads((cut_off / "served.json").read_text())
    asked = {name.removeprefix("GET ") for name in answers if name.startswith("GET /static/")}
    assert len(asked) > 15
    kinds = {"text/html": "html", "text/css": "css", "text/javascript": "js", "application/javascript": "js",
             "image/svg+xml": "svg"}  # fmt: skip
    refused = {"GET /nowhere", "POST /v1/corrections"}
    for name, answer in answers.items():
        assert answer["status"] == (404 if name in refused else 200), name
        headers = {key.lower(): value for key, value in answer["headers"].items()}
        shut(headers["content-security-policy"])
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers
        loads_nothing(cut_off / "served" / answer["file"], kinds.get(headers["content-type"].partition(";")[0], ""))


# logs

SECRET = "aunt-agathas-diary"


@contextlib.contextmanager
def everything_logged() -> Iterator[list[str]]:
    """All that anybody logs, whatever its level."""
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name}: {self.format(record)}")

    keeper, root = Keeper(), logging.getLogger()
    before = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(keeper)


def test_logs_hold_no_picture_no_name_and_no_text(
    tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from handread.web.settings import Settings
    from tests.conftest import as_png, drawn
    from tests.web.conftest import base64_of, running

    token = "a-token-of-at-least-sixteen-characters"
    picture = as_png(drawn("7"))
    settings = Settings(model=str(tiny_model), port=0, collect=tmp_path, tokens=(token,))
    with everything_logged() as lines, running(settings) as client:
        answer = client.upload("/v1/read", (f"{SECRET}.png", picture)).status
        assert answer == 401
        told = {"authorization": f"Bearer {token}"}
        shown = {"pictures": [{"name": SECRET, "data": base64_of(picture)}], "alphabet": "digits"}
        read = client.post("/v1/read", shown, **told)
        assert (read.status, SECRET in read.body.decode(), '"7"' in read.body.decode()) == (200, True, True)
        kept = {"picture": base64_of(picture), "label": "§", "read": "¶"}
        assert client.post("/v1/corrections", kept, **told).status == 201
        for body in (b"{", json.dumps({"pictures": SECRET}).encode(), SECRET.encode()):
            assert client.send("POST", "/v1/read", body, {"content-type": "application/json", **told}).status == 422
        assert client.get(f"/{SECRET}").status == 404
        metrics = client.get("/metrics", **told).body.decode()
        logging.getLogger("handread").debug("the keeper listens")
    out, err = capfd.readouterr()
    assert any("the keeper listens" in line for line in lines)
    written = "\n".join([*lines, metrics, out, err])
    assert [word for word in (SECRET, token, base64_of(picture)[:40], "§", "¶") if word in written] == []
