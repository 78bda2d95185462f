"""The picture with its boxes: zoom, crop by dragging, a click on a character."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import font as tkfont

from PIL import Image, ImageTk

from handread.desktop.look import Look
from handread.desktop.rows import bind_wheel
from handread.desktop.session import Mark
from handread.desktop.theme import Skin
from handread.desktop.view import View
from handread.types import Box

_MARGIN = 34
_SLIP = 5
"""A drag by fewer screen pixels is a click."""
_ZOOM = 1.25
_DIMMED = 0.45
"""What is left of the light outside a crop."""
_FEW = 3
"""Up to this many refused characters have their reasons written beside them."""


class PictureCanvas(tk.Canvas):
    """Shows one picture; tells of a chosen character (None: none) and of a dragged crop."""

    def __init__(
        self, parent: tk.Misc, skin: Skin, *, selected: Callable[[int | None], None], cropped: Callable[[Box], None]
    ) -> None:
        super().__init__(parent, highlightthickness=1, borderwidth=0, takefocus=1, cursor="crosshair")
        self._skin = skin
        self._selected = selected
        self._cropped = cropped
        self._look: Look | None = None
        self._marks: list[Mark] = []
        self._crop: Box | None = None
        self._message = ("", False)
        self._note = ""
        self._view: View | None = None
        """None: fitted to the window, whatever its size."""
        self._picture: ImageTk.PhotoImage | None = None
        self._start: tuple[int, int] | None = None
        self._held: tuple[int, int] | None = None
        self.bind("<Configure>", lambda event: self.redraw())
        self.bind("<Button-1>", self._pressed)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", self._released)
        for button in ("2", "3"):
            self.bind(f"<Button-{button}>", self._hold)
            self.bind(f"<B{button}-Motion>", self._pull)
        bind_wheel(self, lambda steps, event: self.zoom(-steps, event.x, event.y))

    def show(self, look: Look | None, marks: list[Mark], crop: Box | None) -> None:
        """Show a picture; another one than before is fitted to the window."""
        if look is None or self._look is None or look.digest != self._look.digest:
            self._view = None
        self._look, self._marks, self._crop, self._message = look, marks, crop, ("", False)
        self.redraw()

    def say(self, sentence: str, *, wrong: bool = False) -> None:
        """Show a sentence in place of a picture."""
        self._look, self._marks, self._message, self._view = None, [], (sentence, wrong), None
        self.redraw()

    def note(self, sentence: str) -> None:
        """Write a sentence at the lower edge of the picture; "" for none. Seen from the next drawing on."""
        self._note = sentence

    @property
    def dragging(self) -> bool:
        """True while a crop is being drawn."""
        return self._start is not None

    @property
    def room(self) -> tuple[int, int]:
        """Width and height in screen pixels."""
        return max(1, self.winfo_width()), max(1, self.winfo_height())

    @property
    def view(self) -> View:
        """Where the picture lies."""
        if self._look is None:
            return View(1.0, 0.0, 0.0)
        return self._view or View.fitting(self._look.size, self.room, margin=self._skin.px(_MARGIN))

    def zoom(self, steps: int, x: float | None = None, y: float | None = None) -> None:
        """Nearer by `steps` (negative: farther) around a screen point, else around the middle; all out fits again."""
        if self._look is None:
            return
        fitted = View.fitting(self._look.size, self.room, margin=self._skin.px(_MARGIN))
        x = self.room[0] / 2 if x is None else x
        y = self.room[1] / 2 if y is None else y
        view = self.view.zoomed(_ZOOM**steps, x, y, smallest=fitted.scale)
        self._view = view if view.scale > fitted.scale * 1.001 else None
        self.redraw()

    def fit(self) -> None:
        """The whole picture again."""
        self._view = None
        self.redraw()

    def reveal(self, box: Box) -> None:
        """Move a zoomed picture so that a box is seen."""
        if self._view is None:
            return
        left, top, right, bottom = self.view.to_screen(box)
        wide, high = self.room
        if left < 0 or top < 0 or right > wide or bottom > high:
            self._view = self._view.moved(wide / 2 - (left + right) / 2, high / 2 - (top + bottom) / 2)
            self.redraw()

    def redraw(self) -> None:
        """Draw everything anew."""
        c = self._skin.colours
        self.configure(
            background=c.table, highlightbackground=c.table, highlightcolor=c.accent if self._look else c.table
        )
        self.delete("all")
        if self._look is None:
            self._draw_message()
            return
        self._draw_picture(self._look)
        if self._crop is not None:
            self.create_rectangle(
                *self.view.to_screen(self._crop), outline=c.accent, width=self._skin.px(2), dash=(6, 4), tags="crop"
            )
        self._draw_marks()
        if self._note:
            self._plate(self.room[0] / 2, self.room[1] - self._skin.px(24), self._note, c.surface, c.text)

    def _draw_message(self) -> None:
        sentence, wrong = self._message
        c, px, (wide, high) = self._skin.colours, self._skin.px, self.room
        if wrong:
            half = px(22)
            top = high / 2 - px(74)
            self.create_oval(wide / 2 - half, top, wide / 2 + half, top + 2 * half, outline=c.red, width=px(3))
            self.create_text(
                wide / 2, top + half, text="!", font=self._skin.font(26, "bold"), fill=c.red
            )  # fmt: skip
        self.create_text(
            wide / 2, high / 2, text=sentence, width=min(wide - px(60), px(560)), justify="center",
            font=self._skin.font(15), fill=c.text if wrong else c.faint, tags="message",
            anchor="n" if wrong else "center",
        )  # fmt: skip

    def _draw_picture(self, look: Look) -> None:
        view = self.view
        part = view.visible(look.size, self.room)
        if part is None:
            return
        factor = look.image.width / look.size[0], look.image.height / look.size[1]
        left, top, right, bottom = view.to_screen(part)
        size = (max(1, round(right - left)), max(1, round(bottom - top)))
        source = (part.x * factor[0], part.y * factor[1], part.right * factor[0], part.bottom * factor[1])
        source = (source[0], source[1], min(source[2], look.image.width), min(source[3], look.image.height))
        near = view.scale / factor[0] > 4
        if near:
            shown = look.image.resize(size, Image.Resampling.NEAREST, box=source)
        else:
            shown = look.image.resize(size, Image.Resampling.BICUBIC, box=source, reducing_gap=2.0)
        if self._crop is not None:
            shown = self._dimmed(shown, left, top)
        self._picture = ImageTk.PhotoImage(shown, master=self)
        self.create_image(round(left), round(top), image=self._picture, anchor="nw")

    def _dimmed(self, shown: Image.Image, left: float, top: float) -> Image.Image:
        assert self._crop is not None
        x0, y0, x1, y1 = self.view.to_screen(self._crop)
        edges = (
            max(0, round(x0 - left)), max(0, round(y0 - top)),
            min(shown.width, round(x1 - left)), min(shown.height, round(y1 - top)),
        )  # fmt: skip
        dim = shown.point(lambda v: int(v * _DIMMED))
        if edges[0] < edges[2] and edges[1] < edges[3]:
            dim.paste(shown.crop(edges), edges[:2])
        return dim

    def _draw_marks(self) -> None:
        high = sorted(mark.box.height for mark in self._marks)
        usual = high[len(high) // 2] * self.view.scale if high else 0.0
        px = self._skin.px
        font = self._skin.font(min(max(0.42 * usual / self._skin.scale, 10), 19), "bold")
        refused = sum(mark.tone == "refused" for mark in self._marks)
        crowded = usual < px(14)
        for place, mark in enumerate(self._marks):  # the selected one last: above the others
            if not mark.selected:
                self._draw_mark(place, mark, font, tag=not crowded, reason=refused <= _FEW)
        for place, mark in enumerate(self._marks):
            if mark.selected:
                self._draw_mark(place, mark, font, tag=True, reason=True)

    def _draw_mark(self, place: int, mark: Mark, font: tkfont.Font, *, tag: bool, reason: bool) -> None:
        c, px = self._skin.colours, self._skin.px
        colour = c.accent if mark.selected else c.tone(mark.tone)
        x0, y0, x1, y1 = self.view.to_screen(mark.box)
        x0, y0, x1, y1 = x0 - px(3), y0 - px(3), x1 + px(3), y1 + px(3)
        name = f"mark{place}"
        dash = (4, 3) if mark.tone == "refused" else ()
        self.create_rectangle(
            x0, y0, x1, y1, outline=colour, width=px(3) if mark.selected else px(2), dash=dash, tags=("mark", name)
        )
        if mark.tone == "refused" and not mark.selected:
            self.create_line(x0, y0, x1, y1, fill=colour, width=px(1), dash=dash, tags=("mark", name))
        if tag and mark.text:
            wide = max(font.measure(mark.text) + px(8), px(18))
            high = font.metrics("linespace") + px(2)
            middle = (x0 + x1) / 2
            top = max(0.0, y0 - high) if y0 - high >= 0 or y1 + high > self.room[1] else y1
            self.create_rectangle(
                middle - wide / 2, top, middle + wide / 2, top + high, fill=colour, width=0, tags=("mark", name)
            )
            fill = c.on_accent if mark.selected else c.on(mark.tone)
            self.create_text(
                middle, top + high / 2, text=mark.text, font=font, fill=fill, tags=("mark", name, "letter")
            )
        why = mark.character.reason if mark.character is not None and mark.tone == "refused" else ""
        if reason and why:
            self._plate((x0 + x1) / 2, y1 + px(13), why, c.surface, c.text)

    def _plate(self, x: float, y: float, text: str, fill: str, colour: str) -> None:
        px, font = self._skin.px, self._skin.font(12)
        half, high = font.measure(text) / 2 + px(7), font.metrics("linespace") / 2 + px(3)
        wide = self.room[0]
        x = min(max(x, half + px(4)), wide - half - px(4))
        self.create_rectangle(
            x - half, y - high, x + half, y + high, fill=fill, outline=self._skin.colours.line, tags="note"
        )
        self.create_text(x, y, text=text, font=font, fill=colour, tags=("note", "words"))

    def place_at(self, x: float, y: float) -> int | None:
        """The character at a screen point; of several the smallest."""
        at_x, at_y = self.view.to_picture(x, y)
        slack = self._skin.px(4) / self.view.scale
        hit = [
            (mark.box.width * mark.box.height, place)
            for place, mark in enumerate(self._marks)
            if mark.box.x - slack <= at_x < mark.box.right + slack
            and mark.box.y - slack <= at_y < mark.box.bottom + slack
        ]
        return min(hit)[1] if hit else None

    def _pressed(self, event: tk.Event[tk.Canvas]) -> None:
        self.focus_set()
        self._start = (event.x, event.y) if self._look is not None else None

    def _dragged(self, event: tk.Event[tk.Canvas]) -> None:
        self.delete("drag")
        if self._start is not None and self._is_drag(event):
            c, width = self._skin.colours, self._skin.px(2)
            corners = (*self._start, event.x, event.y)
            self.create_rectangle(*corners, outline=c.surface, width=width, tags="drag")
            self.create_rectangle(*corners, outline=c.accent, width=width, dash=(6, 4), tags="drag")

    def _released(self, event: tk.Event[tk.Canvas]) -> None:
        self.delete("drag")
        start, self._start = self._start, self._start
        if start is None or self._look is None:
            return
        if self._is_drag(event):
            box = self.view.dragged(start, (event.x, event.y), self._look.size)
            self._start = None
            if box is not None:
                self._cropped(box)
        else:
            self._start = None
            self._selected(self.place_at(event.x, event.y))

    def give_up_drag(self) -> None:
        """Forget a crop that is being drawn."""
        self._start = None
        self.delete("drag")

    def _is_drag(self, event: tk.Event[tk.Canvas]) -> bool:
        assert self._start is not None
        return max(abs(event.x - self._start[0]), abs(event.y - self._start[1])) >= self._skin.px(_SLIP)

    def _hold(self, event: tk.Event[tk.Canvas]) -> None:
        self._held = (event.x, event.y)

    def _pull(self, event: tk.Event[tk.Canvas]) -> None:
        if self._held is not None and self._view is not None:
            self._view = self._view.moved(event.x - self._held[0], event.y - self._held[1])
            self._held = (event.x, event.y)
            self.redraw()
