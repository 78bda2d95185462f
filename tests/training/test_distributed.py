"""Several processes: nothing twice and nothing lost, the gradients of one, a lost process taken up again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from handread.errors import ConfigError, HandreadError
from handread.networks.base import NETWORKS
from handread.networks.build import build_network
from handread.training import loop
from handread.training.checkpoint import load_checkpoint
from handread.training.config import AugmentConfig, load_recipe
from handread.training.distributed import ALONE, Group, job_of, joined, meeting, part_of, place, spread, threads_of
from handread.training.loop import Trainer
from handread.training.run import CHECKPOINT, train_recipe
from handread.training.sources import prepare
from tests.conftest import module_at

SCRIPT = Path(__file__).with_name("one_of_several.py")
ONE = module_at(SCRIPT)
PATIENCE = 240
"""Seconds for several processes on a busy machine; they need ten on an idle one."""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("count", [0, 1, 2, 6, 7, 63, 64, 65, 1000])
def test_parts_follow_each_other_and_are_equal_to_one(count: int, size: int) -> None:
    things = list(range(count))
    parts = [things[part_of(count, rank, size)] for rank in range(size)]
    assert [thing for part in parts for thing in part] == things
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


class Threads(Group):
    """Processes for tests: threads that meet to add."""

    def __init__(self, rank: int, table: list[torch.Tensor | None], meeting: threading.Barrier) -> None:
        self.rank, self.size = rank, len(table)
        self._table, self._meeting = table, meeting

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        self._table[self.rank] = tensor.clone()
        self._meeting.wait(60)
        total = torch.stack([part for part in self._table if part is not None]).sum(0)
        self._meeting.wait(60)
        return total


def in_threads(size: int, work: Callable[[Group], None]) -> None:
    table: list[torch.Tensor | None] = [None] * size
    meeting = threading.Barrier(size)
    errors: list[BaseException] = []

    def one(rank: int) -> None:
        try:
            work(Threads(rank, table, meeting))
        except BaseException as error:
            errors.append(error)
            meeting.abort()

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def _summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Of (N, K), or of the branches' (N, B, K)."""
    of_each = logits.reshape(-1, 11)
    repeated = labels.repeat_interleave(logits.numel() // 11 // max(len(labels), 1))
    return torch.nn.functional.cross_entropy(of_each, repeated, reduction="sum")


@pytest.mark.parametrize("name", [n for n in NETWORKS if n != "chars74k-224"])  # of the same layers, and a second more
@pytest.mark.parametrize(("count", "size"), [(5, 3), (2, 3)])
def test_every_network_divided_has_the_gradients_and_statistics_of_the_whole(name: str, count: int, size: int) -> None:
    torch.manual_seed(1)
    network = build_network(name, 11).double().train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0  # threads share one generator; processes are tried below
    images, cues = torch.rand(count, 1, *network.frame.shape).double(), torch.rand(count, 4).double()
    labels = torch.arange(count) % 11
    twins = [build_network(name, 11).double().train() for _ in range(size)]
    for twin in twins:
        twin.load_state_dict(network.state_dict())
        for layer in twin.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
    (_summed_loss(network(images, cues), labels) / count).backward()

    def learn(group: Group) -> None:
        part = group.part_of(count)
        logits = spread(twins[group.rank], group).train()(images[part], cues[part])
        (_summed_loss(logits, labels[part]) / count).backward()
        for weight in twins[group.rank].parameters():
            assert weight.grad is not None
            weight.grad = group.total(weight.grad)

    in_threads(size, learn)
    for twin in twins:
        for (label, weight), own in zip(network.named_parameters(), twin.parameters(), strict=True):
            assert weight.grad is not None
            assert own.grad is not None
            torch.testing.assert_close(
                own.grad, weight.grad, rtol=1e-7, atol=1e-10, msg=lambda text, label=label: f"{label}: {text}"
            )
        for (label, buffer), own in zip(network.named_buffers(), twin.buffers(), strict=True):
            torch.testing.assert_close(
                own, buffer, rtol=1e-7, atol=1e-10, msg=lambda text, label=label: f"{label}: {text}"
            )


def test_a_spread_network_shares_its_weights_and_is_plain_when_it_only_answers() -> None:
    network = build_network("residual-tiny", 3)
    twin = spread(network, ALONE)
    assert {id(weight) for weight in twin.parameters()} == {id(weight) for weight in network.parameters()}
    assert "_SharedNorm" not in {type(layer).__name__ for layer in network.modules()}
    images, cues = torch.rand(4, 1, 32, 32), torch.rand(4, 4)
    assert torch.equal(twin.eval()(images, cues), network.eval()(images, cues))


@pytest.mark.parametrize("option", ["mixup=0.3", "mixup=0"])
def test_batches_and_judgement_are_divided_without_loss(
    option: str, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_VARIED_TOGETHER", 10)  # 25 images in three pieces, which no part ends with
    config = load_recipe(shop / "tiny.toml", [*ONE.WITH_DROPOUT, option])
    data = prepare(config, str(shop))
    whole = [batch.images for batch in Trainer(config).batches(data.training, 4)]
    judged = Trainer(config).judge(data.validation["signs.npz"])
    trainers = [Trainer(config) for _ in range(3)]
    found: dict[int, list[torch.Tensor]] = {}

    def take(group: Group) -> None:
        trainer = trainers[group.rank]
        trainer.group = group
        found[group.rank] = [batch.images for batch in trainer.batches(data.training, 4)]
        assert trainer.judge(data.validation["signs.npz"]) == (judged[0], pytest.approx(judged[1], rel=1e-5))

    in_threads(3, take)
    for number, images in enumerate(whole):
        assert torch.equal(torch.cat([found[rank][number] for rank in range(3)]), images)


def test_a_process_lays_out_and_varies_only_the_pieces_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_VARIED_TOGETHER", 4)
    images = np.random.default_rng(1).integers(0, 256, (30, 1, 8, 8), np.uint8)
    asked: list[int] = []

    class Stored:
        shape = images.shape

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            asked.extend(rows.tolist())
            return images[rows]

    def vary(rows: np.ndarray, seen: slice) -> torch.Tensor:
        return loop.varied(Stored(), rows, seen, AugmentConfig(noise=0.2), torch.Generator().manual_seed(3))

    rows = np.arange(29, 19, -1)
    whole = vary(rows, slice(0, 10))
    asked.clear()
    assert torch.equal(vary(rows, slice(5, 7)), whole[5:7])
    assert asked == [25, 24, 23, 22]
    assert vary(rows[:0], slice(0, 0)).shape == (0, 1, 8, 8)


def test_the_dead_are_not_met() -> None:
    """What processes of an earlier round left in the store misleads nobody, in whatever order the new ones come."""
    shelf = torch.distributed.HashStore()
    names = []
    for late in (0, 1, 2):
        found: dict[int, str] = {}

        def come(rank: int, late: int = late, found: dict[int, str] = found) -> None:
            time.sleep(0.1 * (rank == late))
            found[rank] = meeting(shelf, rank, 3, patience=60)

        threads = [threading.Thread(target=come, args=(rank,)) for rank in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        (name,) = set(found.values())
        names.append(name)
    assert len(set(names)) == 3


def test_nobody_waits_for_ever() -> None:
    shelf = torch.distributed.HashStore()
    for rank in (0, 1):
        with pytest.raises(RuntimeError, match="some never came"):
            meeting(shelf, rank, 3, patience=0.05)


def test_alone_without_a_word_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert place() == (0, 1)
    with joined() as group:
        assert (group.rank, group.size, group.job, group.leads) == (0, 1, "", True)
    assert threads_of(0, ALONE) == 0
    assert threads_of(5, ALONE) == 5


def test_a_job_keeps_its_name_over_restarts() -> None:
    assert job_of({}) == ""
    assert job_of({"TORCHELASTIC_RUN_ID": "night-7"}) == "night-7"
    unnamed = {"TORCHELASTIC_RUN_ID": "none"}
    assert job_of(unnamed) == job_of(unnamed) == f"{socket.gethostname()}:{os.getppid()}"


@pytest.mark.parametrize(("name", "value"), [("WORLD_SIZE", "many"), ("RANK", ""), ("RANK", None)])
def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"environment variable {name} is .*start with torchrun"):
        place()


def test_only_the_same_job_resumes_unasked(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, out = shop / "tiny.toml", tmp_path / "run"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "first")
    train_recipe(recipe, str(shop), out, ["epochs=1"])
    model = (out / "model.onnx").read_bytes()
    assert train_recipe(recipe, str(shop), out, ["epochs=1"]) == out / "model.onnx"
    for job in ("second", ""):
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", job)
        with pytest.raises(HandreadError, match="holds a run already"):
            train_recipe(recipe, str(shop), out, ["epochs=1"])
    assert (out / "model.onnx").read_bytes() == model


@pytest.fixture(scope="module")
def several(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what several processes left: `two` of a few steps, `torchrun` of a run that lost a process."""
    out = tmp_path_factory.mktemp("several")
    alone = ("TORCHELASTIC", "RANK", "WORLD")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(alone)}
    kept |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(SCRIPT), str(shop), str(out)]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_a_step_of_two_processes_is_that_of_one(shop: Path, several: Path) -> None:
    """Losses, gradients and statistics to a millionth of the largest of their kind; the loss itself is single."""
    first, second = (dict(np.load(several / "two" / f"step-{rank}.npz")) for rank in range(2))
    alone = ONE.step(shop, ONE.WITH_DROPOUT, ALONE)
    assert set(first) == set(alone)
    for name, value in alone.items():
        assert np.array_equal(first[name], second[name]), name
        scale = max(float(np.abs(value).max()), 1e-3)
        assert np.abs(first[name] - value).max() <= 1e-6 * scale, name


def weights(run: Path) -> dict[str, np.ndarray]:
    saved = load_checkpoint(run / CHECKPOINT).tensors
    return {name: tensor.numpy() for name, tensor in saved.items() if name.startswith(("network.", "average."))}


def test_a_lost_process_is_started_again_and_the_end_is_that_of_one_process(
    shop: Path, several: Path, tmp_path: Path
) -> None:
    """torchrun takes up what a killed process broke off, from the last whole epoch; nobody typed --resume. The weights
    agree to 1e-5, the losses of all epochs to a hundred-thousandth, what was read right exactly."""
    out = several / "torchrun"
    assert (out / "died").exists()
    assert (out / "told").read_text().split() == ["1", "2", "3", "4"]  # one process reports, no epoch twice
    train_recipe(shop / "tiny.toml", str(shop), tmp_path / "whole", ONE.OPTIONS)
    alone, several = weights(tmp_path / "whole"), weights(out / "run")
    assert set(alone) == set(several)
    for name, value in alone.items():
        np.testing.assert_allclose(several[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    histories = [load_checkpoint(run / CHECKPOINT).facts["history"] for run in (tmp_path / "whole", out / "run")]
    for one, other in zip(*histories, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert other["accuracy signs.npz"] == one["accuracy signs.npz"]
    assert (out / "run" / "model.onnx").exists()
