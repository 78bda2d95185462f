"""What operators see to: tokens, rates, other origins, figures, the document of the API, a quiet end."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from handread.errors import ConfigError
from handread.web.app import create_app
from handread.web.limits import Rate, network_of
from handread.web.problems import ProblemError
from handread.web.settings import Settings, read_tokens
from tests.web.conftest import EDGE, Client, Serve, form

TOKEN = "correct-horse-battery-staple"


def test_models_tells_what_is_loaded_and_what_is_allowed(client: Client, tiny_model: Path) -> None:
    told = client.get("/v1/models").json
    loaded = [row for row in told["models"] if row["loaded"]]
    assert [row["card"]["name"] for row in loaded] == ["tiny"]
    assert told["alphabets"]["digits"] == "0123456789"
    assert told["collect"] is False
    assert told["limits"] == {"upload_bytes": 20_000_000, "pictures": 1000, "characters": 10_000, "pixels": 50_000_000}


def test_health_and_readiness(client: Client) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}


def test_the_figures_count_what_was_read(serve: Serve, seven: bytes) -> None:
    with serve() as client:
        client.upload("/v1/read", ("a.png", seven), ("b.png", b"no"), alphabet="digits", one="true")
        client.get("/made-up-by-a-client")
        answer = client.get("/metrics")
    figures = dict(line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert figures['handread_requests_total{method="POST",path="/v1/read",status="200"}'] == "1.0"
    assert figures['handread_pictures_total{outcome="read"}'] == "1.0"
    assert figures['handread_pictures_total{outcome="broken"}'] == "1.0"
    assert figures['handread_characters_total{accepted="yes"}'] == "1.0"
    assert figures["handread_batches_total"] == "1.0"
    assert figures["handread_buffered_bytes"] == "0.0"
    assert not any("made-up" in name for name in figures)


def test_the_document_is_whole(client: Client) -> None:
    document = client.get("/openapi.json").json
    assert set(document["paths"]) == {
        "/v1/read", "/v1/read/batch", "/v1/models", "/v1/corrections", "/metrics", "/healthz", "/readyz",
    }  # fmt: skip
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]
    assert client.get("/docs").problem() == (404, "not-found")  # nothing is fetched from elsewhere


def test_the_examples_of_the_document_are_answered(serve: Serve, tmp_path: Path) -> None:
    with serve(collect=tmp_path / "corrections") as client:
        schemas = client.get("/openapi.json").json["components"]["schemas"]
        for path, name in (
            ("/v1/read", "ReadRequest"), ("/v1/read/batch", "BatchRequest"), ("/v1/corrections", "Correction"),
        ):  # fmt: skip
            assert schemas[name]["examples"]
            for example in schemas[name]["examples"]:
                assert client.post(path, example).status in (200, 201), (path, example)


STRICT = ("content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy")


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nowhere", "/healthz", "/static/style.css"])
def test_every_answer_keeps_browsers_strict(client: Client, path: str) -> None:
    answer = client.get(path)
    assert set(STRICT) <= set(answer.headers)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/models", "/metrics"])
@pytest.mark.parametrize("sent", ["", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "Bearer \xff"])
def test_a_wrong_token_is_refused(serve: Serve, guarded: Client, path: str, sent: str) -> None:
    answer = guarded.get(path, **({"authorization": sent} if sent else {}))
    assert answer.problem() == (401, "token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.body.decode()


def test_the_right_token_opens(guarded: Client) -> None:
    for token in (TOKEN, TOKEN + "-2"):
        assert guarded.get("/v1/models", authorization=f"Bearer {token}").status == 200
    assert guarded.get("/healthz").status == 200


def test_without_a_token_no_body_is_read(guarded: Client) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as sender:
        sender.sendall(b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert sender.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.fixture(scope="module")
def guarded(serve: Serve):  # type: ignore[no-untyped-def]
    """Of a server with two tokens."""
    with serve(tokens=(TOKEN, TOKEN + "-2")) as client:
        yield client


def test_token_files(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n{TOKEN}\n\n{TOKEN}-2\n")
    assert read_tokens(path) == (TOKEN, TOKEN + "-2")
    assert TOKEN not in repr(Settings(tokens=read_tokens(path)))


@pytest.mark.parametrize("content", [b"", b"# only this\n", b"short\n", b"with a space in it, long\n", b"\xff" * 40])
def test_bad_token_files_are_refused_without_telling_the_token(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="token") as error:
        read_tokens(path)
    assert "short\n" not in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tokens(tmp_path / "missing")


def test_too_many_requests_are_told_when_to_come_again(serve: Serve) -> None:
    with serve(rate_per_second=0.01) as client:
        assert client.get("/v1/models").status == 200
        answer = client.get("/v1/models")
        assert answer.problem() == (429, "too-often")
        assert 90 <= int(answer.headers["retry-after"]) <= 100
        assert client.get("/healthz").status == 200


def test_a_bucket_fills_again_and_is_each_clients_own() -> None:
    rate = Rate(2)
    for _ in range(4):
        rate.check("192.0.2.1", 100.0)
    with pytest.raises(ProblemError):
        rate.check("192.0.2.1", 100.0)
    rate.check("192.0.2.2", 100.0)
    rate.check("192.0.2.1", 100.5)
    with pytest.raises(ProblemError):
        rate.check("192.0.2.1", 100.5)


def test_the_networks_of_one_customer_are_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") != network_of("2001:db8:0:1::1")
    rate = Rate(1)
    for number in range(20_000):
        rate.check(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}", 1.0)
    assert len(rate._buckets) <= 10_000


def test_other_origins_only_where_they_are_named(serve: Serve) -> None:
    origin = {"origin": "https://example.org"}
    with serve(cors=("https://example.org",)) as client:
        assert client.get("/v1/models", **origin).headers["access-control-allow-origin"] == "https://example.org"
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
        assert client.send("OPTIONS", "/v1/read", headers={**origin, **asked}).status == 200
        assert "access-control-allow-origin" not in client.get("/v1/models", origin="https://example.com").headers
    with serve() as client:
        assert "access-control-allow-origin" not in client.get("/v1/models", **origin).headers


def test_a_root_path_stands_in_the_document(serve: Serve) -> None:
    with serve(root_path="/handread") as client:
        assert client.get("/healthz").status == 200
        assert client.get("/openapi.json").json["servers"] == [{"url": "/handread"}]


@pytest.mark.parametrize(
    "changes",
    [
        {"port": 70_000}, {"workers": 0}, {"max_upload_mb": 0.0}, {"max_upload_mb": float("nan")},
        {"rate_per_second": -1.0}, {"cors": ("example.org",)}, {"cors": ("https://example.org/path",)},
        {"cors": ("https://a@b",)}, {"root_path": "handread"}, {"root_path": "/handread/"}, {"root_path": "/a b"},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Settings(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "private"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "tokens": ("a" * 16,)}, True),
        ({"host": "::1"}, True),
    ],
)
def test_a_server_is_private_where_only_this_machine_or_a_token_reaches_it(
    changes: dict[str, object], private: bool
) -> None:
    assert Settings(**changes).is_private is private  # type: ignore[arg-type]


def test_an_application_of_ones_own_has_the_api_and_the_bound_of_its_settings(tiny_model: Path) -> None:
    settings = Settings(model=str(tiny_model), max_upload_mb=0.5)
    assert settings.max_upload_bytes == 500_000
    assert {"/v1/read", "/v1/read/batch", "/v1/models"} <= set(create_app(settings).openapi()["paths"])


@pytest.mark.parametrize("most", [20])
def test_silent_connections_give_way_to_those_that_ask(serve: Serve, most: int) -> None:
    with serve(max_connections=most) as client:
        silent = [socket.create_connection(("127.0.0.1", client.port)) for _ in range(3 * most)]
        try:
            for _ in range(3):
                assert client.get("/healthz").status == 200
        finally:
            for sender in silent:
                sender.close()


def test_two_thousand_silent_connections_starve_nobody(client: Client) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 6000:
        pytest.skip(f"this system allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (6000, hard))
    silent: list[socket.socket] = []
    try:
        for _ in range(2000):
            silent.append(socket.create_connection(("127.0.0.1", client.port)))
            silent[-1].send(b"GET / HT")  # half a head
        start = time.monotonic()
        assert client.get("/healthz").status == 200
        assert time.monotonic() - start < 5
    finally:
        for sender in silent:
            sender.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_too_many_is_told_so_when_all_are_busy(serve: Serve) -> None:
    head = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    with serve(max_connections=3) as client:
        busy = [socket.create_connection(("127.0.0.1", client.port), timeout=10) for _ in range(3)]
        for sender in busy:
            sender.sendall(head)
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as late:
            said = late.recv(65536)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "busy"
        for sender in busy:
            sender.sendall(b"12345678")
            assert sender.recv(65536).startswith(b"HTTP/1.1 422 ")
            sender.close()


def test_a_silent_connection_is_closed(serve: Serve) -> None:
    with serve(quiet_seconds=0.2) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as silent:
            assert silent.recv(100) == b""
        with socket.create_connection(("127.0.0.1", client.port), timeout=10) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost:")
            assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_two_requests_on_one_connection(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
    connection.close()


def start(tiny_model: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
    command = [sys.executable, "-m", "handread", "serve", "--port", "0", "--model", str(tiny_model), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Handread listens at http://127.0.0.1:"), process.communicate(timeout=10)
    return process, int(line.split(":")[2].split("/")[0])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_accepted_is_answered_when_told_to_stop(tiny_model: Path, seven: bytes, workers: str) -> None:
    process, port = start(tiny_model, "--workers", workers)
    body = form(*[("a.png", seven)] * 25, alphabet="digits")
    client = Client(port)
    assert client.get("/healthz").status == 200
    answers: list[int] = []
    begun = threading.Barrier(5)

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        begun.wait()
        connection.request("POST", "/v1/read", body, {"content-type": f"multipart/form-data; boundary={EDGE}"})
        response = connection.getresponse()
        response.read()
        answers.append(response.status)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    begun.wait()
    time.sleep(0.1)  # they are being read now
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(30)
    _, err = process.communicate(timeout=30)
    assert answers == [200] * 4
    assert process.returncode == 0
    assert err == ""


def test_a_port_in_use_is_one_sentence(client: Client, tiny_model: Path) -> None:
    command = [sys.executable, "-m", "handread", "serve", "--port", str(client.port), "--model", str(tiny_model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"handread: cannot listen on 127.0.0.1 port {client.port}: ")
    assert done.stderr.count("\n") == 1
