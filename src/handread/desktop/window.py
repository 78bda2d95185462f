"""The window: puts the widgets together, hears keys, keeps the worker busy. What happens is decided in `session`."""

from __future__ import annotations

import os
import tkinter as tk
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from tkinter import filedialog, ttk
from types import TracebackType
from typing import TYPE_CHECKING

from handread.desktop.canvas import PictureCanvas
from handread.desktop.heading import Heading
from handread.desktop.keys import KEYS, typed_character
from handread.desktop.panel import Panel
from handread.desktop.session import Session
from handread.desktop.strip import Strip
from handread.desktop.theme import SMALLEST, Skin, restyle_popdown
from handread.errors import HandreadError, bug
from handread.imaging.read import SUFFIXES
from handread.types import Box

if TYPE_CHECKING:
    from handread.desktop.work import Worker

_TICK_MS = 15
_TITLE = "Handread"
_HINT = "Tab or a click chooses a character, then type what it is  ·  drag to read a part  ·  F1 shows all keys"
_ARROWS = {"Left": (-1, 0), "Right": (1, 0), "Up": (0, -1), "Down": (0, 1)}


class Window:
    """One window on one session."""

    def __init__(self, root: tk.Tk, session: Session, worker: Worker, skin: Skin) -> None:
        self.root, self.session, self._worker, self.skin = root, session, worker, skin
        self._system = str(root.tk.call("tk", "windowingsystem"))
        self._pumping: str | None = None
        self._keys: ttk.Frame | None = None
        root.title(_TITLE)
        screen = root.winfo_screenwidth(), root.winfo_screenheight()
        wide, high = min(skin.px(1180), int(0.92 * screen[0])), min(skin.px(780), int(0.85 * screen[1]))
        root.geometry(f"{wide}x{high}")
        root.minsize(min(skin.px(SMALLEST[0]), wide), min(skin.px(SMALLEST[1]), high))
        self._one = tk.BooleanVar(root, session.one)
        self._alphabet = tk.StringVar(root, session.alphabet_name())
        self._build()
        self._bind()
        self.restyle()
        root.protocol("WM_DELETE_WINDOW", self.close)
        root.report_callback_exception = self._report
        root.deiconify()
        self.canvas.focus_set()
        self.refresh()
        self._pump()

    # building

    def _build(self) -> None:
        px, root = self.skin.px, self.root
        root.columnconfigure(2, weight=1)
        root.rowconfigure(2, weight=1)
        self._toolbar().grid(row=0, column=0, columnspan=5, sticky="ew", padx=px(14), pady=px(10))
        ttk.Frame(root, style="Line.TFrame", height=1).grid(row=1, column=0, columnspan=5, sticky="ew")
        self.strip = Strip(root, self.skin, self.session, self.go)
        self._strip_line = ttk.Frame(root, style="Line.TFrame", width=1)
        middle = ttk.Frame(root)
        middle.grid(row=2, column=2, sticky="nsew")
        middle.columnconfigure(0, weight=1)
        middle.rowconfigure(1, weight=1)
        self.heading = Heading(middle, self.skin, self.session, step=self.step, copy=self.copy)
        self.heading.grid(row=0, column=0, sticky="ew", padx=px(18), pady=(px(12), px(10)))
        self.canvas = PictureCanvas(middle, self.skin, selected=self.select, cropped=self.crop)
        self.canvas.grid(row=1, column=0, sticky="nsew")
        self._welcome = self._welcome_in(middle)
        self._panel_line = ttk.Frame(root, style="Line.TFrame", width=1)
        self.panel = Panel(root, self.skin, self.session, selected=self.select, corrected=self.correct)
        ttk.Frame(root, style="Line.TFrame", height=1).grid(row=3, column=0, columnspan=5, sticky="ew")
        self._foot().grid(row=4, column=0, columnspan=5, sticky="ew", padx=px(14), pady=px(6))

    def _toolbar(self) -> ttk.Frame:
        px, bar = self.skin.px, ttk.Frame(self.root)
        ttk.Button(bar, text="Open pictures", style="Accent.TButton", command=self.open_pictures).pack(side="left")
        ttk.Button(bar, text="Open a folder", command=self.open_folder).pack(side="left", padx=(px(8), px(24)))
        ttk.Label(bar, text="Alphabet", style="Faint.TLabel").pack(side="left", padx=(0, px(8)))
        self.alphabet_box = ttk.Combobox(
            bar, textvariable=self._alphabet, values=self.session.choices(), width=15, font=self.skin.font(),
            height=len(self.session.choices()),
        )  # fmt: skip
        self.alphabet_box.pack(side="left")
        self.one_button = ttk.Checkbutton(
            bar, text="One character", style="Toggle.TCheckbutton", variable=self._one, command=self._one_changed
        )
        self.one_button.pack(side="left", padx=px(10))
        ttk.Button(bar, text="Keys", style="Quiet.TButton", command=self.toggle_keys).pack(side="right")
        self._shade_button = ttk.Button(bar, style="Quiet.TButton", command=self.toggle_theme)
        self._shade_button.pack(side="right", padx=(0, px(4)))
        return bar

    def _foot(self) -> ttk.Frame:
        foot = ttk.Frame(self.root)
        self._status = ttk.Label(foot, style="Faint.TLabel")
        self._status.pack(side="left")
        self._saved = ttk.Label(foot, style="Faint.TLabel")
        self._saved.pack(side="right")
        return foot

    def _welcome_in(self, parent: tk.Misc) -> ttk.Frame:
        px, frame = self.skin.px, ttk.Frame(parent, style="Table.TFrame")
        ttk.Label(frame, text="Which pictures shall be read?", style="Title.TLabel").pack()
        kinds = "Photographs, scans, drawings: PNG, JPEG, WebP, TIFF, BMP, GIF, HEIC"
        ttk.Label(frame, text=kinds, style="Hint.TLabel").pack(pady=(px(8), px(22)))
        row = ttk.Frame(frame, style="Table.TFrame")
        row.pack()
        ttk.Button(row, text="Open pictures", style="Accent.TButton", command=self.open_pictures).pack(side="left")
        ttk.Button(row, text="Open a folder", command=self.open_folder).pack(side="left", padx=(px(10), 0))
        return frame

    def _bind(self) -> None:
        bind = self.root.bind
        modifiers = ["Control", "Command"] if self._system == "aqua" else ["Control"]
        commands: dict[str, Callable[[], object]] = {
            "o": self.open_pictures,
            "O": self.open_folder,
            "l": self._to_alphabet,
            "Key-1": self.one_button.invoke,
            "z": self.undo,
            "d": self.toggle_theme,
            "w": self.close,
            "q": self.close,
            "plus": lambda: self.canvas.zoom(1),
            "equal": lambda: self.canvas.zoom(1),
            "KP_Add": lambda: self.canvas.zoom(1),
            "minus": lambda: self.canvas.zoom(-1),
            "KP_Subtract": lambda: self.canvas.zoom(-1),
            "Key-0": self.canvas.fit,
        }
        for modifier in modifiers:
            for key, command in commands.items():
                bind(f"<{modifier}-{key}>", lambda event, command=command: _done(command))  # type: ignore[misc]
            bind(f"<{modifier}-c>", lambda event: None if self._in_field() else _done(self.copy))
            bind(f"<{modifier}-C>", lambda event: _done(self.copy_all))
        for key, (x, y) in _ARROWS.items():
            step = x + y
            bind(f"<{key}>", lambda event, step=step: self._unless_in_field(lambda: self.step(step)))  # type: ignore[misc]
            alt = "Option" if self._system == "aqua" else "Alt"
            bind(f"<{alt}-{key}>", lambda event, by=(x, y): _done(lambda: self.nudge(move=by)))  # type: ignore[misc]
            bind(
                f"<Shift-{key}>",
                lambda event, by=(x, y): self._unless_in_field(lambda: self.nudge(grow=by)),  # type: ignore[misc]
            )
        bind("<Next>", lambda event: self._unless_in_field(lambda: self.step(1)))
        bind("<Prior>", lambda event: self._unless_in_field(lambda: self.step(-1)))
        bind("<Home>", lambda event: self._unless_in_field(lambda: self.go(0)))
        bind("<End>", lambda event: self._unless_in_field(lambda: self.go(len(self.session.items) - 1)))
        bind("<Escape>", lambda event: self.escape())
        bind("<F1>", lambda event: self.toggle_keys())
        bind("<F5>", lambda event: self.again())
        bind("<Key>", self._key)
        bind("<Return>", self._enter)
        bind("<KP_Enter>", self._enter)
        for key in ("<BackSpace>", "<Delete>"):
            bind(key, lambda event: self._unless_in_field(self.uncorrect))
        self.canvas.bind("<Tab>", lambda event: self._tab(1))
        back = ["<Shift-Tab>", "<ISO_Left_Tab>"] if self._system == "x11" else ["<Shift-Tab>"]
        for key in back:
            self.canvas.bind(key, lambda event: self._tab(-1))
        self.alphabet_box.bind("<<ComboboxSelected>>", lambda event: self._alphabet_changed())
        self.alphabet_box.bind("<Return>", lambda event: _done(self._alphabet_changed))
        self.alphabet_box.bind("<FocusOut>", lambda event: self._alphabet.set(self.session.alphabet_name()))

    # showing

    def restyle(self) -> None:
        """Put everything into the skin's colours."""
        self.skin.apply()
        self.root.configure(background=self.skin.colours.ground)
        self.heading.restyle()
        restyle_popdown(self.alphabet_box, self.skin)
        self._shade_button.configure(text="Dark" if self.skin.name == "light" else "Light")
        if self._keys is not None:
            self.toggle_keys()

    def refresh(self) -> None:
        """Show the session as it is."""
        session, item = self.session, self.session.item
        self._place_panes(several=len(session.items) > 1, characters=item is not None)
        if item is None:
            self.heading.grid_remove()
            self._welcome.place(relx=0.5, rely=0.46, anchor="center", in_=self.canvas)
        else:
            self.heading.grid()
            self._welcome.place_forget()
        self.heading.show()
        self._show_picture()
        self.panel.show()
        self.strip.show()
        self.strip.reveal(session.current)
        done, total = session.progress()
        self.root.title(f"{item.name} - {_TITLE}" if item is not None else _TITLE)
        count = len(session.corrections)
        self._saved.configure(text=f"{_counted(count, 'character')} in {session.corrections.folder}" if count else "")
        if done < total:
            self.tell(f"reading {done} of {total}")
        elif self.told.startswith("reading ") or not self.told:
            self.tell(_HINT if total else "")

    def _show_picture(self) -> None:
        item = self.session.item
        if item is None:
            self.canvas.say("")
        elif item.error:
            self.canvas.say(item.error, wrong=True)
        elif self.session.look is None:
            self.canvas.say(f"opening {item.name} …")
        else:
            empty = item.reading is not None and not item.reading.characters
            if empty and item.crop:
                self.canvas.note("nothing found here: type what it is, or Escape")
            else:
                self.canvas.note("nothing found: drag around what shall be read" if empty else "")
            self.canvas.show(self.session.look, self.session.marks(item), item.crop)

    def _report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """A bug costs one action, not the window."""
        if os.environ.get("HANDREAD_DEBUG", "0") not in ("", "0"):
            traceback.print_exception(kind, error, trace)
        self.tell(bug(error, "with what was done"), wrong=True)

    def _place_panes(self, *, several: bool, characters: bool) -> None:
        if several:
            self.strip.grid(row=2, column=0, sticky="ns")
            self._strip_line.grid(row=2, column=1, sticky="ns")
        else:
            self.strip.grid_remove()
            self._strip_line.grid_remove()
        if characters:
            self._panel_line.grid(row=2, column=3, sticky="ns")
            self.panel.grid(row=2, column=4, sticky="ns")
        else:
            self._panel_line.grid_remove()
            self.panel.grid_remove()

    def tell(self, sentence: str, *, wrong: bool = False) -> None:
        """Write a sentence at the foot of the window."""
        self._status.configure(text=sentence, style="Error.TLabel" if wrong else "Faint.TLabel")

    @property
    def told(self) -> str:
        """The sentence at the foot."""
        return str(self._status.cget("text"))

    def _pump(self) -> None:
        """Take what the worker has done and hand it what is next; again soon while there is something to come."""
        self._pumping = None
        outcomes = self._worker.outcomes()
        for outcome in outcomes:
            self.session.accept(outcome)
        while self._worker.free and (job := self.session.next_job()) is not None:
            self._worker.hand(job)
        if outcomes:
            current = any(outcome.job.item == self.session.current for outcome in outcomes)
            self._refresh_after(current=current)
        if self._worker.busy:
            self._pumping = self.root.after(_TICK_MS, self._pump)

    def _refresh_after(self, *, current: bool) -> None:
        """Only what news can change: a crop that is being drawn must not vanish for a picture in the list."""
        if current and not self.canvas.dragging:
            self.refresh()
            return
        self.strip.show()
        done, total = self.session.progress()
        self.tell(f"reading {done} of {total}" if done < total else _HINT)

    def changed(self) -> None:
        """Show the session after it was changed, and have read what it asks for."""
        self.refresh()
        if self._pumping is None:
            self._pump()

    # what a person does

    def open_pictures(self) -> None:
        """Choose pictures and add them."""
        both = sorted({form for suffix in SUFFIXES for form in (suffix, suffix.upper())})
        kinds = [("Pictures", " ".join(f"*{suffix}" for suffix in both)), ("All files", "*")]
        chosen = filedialog.askopenfilenames(parent=self.root, title="Open pictures", filetypes=kinds)
        self.add(self.root.tk.splitlist(chosen) if isinstance(chosen, str) else chosen)

    def open_folder(self) -> None:
        """Choose a folder and add all pictures in it."""
        chosen = filedialog.askdirectory(parent=self.root, title="Open a folder", mustexist=True)
        self.add([chosen] if chosen else [])

    def add(self, paths: Iterable[str | Path]) -> None:
        """Add pictures and folders."""
        wanted = list(paths)
        if wanted and not self.session.add(wanted):
            self.tell("these pictures are there already")
        self.canvas.focus_set()
        self.changed()

    def step(self, by: int) -> None:
        """The next picture or the previous one."""
        self.go(self.session.current + by)

    def go(self, index: int) -> None:
        """Another picture."""
        if self.session.go(index):
            self.canvas.give_up_drag()
            self.changed()

    def select(self, place: int | None) -> None:
        """Look at one character."""
        self.canvas.focus_set()
        self.session.select(place)
        self._show_selection()

    def _show_selection(self) -> None:
        self.refresh()
        item = self.session.item
        if item is not None and item.selected is not None:
            self.canvas.reveal(item.places[item.selected])

    def correct(self, label: str) -> None:
        """Say what the selected character is, and go on to the next one."""
        item = self.session.item
        if item is None or item.selected is None:
            return
        try:
            self.session.correct(label)
        except HandreadError as error:
            self.tell(str(error), wrong=True)
            return
        self._after_saying(label)

    def confirm(self) -> None:
        """Say that the selected character was read rightly."""
        try:
            label = self.session.confirm()
        except HandreadError as error:
            self.tell(str(error), wrong=True)
            return
        if label:
            self._after_saying(label)

    def _after_saying(self, label: str) -> None:
        item = self.session.item
        assert item is not None
        new = "" if label in self.session.known else ", which is new to this model"
        if item.selected is not None and item.selected < len(item.places) - 1:
            self.session.step(1)
        self._show_selection()
        self.tell(f"saved as {label}{new}")

    def uncorrect(self) -> None:
        """Take back what was said of the selected character."""
        self._attempt(self.session.uncorrect, "taken back")

    def undo(self) -> None:
        """Take back the last thing said."""
        self._attempt(self.session.undo, "undone")

    def _attempt(self, action: Callable[[], bool], said: str) -> None:
        try:
            happened = action()
        except HandreadError as error:
            self.tell(str(error), wrong=True)
            return
        if happened:
            self.changed()
            self.tell(said)

    def crop(self, box: Box | None) -> None:
        """Read only a part."""
        if self.session.set_crop(box):
            self.changed()
        else:
            self._show_picture()

    def nudge(self, *, move: tuple[int, int] = (0, 0), grow: tuple[int, int] = (0, 0)) -> None:
        """Move or resize the part that is read."""
        if self.session.nudge_crop(move=move, grow=grow):
            self.changed()

    def escape(self) -> None:
        """One step back: a crop being drawn, the selected character, the crop, a zoom."""
        item = self.session.item
        if self._keys is not None:
            self.toggle_keys()
        elif self._in_field():
            self._alphabet.set(self.session.alphabet_name())
            self.canvas.focus_set()
        elif self.canvas.dragging:
            self.canvas.give_up_drag()
        elif item is not None and item.selected is not None:
            self.select(None)
        elif item is not None and item.crop is not None:
            self.crop(None)
        else:
            self.canvas.fit()

    def again(self) -> None:
        """Open and read the current picture anew."""
        if self.session.again():
            self.changed()

    def copy(self) -> None:
        """Put the current picture's text on the clipboard."""
        item = self.session.item
        text = self.session.text(item) if item is not None else ""
        if text:
            self._to_clipboard(text, "copied")

    def copy_all(self) -> None:
        """Put every picture's name and text on the clipboard, a line each."""
        if self.session.items:
            self._to_clipboard(self.session.all_text(), f"copied {_counted(len(self.session.items), 'line')}")

    def _to_clipboard(self, text: str, said: str) -> None:
        self.root.clipboard_clear()
        self.root.clipboard_append(text)
        self.tell(said)

    def toggle_theme(self) -> None:
        """Light to dark and back."""
        self.skin.turn("dark" if self.skin.name == "light" else "light")
        self.restyle()
        self.refresh()

    def toggle_keys(self) -> None:
        """Show the table of keys, or put it away."""
        if self._keys is not None:
            self._keys.destroy()
            self._keys = None
            self.canvas.focus_set()
            return
        self._keys = _key_table(self.root, self.skin)
        self._keys.place(relx=0.5, rely=0.5, anchor="center")

    def close(self) -> None:
        """Stop reading and close the window. What was said is on disk already."""
        self._worker.stop()
        if self._pumping is not None:
            self.root.after_cancel(self._pumping)
            self._pumping = None
        self.root.destroy()

    # fields and keys

    def _one_changed(self) -> None:
        self.session.choose_one(self._one.get())
        self.changed()

    def _to_alphabet(self) -> None:
        self.alphabet_box.focus_set()
        self.alphabet_box.selection_range(0, "end")

    def _alphabet_changed(self) -> None:
        try:
            self.session.choose_alphabet(self._alphabet.get())
        except HandreadError as error:
            self.tell(str(error), wrong=True)
            return
        self._alphabet.set(self.session.alphabet_name())
        self.alphabet_box.selection_clear()
        self.canvas.focus_set()
        self.changed()

    def _in_field(self) -> bool:
        return self.root.focus_get() is self.alphabet_box

    def _unless_in_field(self, action: Callable[[], object]) -> str | None:
        return None if self._in_field() else _done(action)

    def _key(self, event: tk.Event[tk.Misc]) -> None:
        if not self._in_field() and (text := typed_character(event, self._system)):
            self.correct(text)

    def _enter(self, event: tk.Event[tk.Misc]) -> str | None:
        focus = self.root.focus_get()
        if isinstance(focus, (ttk.Button, ttk.Checkbutton)):
            focus.invoke()
            return "break"
        return self._unless_in_field(self.confirm)

    def _tab(self, by: int) -> str | None:
        """Through the characters; from the last one on to the next widget, as Tab goes."""
        if self.session.step(by):
            self._show_selection()
            return "break"
        self._show_selection()
        return None


def _key_table(root: tk.Tk, skin: Skin) -> ttk.Frame:
    px, rim = skin.px, ttk.Frame(root, style="Line.TFrame", padding=1)
    table = ttk.Frame(rim, padding=px(24))
    table.pack()
    for row, (key, meaning) in enumerate(KEYS):
        ttk.Label(table, text=key, font=skin.font(12, "bold")).grid(row=row, column=0, sticky="w", pady=px(2))
        ttk.Label(table, text=meaning, font=skin.font(12)).grid(row=row, column=1, sticky="w", padx=(px(28), 0))
    return rim


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
