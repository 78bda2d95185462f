"""Which frame an adopted network gets, by what it loses with each."""

from __future__ import annotations

import numpy as np

from handread.training.adopting import clearly_best


def test_the_usual_frame_stays_unless_another_is_clearly_better() -> None:
    rng = np.random.default_rng(0)
    usual = rng.uniform(0, 1, 100)
    assert clearly_best([usual, usual + 0.1]) == 0
    assert clearly_best([usual, usual - 0.1, usual - 0.2]) == 2
    noisy = usual + rng.normal(0, 1, 100)
    noisy += usual.mean() - noisy.mean() - 0.01  # better by a hundredth, in a noise of one
    assert clearly_best([usual, noisy]) == 0
    assert clearly_best([usual]) == 0
