"""The order of names for people: 2.png before 10.png, whatever order a folder lists them in."""

from __future__ import annotations

import re


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key of a name. Names with equal numbers (1.png, 01.png) have a fixed order too.

    >>> sorted(["10.png", "2.png", "a.png"], key=natural)
    ['2.png', '10.png', 'a.png']
    """
    parts = filter(None, re.split(r"(\d+)", name))
    # decimal digits alone: a superscript two is a digit for isdigit, and no number for int
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], name
