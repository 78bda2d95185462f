"""Run by test_distributed.py: processes that take steps of the trainer together, then others a whole run, into a folder.

They are forks of one process that has loaded all that they need, which takes each of them three seconds otherwise.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np

from handread.training.config import load_recipe
from handread.training.distributed import Group, joined, spread
from handread.training.loop import Epoch, Trainer
from handread.training.run import train_recipe
from handread.training.sources import prepare
from handread.training.watcher import Watcher

OPTIONS = ["epochs=4", "optimizer=sgd", "learning_rate=0.01", "mixup=0.3", "batch_size=25"]
"""Batch normalisation, mixed pairs, varied ink; 96 images in batches of 25 leave an odd rest."""
WITH_DROPOUT = [*OPTIONS, "network=residual-tiny"]
STARTED = "forkserver"


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


def learn(shop: Path, out: Path) -> None:
    """A run that tells what it did; at its first try the second process is killed in the third epoch."""

    def die(epoch: int, done: int, total: int) -> None:
        if epoch == 3 and done == 2 and not (out / "died").exists():
            (out / "died").touch()
            os.kill(int((out / "pid").read_text()), signal.SIGKILL)

    def told(epoch: Epoch) -> None:
        with (out / "told").open("a") as file:
            file.write(f"{epoch.epoch}\n")

    if os.environ["RANK"] == "1":
        (out / "pid").write_text(str(os.getpid()))
    train_recipe(shop / "tiny.toml", str(shop), out / "run", OPTIONS, watcher=Watcher(epoch=told, step=die))


def torchrun(shop: Path, out: Path) -> None:
    """What the command `torchrun` does with these options, for a function instead of a script."""
    from torch.distributed.launcher.api import elastic_launch
    from torch.distributed.run import config_from_args, parse_args

    told = ["--nproc-per-node", "2", "--max-restarts", "1", "--monitor-interval", "0.1", "--start-method", STARTED,
            "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--rdzv-id", "night", "learn"]  # fmt: skip
    config, _, _ = config_from_args(parse_args(told))
    elastic_launch(config, learn)(shop, out)


def placed(rank: int, port: int, shop: Path, out: Path) -> None:
    """One of two processes with the environment that torchrun would give it."""
    told = {"WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in told.items()})
    with joined() as group:
        np.savez(out / f"step-{group.rank}.npz", **step(shop, WITH_DROPOUT, group))


def two(shop: Path, out: Path) -> None:
    """Two processes as torchrun starts them, without it."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    context = multiprocessing.get_context(STARTED)
    running = [context.Process(target=placed, args=(rank, port, shop, out), daemon=True) for rank in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]


if __name__ == "__main__":
    multiprocessing.set_forkserver_preload(["__main__", "torch._dynamo"])  # torch's first optimizer loads the second
    place, results = map(Path, sys.argv[1:])
    for work in (two, torchrun):
        (results / work.__name__).mkdir(parents=True)
        work(place, results / work.__name__)
