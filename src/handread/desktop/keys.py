"""Every key of the window, once: the help shows this table and the documentation prints it."""

from __future__ import annotations

import tkinter as tk

KEYS: tuple[tuple[str, str], ...] = (
    ("Ctrl+O", "open pictures"),
    ("Ctrl+Shift+O", "open a folder"),
    ("Right, Left, Page Down, Page Up", "next and previous picture"),
    ("Home, End", "first and last picture"),
    ("Tab, Shift+Tab", "next and previous character"),
    ("a letter or digit", "say what the selected character is"),
    ("Enter", "the selected character was read rightly"),
    ("Backspace, Delete", "take back what was said of it"),
    ("Ctrl+Z", "undo the last thing said"),
    ("drag", "read only a part"),
    ("Alt+arrows, Shift+arrows", "move and resize that part"),
    ("Escape", "deselect the character, then take back the part"),
    ("Ctrl+plus, Ctrl+minus, wheel", "zoom"),
    ("Ctrl+0", "fit the picture to the window"),
    ("Ctrl+L", "choose the alphabet"),
    ("Ctrl+1", "one character a picture, or several"),
    ("Ctrl+C, Ctrl+Shift+C", "copy the text, or that of all pictures"),
    ("Ctrl+D", "light or dark"),
    ("F5", "open and read the picture again"),
    ("F1", "these keys"),
    ("Ctrl+W, Ctrl+Q", "close"),
)
"""Key -> what it does. On a Mac the command key does what Ctrl does."""

_CONTROL = 0x4


def typed_character(event: tk.Event[tk.Misc], system: str) -> str:
    """The visible character that a key event types, "" for a shortcut or a key without one.

    `system` is Tk's windowing system. Control and Alt together are AltGr on Windows and do type.
    """
    text = event.char
    if len(text) != 1 or not text.isprintable() or text.isspace():
        return ""
    state = int(event.state)
    alt = {"x11": 0x8, "aqua": 0x8, "win32": 0x20000}.get(system, 0x8)
    return "" if bool(state & _CONTROL) != bool(state & alt) else text
