"""A real server in a thread, and a client small enough to send what a browser never would."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from PIL import Image

from handread.web.server import listen, make_server
from handread.web.settings import Settings

EDGE = "edge-of-the-test"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self) -> tuple[int, str]:
        """Status and code of a problem document, checked for its form."""
        assert self.headers["content-type"] == "application/problem+json"
        told = self.json
        assert set(told) == {"type", "title", "status", "detail", "code"}
        assert told["status"] == self.status
        assert len(told["detail"].split()) > 4
        assert "Traceback" not in told["detail"]
        return self.status, told["code"]


@dataclass(frozen=True, slots=True)
class Client:
    """Requests to one server."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, asked: Any, **headers: str) -> Answer:
        return self.send("POST", path, json.dumps(asked).encode(), {"content-type": "application/json", **headers})

    def upload(self, path: str, *files: tuple[str, bytes], **fields: str) -> Answer:
        return self.send(
            "POST", path, form(*files, **fields), {"content-type": f"multipart/form-data; boundary={EDGE}"}
        )


def form(*files: tuple[str, bytes], **fields: str) -> bytes:
    """A multipart body with files called `pictures`."""
    parts = [
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, content in files:
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="pictures"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{EDGE}--\r\n".encode()


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Client]:
    listener = listen(settings)
    server = make_server(settings)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield Client(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)


Serve = Callable[..., contextlib.AbstractContextManager[Client]]


@pytest.fixture(scope="session")
def serve(tiny_model: Path) -> Serve:
    """A function of `Settings`' fields that runs a server of the tiny model."""

    def start(**changes: Any) -> contextlib.AbstractContextManager[Client]:
        return running(Settings(**{"model": str(tiny_model), "port": 0, **changes}))

    return start


@pytest.fixture(scope="session")
def client(serve: Serve) -> Iterator[Client]:
    """Of a server with nothing special to it."""
    with serve() as client:
        yield client


@pytest.fixture(scope="session")
def seven(draw: Callable[[str], Image.Image]) -> bytes:
    """A PNG of a drawn 7."""
    return png(draw("7"))
