"""Run by test_record.py, here and as a process of its own: a tiny run, unbroken and broken, and what they leave."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from handread.training import quantise, run
from handread.training.run import train_recipe
from handread.training.watcher import Watcher

EPOCHS = ["epochs=3"]


def checksums(shop: Path, out: Path) -> dict[str, str]:
    """SHA-256 of all that two runs leave which has to be the same every time; the second stops in the middle."""
    train_recipe(shop / "tiny.toml", str(shop), out / "whole", EPOCHS)
    steps = iter([False] * 4 + [True])
    stopping = Watcher(stop=lambda: next(steps))
    assert train_recipe(shop / "tiny.toml", str(shop), out / "broken", EPOCHS, watcher=stopping) is None
    train_recipe(shop / "tiny.toml", str(shop), out / "broken", EPOCHS, resume=True)
    files = {
        f"{kind}/{name}": (out / kind / name).read_bytes()
        for kind in ("whole", "broken")
        for name in ("model.onnx", "last.safetensors", "config.json", "sources.json", "architecture.json", "seen.npz")
    }
    before = quantise.DRAWN, quantise.SCRIBBLED
    quantise.DRAWN, quantise.SCRIBBLED = 60, 12
    files["int8"] = quantise.quantise(files["whole/model.onnx"])
    quantise.DRAWN, quantise.SCRIBBLED = before
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


if __name__ == "__main__":
    run.draw_curves = lambda *history, **title: None  # a second for a picture that nobody looks at
    print(json.dumps(checksums(Path(sys.argv[1]), Path(sys.argv[2]))))
