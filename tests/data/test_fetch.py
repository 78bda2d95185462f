"""Fetching, against a server on this machine that drops, truncates, redirects, lies and forgets."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import random
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from handread.data import catalog, partial
from handread.data import fetch as fetching
from handread.data.catalog import Download, Entry
from handread.data.fetch import Patience, download, fetch
from handread.data.partial import held
from handread.errors import DataError

CONTENT = random.Random(1).randbytes(300_000)
OLD = b"the old file"
QUICK = Patience(timeout_seconds=5.0, tries=2, pause_seconds=0.0)
PAGE = "https://example.org/page"


@dataclass
class Answer:
    """What the server does with one request, and what is sent of the content by then."""

    status: int = 200
    body: bytes = CONTENT
    length: int | None = None
    """Announced length where it is a lie."""
    send: int | None = None
    """Bytes after which the connection drops."""
    location: str = ""
    tag: str = '"one"'
    ranges: bool = True
    chunked: bool = False
    range_said: str = ""


@dataclass
class Server:
    """Answers in order, the last one again and again; remembers requests and counts the bytes of bodies."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            answer = server.next()
            self.close_connection = True
            start = self.start_of(answer)
            if start is None:
                self.send_response(416)
                self.end_headers()
                return
            body = answer.body[start:]
            self.send_response(206 if start and answer.status == 200 else answer.status)
            if start:
                self.send_header(
                    "Content-Range", answer.range_said or f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}"
                )
            if answer.location:
                self.send_header("Location", answer.location)
            if answer.tag:
                self.send_header("ETag", answer.tag)
            if not answer.chunked:
                self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
            self.end_headers()
            body = body if answer.send is None else body[: answer.send]
            server.sent.append(len(body))
            self.wfile.write(body)

        def start_of(self, answer: Answer) -> int | None:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            if asked is None or not answer.ranges or answer.status != 200:
                return 0
            if self.headers.get("If-Range", answer.tag) != answer.tag:
                return 0
            return int(asked[1]) if int(asked[1]) < len(answer.body) else None

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    here = Server("")
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(here))
    here.url = f"http://127.0.0.1:{http.server_address[1]}/set.bin"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield here
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An old file that every failure must leave alone."""
    path = tmp_path / "cache" / "set.bin"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def item(*urls: str, file: str = "set.bin", checksum: bool = True, size: bool = True) -> Download:
    return Download(
        urls,
        file,
        f"sha256:{hashlib.sha256(CONTENT).hexdigest()}" if checksum else "",
        len(CONTENT) if size else None,
    )


def get(wanted: Download, target: Path) -> int:
    return download(wanted, target, page=PAGE, patience=QUICK)


def failure(wanted: Download, target: Path) -> str:
    """The one sentence of a failure, after checking that the old file is as it was."""
    with pytest.raises(DataError) as caught:
        get(wanted, target)
    assert target.read_bytes() == OLD
    message = str(caught.value)
    assert "\n" not in message
    return message


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


# --- the way it should be


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_file_comes_whole_and_replaces_the_old_one(server: Server, target: Path, known: bool) -> None:
    server.answers = [Answer()]
    seen: list[tuple[int, int]] = []
    received = download(
        item(server.url, checksum=known, size=known),
        target,
        page=PAGE,
        progress=lambda done, total: seen.append((done, total)),
        patience=QUICK,
    )
    assert received == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["set.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert server.requests[0]["user-agent"].startswith("handread/")


def test_a_length_that_nobody_tells(server: Server, target: Path) -> None:
    server.answers = [Answer(chunked=True)]
    assert get(item(server.url, size=False), target) == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_mirrors_are_tried_in_order(server: Server, target: Path) -> None:
    server.answers = [Answer(status=404, body=b""), Answer()]
    assert get(item(server.url + "?first", server.url + "?second"), target) == len(CONTENT)
    assert [request["path"] for request in server.requests] == ["/set.bin?first", "/set.bin?second"]


def test_a_redirect_is_followed(server: Server, target: Path) -> None:
    server.answers = [Answer(status=302, body=b"", location="/there"), Answer()]
    get(item(server.url), target)
    assert [request["path"] for request in server.requests] == ["/set.bin", "/there"]


def test_a_passing_trouble_is_tried_again(server: Server, target: Path) -> None:
    server.answers = [Answer(status=503, body=b""), Answer()]
    get(item(server.url), target)
    assert target.read_bytes() == CONTENT


# --- going on


def interrupted(server: Server, target: Path, wanted: Download, sent: int) -> None:
    """One try in which `sent` bytes came."""
    server.answers = [Answer(send=sent)]
    with pytest.raises(DataError, match=r"bytes are kept, the same command goes on from there"):
        download(wanted, target, page=PAGE, patience=Patience(timeout_seconds=5.0, tries=1))
    assert target.with_name("set.bin.part").read_bytes() == CONTENT[:sent]
    server.requests.clear()
    server.sent.clear()


def test_an_interrupted_download_goes_on_and_transfers_only_the_rest(server: Server, target: Path) -> None:
    wanted = item(server.url)
    interrupted(server, target, wanted, 200_000)
    server.answers = [Answer()]
    assert get(wanted, target) == 100_000
    assert server.sent == [100_000]
    assert server.requests[0]["range"] == "bytes=200000-"
    assert server.requests[0]["if-range"] == '"one"'
    assert target.read_bytes() == CONTENT
    assert left(target) == ["set.bin"]


def test_a_drop_in_the_middle_is_gone_on_with_at_once(server: Server, target: Path) -> None:
    server.answers = [Answer(send=170_000), Answer()]
    assert get(item(server.url), target) == len(CONTENT)
    assert server.sent == [170_000, 130_000]
    assert target.read_bytes() == CONTENT


def test_another_mirror_goes_on_where_a_checksum_will_tell(server: Server, target: Path) -> None:
    interrupted(server, target, item(server.url), 200_000)
    server.answers = [Answer(tag='"of another server"')]
    assert get(item(server.url + "?mirror"), target) == 100_000
    assert "if-range" not in server.requests[0]


def test_another_mirror_begins_anew_without_a_checksum(server: Server, target: Path) -> None:
    interrupted(server, target, item(server.url, checksum=False), 200_000)
    server.answers = [Answer()]
    assert get(item(server.url + "?mirror", checksum=False), target) == len(CONTENT)
    assert "range" not in server.requests[0]


def test_a_server_without_ranges_gives_all_again(server: Server, target: Path) -> None:
    interrupted(server, target, item(server.url), 200_000)
    server.answers = [Answer(ranges=False)]
    assert get(item(server.url), target) == len(CONTENT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("obedient", [True, False], ids=["If-Range", "ignores If-Range"])
def test_a_file_that_changed_meanwhile_is_taken_anew(
    server: Server, target: Path, obedient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = item(server.url, checksum=False)
    interrupted(server, target, wanted, 200_000)
    other = CONTENT[::-1]
    if not obedient:
        monkeypatch.setattr("urllib.request.Request.add_header", without_if_range)
    server.answers = [Answer(body=other, tag='"two"')]
    get(wanted, target)
    assert target.read_bytes() == other


def without_if_range(self: object, key: str, value: str) -> None:
    if key != "If-Range":
        self.headers[key.capitalize()] = value  # type: ignore[attr-defined]


def test_a_part_that_was_spoilt_is_taken_anew(server: Server, target: Path) -> None:
    wanted = item(server.url)
    interrupted(server, target, wanted, 200_000)
    target.with_name("set.bin.part").write_bytes(b"x" * 200_000)
    server.answers = [Answer()]
    assert get(wanted, target) == 100_000 + len(CONTENT)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_a_part_that_is_as_long_as_the_file_or_longer(server: Server, target: Path, size: int) -> None:
    target.with_name("set.bin.part").write_bytes((CONTENT + b"!")[:size])
    server.answers = [Answer()]
    assert get(item(server.url, size=False), target) == len(CONTENT)
    assert target.read_bytes() == CONTENT


def test_a_range_from_elsewhere_in_the_file_is_not_believed(server: Server, target: Path) -> None:
    interrupted(server, target, item(server.url), 200_000)
    server.answers = [Answer(range_said="bytes 100000-299999/300000"), Answer()]
    get(item(server.url), target)
    assert target.read_bytes() == CONTENT


def test_ctrl_c_keeps_what_came(server: Server, target: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    server.answers = [Answer()]
    with pytest.raises(KeyboardInterrupt):
        download(item(server.url), target, page=PAGE, progress=stop, patience=QUICK)
    kept = target.with_name("set.bin.part").stat().st_size
    assert kept > 100_000
    assert target.read_bytes() == OLD
    assert get(item(server.url), target) == len(CONTENT) - kept


# --- what servers do to people


@pytest.mark.parametrize(
    ("answer", "phrase"),
    [
        (Answer(status=403, body=b""), "answered 403 Forbidden"),
        (Answer(status=404, body=b""), "answered 404 Not Found"),
        (Answer(status=410, body=b""), "answered 410 Gone"),
        (Answer(status=500, body=b""), "answered 500 Internal Server Error"),
        (Answer(status=204, body=b""), "answered 204 No Content"),
        (Answer(body=b"<!DOCTYPE html><p>The link has expired"), "announces 38 bytes, where 300,000 are right"),
        (Answer(length=300_001), "announces 300,001 bytes"),
        (Answer(length=200_000), "announces 200,000 bytes"),
        (Answer(body=CONTENT[:200_000], length=300_000), "has no bytes behind the 200,000 that were here"),
        (Answer(body=CONTENT + b"!", chunked=True), "sends more than the 300,000 bytes that are right"),
        (Answer(body=CONTENT[:-1] + b"!"), "gave a file with the sha256"),
        (Answer(body=CONTENT[:-1], chunked=True), "gave a file with the sha256"),
        (Answer(body=b"", chunked=True), "answered with nothing"),
        (Answer(status=302, body=b"", location="/set.bin"), "redirects in a circle or more than 5 times"),
        (Answer(status=302, body=b"", location="http://example.org/x"), "redirects to http://example.org/x, which is"),
        (Answer(status=302, body=b"", location="ftp://example.org/x"), "redirects to ftp://example.org/x, which is"),
        (Answer(status=302, body=b"", location="file:///etc/passwd"), "redirects"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_goes_wrong_is_one_sentence(server: Server, target: Path, answer: Answer, phrase: str) -> None:
    server.answers = [answer]
    message = failure(item(server.url), target)
    assert f"{server.url} {phrase}" in message
    assert message.endswith(f"get set.bin by hand, see {PAGE}, and put it as {target}")


def test_endless_redirects_end(server: Server, target: Path) -> None:
    server.answers = [Answer(status=302, body=b"", location=f"/{n}") for n in range(30)]
    assert "more than 5 times" in failure(item(server.url), target)
    assert len(server.requests) == 6


def test_a_page_instead_of_an_archive(server: Server, target: Path) -> None:
    server.answers = [Answer(body=b"\n <html><p>Sign in</html>")]
    message = failure(item(server.url, file="set.tgz", checksum=False, size=False), target)
    assert "answered with a web page instead of the file, as expired links do" in message
    assert left(target) == ["set.bin"]


def test_a_page_does_not_cost_what_came_before(server: Server, target: Path) -> None:
    packed = gzip.compress(CONTENT)
    wanted = item(server.url, file="set.gz", checksum=False, size=False)
    server.answers = [Answer(body=packed, send=200_000), Answer(status=404, body=b"")]
    failure(wanted, target)
    server.answers = [Answer(body=b"<html>", ranges=False)]
    failure(wanted, target)
    server.answers = [Answer(body=packed)]
    assert get(wanted, target) == len(packed) - 200_000
    assert target.read_bytes() == packed


def test_an_archive_without_a_checksum_is_read_to_its_end(server: Server, target: Path) -> None:
    server.answers = [Answer(body=gzip.compress(CONTENT)[:-1])]
    assert "gave a damaged file" in failure(item(server.url, file="set.tgz", checksum=False, size=False), target)
    assert left(target) == ["set.bin"]


def test_too_much_is_not_even_begun(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handread.data.transfer.MAX_BYTES", 1000)
    server.answers = [Answer()]
    assert "announces 300,000 bytes, where at most 1,000 are right" in failure(item(server.url, size=False), target)
    server.answers = [Answer(chunked=True)]
    assert "sends more than the 1,000 bytes" in failure(item(server.url, size=False), target)
    assert left(target) == ["set.bin"]


def test_every_mirror_is_named_in_the_sentence(server: Server, target: Path) -> None:
    server.answers = [Answer(status=403, body=b""), Answer(status=404, body=b"")]
    message = failure(item(server.url + "?a", server.url + "?b"), target)
    assert f"{server.url}?a answered 403 Forbidden; {server.url}?b answered 404 Not Found; get" in message


def test_nobody_answers(server: Server, target: Path) -> None:
    closed = "http://127.0.0.1:1/set.bin"
    assert f"{closed} could not be reached (Connection refused)" in failure(item(closed), target)


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "nonsense", "http://[::1/x"]
)
def test_only_https_is_asked(target: Path, url: str) -> None:
    assert f"{url} is no https address" in failure(item(url), target)


def test_a_silent_server_is_left(target: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(DataError, match="no answer in time"):
            download(item(url), target, page=PAGE, patience=Patience(timeout_seconds=0.05, tries=1))


# --- this machine


def test_a_full_disk_leaves_nothing_half(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.write

    def write(handle: int, data: bytes) -> int:
        if os.fstat(handle).st_size > 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(handle, data)

    monkeypatch.setattr(partial.os, "write", write)
    server.answers = [Answer()]
    message = failure(item(server.url), target)
    assert "No space left on device; make room" in message
    assert left(target) == ["set.bin"]


def test_a_disk_that_is_too_small_is_told_before(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial.shutil, "disk_usage", lambda path: _Usage(free=1000))
    server.answers = [Answer()]
    assert "set.bin needs 300,000 bytes more and the disk of" in failure(item(server.url), target)
    assert left(target) == ["set.bin"]


@dataclass
class _Usage:
    free: int


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write into .*HANDREAD_DATA"):
        get(item(server.url), tmp_path / "file" / "set.bin")


def test_two_processes_do_not_write_one_file(server: Server, target: Path) -> None:
    with held(target) as part:
        part.append(b"mine")
        assert "another process is fetching set.bin" in failure(item(server.url), target)
        assert part.path.read_bytes() == b"mine"
    assert server.requests == []


# --- sets of the catalogue


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(catalog.FOLDER_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "data"


Place = Callable[..., Entry]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """A function that puts an entry called "mnist" into the catalogue."""

    def put(*downloads: Download, **more: str) -> Entry:
        entry = Entry("mnist", "a set", "free", PAGE, ("mnist",), downloads=downloads, **more)
        monkeypatch.setitem(catalog.CATALOG, "mnist", entry)
        return entry

    return put


def test_a_set_of_two_files(server: Server, folder: Path, place: Place) -> None:
    place(item(server.url, file="mnist/a.bin"), item(server.url, file="mnist/b.bin"))
    server.answers = [Answer()]
    seen: set[str] = set()
    got = fetch("mnist", watch=lambda name, done, total: seen.add(name), patience=QUICK)
    assert (got.path, got.received, got.checked) == (folder / "mnist", 600_000, "sha256")
    assert seen == {"a.bin", "b.bin"}
    assert (folder / "mnist" / "b.bin").read_bytes() == CONTENT
    assert fetch("mnist", patience=QUICK).received == 0
    assert len(server.requests) == 2
    assert fetch("mnist", again=True, patience=QUICK).received == 600_000


def test_a_set_that_was_interrupted_is_not_taken_for_whole(server: Server, folder: Path, place: Place) -> None:
    entry = place(item(server.url, file="mnist/a.bin"), item(server.url, file="mnist/b.bin"))
    server.answers = [Answer(), Answer(send=100_000), Answer(status=404, body=b"")]
    with pytest.raises(DataError, match="404"):
        fetch("mnist", patience=QUICK)
    assert catalog.find(entry) is None
    with pytest.raises(DataError, match="not fetched to its end; go on with handread data fetch mnist"):
        catalog.locate("mnist")
    server.answers = [Answer()]
    assert fetch("mnist", patience=QUICK).received == 200_000
    assert catalog.locate("mnist") == folder / "mnist"


def test_a_fetch_stopped_between_two_files_goes_on(server: Server, folder: Path, place: Place) -> None:
    place(item(server.url, file="mnist/a.bin"), item(server.url, file="mnist/b.bin"))
    (folder / "mnist").mkdir(parents=True)
    (folder / "mnist" / "a.bin").write_bytes(CONTENT)
    server.answers = [Answer()]
    assert fetch("mnist", patience=QUICK).received == len(CONTENT)


@pytest.mark.parametrize("hidden", ["", ".a.bin.x.handread-part"])
def test_an_empty_folder_is_no_set(server: Server, folder: Path, place: Place, hidden: str) -> None:
    entry = place(item(server.url, file="mnist/a.bin"))
    (folder / "mnist").mkdir(parents=True)
    if hidden:
        (folder / "mnist" / hidden).touch()
    assert catalog.find(entry) is None
    server.answers = [Answer()]
    assert fetch("mnist", patience=QUICK).received == len(CONTENT)


def test_while_a_set_is_fetched_again_the_old_one_can_be_read(server: Server, folder: Path, place: Place) -> None:
    entry = place(item(server.url, file="mnist/a.bin"))
    (folder / "mnist").mkdir(parents=True)
    (folder / "mnist" / "a.bin").write_bytes(OLD)
    server.answers = [Answer(send=100_000), Answer(status=404, body=b"")]
    with pytest.raises(DataError, match="404"):
        fetch("mnist", again=True, patience=QUICK)
    assert (folder / "mnist" / "a.bin.part").stat().st_size == 100_000
    assert catalog.find(entry) == catalog.locate("mnist") == folder / "mnist"


def test_a_zip_that_is_half_laid_out_is_no_set_yet(server: Server, folder: Path, place: Place) -> None:
    entry = place(Download((server.url,), "mnist/gzip.zip"), unpack=r"a-\d\.gz")
    (folder / "mnist").mkdir(parents=True)
    (folder / "mnist" / "gzip.zip").write_bytes(zipped({"a-1.gz": b"one", "a-2.gz": b"two"}))
    (folder / "mnist" / "a-1.gz").write_bytes(b"one")
    assert catalog.find(entry) is None
    with pytest.raises(DataError, match="go on with handread data fetch mnist"):
        catalog.locate("mnist")
    assert fetch("mnist").received == 0
    assert left(folder / "mnist" / "x") == ["a-1.gz", "a-2.gz"]


def test_a_set_of_ones_own_is_left_alone(folder: Path, place: Place) -> None:
    place(item("https://example.org/a", file="mnist/a.bin"))
    (folder / "mnist").mkdir(parents=True)
    (folder / "mnist" / "train.npz").write_bytes(b"mine")
    assert fetch("mnist").received == 0


def test_a_set_without_a_checksum_says_so(server: Server, folder: Path, place: Place) -> None:
    place(item(server.url, file="mnist/a.bin", checksum=False, size=False))
    server.answers = [Answer()]
    assert fetch("mnist", patience=QUICK).checked == fetching.UNCHECKED


def test_a_set_that_no_program_can_fetch(folder: Path) -> None:
    with pytest.raises(DataError, match=r"kaggle competitions download -c digit-recognizer -p .*data"):
        fetch("kaggle-digits")
    with pytest.raises(DataError, match="did you mean mnist"):
        fetch("minst")


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_is_laid_out_and_goes(server: Server, folder: Path, place: Place) -> None:
    body = zipped({"gzip/a-1.gz": b"one", "gzip/a-2.gz": b"two", "../a-3.gz": b"three", "gzip/readme.txt": b"no"})
    place(Download((server.url,), "mnist/gzip.zip"), unpack=r"a-\d\.gz")
    server.answers = [Answer(body=body)]
    fetch("mnist", patience=QUICK)
    assert {path.name: path.read_bytes() for path in (folder / "mnist").iterdir()} == {
        "a-1.gz": b"one",
        "a-2.gz": b"two",
        "a-3.gz": b"three",
    }
    assert list(folder.parent.rglob("a-3.gz")) == [folder / "mnist" / "a-3.gz"]


def test_a_zip_without_what_it_should_hold(server: Server, folder: Path, place: Place) -> None:
    place(Download((server.url,), "mnist/gzip.zip"), unpack=r"a-\d\.gz")
    server.answers = [Answer(body=zipped({"b": b""}))]
    with pytest.raises(DataError, match="holds none of the files that were expected"):
        fetch("mnist", patience=QUICK)


def test_every_download_of_the_catalogue_is_well_formed() -> None:
    for entry in catalog.CATALOG.values():
        assert entry.downloads or entry.by_hand, entry.name
        for wanted in entry.downloads:
            assert wanted.urls
            assert all(url.startswith("https://") for url in wanted.urls)
            assert re.fullmatch(r"(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})?", wanted.checksum)
            assert not Path(wanted.file).is_absolute()
            assert ".." not in Path(wanted.file).parts
            # What is fetched is found again: in one of the places where the set is looked for.
            places = [Path(file) for file in entry.files]
            assert (
                any(Path(wanted.file) == place or place in Path(wanted.file).parents for place in places) or entry.part
            )
