"""The JSON object of one picture: what ``handread read --json`` prints and what the server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handread.errors import HandreadError

if TYPE_CHECKING:
    from handread.types import Reading


def as_row(name: str, outcome: Reading | HandreadError) -> dict[str, Any]:
    """The JSON object of one picture, `name` standing for it; a picture that could not be read keeps its place."""
    if isinstance(outcome, HandreadError):
        return {"image": name, "text": "", "confidence": 0.0, "characters": [], "error": str(outcome)}
    return {
        "image": name,
        "text": outcome.text,
        "confidence": round(outcome.confidence, 6),
        "characters": [
            {
                "text": c.text,
                "confidence": round(c.confidence, 6),
                "accepted": c.accepted,
                "reason": c.reason,
                "box": [c.box.x, c.box.y, c.box.width, c.box.height],
                "candidates": [[k.character, round(k.probability, 6)] for k in c.candidates],
            }
            for c in outcome.characters
        ],
        "error": None,
    }
