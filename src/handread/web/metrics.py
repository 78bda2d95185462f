"""Figures for the operator in Prometheus' form."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette._utils import get_route_path

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from handread.types import Reading

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder in which several processes put their figures together."""

PATHS = frozenset(
    ["/", "/about", "/v1/read", "/v1/read/batch", "/v1/models", "/v1/corrections", "/healthz", "/readyz", "/metrics"]
)
METHODS = frozenset(["GET", "HEAD", "POST", "OPTIONS"])
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ["path", "method", "status"]
        self.requests = Counter("handread_requests", "Requests answered.", names, registry=self.registry)
        self.seconds = Histogram(
            "handread_request_seconds", "From the head of a request to the end of its answer.", ["path"],
            registry=self.registry, buckets=SECONDS,
        )  # fmt: skip
        self.pictures = Counter("handread_pictures", "Pictures and drawings read.", ["outcome"], registry=self.registry)
        self.characters = Counter("handread_characters", "Characters read.", ["accepted"], registry=self.registry)
        self.waiting = Gauge(
            "handread_waiting", "Requests that wait for a thread or are being read.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.buffered = Gauge(
            "handread_buffered_bytes", "Bodies of requests in memory.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self.batches = Counter("handread_batches", "Batches run by the network.", registry=self.registry)
        self.items = Counter("handread_batch_items", "Inputs run by the network.", registry=self.registry)

    def count_batch(self, items: int) -> None:
        """The network has run a batch."""
        self.batches.inc()
        self.items.inc(items)

    def count_reading(self, reading: Reading | None) -> None:
        """A picture has been read; None stands for one that could not be."""
        self.pictures.labels("broken" if reading is None else "read").inc()
        if reading is not None and reading.characters:
            accepted = sum(character.accepted for character in reading.characters)
            self.count_characters(accepted, len(reading.characters))

    def count_characters(self, accepted: int, total: int) -> None:
        """Of `total` characters that were read, so many were accepted."""
        self.characters.labels("yes").inc(accepted)
        self.characters.labels("no").inc(total - accepted)

    def exposition(self) -> tuple[bytes, str]:
        """The figures of all processes as text, and its media type."""
        registry = self.registry
        if os.environ.get(SHARED_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


class Measured:
    """Counts and times every request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            path = get_route_path(scope)
            # what a client makes up must not become a label
            path = path if path in PATHS else "/static" if path.startswith("/static/") else "other"
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(path, method, str(status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - start)
