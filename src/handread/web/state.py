"""What all requests of one process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from handread.web.collect import Collection
from handread.web.limits import Body, Memory, Queue, Rate
from handread.web.metrics import Metrics
from handread.web.service import Service

if TYPE_CHECKING:
    from handread.web.settings import Settings


@dataclass(slots=True)
class State:
    """One server's parts."""

    settings: Settings
    service: Service
    metrics: Metrics
    memory: Memory
    body: Body
    rate: Rate
    queue: Queue
    collection: Collection | None

    @classmethod
    def of(cls, settings: Settings) -> State:
        """Load the model and open the folder for corrections; raises `HandreadError` where that fails."""
        memory = Memory(int(settings.max_buffered_mb * 1e6))
        collection = None
        if settings.collect is not None:
            collection = Collection(settings.collect, most_bytes=int(settings.collect_mb * 1e6))
        metrics = Metrics()
        return cls(
            settings=settings,
            service=Service(settings, metrics),
            metrics=metrics,
            memory=memory,
            body=Body(settings, memory),
            rate=Rate(settings.rate_per_second),
            queue=Queue(settings.max_waiting),
            collection=collection,
        )

    def exposition(self) -> tuple[bytes, str]:
        """Figures in Prometheus' form, and their media type."""
        self.metrics.waiting.set(self.queue.waiting)
        self.metrics.buffered.set(self.memory.used)
        return self.metrics.exposition()


def state_of(request: Request) -> State:
    """The state of the application that a request came to."""
    state: State = request.app.state.handread
    return state
