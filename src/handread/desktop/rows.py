"""A column of rows that scrolls and draws only what is seen; the list of pictures and the characters stand on it."""

from __future__ import annotations

import tkinter as tk
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from tkinter import font as tkfont
from tkinter import ttk

from handread.desktop.theme import Skin


class Rows(ttk.Frame, ABC):
    """Rows of any heights; a subclass draws one with `draw_row` and hears of clicks with `clicked`."""

    def __init__(self, parent: tk.Misc, skin: Skin, *, width: int) -> None:
        super().__init__(parent)
        self.skin = skin
        self.canvas = tk.Canvas(self, width=width, highlightthickness=0, borderwidth=0, takefocus=0)
        self._bar = ttk.Scrollbar(self, style="Thin.Vertical.TScrollbar", command=self._scrolled, takefocus=0)
        self.canvas.configure(yscrollcommand=self._bar.set)
        self.canvas.pack(fill="both", expand=True)  # the bar lies on it, so that rows keep their width
        self._tops: list[int] = [0]
        self._pictures: list[object] = []
        self.canvas.bind("<Configure>", lambda event: self.redraw())
        self.canvas.bind("<Button-1>", self._pressed)
        bind_wheel(self.canvas, lambda steps, event: self._turned(steps))

    def arrange(self, heights: Sequence[int]) -> None:
        """Say how high each row is, and draw."""
        self._tops = [0, *accumulate(heights)]
        self.redraw()

    def reveal(self, row: int) -> None:
        """Scroll as little as needed for a row to be seen whole."""
        if not 0 <= row < len(self._tops) - 1:
            return
        high, total = self.canvas.winfo_height(), max(1, self._tops[-1])
        top, seen = self._tops[row], self.canvas.canvasy(0)
        bottom = self._tops[row + 1]
        if top < seen or bottom - top > high:
            self.canvas.yview_moveto(top / total)
        elif bottom > seen + high:
            self.canvas.yview_moveto((bottom - high) / total)
        else:
            return
        self.redraw()

    def redraw(self) -> None:
        """Draw the rows that are seen."""
        canvas, high = self.canvas, self.canvas.winfo_height()
        canvas.configure(background=self.skin.colours.ground)
        canvas.configure(scrollregion=(0, 0, 1, max(self._tops[-1], high)))
        canvas.delete("all")
        self._pictures.clear()
        seen = canvas.canvasy(0)
        first = max(0, bisect_right(self._tops, seen) - 1)
        for row in range(first, len(self._tops) - 1):
            if self._tops[row] > seen + high:
                break
            self.draw_row(row, self._tops[row], canvas.winfo_width())
        self._bar.place(relx=1.0, rely=0.0, relheight=1.0, anchor="ne")
        if self._tops[-1] <= high:
            self._bar.place_forget()

    def keep(self, picture: object) -> None:
        """Hold on to a PhotoImage until the next drawing: Tk does not."""
        self._pictures.append(picture)

    @abstractmethod
    def draw_row(self, row: int, top: int, width: int) -> None:
        """Draw one row whose upper edge is at `top`."""

    @abstractmethod
    def clicked(self, row: int, x: int, y: int) -> None:
        """A click in a row, `y` counted from its upper edge."""

    def _pressed(self, event: tk.Event[tk.Canvas]) -> None:
        y = int(self.canvas.canvasy(event.y))
        row = bisect_right(self._tops, y) - 1
        if 0 <= row < len(self._tops) - 1:
            self.clicked(row, event.x, y - self._tops[row])

    def _scrolled(self, *arguments: str) -> None:
        self.canvas.yview(*arguments)
        self.redraw()

    def _turned(self, steps: int) -> None:
        if self._tops[-1] > self.canvas.winfo_height():
            self.canvas.yview_scroll(steps, "units")
            self.redraw()


def bind_wheel(widget: tk.Widget, turned: Callable[[int, tk.Event[tk.Misc]], None]) -> None:
    """Call `turned` with steps downwards (negative: upwards) on every system's kind of wheel event."""
    widget.bind("<Button-4>", lambda event: turned(-1, event))
    widget.bind("<Button-5>", lambda event: turned(1, event))
    widget.bind("<MouseWheel>", lambda event: turned(-1 if event.delta > 0 else 1, event))


def shortened(text: str, font: tkfont.Font, width: int) -> str:
    """As much of a text as fits `width` pixels, three dots for the rest."""
    if font.measure(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.measure(text[:middle] + "…") <= width else (low, middle - 1)
    return text[:low].rstrip() + "…"
