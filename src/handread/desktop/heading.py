"""What stands above the picture: its reading, its name and place among the others, how sure the reading is."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from handread.desktop.panel import percent
from handread.desktop.session import Item, Session
from handread.desktop.theme import Skin

_MOST_LINES = 4
_TONES = ("green", "yellow", "red", "refused", "corrected")


class Heading(ttk.Frame):
    """The reading in large letters; doubtful ones in their tone, refused ones in brackets."""

    def __init__(
        self, parent: tk.Misc, skin: Skin, session: Session, *, step: Callable[[int], None], copy: Callable[[], None]
    ) -> None:
        super().__init__(parent)
        self._skin, self._session = skin, session
        px = skin.px
        self.columnconfigure(0, weight=1)
        self._name = ttk.Label(self, style="Faint.TLabel")
        self._name.grid(row=0, column=0, sticky="w")
        self._text = tk.Text(
            self, height=1, width=10, borderwidth=0, highlightthickness=0, wrap="char", takefocus=0, cursor="arrow",
            padx=0, pady=px(2), spacing3=0,
        )  # fmt: skip
        self._text.grid(row=1, column=0, columnspan=2, sticky="ew")
        self._text.bind("<Configure>", lambda event: self._fit())
        self._sure = ttk.Label(self, style="Faint.TLabel")
        self._sure.grid(row=2, column=0, columnspan=2, sticky="w")
        buttons = ttk.Frame(self)
        buttons.grid(row=0, column=1, sticky="ne", padx=(px(16), 0))
        self._copy = ttk.Button(buttons, text="Copy text", command=copy)
        self._copy.pack(side="right")
        self._next = ttk.Button(buttons, text="Next ›", command=lambda: step(1))
        self._previous = ttk.Button(buttons, text="‹ Previous", command=lambda: step(-1))

    def restyle(self) -> None:
        """Take the skin's colours."""
        c = self._skin.colours
        self._text.configure(
            background=c.ground, foreground=c.text, selectbackground=c.soft, selectforeground=c.text,
            inactiveselectbackground=c.soft,
        )  # fmt: skip
        for tone in _TONES:
            self._text.tag_configure(tone, foreground=c.text if tone == "green" else c.tone(tone))

    def show(self) -> None:
        """The current picture."""
        item = self._session.item
        several = len(self._session.items) > 1
        place = f"  ·  {self._session.current + 1} of {len(self._session.items)}" if several else ""
        self._name.configure(text="" if item is None else item.name + place)
        for button, gap in ((self._next, 16), (self._previous, 6)):
            if several:
                button.pack(side="right", padx=(0, self._skin.px(gap)))
            else:
                button.pack_forget()
        self._enable(self._previous, several and self._session.current > 0)
        self._enable(self._next, several and self._session.current < len(self._session.items) - 1)
        pieces = self._session.pieces(item) if item is not None else []
        self._enable(self._copy, bool(pieces))
        if pieces or item is None or item.waiting:
            self._text.grid()
        else:
            self._text.grid_remove()
        self._write(pieces)
        self._sure.configure(text="" if item is None else said_of(item, self._session))

    @property
    def text(self) -> str:
        """What stands there, brackets and all."""
        return self._text.get("1.0", "end-1c")

    @property
    def sureness(self) -> str:
        """The line below the reading."""
        return str(self._sure.cget("text"))

    @staticmethod
    def _enable(button: ttk.Button, wanted: bool) -> None:
        button.state(["!disabled" if wanted else "disabled"])

    def _write(self, pieces: list[tuple[str, str, int]]) -> None:
        box = self._text
        box.configure(state="normal")
        box.delete("1.0", "end")
        for text, tone, _ in pieces:
            box.insert("end", f"[{text}]" if tone == "refused" else text, tone)
        box.configure(state="disabled")
        self._fit()

    def _fit(self) -> None:
        """The largest letters in which all is seen, the smallest if nothing helps."""
        lines = self.text.split("\n")
        width = max(self._text.winfo_width(), self._skin.px(300))
        for size, most in ((28, 1), (20, 3), (15, _MOST_LINES)):
            font = self._skin.font(size, "bold")
            rows = sum(max(1, math.ceil(font.measure(line) / width)) for line in lines)
            if rows <= most:
                break
        self._text.configure(font=font, height=min(rows, _MOST_LINES))


def said_of(item: Item, session: Session) -> str:
    """How sure the reading is, in one line."""
    if item.error:
        return "cannot be read"
    if item.reading is None:
        return "reading …"
    marks = session.marks(item)
    if not item.reading.characters:
        return "nothing found in the crop" if item.crop else "nothing found"
    open_ones = [m.character.confidence for m in marks if m.character is not None and m.tone != "corrected"]
    parts = [percent(math.prod(open_ones))]
    refused = [mark for mark in marks if mark.tone == "refused"]
    corrected = sum(mark.tone == "corrected" for mark in marks)
    if corrected:
        rest = [f"the others {parts[0]}"] if corrected < len(marks) else []
        parts = [f"{corrected} of {len(marks)} as you said", *rest]
    if refused:
        reasons = dict.fromkeys(m.character.reason for m in refused if m.character is not None)
        parts.append(f"{len(refused)} refused: {', '.join(reasons)}")
    if item.crop:
        parts.append("only the crop, Escape takes it back")
    return "  ·  ".join(parts)
