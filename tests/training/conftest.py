"""A set of a few signs that the smallest network learns in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread(one_thread: None) -> None:
    """For all that trains."""


RECIPE = """
name = "tiny"
network = "plain-tiny"
alphabet = "012"
epochs = 4
batch_size = 32
learning_rate = 0.03
ema_decay = 0.5
bf16 = false
threads = 1
[augment]
rotate_degrees = 3.0
noise = 0.05
[[sources]]
data = "signs.npz"
held_out_fraction = 0.2
licence = "none"
"""


def signs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three kinds of ink that anything can tell apart: upright bars, level bars, rings."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    for image, label in zip(images, labels.tolist(), strict=True):
        x, y = rng.integers(2, 6, 2)
        if label == 0:
            image[4:24, 8 + x : 12 + x] = 255
        elif label == 1:
            image[8 + y : 12 + y, 3:25] = 255
        else:
            image[y : y + 19, x : x + 17] = 255
            image[y + 4 : y + 15, x + 4 : x + 13] = 0
    return images, labels


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny recipe, tiny.toml, and its data, signs.npz."""
    folder = tmp_path_factory.mktemp("shop")
    images, labels = signs(120)
    np.savez(folder / "signs.npz", images=images, labels=labels)
    (folder / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    return folder
