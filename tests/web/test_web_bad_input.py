"""What no server should stumble over: each gets a 4xx with a sentence, and nothing is left on the disk."""

from __future__ import annotations

import gzip
import io
import json
import socket
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from handread.web import connections
from tests.web.conftest import EDGE, Client, Serve, base64_of, form, png


@pytest.fixture(autouse=True)
def nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files would go here, and none may."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pixel_bomb(side: int = 60_000) -> bytes:
    """A PNG of a few kilobytes whose head promises 3.6 thousand million pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 20_000_000)
    return buffer.getvalue()


BROKEN = {
    "empty": b"",
    "text": b"this is no picture",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "pixel bomb": pixel_bomb(),
    "zip bomb": zip_bomb(),
    "gzip bomb": gzip.compress(b"\0" * 5_000_000),
    "nothing but a head": b"\x89PNG\r\n\x1a\n",
    "random": bytes(range(256)) * 40,
}


@pytest.mark.parametrize("path", ["/v1/read", "/v1/read/batch"])
@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_picture_is_refused(client: Client, kind: str, path: str) -> None:
    start = time.monotonic()
    answer = client.upload(path, ("seven.png", BROKEN[kind]))
    assert answer.problem() == (422, "unreadable")
    assert "seven.png" in answer.json["detail"]
    assert time.monotonic() - start < 10


def test_a_truncated_picture_is_refused(client: Client, seven: bytes) -> None:
    assert client.upload("/v1/read", ("a.png", seven[: len(seven) // 2])).problem() == (422, "unreadable")


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\a.png", "/etc/passwd", "a\x01b.png", "x" * 3000])
def test_a_name_is_only_a_name(client: Client, seven: bytes, name: str) -> None:
    row = client.upload("/v1/read", (name, seven), alphabet="digits").json["readings"][0]
    assert row["text"] == "7"
    assert "/" not in row["image"]
    assert "\\" not in row["image"]
    assert row["image"].isprintable()
    assert len(row["image"]) <= 255


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alphabet": "0123€"}, "'€'"),
        ({"alphabet": "00"}, "stands twice"),
        ({"alphabet": "a b"}, "visible"),
        ({"top": "0"}, "top"),
        ({"top": "many"}, "top"),
        ({"one": "perhaps"}, "one"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_options_of_a_form_are_named(client: Client, seven: bytes, fields: dict[str, str], said: str) -> None:
    answer = client.upload("/v1/read", ("a.png", seven), **fields)
    assert answer.problem()[0] == 422
    assert said in answer.json["detail"]


POINT = {"x": 1, "y": 1}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "either pictures or strokes"),
        ([], "object"),
        ({"pictures": []}, "pictures"),
        ({"pictures": [{"data": "!!!"}]}, "base64"),
        ({"pictures": [{"data": "data:image/png,abc"}]}, "base64"),
        ({"pictures": [{"data": ""}]}, "empty"),
        ({"pictures": [{"data": "AAAA"}], "strokes": [[POINT]]}, "either"),
        ({"strokes": [[POINT]]}, "width"),
        ({"strokes": [[{"x": 1}]], "width": 9, "height": 9}, "strokes.0.0.y"),
        ({"strokes": [[POINT]], "width": 0, "height": 9}, "width"),
        ({"strokes": [[POINT]], "width": 1e9, "height": 9}, "width"),
        ({"strokes": [[{"x": 1e300, "y": 1}]], "width": 9, "height": 9}, "strokes"),
        ({"strokes": [[POINT]] * 3000, "width": 9, "height": 9}, "strokes"),
        ({"strokes": [[POINT] * 60_000], "width": 9, "height": 9}, "50,000"),
        ({"strokes": [[POINT]], "width": 9, "height": 9, "pen": -1}, "pen"),
    ],
)
def test_wrong_json_is_named(client: Client, asked: Any, said: str) -> None:
    answer = client.post("/v1/read", asked)
    assert answer.problem()[0] == 422
    assert said in answer.json["detail"]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"characters": "AAAA", "shape": [1, 2, 2]}, 422, "3 bytes"),
        ({"characters": "AAAA", "shape": [1, 0, 3]}, 422, "shape"),
        ({"characters": "AAAA", "shape": [1, 3]}, 422, "shape"),
        ({"characters": "AAAA"}, 422, "shape"),
        ({"characters": "", "shape": [1_000_000, 1_000_000, 1_000_000]}, 413, "characters"),
        ({"characters": "AAAA", "shape": [3, 1, 1], "alphabet": "%"}, 422, "'%'"),
    ],
)
def test_wrong_arrays_are_named(client: Client, asked: Any, status: int, said: str) -> None:
    answer = client.post("/v1/read/batch", asked)
    assert answer.problem()[0] == status
    assert said in answer.json["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"alphabet": "\\ud800"}', b"NaN"])
def test_what_is_no_json_is_refused(client: Client, body: bytes) -> None:
    assert client.send("POST", "/v1/read", body, {"content-type": "application/json"}).problem() == (422, "invalid")


@pytest.mark.parametrize("kind", ["text/plain", "image/png", "application/x-www-form-urlencoded", "", "a" * 5000])
def test_another_type_of_body_is_refused(client: Client, kind: str) -> None:
    assert client.send("POST", "/v1/read", b"abc", {"content-type": kind}).problem() == (415, "media-type")


def test_a_compressed_body_is_refused(client: Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    body = gzip.compress(b"{}" + b" " * 1_000_000)
    assert client.send("POST", "/v1/read", body, headers).problem() == (415, "encoding")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"abc"),
        (f"multipart/form-data; boundary={EDGE}", b""),
        (f"multipart/form-data; boundary={EDGE}", b"no form"),
        (f"multipart/form-data; boundary={EDGE}", form(("a.png", b"x"))[:-40]),
        (f"multipart/form-data; boundary={EDGE}", form()),
        (f"multipart/form-data; boundary={EDGE}", form(alphabet="digits")),
        (f"multipart/form-data; boundary={EDGE}", form(("a.png", b"x")).replace(b'name="pictures"', b'name="file"')),
        (f"multipart/form-data; boundary={EDGE}", form(("a.png", b"x")).replace(b'name="pictures"; ', b"")),
        ("multipart/form-data; boundary=" + "x" * 300, b"--" + b"x" * 300 + b"--\r\n"),
    ],
)
def test_what_is_no_form_is_refused(client: Client, kind: str, body: bytes) -> None:
    assert client.send("POST", "/v1/read", body, {"content-type": kind}).problem() == (422, "form")


def test_thousands_of_files_are_refused(client: Client) -> None:
    files = [(f"{number}.png", b"x") for number in range(3000)]
    answer = client.upload("/v1/read", *files)
    assert answer.problem() == (413, "too-many")
    assert "1000 files" in answer.json["detail"]
    asked = {"pictures": [{"data": "AAAA"}] * 3000}
    assert client.post("/v1/read", asked).problem() == (413, "too-many")


def flat(width: int, height: int) -> bytes:
    """A white PNG that takes next to nothing."""
    return png(Image.new("1", (width, height), 1))


def test_a_picture_of_too_many_pixels_is_refused_and_the_others_are_read(serve: Serve, seven: bytes) -> None:
    with serve(max_pixels=20_000) as client:
        files = [("a.png", seven), ("large.png", flat(200, 101))]
        for one in ("true", "false"):
            rows = client.upload("/v1/read", *files, alphabet="digits", one=one).json["readings"]
            assert [row["text"] for row in rows] == ["7", ""]
            assert rows[1]["error"].startswith("large.png is too large (20,200 pixels, at most 20,000)")
        short = client.upload("/v1/read/batch", *files, alphabet="digits").json
        assert (short["labels"], [error["index"] for error in short["errors"]]) == ("7�", [1])


def test_pictures_that_are_too_large_together_are_refused(serve: Serve) -> None:
    with serve(max_pixels=20_000) as client:
        for path in ("/v1/read", "/v1/read/batch"):
            answer = client.upload(path, *[(f"{number}.png", flat(100, 199)) for number in range(5)])
            assert answer.problem() == (413, "too-many")


def test_too_many_and_too_long_fields_are_refused(client: Client) -> None:
    assert client.upload("/v1/read", **{f"f{i}": "x" for i in range(100)}).problem() == (413, "too-many")
    assert client.upload("/v1/read", alphabet="x" * 100_000).problem() == (413, "too-large")


def test_a_large_body_is_refused_before_it_has_come(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sender:
        sender.sendall(
            b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"
        )
        assert read_all(sender).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_without_a_length_is_cut_off(client: Client) -> None:
    block = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"  # 1 MiB
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as sender:
        sender.sendall(
            b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        try:
            for _ in range(1000):
                sender.sendall(block)
                sent += 1
        except OSError:
            pass
        assert sent < 1000
    assert client.get("/healthz").status == 200


def test_a_client_that_goes_on_sending_still_gets_its_answer(client: Client) -> None:
    """30 MB of a body that is over the limit: the answer comes, whole, although nobody wants the rest."""
    answer = client.send("POST", "/v1/read", b"x" * 30_000_000, {"content-type": "application/json"})
    assert answer.problem() == (413, "too-large")


def test_a_slow_body_is_given_up(serve: Serve) -> None:
    with serve(quiet_seconds=0.3) as client, socket.create_connection(("127.0.0.1", client.port), timeout=10) as sender:
        head = b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        sender.sendall(head)
        said = read_all(sender)
        assert said.startswith(b"HTTP/1.1 408 ")
        assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "too-slow"


def test_a_body_that_drips_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.3)
    with serve(quiet_seconds=0.3) as client, socket.create_connection(("127.0.0.1", client.port), timeout=10) as sender:
        sender.sendall(
            b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        )
        start = time.monotonic()
        try:
            while time.monotonic() - start < 8:
                sender.sendall(b" ")
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - start < 6
        assert client.get("/healthz").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: foo\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(client: Client, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sender:
        sender.sendall(head)
        said = read_all(sender)
    status = int(said.split(b" ")[1])
    assert 400 <= status < 500
    assert b"application/problem+json" in said


def test_both_lengths_at_once_do_not_smuggle_a_second_request(client: Client) -> None:
    body = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sender:
        sender.sendall(head + b"Connection: close\r\n\r\n" + body)
        said = read_all(sender)
    assert said.count(b"HTTP/1.1 ") == 1


def test_a_header_in_a_name_stays_text(client: Client, seven: bytes) -> None:
    answer = client.upload("/v1/read", ("a.png%0d%0aX-Evil: 1", seven))
    assert "x-evil" not in answer.headers
    assert client.get("/nowhere%0d%0aX-Evil:%201").problem() == (404, "not-found")


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/..%2fsettings.py"])
def test_no_path_leads_out_of_the_page(client: Client, path: str) -> None:
    assert client.get(path).status == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/read"), ("DELETE", "/v1/models"), ("PUT", "/")])
def test_another_method_is_refused(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert answer.problem() == (405, "method-not-allowed")
    assert answer.headers["allow"]


def test_too_much_at_once_is_told_to_come_again(serve: Serve, seven: bytes) -> None:
    with serve(max_buffered_mb=0.001) as client:
        answer = client.upload("/v1/read", ("a.png", seven + b"\0" * 4000))
        assert answer.problem() == (503, "busy")
        assert int(answer.headers["retry-after"]) >= 1
        small = client.post("/v1/read", {"strokes": [[{"x": 1, "y": 1}]], "width": 9, "height": 9})
        assert small.status == 200


def test_a_picture_inside_json_cannot_name_a_file(client: Client) -> None:
    asked = {"pictures": [{"data": base64_of(b"/etc/passwd"), "name": "/etc/passwd"}]}
    assert client.post("/v1/read", asked).problem() == (422, "unreadable")


def read_all(sender: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            part = sender.recv(65_536)
        except ConnectionResetError:
            return found
        if not part:
            return found
        found += part
