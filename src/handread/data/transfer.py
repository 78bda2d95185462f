"""One address into one unfinished file: https alone, resumed where it can be, every answer doubted."""

from __future__ import annotations

import http.client
import ipaddress
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import IO, TypeAlias
from urllib.parse import urlsplit

from handread import __version__
from handread.data.catalog import Download
from handread.data.partial import Partial

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that are there and their total, 0 where that is unknown."""

MAX_BYTES = 2 << 30
"""Most bytes of one file whose size the catalogue does not know."""
MOST_REDIRECTS = 5

_CHUNK = 1 << 16
_BEGINNINGS = {".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b", ".bz2": b"BZh", ".zip": b"PK"}
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Refused(Exception):
    """What one address answered, as a phrase that begins with it; `again` where another try may help."""

    def __init__(self, phrase: str, *, again: bool = False) -> None:
        super().__init__(phrase)
        self.again = again


@dataclass(frozen=True, slots=True)
class _Promise:
    """What an answer's head says about its body."""

    start: int
    """Byte of the file at which the body begins."""
    length: int | None
    """Bytes of the body, None where the server does not tell."""
    validator: str

    @property
    def total(self) -> int | None:
        """Bytes of the whole file."""
        return None if self.length is None else self.start + self.length


def transfer(url: str, item: Download, part: Partial, *, timeout_seconds: float, progress: Progress) -> None:
    """Bring `part` up to the whole file behind `url`, going on where it ends if that is safe.

    Bytes are only added to bytes of the same version: the server must confirm it by ETag or date, or `item`
    has a checksum that will tell. Raises `Refused` for anything but the promised bytes, and `DataError` when
    the disk is full. Redirects (at most `MOST_REDIRECTS`) stay with https.
    """
    if not _allowed(url):
        raise Refused(f"{url} is no https address")
    start = _resume_at(url, item, part)
    with _opened(_request(url, part, start), timeout_seconds, part) as answer:
        promise = _promise(url, item, part, answer, start)
        first = _read(url, answer, part)
        if promise.start == 0:
            _check_beginning(url, item, first)
            part.begin(url, promise.validator)
        part.needs((promise.total or 0) - part.size)
        body = part.size
        chunk = first
        while chunk:
            part.append(chunk)
            if part.size > (item.bytes or MAX_BYTES):
                part.empty()
                raise Refused(f"{url} sends more than the {item.bytes or MAX_BYTES:,} bytes that are right")
            progress(part.size, promise.total or item.bytes or 0)
            chunk = _read(url, answer, part)
        if promise.length is not None and part.size - body < promise.length:
            raise Refused(f"{url} broke off after {part.size:,} of {promise.total:,} bytes", again=True)


def _resume_at(url: str, item: Download, part: Partial) -> int:
    same = part.url == url and part.validator
    return part.size if same or item.checksum else 0


def _request(url: str, part: Partial, start: int) -> urllib.request.Request:
    request = urllib.request.Request(url)
    request.add_header("User-Agent", f"handread/{__version__}")
    request.add_header("Accept-Encoding", "identity")
    if start:
        request.add_header("Range", f"bytes={start}-")
        if part.url == url and part.validator:
            request.add_header("If-Range", part.validator)
    return request


def _opened(request: urllib.request.Request, timeout_seconds: float, part: Partial) -> http.client.HTTPResponse:
    url = request.full_url
    # A proxy cannot know this machine's own loopback.
    handlers = [urllib.request.ProxyHandler({})] if _is_loopback(request.host) else []
    opener = urllib.request.build_opener(*handlers, _Redirects)
    try:
        answer: http.client.HTTPResponse = opener.open(request, timeout=timeout_seconds)
        return answer
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and part.size:
                here = part.size
                part.empty()
                raise Refused(f"{url} has no bytes behind the {here:,} that were here", again=True) from None
            if 300 <= error.code < 400:
                raise Refused(f"{url} redirects in a circle or more than {MOST_REDIRECTS} times") from None
            phrase = " ".join(f"{url} answered {error.code} {error.reason or ''}".split())
            raise Refused(phrase, again=error.code in _WORTH_ANOTHER_TRY) from None
    except urllib.error.URLError as error:
        again = isinstance(error.reason, (TimeoutError, ConnectionResetError))
        raise Refused(f"{url} could not be reached ({_reason(error.reason)})", again=again) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Refused(f"{url} gave no proper answer ({_reason(error)})", again=True) from None


def _promise(url: str, item: Download, part: Partial, answer: http.client.HTTPResponse, start: int) -> _Promise:
    head = answer.headers
    length = head.get("Content-Length", "")
    promise = _Promise(start, int(length) if length.isdecimal() and length.isascii() else None, _validator(head))
    if answer.status == 200:
        promise = _Promise(0, promise.length, promise.validator)
    elif answer.status != 206 or not start:
        raise Refused(f"{url} answered {answer.status} {answer.reason}")
    else:
        said = _RANGE.fullmatch(head.get("Content-Range", ""))
        changed = part.url == url and part.validator and promise.validator not in ("", part.validator)
        if said is None or int(said[1]) != start or changed:
            part.empty()
            raise Refused(f"{url} would go on with another version or place of the file", again=True)
    right = item.bytes
    if promise.total is not None and (promise.total > MAX_BYTES if right is None else promise.total != right):
        limit = f"at most {MAX_BYTES:,}" if right is None else f"{right:,}"
        raise Refused(f"{url} announces {promise.total:,} bytes, where {limit} are right")
    return promise


def _validator(head: Message) -> str:
    # A weak ETag promises the same meaning, not the same bytes (RFC 9110, 8.8.1).
    tag = head.get("ETag", "")
    return tag if tag.startswith('"') else head.get("Last-Modified", "")


def _check_beginning(url: str, item: Download, first: bytes) -> None:
    expected = next((magic for ending, magic in _BEGINNINGS.items() if item.file.endswith(ending)), b"")
    if first and first.startswith(expected):
        return
    page = first.lstrip()[:1] == b"<"
    what = "a web page instead of the file, as expired links do" if page else "something that is not the file"
    raise Refused(f"{url} answered with {what}" if first else f"{url} answered with nothing")


def _read(url: str, answer: http.client.HTTPResponse, part: Partial) -> bytes:
    try:
        return answer.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise Refused(f"{url} broke off after {part.size:,} bytes ({_reason(error)})", again=True) from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MOST_REDIRECTS
    max_repeats = 1

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """As the base class does, but never away from https."""
        if not _allowed(newurl) or (req.type == "https" and urlsplit(newurl).scheme != "https"):
            raise Refused(f"{req.full_url} redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.netloc))
    except ValueError:
        return False


def _is_loopback(netloc: str) -> bool:
    host = urlsplit(f"//{netloc}").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
