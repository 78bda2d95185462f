"""A progress bar on stderr, for people only: a pipe or a log file gets none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handread.types import Progress

_LONG_RUN = 20
"""Steps from which a bar is worth its line."""


@contextlib.contextmanager
def counting(task: str) -> Iterator[Progress]:
    """Yield a function of (done, total) that draws the bar; it does nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
    )  # fmt: skip
    # rich would send what is printed meanwhile to stderr too: right on a terminal, wrong for a file
    redirect = sys.stdout.isatty()
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=redirect) as bar:
        shown = bar.add_task(task, visible=False, rate="")

        def advance(done: int, total: int) -> None:
            task = bar.tasks[0]
            if done < task.completed:  # the next round of the same task
                bar.reset(shown, rate="")
            elapsed = task.elapsed or 0
            rate = f"{done / elapsed:,.1f}/s" if elapsed > 1 else ""
            bar.update(shown, completed=done, total=total, visible=total >= _LONG_RUN, rate=rate)

        yield advance


Watch = Callable[[str, int, int], None]
"""Called with what is transferred, its bytes that are there, and their total (0: unknown)."""


@contextlib.contextmanager
def transferring() -> Iterator[Watch]:
    """Yield a function of (name, done, total) that draws a bar with rate and time left for each name in turn."""
    if not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()) as bar:

        def advance(name: str, done: int, total: int) -> None:
            if name not in tasks:
                # What an earlier call brought is no part of this one's rate.
                tasks[name] = bar.add_task(name, total=total or None, completed=done)
            bar.update(tasks[name], completed=done, total=total or None)

        yield advance
