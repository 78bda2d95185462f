"""How the window looks: two tables of colours, fonts and measures, and ttk's widgets in them."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from tkinter import font as tkfont
from tkinter import ttk
from typing import Any


@dataclass(frozen=True, slots=True)
class Colours:
    """One table of colours, each ``#rrggbb``."""

    ground: str
    """Behind everything."""
    surface: str
    """Buttons, fields, chosen rows."""
    table: str
    """What the picture lies on."""
    line: str
    text: str
    faint: str
    """Text of less weight."""
    accent: str
    """The one colour that means: here."""
    on_accent: str
    soft: str
    """A breath of the accent, behind text."""
    green: str
    yellow: str
    red: str
    refused: str
    on_tone: str
    """Text on green, yellow, red and refused."""

    def tone(self, name: str) -> str:
        """The colour of a mark's tone (`handread.desktop.session.Mark`)."""
        tones = {"green": self.green, "yellow": self.yellow, "red": self.red, "corrected": self.accent}
        return tones.get(name, self.refused)

    def on(self, name: str) -> str:
        """The colour of text on a tone."""
        return self.on_accent if name == "corrected" else self.on_tone


THEMES = {
    "light": Colours(
        ground="#f7f6f3",
        surface="#ffffff",
        table="#e9e7e1",
        line="#d9d6cd",
        text="#1f2126",
        faint="#62656d",
        accent="#2352c8",
        on_accent="#ffffff",
        soft="#e2e9fa",
        green="#13713f",
        yellow="#8f5600",
        red="#b8282f",
        refused="#666970",
        on_tone="#ffffff",
    ),
    "dark": Colours(
        ground="#1d1e22",
        surface="#2a2c31",
        table="#131417",
        line="#3b3e45",
        text="#ececee",
        faint="#a2a5ae",
        accent="#82aaff",
        on_accent="#0e1220",
        soft="#29344f",
        green="#5bcb8e",
        yellow="#e6b054",
        red="#f38484",
        refused="#a2a5ae",
        on_tone="#101114",
    ),
}
"""Name -> colours; text has a contrast of at least 4.5 to what it stands on (WCAG 2.2, 1.4.3)."""

SMALLEST = (940, 520)
"""Width and height, at 96 dots an inch, below which a window has no room for its parts."""
_PIXELS_AN_INCH = 96.0
"""Screens for which measures are given; others scale them."""


