from __future__ import annotations

import math

import pytest

from handread.frame import DEFAULT_FRAME, MNIST_FRAME, Frame


def test_the_frames_with_names() -> None:
    assert (DEFAULT_FRAME.shape, DEFAULT_FRAME.ink, DEFAULT_FRAME.centre) == ((32, 32), 26, "box")
    assert (MNIST_FRAME.shape, MNIST_FRAME.ink, MNIST_FRAME.centre) == ((28, 28), 20, "mass")
    assert str(MNIST_FRAME) == "28x28, ink 20 centred by mass"
    assert str(Frame(9, 8, 4, window=(0, 0, 1, 1))) == "9x8, a window of the picture"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"height": 7, "ink": 4}, "input size 7x32 is outside 8..1024"),
        ({"width": 1025}, "input size 32x1025"),
        ({"ink": 33}, "ink of 33 pixels is outside 4..32"),
        ({"ink": 3}, "ink of 3 pixels"),
        ({"centre": "middle"}, "centre is 'middle', expected box or mass"),
        ({"window": (0.0, 0.0, 1.0)}, "expected four fractions"),
        ({"window": (0.0, 0.0, 1.1, 1.0)}, "expected four fractions"),
        ({"window": (0.0, math.nan, 1.0, 1.0)}, "expected four fractions"),
        ({"window": (0.5, 0.0, 0.5, 1.0)}, "is empty"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Frame(**fields)  # type: ignore[arg-type]
