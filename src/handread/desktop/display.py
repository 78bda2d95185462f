"""A root window, or one sentence that says why there is none; and what the desktop says of its taste."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from handread.errors import HandreadError

if TYPE_CHECKING:
    import tkinter as tk

_NO_TKINTER = (
    "the window needs tkinter, which this Python was built without: apt install python3-tk (Debian, Ubuntu), "
    "dnf install python3-tkinter (Fedora), brew install python-tk (macOS); or read with handread read"
)
_NO_IMAGETK = (
    "the window needs Pillow's ImageTk, which this Pillow lacks: pip install --force-reinstall pillow, or "
    "apt install python3-pil.imagetk (Debian, Ubuntu); or read with handread read"
)


def open_root() -> tk.Tk:
    """A hidden root window. Raises `HandreadError` where tkinter is missing or no display can be reached."""
    try:
        import tkinter as tk
        from tkinter import ttk  # noqa: F401  some distributions split it off
    except ImportError:
        raise HandreadError(_NO_TKINTER) from None
    try:
        from PIL import ImageTk  # noqa: F401
    except ImportError:
        raise HandreadError(_NO_IMAGETK) from None
    _sharp_on_windows()
    try:
        root = tk.Tk(className="Handread")
    except tk.TclError as error:
        reason = str(error).strip().rstrip(".")
        raise HandreadError(
            f"there is no display to open a window on ({reason}); set DISPLAY, or read with handread read"
        ) from None
    root.withdraw()
    return root


def dots_an_inch(root: tk.Tk) -> float:
    """What the desktop asks windows to be drawn for; X servers say 96 whatever the screen, xrdb knows better."""
    if root.tk.call("tk", "windowingsystem") == "x11":
        for line in _said(["xrdb", "-query"]).splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "Xft.dpi":
                with contextlib.suppress(ValueError):
                    return float(value)
    return 72.0 if root.tk.call("tk", "windowingsystem") == "aqua" else float(root.winfo_fpixels("1i"))


def prefers_dark() -> bool:
    """True when the desktop is set to dark; False where it does not tell."""
    if sys.platform == "darwin":
        return "Dark" in _said(["defaults", "read", "-g", "AppleInterfaceStyle"])
    if sys.platform == "win32":
        import winreg

        key = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"
        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key) as opened:
                return bool(winreg.QueryValueEx(opened, "AppsUseLightTheme")[0] == 0)
        except OSError:
            return False
    return "dark" in _said(["gsettings", "get", "org.gnome.desktop.interface", "color-scheme"])


def _said(command: list[str]) -> str:
    """What a small program of the desktop prints; "" where it is missing, fails or takes its time."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _sharp_on_windows() -> None:
    """Else Windows would enlarge a small, blurred window."""
    if sys.platform == "win32":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
