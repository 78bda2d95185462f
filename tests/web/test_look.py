"""Why the network answered as it did: what is covered, what is painted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from handread.recognizer import Recognizer
from handread.web.look import MOST_CHARACTERS, look, paint, saliency


def test_the_ink_of_a_character_speaks_for_it(tiny_model: Path, draw: Callable[[str], Image.Image]) -> None:
    reader = Recognizer(tiny_model)
    seen = reader.look(draw("7"), alphabet="017", one=True)
    heat = saliency(reader, seen, reader.alphabet)
    assert heat.shape == (1, 32, 32)
    inked = seen.glyphs[0, 0] > 128
    assert heat[0][inked].mean() > 2 * abs(heat[0][~inked].mean())


def test_nothing_seen_gives_nothing_to_look_at(tiny_model: Path, draw: Callable[[str], Image.Image]) -> None:
    reader = Recognizer(tiny_model)
    for one in (True, False):
        seen = reader.look(draw(""), one=one)
        assert len(saliency(reader, seen, reader.alphabet)) == 0
        assert look(reader, seen, reader.alphabet)["characters"] == []


def test_a_page_of_many_characters_is_bounded(tiny_model: Path, draw: Callable[[str], Image.Image]) -> None:
    reader = Recognizer(tiny_model)
    seen = reader.look(draw("7"), one=True)
    many = type(seen)(
        seen.reading,
        seen.ink,
        np.repeat(seen.glyphs, MOST_CHARACTERS + 3, 0),
        np.repeat(seen.cues, MOST_CHARACTERS + 3, 0),
    )
    shown = look(reader, many, reader.alphabet)["characters"]
    assert [bool(entry["saliency"]) for entry in shown] == [True] * MOST_CHARACTERS + [False] * 3


def test_for_is_blue_and_against_is_orange() -> None:
    glyph = np.full((32, 32), 255, np.uint8)
    heat = np.zeros((32, 32), np.float32)
    heat[:, :10], heat[:, 22:] = 1, -1
    painted = paint(glyph, heat).astype(int)
    assert painted.shape == (192, 192, 3)
    left, right = painted[96, 20], painted[96, 170]
    assert left[2] > left[0] + 80
    assert right[0] > right[2] + 80
    blank = paint(np.zeros((32, 32), np.uint8), np.zeros((32, 32), np.float32))
    assert (blank == 255).all()
