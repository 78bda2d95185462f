"""The list of pictures: thumbnail, reading and name of each."""

from __future__ import annotations

import io
import tkinter as tk
from collections.abc import Callable

from PIL import Image, ImageTk

from handread.desktop.rows import Rows, shortened
from handread.desktop.session import Item, Session
from handread.desktop.theme import Skin

WIDTH, HEIGHT = 232, 66
_THUMBNAIL = (64, 48)


class Strip(Rows):
    """All pictures of a session; a click makes one the current one."""

    def __init__(self, parent: tk.Misc, skin: Skin, session: Session, chosen: Callable[[int], None]) -> None:
        super().__init__(parent, skin, width=skin.px(WIDTH))
        self._session = session
        self._chosen = chosen

    def show(self) -> None:
        """Draw the session as it is."""
        self.arrange([self.skin.px(HEIGHT)] * len(self._session.items))

    def draw_row(self, row: int, top: int, width: int) -> None:
        """Thumbnail to the left, what was read above the name."""
        skin, c = self.skin, self.skin.colours
        px, item = skin.px, self._session.items[row]
        current = row == self._session.current
        if current:
            self.canvas.create_rectangle(0, top, width, top + px(HEIGHT), fill=c.soft, width=0)
            self.canvas.create_rectangle(0, top, px(4), top + px(HEIGHT), fill=c.accent, width=0)
        self._thumbnail(item, px(14), top + px(9))
        left = px(14) + px(_THUMBNAIL[0]) + px(12)
        text, colour, bold = self._said(item)
        for line, font, fill, y in (
            (text, skin.font(14, "bold" if bold else "normal"), colour, 22),
            (item.name, skin.font(11), c.faint, 43),
        ):
            shown = shortened(line, font, width - left - px(8))
            self.canvas.create_text(left, top + px(y), text=shown, font=font, fill=fill, anchor="w")

    def clicked(self, row: int, x: int, y: int) -> None:
        """Go there."""
        self._chosen(row)

    def _said(self, item: Item) -> tuple[str, str, bool]:
        c = self.skin.colours
        if item.error:
            return "cannot be read", c.red, False
        if item.reading is None:
            return "…", c.faint, False
        pieces = self._session.pieces(item)
        text = " ".join("".join(f"[{p}]" if tone == "refused" else p for p, tone, _ in pieces).split())
        return (text, c.text, True) if text else ("nothing found", c.faint, False)

    def _thumbnail(self, item: Item, x: int, y: int) -> None:
        c, px = self.skin.colours, self.skin.px
        wide, high = px(_THUMBNAIL[0]), px(_THUMBNAIL[1])
        if not item.thumbnail:
            self.canvas.create_rectangle(x, y, x + wide, y + high, fill=c.table, outline=c.line)
            if item.error:
                mark = self.skin.font(18, "bold")
                self.canvas.create_text(x + wide / 2, y + high / 2, text="!", font=mark, fill=c.red)
            return
        picture = Image.open(io.BytesIO(item.thumbnail))
        scale = min(wide / picture.width, high / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        shown = ImageTk.PhotoImage(picture.resize(size, Image.Resampling.BILINEAR), master=self.canvas)
        self.keep(shown)
        self.canvas.create_image(x + wide // 2, y + high // 2, image=shown)
