"""A virtual screen where there is no real one, and windows on it."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handread.desktop.corrections import Corrections
from handread.desktop.session import Session
from handread.desktop.work import Worker
from handread.recognizer import Recognizer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KEPT: list[object] = []
"""Tk must be torn down by the thread that made it; a window that a worker's garbage collection meets would abort."""


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """A display to open windows on."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    if shutil.which("Xvfb") is None:
        pytest.skip("there is neither a display nor Xvfb: apt install xvfb")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as stream:
        number = stream.readline().strip()
    assert number, "Xvfb did not start"
    os.environ["DISPLAY"] = f":{number}"
    yield os.environ["DISPLAY"]
    del os.environ["DISPLAY"]
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="session")
def kept() -> list[object]:
    """Where a test puts a root window that it opened itself."""
    return KEPT


@pytest.fixture(scope="session")
def reader() -> Recognizer:
    """The shipped recogniser."""
    return Recognizer()


@dataclass(slots=True)
class App:
    """A window with what it stands on, and a way to wait for it."""

    window: Any
    session: Session
    worker: Worker
    folder: Path

    def settle(self) -> None:
        """Let everything happen that is under way; fails after five seconds."""
        end = time.monotonic() + 5
        while True:
            self.window.root.update()
            if not self.worker.busy and self.session.next_job() is None:
                self.window.root.update()
                return
            assert time.monotonic() < end, "the window does not come to rest"
            time.sleep(0.002)

    def press(self, *keys: str) -> None:
        """Type keys, by Tk's names, one after the other."""
        for key in keys:
            focus = self.window.root.focus_get() or self.window.canvas
            focus.event_generate(f"<{key}>")
            self.settle()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw with the left button on the canvas, from and to a place in the picture's pixels."""
        canvas, view = self.window.canvas, self.window.canvas.view
        (x0, y0), (x1, y1) = (
            (round(x * view.scale + view.left), round(y * view.scale + view.top)) for x, y in (start, end)
        )
        canvas.event_generate("<ButtonPress-1>", x=x0, y=y0)
        canvas.event_generate("<B1-Motion>", x=(x0 + x1) // 2, y=(y0 + y1) // 2)
        canvas.event_generate("<B1-Motion>", x=x1, y=y1)
        canvas.event_generate("<ButtonRelease-1>", x=x1, y=y1)
        self.settle()

    def written(self, tag: str = "all") -> list[str]:
        """All words drawn on the canvas under a tag."""
        canvas = self.window.canvas
        return [canvas.itemcget(i, "text") for i in canvas.find_withtag(tag) if canvas.type(i) == "text"]


@pytest.fixture
def open_window(screen: str, reader: Recognizer, tmp_path: Path) -> Iterator[Callable[..., App]]:
    """A function of pictures and of options that opens a window on them; it is closed after the test."""
    opened: list[App] = []
    broken: list[BaseException] = []

    def build(*pictures: str | Path, theme: str = "light", one: bool = False, recognizer: Any = reader) -> App:
        from handread.desktop.display import open_root
        from handread.desktop.theme import Skin
        from handread.desktop.window import Window

        folder = tmp_path / "corrections"
        session = Session(reader.alphabet, Corrections(folder), reader.alphabet, one)
        session.add(EXAMPLES / p if isinstance(p, str) else p for p in pictures)
        session.current = 0
        root = open_root()
        KEPT.append(root)
        worker = Worker(recognizer)
        app = App(Window(root, session, worker, Skin(root, theme, dots_an_inch=96)), session, worker, folder)
        opened.append(app)
        root.report_callback_exception = lambda kind, error, trace: broken.append(error)
        root.update()
        app.window.canvas.focus_force()
        if recognizer is reader:
            app.settle()
        return app

    yield build
    for app in opened:
        try:
            app.window.close()
        finally:
            app.worker.wait()
    gc.collect()
    assert broken == []
