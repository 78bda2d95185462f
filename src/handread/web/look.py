"""What the network saw: the cleaned ink, its input for each character, and what of it spoke for the answer.

Saliency by occlusion (Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks): a patch of paper
is laid over each place of the input in turn, and where the answer loses by it, the ink there spoke for it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from handread.imaging.shrink import shrunk_to

if TYPE_CHECKING:
    from handread.alphabet import Alphabet
    from handread.recognizer import Recognizer, Seen
    from handread.types import UInt8Array

MOST_CHARACTERS = 40
"""Characters whose saliency is worked out; each takes about eighty runs of the network."""

_INK_SIDE = 1200
"""Longer side of the ink picture in pixels."""
_TILE = 192
"""Longer side of a saliency picture in pixels."""
_SURE = 1e-6
"""Probabilities nearer to 0 or 1 than this count as this."""
_FOR, _AGAINST = (37, 92, 196), (217, 108, 20)
"""Colours, red, green, blue: told apart by people who are colour-blind too."""


def look(reader: Recognizer, seen: Seen, alphabet: Alphabet) -> dict[str, Any]:
    """The pictures of one reading as data: URIs, one entry a character in the reading's order.

    Beyond `MOST_CHARACTERS` an entry's saliency is empty text.
    """
    maps = saliency(reader, seen, alphabet)
    characters = []
    for index, glyph in enumerate(seen.glyphs[:, 0]):
        shown = _uri(paint(glyph, maps[index])) if index < len(maps) else ""
        characters.append({"input": _uri(255 - glyph), "saliency": shown})
    return {"ink": _uri(255 - shrunk_to(seen.ink, _INK_SIDE, least=1)), "characters": characters}


def saliency(reader: Recognizer, seen: Seen, alphabet: Alphabet) -> npt.NDArray[np.float32]:
    """float32 (N, height, width), in log-odds: above 0 where the ink spoke for the character's answer.

    N is the number of characters, at most `MOST_CHARACTERS`.
    """
    glyphs, cues = seen.glyphs[:MOST_CHARACTERS, 0], seen.cues[:MOST_CHARACTERS]
    if not len(glyphs):
        return np.zeros(glyphs.shape, dtype=np.float32)
    masks = _patches(*glyphs.shape[1:])
    variants = np.where(masks[None], np.uint8(0), glyphs[:, None]).reshape(-1, *glyphs.shape[1:])
    every = np.concatenate([glyphs, variants])
    scores = reader.score(
        every, cues=np.concatenate([cues, np.repeat(cues, len(masks), axis=0)]), normalised=True, alphabet=alphabet
    )
    odds = _log_odds(scores.probabilities)
    answers = scores.labels[: len(glyphs)]
    whole = odds[np.arange(len(glyphs)), answers]
    covered = odds[np.arange(len(glyphs), len(every)), np.repeat(answers, len(masks))].reshape(len(glyphs), -1)
    lost = whole[:, None] - covered
    weight = masks.reshape(len(masks), -1).astype(np.float64)
    mean = lost @ weight / weight.sum(axis=0)
    return np.asarray(mean.reshape(glyphs.shape), dtype=np.float32)


def paint(glyph: UInt8Array, heat: npt.NDArray[np.float32]) -> UInt8Array:
    """An input uint8 (h, w) and its saliency float32 (h, w) as one picture, uint8 (H, W, 3) RGB, enlarged."""
    scale = max(1, _TILE // max(glyph.shape))
    size = (glyph.shape[1] * scale, glyph.shape[0] * scale)
    ink = cv2.resize(glyph, size, interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
    smooth = cv2.resize(cv2.GaussianBlur(heat, (0, 0), 1.0), size, interpolation=cv2.INTER_CUBIC)
    peak = float(np.abs(smooth).max())
    strength = (np.abs(smooth) / peak if peak > 0 else np.zeros_like(smooth))[..., None]
    colour = np.where((smooth > 0)[..., None], np.array(_FOR, np.float32), np.array(_AGAINST, np.float32))
    # the colour is full on the ink and faint beside it, where only the ink that is missing could speak
    share = strength * (0.08 + 0.92 * ink[..., None])
    paper = 255 - 120 * ink[..., None]
    return np.asarray(np.round(paper * (1 - share) + colour * share).clip(0, 255), dtype=np.uint8)


def _patches(height: int, width: int) -> npt.NDArray[np.bool_]:
    """bool (P, height, width): where each patch lies; together they cover every pixel."""
    side, step = max(2, min(height, width) // 4), max(1, min(height, width) // 10)
    rows = sorted({*range(0, height - side, step), height - side})
    columns = sorted({*range(0, width - side, step), width - side})
    masks = np.zeros((len(rows) * len(columns), height, width), dtype=np.bool_)
    for index, mask in enumerate(masks):
        row, column = rows[index // len(columns)], columns[index % len(columns)]
        mask[row : row + side, column : column + side] = True
    return masks


def _log_odds(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    p = np.clip(probabilities.astype(np.float64), _SURE, 1 - _SURE)
    return np.asarray(np.log(p) - np.log1p(-p))


def _uri(picture: UInt8Array) -> str:
    """A PNG of uint8 (H, W) or (H, W, 3) RGB as a data: URI."""
    content = np.asarray(cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)[1]).tobytes()
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")
