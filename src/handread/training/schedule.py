"""Learning rate as a pure function of the step."""

from __future__ import annotations

import math


def cosine(step: int, steps: int, *, warmup: float, final: float) -> float:
    """Factor on the peak learning rate at `step` of `steps`: linear rise, then half a cosine down to `final`.

    Source: Loshchilov and Hutter 2017, SGDR, without restarts.
    """
    rise = max(1, round(warmup * steps))
    if step < rise:
        return (step + 1) / rise
    progress = (step - rise) / max(1, steps - rise)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
