"""The characters of the current picture: ink, reading, a bar of confidence, and the ranked candidates of one."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from PIL import Image, ImageTk

from handread.desktop.rows import Rows, shortened
from handread.desktop.session import Mark, Session
from handread.desktop.theme import Skin
from handread.types import Box

WIDTH = 272
_ROW, _CANDIDATE, _HEAD, _FOOT = 50, 27, 8, 50
_INK = 36


class Panel(Rows):
    """One row a character; the selected one unfolds its candidates, and a click on one of them corrects."""

    def __init__(
        self,
        parent: tk.Misc,
        skin: Skin,
        session: Session,
        *,
        selected: Callable[[int], None],
        corrected: Callable[[str], None],
    ) -> None:
        super().__init__(parent, skin, width=skin.px(WIDTH))
        self._session = session
        self._selected = selected
        self._corrected = corrected
        self._marks: list[Mark] = []

    def show(self) -> None:
        """Draw the current picture's characters."""
        item = self._session.item
        self._marks = self._session.marks(item) if item is not None else []
        self.arrange([self._height(mark) for mark in self._marks])
        if item is not None and item.selected is not None:
            self.reveal(item.selected)

    def _height(self, mark: Mark) -> int:
        if not mark.selected:
            return self.skin.px(_ROW)
        count = len(mark.character.candidates) if mark.character else 0
        return self.skin.px(_ROW) + self.skin.px(_HEAD) + count * self.skin.px(_CANDIDATE) + self.skin.px(_FOOT)

    def draw_row(self, row: int, top: int, width: int) -> None:
        """One character, unfolded when it is the selected one."""
        skin, c, px = self.skin, self.skin.colours, self.skin.px
        mark = self._marks[row]
        if mark.selected:
            bottom = top + self._height(mark)
            self.canvas.create_rectangle(0, top, width, bottom, fill=c.soft, width=0)
            self.canvas.create_rectangle(0, top, px(4), bottom, fill=c.accent, width=0)
        middle = top + px(_ROW) // 2
        self._ink(mark.box, px(16), middle - px(_INK) // 2)
        colour = c.tone(mark.tone)
        letter = mark.text or "?"
        self.canvas.create_text(px(76), middle, text=letter, font=skin.font(21, "bold"), fill=colour)
        left, right = px(102), width - px(14)
        if mark.tone == "corrected":
            said = "as you said"
        elif mark.character is None:
            said = "nothing found"
        else:
            said = mark.character.reason
        bar = middle + (px(7) if said else 0)
        confidence = mark.character.confidence if mark.character is not None else 0.0
        self._bar_of(left, right, bar, confidence, colour, bold=mark.selected)
        if said:
            font = skin.font(11)
            text = shortened(said, font, right - left)
            self.canvas.create_text(left, middle - px(10), text=text, font=font, fill=colour, anchor="w")
        if mark.selected:
            self._unfolded(mark, top + px(_ROW) + px(_HEAD), right)

    def _unfolded(self, mark: Mark, top: int, right: int) -> None:
        skin, c, px = self.skin, self.skin.colours, self.skin.px
        for rank, candidate in enumerate(mark.character.candidates if mark.character else ()):
            y = top + rank * px(_CANDIDATE) + px(_CANDIDATE) // 2
            said = mark.tone == "corrected" and candidate.character == mark.text
            colour = c.accent if said else c.text
            self.canvas.create_text(px(76), y, text=candidate.character, font=skin.font(15), fill=colour)
            self._bar_of(px(102), right, y, candidate.probability, c.accent if said else c.faint)
        foot = top + (len(mark.character.candidates) if mark.character else 0) * px(_CANDIDATE) + px(_FOOT) // 2
        if mark.tone == "corrected":
            lines = ("Type to change it,", "Backspace takes it back.")
        elif mark.character is None:
            lines = ("Type the character", "that stands here.")
        else:
            lines = ("Type or click what it is,", f"Enter if {mark.text} is right.")
        for offset, line in zip((-8, 8), lines, strict=True):
            self.canvas.create_text(px(102), foot + px(offset), text=line, font=skin.font(12), fill=c.faint, anchor="w")

    def _bar_of(self, left: int, right: int, y: int, share: float, colour: str, *, bold: bool = False) -> None:
        skin, c, px = self.skin, self.skin.colours, self.skin.px
        font = skin.font(12, "bold" if bold else "normal")
        end = right - px(54)
        half = px(3)
        self.canvas.create_rectangle(left, y - half, end, y + half, fill=c.line, width=0)
        filled = left + round((end - left) * share)
        if filled > left:
            self.canvas.create_rectangle(left, y - half, filled, y + half, fill=colour, width=0)
        self.canvas.create_text(right, y, text=percent(share), font=font, fill=c.text, anchor="e")

    def _ink(self, box: Box, x: int, y: int) -> None:
        c, side = self.skin.colours, self.skin.px(_INK)
        look = self._session.look
        self.canvas.create_rectangle(x, y, x + side, y + side, fill=c.table, outline=c.line)
        if look is None:
            return
        factor = look.image.width / look.size[0], look.image.height / look.size[1]
        edges = (box.x * factor[0], box.y * factor[1], box.right * factor[0], box.bottom * factor[1])
        edges = (*edges[:2], min(edges[2], look.image.width), min(edges[3], look.image.height))
        wide, high = edges[2] - edges[0], edges[3] - edges[1]
        if wide < 1 or high < 1:
            return
        scale = (side - 1) / max(wide, high)
        size = (max(1, round(wide * scale)), max(1, round(high * scale)))
        ink = look.image.resize(size, Image.Resampling.BILINEAR, box=edges, reducing_gap=2.0)
        shown = ImageTk.PhotoImage(ink, master=self.canvas)
        self.keep(shown)
        self.canvas.create_image(x + side // 2 + 1, y + side // 2 + 1, image=shown)

    def clicked(self, row: int, x: int, y: int) -> None:
        """Select a character, or take one of the selected one's candidates."""
        mark, px = self._marks[row], self.skin.px
        if not mark.selected:
            self._selected(row)
            return
        rank = (y - px(_ROW) - px(_HEAD)) // px(_CANDIDATE)
        if mark.character is not None and 0 <= rank < len(mark.character.candidates):
            self._corrected(mark.character.candidates[rank].character)


def percent(share: float) -> str:
    """A probability for people: never 100 % or 0 % for what is neither.

    >>> percent(0.9999), percent(0.931), percent(0.0004), percent(1.0)
    ('99.9 %', '93 %', '<0.1 %', '100 %')
    """
    if share >= 0.9995:
        return "100 %" if share >= 0.99995 else "99.9 %"
    if share >= 0.995 or 0 < share < 0.01:
        return f"{100 * share:.1f} %" if share >= 0.0005 else "<0.1 %"
    return f"{100 * share:.0f} %"
