"""A progress bar on stderr, for people only: a pipe or a log file gets none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Progress = Callable[[int, int], None]
"""Called with the pictures done and their total."""

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

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # rich would send what is printed meanwhile to stderr too: right on a terminal, wrong for a file
    redirect = sys.stdout.isatty()
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=redirect) as bar:
        shown = bar.add_task(task, visible=False)

        def advance(done: int, total: int) -> None:
            bar.update(shown, completed=done, total=total, visible=total >= _LONG_RUN)

        yield advance
