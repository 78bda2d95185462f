"""Connections: how many are held, how long a silent one is, and how one ends whose request was not taken whole."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from handread.web.problems import MEDIA_TYPE, document

if TYPE_CHECKING:
    from handread.web.settings import Settings

LINGER_SECONDS = 2.0
"""How long a client that still sends is listened to after its answer: cut off at once, it might never see it."""
LINGER_BYTES = 64_000_000
_STOP_SECONDS = 0.05
"""How long a connection without a request is kept when the server stops: what has come already is read by then."""


@dataclass(slots=True)
class Connections:
    """The bounds, and the connections without a request, longest silent first."""

    settings: Settings
    silent: dict[Connection, None] = field(default_factory=dict)


class _Transport:
    """A transport that ends a connection softly where its client is still sending."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport = transport
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._connection.lingering or self._transport.is_closing()

    def close(self) -> None:
        if not self._connection.linger():
            self._transport.close()


class Connection(H11Protocol):
    """One connection, bounded as `Connections` says; told of it by the configuration's `connections_held`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; where there are too many, the one that has been silent longest goes."""
        self.held: Connections = self.config.connections_held  # type: ignore[attr-defined]
        self.lingering = False
        self._plain = transport
        self._swallowed = 0
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None
        super().connection_made(_Transport(transport, self))  # type: ignore[arg-type]
        if len(self.connections) > self.held.settings.max_connections:
            if not self.held.silent:
                self._tell(503, "busy", "too many connections are open; try again in a few seconds")
                return
            next(iter(self.held.silent))._plain.close()
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.held.silent.pop(self, None)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; after the answer to half a request it is thrown away."""
        if self.lingering:
            self._swallowed += len(data)
            if self._swallowed > LINGER_BYTES:
                self._plain.abort()
            return
        self._begun = True
        super().data_received(data)
        if self._busy():
            self.held.silent.pop(self, None)
            self._stop_timer()

    def eof_received(self) -> None:
        """The client has sent all it will."""
        if self.lingering:
            self._plain.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if not self._plain.is_closing() and not self.lingering:
            self._rest()
        super().on_response_complete()
        if self._busy():  # it had come already
            self.held.silent.pop(self, None)
            self._stop_timer()

    def shutdown(self) -> None:
        """Answer what has come, then close."""
        if self._busy():
            super().shutdown()
        else:
            self.loop.call_later(_STOP_SECONDS, self._shut_down)

    def send_400_response(self, msg: str) -> None:
        """A problem document for what is no HTTP."""
        self._tell(400, "http", "this is no request that HTTP allows; check what your client sends")

    def linger(self) -> bool:
        """End the answer and listen a little longer; False where the request has been taken whole."""
        if self.lingering:
            return True
        if self._plain.is_closing() or self.conn.their_state is not h11.SEND_BODY:
            return False
        self.lingering = True
        self.held.silent.pop(self, None)
        self._stop_timer()
        self._timer = self.loop.call_later(LINGER_SECONDS, self._plain.abort)
        self.flow.resume_reading()
        if self._plain.can_write_eof():
            self._plain.write_eof()
        return True

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _rest(self) -> None:
        self._begun = False
        self.held.silent[self] = None
        self._stop_timer()
        self._timer = self.loop.call_later(self.held.settings.quiet_seconds, self._silent)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _silent(self) -> None:
        if self._busy() or self._plain.is_closing():
            return
        if self._begun and self.conn.their_state is h11.IDLE:
            self._tell(408, "too-slow", "the head of the request comes too slowly; send it again")
        else:
            self._plain.close()

    def _shut_down(self) -> None:
        if self._busy():
            super().shutdown()
        elif not self._plain.is_closing():
            self._plain.close()

    def _tell(self, status: int, code: str, detail: str) -> None:
        """Answer outside of any request, then close."""
        told = document(status, code, detail)
        body = json.dumps(told).encode()
        head = (
            f"HTTP/1.1 {status} {told['title']}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self._plain.write(head.encode("ascii") + body)
        self._plain.close()
