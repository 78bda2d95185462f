"""The loop: losses of known value, rows as often as asked, resumed runs bit for bit as unbroken ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from handread.card import ModelCard
from handread.errors import ConfigError
from handread.networks.build import build_network
from handread.runtime.session import Session
from handread.training.checkpoint import load_checkpoint, save_checkpoint
from handread.training.config import OPTIMIZERS, SCHEDULES, TrainConfig, load_recipe
from handread.training.export import export_network
from handread.training.loop import (
    Batch,
    Epoch,
    Trainer,
    balanced,
    batch_bounds,
    epoch_rows,
    follow,
    frame_of,
    has_bf16,
    merged_cross_entropy,
    mixed,
)
from handread.training.sources import Prepared, prepare


@pytest.fixture(scope="module")
def config(shop: Path) -> TrainConfig:
    return load_recipe(shop / "tiny.toml")


@pytest.fixture(scope="module")
def data(shop: Path, config: TrainConfig) -> Prepared:
    return prepare(config, str(shop))


def loss(logits: list[list[float]], labels: list[int], alternatives: list[int], smoothing: float = 0.0) -> float:
    return float(
        merged_cross_entropy(torch.tensor(logits), torch.tensor(labels), torch.tensor(alternatives), smoothing)
    )


def test_cross_entropy_of_known_values() -> None:
    thirds = [[0.0, 0.0, 0.0]]
    assert loss(thirds, [1], [-1]) == pytest.approx(np.log(3))
    assert loss(thirds, [1], [2]) == pytest.approx(np.log(3 / 2))  # either of two
    logits = [[float(np.log(6)), float(np.log(3)), 0.0]]  # 0.6, 0.3, 0.1
    assert loss(logits, [0], [-1]) == pytest.approx(-np.log(0.6))
    assert loss(logits, [0], [1]) == pytest.approx(-np.log(0.9))
    assert loss(logits, [1], [0]) == pytest.approx(-np.log(0.9))
    assert loss(logits * 2, [0, 2], [-1, 1]) == pytest.approx(-(np.log(0.6) + np.log(0.4)) / 2)
    mean = -(np.log(0.6) + np.log(0.3) + np.log(0.1)) / 3
    assert loss(logits, [0], [-1], 0.1) == pytest.approx(-0.9 * np.log(0.6) + 0.1 * mean)


def test_it_is_torchs_own_where_labels_are_certain() -> None:
    logits = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 7
    for smoothing in (0.0, 0.1):
        own = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        assert merged_cross_entropy(logits, labels, torch.full((20,), -1), smoothing).item() == pytest.approx(
            own.item()
        )


def test_far_logits_give_finite_gradients() -> None:
    logits = torch.tensor([[500.0, -500.0, 0.0]], requires_grad=True)
    merged_cross_entropy(logits, torch.tensor([1]), torch.tensor([2]), 0.0).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_rows_are_seen_as_often_as_asked() -> None:
    repeats = np.array([1, 2, 0, 3], dtype=np.float32)
    rows = epoch_rows(repeats, seed=1, epoch=0)
    assert rows.dtype == np.int64
    assert np.bincount(rows, minlength=4).tolist() == [1, 2, 0, 3]


def test_a_fraction_sees_its_share_by_chance() -> None:
    repeats = np.full(4000, 0.25, dtype=np.float32)
    first, second = epoch_rows(repeats, 1, 0), epoch_rows(repeats, 1, 1)
    assert len(first) == pytest.approx(1000, abs=100)
    assert np.bincount(first).max() == 1
    assert set(first.tolist()) != set(second.tolist())
    assert epoch_rows(np.full(4000, 1.5, dtype=np.float32), 1, 0).size == pytest.approx(6000, abs=120)


def test_rows_are_shuffled_by_seed_and_epoch() -> None:
    repeats = np.ones(50, dtype=np.float32)
    rows = epoch_rows(repeats, 1, 0)
    assert sorted(rows.tolist()) == list(range(50))
    assert rows.tolist() != list(range(50))
    assert np.array_equal(rows, epoch_rows(repeats, 1, 0))
    assert not np.array_equal(rows, epoch_rows(repeats, 1, 1))
    assert not np.array_equal(rows, epoch_rows(repeats, 2, 0))


def test_a_tiny_network_learns_signs(config: TrainConfig, data: Prepared) -> None:
    epochs: list[Epoch] = []
    ticks: list[tuple[int, int]] = []
    trainer = Trainer(dataclasses.replace(config, epochs=12))
    trainer.fit(data.training, data.validation, record=epochs.append, tick=lambda *done: ticks.append(done))
    assert [epoch.epoch for epoch in epochs] == list(range(1, 13))
    assert epochs[-1].loss < 0.3 * epochs[0].loss
    assert epochs[-1].accuracy["signs.npz"] > 0.9
    assert ticks == [(1, 3), (2, 3), (3, 3)] * 12
    assert trainer.epochs_done == 12
    assert not trainer.average.training


def tensors(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trainer.checkpoint({}).tensors.items()}


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert set(first) == set(second)
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_the_seed_decides_everything(config: TrainConfig, data: Prepared) -> None:
    runs = []
    for seed in (1, 1, 2):
        trainer = Trainer(dataclasses.replace(config, epochs=2, seed=seed))
        trainer.fit(data.training, {})
        runs.append(tensors(trainer))
    assert_same(runs[0], runs[1])
    assert not torch.equal(runs[0]["network.body.5.weight"], runs[2]["network.body.5.weight"])


@pytest.mark.parametrize(("network", "epochs"), [("plain-tiny", 4), ("residual-tiny", 3)])  # the second has dropout
def test_a_resumed_run_equals_the_unbroken_one(
    config: TrainConfig, data: Prepared, tmp_path: Path, network: str, epochs: int
) -> None:
    config = dataclasses.replace(config, network=network, epochs=epochs)
    unbroken = Trainer(config)
    unbroken.fit(data.training, {})

    class Cut(Exception):
        pass

    def cut(epoch: Epoch) -> None:
        save_checkpoint(tmp_path / "last", broken.checkpoint({}))
        if epoch.epoch == 2:
            raise Cut

    broken = Trainer(config)
    with pytest.raises(Cut):
        broken.fit(data.training, {}, record=cut)
    resumed = Trainer(config)
    resumed.restore(load_checkpoint(tmp_path / "last"))
    assert resumed.epochs_done == 2
    resumed.fit(data.training, {})
    assert_same(tensors(unbroken), tensors(resumed))


def test_a_finished_run_has_nothing_left_to_do(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(dataclasses.replace(config, epochs=1))
    trainer.fit(data.training, {})
    before = tensors(trainer)
    trainer.fit(data.training, {}, record=lambda _: pytest.fail("trained again"))
    assert_same(before, tensors(trainer))


def test_without_a_moving_average_the_last_weights_are_kept(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(dataclasses.replace(config, epochs=1, ema_decay=0.0))
    trainer.fit(data.training, {})
    network, average = trainer.network.state_dict(), trainer.average.state_dict()
    assert all(torch.equal(network[name], average[name]) for name in network)


def test_no_image_of_the_last_batch_is_dropped(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(config)
    part = data.training.take(np.arange(66))
    assert [len(batch.labels) for batch in trainer.batches(part, 4)] == [32, 32, 2, 32]
    assert trainer.logits(part.images, part.cues).shape == (66, 3)


def test_accuracy_takes_either_case_where_it_is_unknown(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(config)
    part = data.validation["signs.npz"]
    guess = trainer.logits(part.images, np.zeros_like(part.cues)).argmax(axis=1)
    wrong = (guess + 1) % 3
    assert trainer.judge(dataclasses.replace(part, labels=wrong))[0] == 0
    assert trainer.judge(dataclasses.replace(part, labels=wrong, alternatives=guess))[0] == 1


def test_the_loss_on_held_out_images_is_the_mean_log_likelihood(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(config)
    part = data.validation["signs.npz"]
    logits = trainer.logits(part.images, np.zeros_like(part.cues)).astype(np.float64)
    picked = logits[np.arange(len(part)), part.labels] - np.log(np.exp(logits).sum(axis=1))
    assert trainer.judge(part)[1] == pytest.approx(-picked.mean(), rel=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_stopped_anywhere_it_comes_to_the_same_end(
    config: TrainConfig, data: Prepared, tmp_path: Path, optimizer: str, schedule: str
) -> None:
    config = dataclasses.replace(
        config, optimizer=optimizer, schedule=schedule, epochs=2, mixup=0.3, class_balanced=True,
        learning_rate=0.003, plateau_patience=1, batch_size=24,
    )  # fmt: skip
    unbroken = Trainer(config)
    assert unbroken.fit(data.training, data.validation)
    asked = 0

    def at_every_second_step() -> bool:
        nonlocal asked
        asked += 1
        return asked % 2 == 0

    trainer, stops = Trainer(config), 0
    while not trainer.fit(data.training, data.validation, stop=at_every_second_step):
        save_checkpoint(tmp_path / "last", trainer.checkpoint({}))
        trainer = Trainer(config)
        trainer.restore(load_checkpoint(tmp_path / "last"))
        stops += 1
    assert stops >= 3
    assert_same(tensors(unbroken), tensors(trainer))
    assert trainer.progress == unbroken.progress


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(config: TrainConfig, data: Prepared, optimizer: str) -> None:
    epochs: list[Epoch] = []
    rate = {"sgd": 0.1, "muon": 0.05}.get(optimizer, 0.01)
    trainer = Trainer(dataclasses.replace(config, optimizer=optimizer, learning_rate=rate, epochs=8))
    trainer.fit(data.training, {}, record=epochs.append)
    assert epochs[-1].loss < 0.5 * epochs[0].loss


def test_early_stopping_ends_and_says_which_epoch_was_best(config: TrainConfig, data: Prepared) -> None:
    epochs: list[Epoch] = []
    trainer = Trainer(dataclasses.replace(config, learning_rate=1e-7, schedule="constant", stop_after=2, epochs=9))
    assert trainer.fit(data.training, data.validation, record=epochs.append)
    assert len(epochs) < 9
    best = [epoch.epoch for epoch in epochs if epoch.best][-1]
    assert len(epochs) == best + 2
    assert trainer.progress.best_epoch == best


@pytest.mark.parametrize("change", [{"schedule": "plateau"}, {"stop_after": 3}, {"keep": "best"}])
def test_what_goes_by_validation_needs_some(config: TrainConfig, data: Prepared, change: dict[str, object]) -> None:
    trainer = Trainer(dataclasses.replace(config, **change))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="nothing is held out; set held_out_fraction"):
        trainer.fit(data.training, {})
    assert trainer.epochs_done == 0


@pytest.mark.parametrize(
    ("count", "bounds"),
    [
        (0, []),
        (1, [(0, 1)]),
        (4, [(0, 4)]),
        (5, [(0, 5)]),
        (6, [(0, 4), (4, 6)]),
        (9, [(0, 4), (4, 9)]),
    ],
)
def test_no_batch_of_one_follows_another(count: int, bounds: list[tuple[int, int]]) -> None:
    assert batch_bounds(np.arange(count), 4) == bounds


def test_balanced_classes_are_seen_equally_often() -> None:
    labels = np.array([0] * 6 + [2] * 2)
    repeats = balanced(np.ones(8, dtype=np.float32), labels)
    assert repeats[:6].sum() == pytest.approx(4)
    assert repeats[6:].sum() == pytest.approx(4)


def test_mixing_takes_its_share_of_both() -> None:
    images = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
    batch = Batch(images, torch.zeros(2, 4), torch.tensor([0, 1]), torch.tensor([-1, -1]))
    both = mixed(batch, 0.75, torch.tensor([1, 0]))
    assert both.images.flatten().tolist() == [0.25, 0.75]
    assert both.other_labels is not None
    assert both.other_labels.tolist() == [1, 0]


def test_shifted_views_are_the_mean_of_five(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(dataclasses.replace(config, shifted_views=True))
    images = np.zeros((2, 1, 32, 32), np.uint8)
    images[0, 0, 9:20, 14:17], images[1, 0, 4:28, 8:12] = 255, 180
    cues = np.zeros((2, 4), np.float32)
    found = trainer.logits(images, cues)
    trainer.answering = trainer.average
    moved = [np.roll(images, by, axis=(2, 3)) for by in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    each = [trainer.logits(view, cues) for view in moved]
    assert np.abs(found - np.mean(each, axis=0)).max() < 1e-5
    assert np.abs(found - each[0]).max() > 1e-4


def test_a_network_with_shifted_views_is_exported_with_them(config: TrainConfig, tmp_path: Path) -> None:
    trainer = Trainer(dataclasses.replace(config, shifted_views=True))
    card = ModelCard(name="five", version="1", alphabet="".join(trainer.alphabet), has_cues=trainer.network.uses_cues)
    export_network(trainer.answering, card, tmp_path / "five.onnx")  # compares with torch
    session = Session((tmp_path / "five.onnx").read_bytes())
    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, 1, 32, 32), dtype=np.uint8)
        cues = np.zeros((count, 4), np.float32)
        assert np.abs(session.run(images, cues) - trainer.logits(images, cues)).max() < 0.06


def test_the_moving_average_takes_its_part_and_copies_counters() -> None:
    network, average = build_network("residual-tiny", 3), build_network("residual-tiny", 3)
    before = {name: value.clone() for name, value in average.state_dict().items()}
    for counter in (value for value in network.state_dict().values() if not value.dtype.is_floating_point):
        counter.fill_(7)
    follow(average, network, 0.75)
    for name, now in network.state_dict().items():
        mean = average.state_dict()[name]
        expected = 0.75 * before[name] + 0.25 * now if now.dtype.is_floating_point else now
        assert torch.allclose(mean, expected, atol=1e-6), name


def test_the_frame_is_known_without_the_weights(config: TrainConfig) -> None:
    assert frame_of(config).shape == (32, 32)
    assert frame_of(dataclasses.replace(config, network="chars74k-224")).shape == (224, 224)


def test_weights_decay_and_norms_do_not(config: TrainConfig) -> None:
    wide, thin = Trainer(config).optimizer.param_groups
    assert wide["weight_decay"] == config.weight_decay
    assert thin["weight_decay"] == 0
    assert all(p.ndim > 1 for p in wide["params"])
    assert all(p.ndim == 1 for p in thin["params"])


def test_bfloat16_is_used_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        assert has_bf16(torch.device("cpu")) is native
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    assert has_bf16(torch.device("cpu")) is False


def test_branches_are_judged_one_by_one(config: TrainConfig, data: Prepared) -> None:
    trainer = Trainer(config)
    batch = next(trainer.batches(data.training, 1))
    answers = torch.randn(len(batch.labels), 3, len(trainer.alphabet), generator=torch.Generator().manual_seed(1))
    answers.requires_grad_()
    trainer._learner = _Says(answers)
    reached = trainer.learn(batch, 0.0)
    told = answers.detach()
    each = [float(merged_cross_entropy(told[:, k], batch.labels, batch.alternatives, config.label_smoothing))
            for k in range(3)]  # fmt: skip
    assert reached == pytest.approx(sum(each) / 3, rel=1e-6)


class _Says(nn.Module):
    """The same answers whatever it is shown."""

    def __init__(self, answers: Tensor) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, image: Tensor, cues: Tensor) -> Tensor:
        return self.answers