class Skin:
    """Colours, fonts and measures of one window."""

    def __init__(self, root: tk.Misc, name: str, *, dots_an_inch: float) -> None:
        self.name = name
        self.colours = THEMES[name]
        room = min(0.92 * root.winfo_screenwidth() / SMALLEST[0], 0.85 * root.winfo_screenheight() / SMALLEST[1])
        self.scale = min(max(min(dots_an_inch / _PIXELS_AN_INCH, room), 1.0), 4.0)
        self._root = root
        self._family = str(tkfont.nametofont("TkDefaultFont", root).actual("family"))
        self._fonts: dict[tuple[int, str], tkfont.Font] = {}

    def px(self, measure: float) -> int:
        """Screen pixels of a measure given for 96 dots an inch."""
        return round(measure * self.scale)

    def font(self, size: float = 13, weight: str = "normal") -> tkfont.Font:
        """The window's font, `size` pixels high at 96 dots an inch; ``bold`` or ``normal``."""
        key = (self.px(size), weight)
        if key not in self._fonts:
            bold = "bold" if weight == "bold" else "normal"
            self._fonts[key] = tkfont.Font(self._root, family=self._family, size=-key[0], weight=bold)  # type: ignore[arg-type]
        return self._fonts[key]

    def turn(self, name: str) -> None:
        """Take the other table of colours."""
        self.name, self.colours = name, THEMES[name]

    def apply(self) -> None:
        """Put ttk's widgets and the window itself into these colours."""
        c, px = self.colours, self.px
        style = ttk.Style(self._root)
        style.theme_use("clam")
        style.configure(
            ".",
            background=c.ground,
            foreground=c.text,
            font=self.font(),
            borderwidth=0,
            troughcolor=c.ground,
            focuscolor=c.accent,
        )
        style.configure("Faint.TLabel", foreground=c.faint, font=self.font(12))
        style.configure("Error.TLabel", foreground=c.red, font=self.font(12))
        style.configure("Title.TLabel", font=self.font(22, "bold"), background=c.table)
        style.configure("Hint.TLabel", foreground=c.faint, background=c.table)
        style.configure("Table.TFrame", background=c.table)
        style.configure("Line.TFrame", background=c.line)
        self._buttons(style)
        style.configure(
            "TCombobox",
            padding=(px(8), px(5)),
            fieldbackground=c.surface,
            background=c.surface,
            foreground=c.text,
            insertcolor=c.text,
            arrowcolor=c.faint,
            arrowsize=px(14),
            bordercolor=c.line,
            lightcolor=c.surface,
            darkcolor=c.surface,
            selectbackground=c.soft,
            selectforeground=c.text,
        )
        style.map("TCombobox", bordercolor=[("focus", c.accent)], lightcolor=[("focus", c.accent)])
        for option, value in {
            "background": c.surface,
            "foreground": c.text,
            "selectBackground": c.accent,
            "selectForeground": c.on_accent,
            "font": self.font(),
            "borderWidth": 0,
        }.items():
            self._root.option_add(f"*TCombobox*Listbox.{option}", value)
        self._scrollbars(style)

    def _buttons(self, style: ttk.Style) -> None:
        c, px = self.colours, self.px
        for name, fill, text, border, pressed in (
            ("TButton", c.surface, c.text, c.line, c.soft),
            ("Quiet.TButton", c.ground, c.text, c.ground, c.soft),
            ("Accent.TButton", c.accent, c.on_accent, c.accent, c.accent),
            ("Toggle.TCheckbutton", c.surface, c.text, c.line, c.soft),
        ):
            style.configure(
                name,
                background=fill,
                foreground=text,
                bordercolor=border,
                lightcolor=fill,
                darkcolor=fill,
                borderwidth=1,
                relief="raised",
                width=0,
                anchor="center",
                padding=(px(12), px(6)),
                font=self.font(13, "bold") if name == "Accent.TButton" else self.font(),
            )
            style.map(
                name,
                background=[("pressed", pressed), ("active", pressed), ("disabled", c.ground)],
                lightcolor=[("pressed", pressed), ("active", pressed), ("disabled", c.ground)],
                darkcolor=[("pressed", pressed), ("active", pressed), ("disabled", c.ground)],
                foreground=[("disabled", c.line)],
                bordercolor=[("focus", c.accent)],
            )
        style.configure("Quiet.TButton", padding=(px(9), px(4)), font=self.font(15))
        # a check button that looks like a button and stays pressed: clam's own box is a cross in a frame
        label: Any = [("Button.label", {"sticky": "nswe"})]
        for part in ("padding", "focus", "border"):
            label = [(f"Button.{part}", {"sticky": "nswe", "children": label})]
        style.layout("Toggle.TCheckbutton", label)
        chosen = [("selected", c.soft)]
        style.map(
            "Toggle.TCheckbutton",
            background=[*chosen, ("active", c.soft)],
            lightcolor=[*chosen, ("active", c.soft)],
            darkcolor=[*chosen, ("active", c.soft)],
            foreground=[("selected", c.accent)],
            bordercolor=[("selected", c.accent), ("focus", c.accent)],
        )

    def _scrollbars(self, style: ttk.Style) -> None:
        c = self.colours
        thumb: Any = [("Vertical.Scrollbar.thumb", {"expand": "1", "sticky": "nswe"})]
        trough: Any = [("Vertical.Scrollbar.trough", {"sticky": "ns", "children": thumb})]
        style.layout("Thin.Vertical.TScrollbar", trough)
        style.configure(
            "Thin.Vertical.TScrollbar",
            background=c.line,
            troughcolor=c.ground,
            bordercolor=c.ground,
            lightcolor=c.line,
            darkcolor=c.line,
            gripcount=0,
            width=self.px(8),
            arrowsize=self.px(8),
        )
        style.map("Thin.Vertical.TScrollbar", background=[("active", c.faint), ("disabled", c.ground)])


def restyle_popdown(box: ttk.Combobox, skin: Skin) -> None:
    """The list below a combobox keeps its colours from when it was first shown; give it the new ones."""
    c = skin.colours
    popdown = box.tk.eval(f"ttk::combobox::PopdownWindow {box}")
    box.tk.call(
        f"{popdown}.f.l", "configure", "-background", c.surface, "-foreground", c.text,
        "-selectbackground", c.accent, "-selectforeground", c.on_accent,
    )  # fmt: skip
