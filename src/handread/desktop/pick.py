"""From a model and some paths to a running window."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from handread.alphabet import Alphabet
from handread.desktop.display import dots_an_inch, open_root, prefers_dark

if TYPE_CHECKING:
    from handread.desktop.window import Window
    from handread.recognizer import Recognizer

SYSTEM = "system"
_BEAT_MS = 200


def pick(
    reader: Recognizer,
    paths: Iterable[str | Path] = (),
    *,
    alphabet: Alphabet | None = None,
    one: bool = False,
    corrections: str | Path = "corrections",
    theme: str = SYSTEM,
) -> None:
    """Open the window and stay until it is closed.

    `theme` is ``light``, ``dark``, or ``system`` for what the desktop is set to. Raises `HandreadError` without
    a display or tkinter, `AlphabetError` for a character that the model has never seen, `DataError` for a folder
    of corrections that holds something else.
    """
    from handread.desktop.corrections import Corrections
    from handread.desktop.session import Session
    from handread.desktop.work import Worker

    wanted = alphabet or reader.alphabet
    reader.alphabet.indices_of(wanted)
    session = Session(reader.alphabet, Corrections(corrections), wanted, one)
    session.add(paths)
    session.current = 0
    root = open_root()
    from handread.desktop.theme import Skin  # needs tkinter, which is there now
    from handread.desktop.window import Window

    dark = prefers_dark() if theme == SYSTEM else theme == "dark"
    skin = Skin(root, "dark" if dark else "light", dots_an_inch=dots_an_inch(root))
    worker = Worker(reader)
    window = Window(root, session, worker, skin)
    try:
        with _closing_on_interrupt(window):
            root.mainloop()
    finally:
        worker.stop()


@contextlib.contextmanager
def _closing_on_interrupt(window: Window) -> Iterator[None]:
    """Close the window on Ctrl-C in the terminal and raise KeyboardInterrupt then.

    Tk runs no Python while nothing happens, and a signal waits for Python: hence the beat.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []

    def beat() -> None:
        if caught:
            window.close()
        else:
            window.root.after(_BEAT_MS, beat)

    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    beat()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt
