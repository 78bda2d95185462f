"""What one client may ask of the server: size and pace of a body, requests a second, memory for all."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handread.web.problems import ProblemError

if TYPE_CHECKING:
    from starlette.requests import Request

    from handread.web.settings import Settings

CLOSE = {"connection": "close"}
"""For answers given before the body has come: nobody should have to send the rest."""

_MOST_CLIENTS = 10_000


class Memory:
    """The bytes of all bodies that are in memory; more than the bound is refused."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self, count: int) -> None:
        """Count bytes in; `ProblemError` 503 where there is no room."""
        if self.used + count > self.most:
            raise ProblemError(
                503, "busy", "the server has no memory left for another upload; try again in a few seconds",
                {"retry-after": "2", **CLOSE},
            )  # fmt: skip
        self.used += count

    def give(self, count: int) -> None:
        """Count bytes out."""
        self.used -= count


class Body:
    """Reads the body of a request, bounded in size, pace and memory."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory

    async def read(self, request: Request) -> bytes:
        """The whole body; the caller gives its length back to the memory.

        `ProblemError` 413 for one that is too large, as soon as that is known; 408 for one that comes too slowly;
        415 for a compressed one; 503 where memory is short.
        """
        limit = self._settings.max_upload_bytes
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise ProblemError(
                415, "encoding", "a compressed body is not taken; send it without Content-Encoding", CLOSE
            )
        length = request.headers.get("content-length")
        if length is not None and int(length) > limit:
            raise self._too_large()
        chunks: list[bytes] = []
        total = 0
        start = time.monotonic()
        try:
            async for chunk in self._chunks(request, start):
                if total + len(chunk) > limit:
                    raise self._too_large()
                self._memory.take(len(chunk))
                total += len(chunk)
                chunks.append(chunk)
                self._check_pace(total, time.monotonic() - start)
        except BaseException:
            self._memory.give(total)
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _chunks(self, request: Request, start: float):  # type: ignore[no-untyped-def]
        more = True
        while more:
            try:
                async with asyncio.timeout(self._settings.quiet_seconds):
                    message = await request.receive()
            except TimeoutError:
                raise _too_slow() from None
            if message["type"] == "http.disconnect":
                raise ProblemError(400, "broken-off", "the client broke off before its body had come")
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk

    def _check_pace(self, total: int, seconds: float) -> None:
        late = seconds - self._settings.quiet_seconds
        if late > 0 and total < late * self._settings.slowest_bytes_per_second:
            raise _too_slow()

    def _too_large(self) -> ProblemError:
        return ProblemError(
            413, "too-large",
            f"the request is larger than {self._settings.max_upload_mb:g} MB; scale the picture down, or send fewer at "
            "once", CLOSE,
        )  # fmt: skip


def _too_slow() -> ProblemError:
    return ProblemError(408, "too-slow", "the request comes too slowly; send it again over a better line", CLOSE)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rate:
    """A bucket for each client that fills at a steady rate: two seconds' worth may come at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._burst = max(1.0, 2 * per_second)
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def check(self, host: str, now: float) -> None:
        """Take one request of the client at `host`; `ProblemError` 429 where it has sent too many."""
        if not self._per_second:
            return
        client = network_of(host)
        bucket = self._buckets.setdefault(client, _Bucket(self._burst, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) / self._per_second)
            raise ProblemError(
                429, "too-often",
                f"more than {self._per_second:g} requests a second came from your address; wait {wait} s",
                {"retry-after": str(wait), **CLOSE},
            )  # fmt: skip
        bucket.tokens -= 1


def network_of(host: str) -> str:
    """Who counts as one client: an IPv4 address, or the /64 network of an IPv6 one, which one customer has.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2"), network_of("testclient")
    ('192.0.2.7', '2001:db8::/64', 'testclient')
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def check_token(request: Request, tokens: tuple[str, ...]) -> None:
    """`ProblemError` 401 unless the request carries one of `tokens`, where there are any."""
    if not tokens:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sent = given.strip().encode("utf-8", errors="replace")
    # every token is compared whole, so that the time tells nothing
    found = False
    for token in tokens:
        found |= hmac.compare_digest(sent, token.encode())
    if scheme.lower() != "bearer" or not found:
        raise ProblemError(
            401, "token",
            "this server wants a token; send the header Authorization: Bearer TOKEN with the one its operator gave you",
            {"www-authenticate": 'Bearer realm="handread"', **CLOSE},
        )  # fmt: skip


class Queue:
    """How many requests wait for their turn; more than the bound are refused."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue; `ProblemError` 503 where there is none."""
        if self.waiting >= self.most:
            raise ProblemError(
                503, "busy", "too many requests wait already; try again in a second", {"retry-after": "1"}
            )
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
