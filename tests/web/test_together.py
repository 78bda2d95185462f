"""Requests gather while a group is being worked on; each gets its own answer or its own error."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from handread.web.together import MOST, Together


def test_requests_gather_while_a_thread_is_busy() -> None:
    groups: list[list[int]] = []

    def double(asked: list[int]) -> list[int | Exception]:
        groups.append(asked)
        time.sleep(0.02)
        return [2 * value for value in asked]

    async def ask() -> list[int]:
        together: Together[int, int] = Together(double, 1)
        first = asyncio.create_task(together.submit(0))
        await asyncio.sleep(0.005)
        rest = [asyncio.create_task(together.submit(value)) for value in range(1, 100)]
        answers = [await first, *(await asyncio.gather(*rest))]
        together.close()
        return answers

    assert asyncio.run(ask()) == [2 * value for value in range(100)]
    assert [len(group) for group in groups] == [1, MOST, 99 - MOST]


def test_an_error_is_of_one_request_or_of_the_group() -> None:
    def work(asked: list[int]) -> list[int | Exception]:
        if 13 in asked:
            raise RuntimeError("the group")
        return [ValueError("the request") if value % 2 else value for value in asked]

    async def ask(*values: int) -> list[int | BaseException]:
        together: Together[int, int] = Together(work, 2)
        answers = await asyncio.gather(*map(together.submit, values), return_exceptions=True)
        again = await together.submit(4)
        together.close()
        return [*answers, again]

    answers = asyncio.run(ask(2, 3))
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 4
    assert [type(answer) for answer in asyncio.run(ask(2, 13))] == [RuntimeError, RuntimeError, int]


def test_one_who_went_away_leaves_the_others_their_answers() -> None:
    ready = threading.Event()

    def work(asked: list[int]) -> list[int | Exception]:
        ready.wait(5)
        return list(asked)

    async def ask() -> list[int]:
        together: Together[int, int] = Together(work, 1)
        tasks = [asyncio.create_task(together.submit(value)) for value in range(3)]
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        ready.set()
        answers = [await tasks[0], await tasks[2]]
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        together.close()
        return answers

    assert asyncio.run(ask()) == [0, 2]
