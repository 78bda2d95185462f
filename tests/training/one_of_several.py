"""Run by test_distributed.py as one of several processes: a step of the trainer, then a whole run, into a folder."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from pathlib import Path

import numpy as np

from handread.training.config import load_recipe
from handread.training.distributed import Group, joined, spread
from handread.training.loop import Epoch, Trainer
from handread.training.run import train_recipe
from handread.training.sources import prepare
from handread.training.watcher import Watcher


def step(shop: Path, options: list[str], group: Group) -> dict[str, np.ndarray]:
    """Loss, gradients and statistics after each of three steps: of a batch, of an odd rest, of a single image.

    The network computes in double precision: in single, a unit that is zero but for rounding may fall to either side.
    """
    config = load_recipe(shop / "tiny.toml", options)
    trainer = Trainer(config, group)
    trainer.network.double()
    trainer.average.double()
    trainer._learner = trainer.network if group.size == 1 else spread(trainer.network, group)
    training = prepare(config, str(shop)).training
    found: dict[str, np.ndarray] = {}
    for count in (32, 7, 1):
        trainer._learner.train()
        (batch,) = trainer.batches(training.take(np.arange(count)), 1)
        batch = dataclasses.replace(batch, images=batch.images.double(), cues=batch.cues.double())
        found[f"{count}.loss"] = np.array(trainer.learn(batch, 1e-3))
        for name, weight in trainer.network.named_parameters():
            assert weight.grad is not None
            found[f"{count}.gradient.{name}"] = weight.grad.numpy().copy()
        for name, buffer in trainer.network.named_buffers():
            found[f"{count}.{name}"] = buffer.numpy().copy()
    return found


def main(task: str, shop: Path, out: Path, options: list[str]) -> None:
    if task == "step":
        with joined() as group:
            np.savez(out / f"step-{group.rank}.npz", **step(shop, options, group))
        return

    def die(epoch: int, done: int, total: int) -> None:
        if task == "dies" and epoch == 3 and done == 2 and not (out / "died").exists():
            (out / "died").touch()
            os.kill(int((out / "pid").read_text()), signal.SIGKILL)

    if os.environ.get("RANK") == "1":
        (out / "pid").write_text(str(os.getpid()))

    def told(epoch: Epoch) -> None:
        with (out / "told").open("a") as file:
            file.write(f"{epoch.epoch}\n")

    train_recipe(shop / "tiny.toml", str(shop), out / "run", options, watcher=Watcher(epoch=told, step=die))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
