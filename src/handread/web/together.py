"""Requests of all clients that come close together are worked on together: one change of thread for many of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

MOST = 64
"""Requests a group."""


class Together(Generic[Asked, Answer]):
    """Gathers requests while a group before them is being worked on; none waits while a thread is free."""

    def __init__(self, work: Callable[[list[Asked]], list[Answer | Exception]], groups: int) -> None:
        """`work` answers a group, an exception standing for a request that failed; `groups` of them run at once."""
        self._work = work
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._free = groups
        self._pool = ThreadPoolExecutor(groups, "together")
        self._due = False

    async def submit(self, asked: Asked) -> Answer:
        """The answer; raises what `work` gave for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, future))
        if not self._due:  # after what else this turn of the loop brings
            self._due = True
            loop.call_soon(self._start)
        return await future

    def close(self) -> None:
        """End the threads once their work is done."""
        self._pool.shutdown()

    def _start(self) -> None:
        self._due = False
        loop = asyncio.get_running_loop()
        while self._waiting and self._free:
            group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._free -= 1
            done = loop.run_in_executor(self._pool, self._work, [asked for asked, _ in group])
            done.add_done_callback(lambda answers, group=group: self._finish(answers, group))  # type: ignore[misc]

    def _finish(
        self, answers: asyncio.Future[list[Answer | Exception]], group: list[tuple[Asked, asyncio.Future[Answer]]]
    ) -> None:
        self._free += 1
        error = answers.exception()
        results = [error] * len(group) if error is not None else answers.result()
        for (_, future), result in zip(group, results, strict=True):
            if future.cancelled():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._start()
