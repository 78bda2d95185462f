"""Colours that can be read; keys that type, and are documented."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("tkinter")

from handread.desktop.keys import KEYS, typed_character
from handread.desktop.theme import THEMES, Colours


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_on_what_it_stands_on(name: str) -> None:
    c: Colours = THEMES[name]
    pairs = [(text, ground) for text in (c.text, c.faint) for ground in (c.ground, c.surface, c.table)]
    pairs += [(tone, c.ground) for tone in (c.green, c.yellow, c.red, c.refused, c.accent)]
    pairs += [(c.on_tone, tone) for tone in (c.green, c.yellow, c.red, c.refused)]
    pairs += [(c.on_accent, c.accent), (c.text, c.soft), (c.faint, c.soft), (c.accent, c.soft), (c.red, c.table)]
    assert [(t, g, round(contrast(t, g), 2)) for t, g in pairs if contrast(t, g) < 4.5] == []


@pytest.mark.parametrize(
    ("char", "state", "system", "typed"),
    [
        ("a", 0, "x11", "a"),
        ("A", 0x1, "x11", "A"),
        ("7", 0x10, "x11", "7"),  # with the number lock on
        ("a", 0x8, "x11", ""),
        ("@", 0x4 | 0x20000, "win32", "@"),  # AltGr
        ("a", 0x20000, "win32", ""),
        ("a", 0x4, "win32", ""),
        ("\x03", 0x4, "x11", ""),
        (" ", 0, "x11", ""),
        ("", 0, "x11", ""),
        ("\x7f", 0, "aqua", ""),
    ],
)
def test_what_a_key_types(char: str, state: int, system: str, typed: str) -> None:
    event = SimpleNamespace(char=char, state=state)
    assert typed_character(event, system) == typed  # type: ignore[arg-type]


def test_every_key_is_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "picker.md").read_text(encoding="utf-8")
    assert [key for key, meaning in KEYS if f"| {key} | {meaning} |" not in page] == []
