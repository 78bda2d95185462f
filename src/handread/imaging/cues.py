"""Size-and-position cues: what a picture or a line of text says about a character beside its shape.

Absolute size is the only thing that tells c from C, s from S or o from O in many hands. A cue is float32 (4,):
``[1, 0, h, y]`` from the picture that holds the character, ``[0, 1, h, y]`` from its line of text,
``[0, 0, 0, 0]`` when nothing is known (size-normalised data). `h` is the character's height and `y` the
height of its centre, both as fractions of the frame (0 bottom .. 1 top for `y`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from handread.types import Box, Cues

CUES = 4
"""Length of one cue."""

SIZES, CENTRES = (0.3, 1.0), (0.35, 0.6)
"""Heights and centres in pictures beyond which nothing more is said, fractions of the picture's height."""


def unknown_cues(count: int) -> Cues:
    """float32 (count, 4) zeros: nothing is known."""
    return np.zeros((count, CUES), dtype=np.float32)


def picture_cue(box: Box, height: int) -> Cues:
    """float32 (4,): a character at `box` in a picture `height` pixels high.

    Held within what photographs of single characters show: a character drawn small in the corner of a page is as much
    a character as one in the middle.
    """
    size, centre = box.height / height, 1 - (box.y + box.height / 2) / height
    return _cue(1, 0, min(max(size, SIZES[0]), SIZES[1]), min(max(centre, CENTRES[0]), CENTRES[1]))


def line_cue(top: float, bottom: float, *, line_top: float, line_bottom: float) -> Cues:
    """float32 (4,): a character from row `top` to `bottom` in a line from `line_top` to `line_bottom`."""
    span = max(line_bottom - line_top, 1e-6)
    return _cue(0, 1, (bottom - top) / span, (line_bottom - (top + bottom) / 2) / span)


def _cue(picture: int, line: int, height: float, centre: float) -> Cues:
    return np.array([picture, line, min(height, 1.5), min(max(centre, -0.5), 1.5)], dtype=np.float32)
