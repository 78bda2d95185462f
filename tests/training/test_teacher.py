"""Learning from a finished model's answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.errors import ConfigError, ModelError
from handread.frame import DEFAULT_FRAME, MNIST_FRAME
from handread.networks.build import build_network
from handread.training.config import config_from
from handread.training.export import export_network
from handread.training.loop import Trainer
from handread.training.sources import TrainingSet
from handread.training.teacher import Teacher, imitation

DIGITS = Alphabet.of("digits")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("run")
    card = ModelCard(name="t", version="1", alphabet="0123456789", has_cues=True)
    export_network(build_network("residual-tiny", 10), card, folder / "model.onnx")
    return folder


def images(count: int = 5) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def test_answers_are_those_of_the_model(run: Path) -> None:
    cues = np.zeros((5, 4), np.float32)
    teacher = Teacher(str(run), DIGITS, 10, DEFAULT_FRAME)
    torch.manual_seed(4)
    network = build_network("residual-tiny", 10).eval()
    with torch.inference_mode():
        expected = network((images() * 255).round() / 255, torch.from_numpy(cues))
    assert torch.allclose(teacher.answers(images(), cues), expected, atol=0.02)


def test_an_equal_pupil_has_nothing_to_learn() -> None:
    logits = torch.tensor([[1.0, 2.0, -1.0]])
    assert float(imitation(logits, logits, 2.0)) == pytest.approx(0, abs=1e-7)


def test_divergence_of_a_known_pair() -> None:
    # at temperature 1 the teacher says 3/4 and 1/4, the pupil 1/2 and 1/2
    answers, logits = torch.tensor([[np.log(3.0), 0.0]]), torch.zeros(1, 2)
    expected = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert float(imitation(logits, answers.float(), 1.0)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("outputs", "frame"), [(11, DEFAULT_FRAME), (10, MNIST_FRAME)])
def test_a_teacher_of_other_classes_or_input_is_refused(run: Path, outputs: int, frame: object) -> None:
    with pytest.raises(ConfigError, match="both need the same alphabet, frame and reject"):
        Teacher(str(run), DIGITS, outputs, frame)  # type: ignore[arg-type]


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no\.onnx does not exist"):
        Teacher(str(tmp_path / "no.onnx"), DIGITS, 10, DEFAULT_FRAME)


def test_labels_that_say_nothing_leave_the_teacher_to_be_followed(run: Path) -> None:
    """With the whole weight on the teacher the labels may be anything: the pupil comes to answer as it does."""
    rng = np.random.default_rng(0)
    count = 48
    data = TrainingSet(
        images=rng.integers(0, 256, (count, 1, 32, 32)).astype(np.uint8), labels=np.zeros(count, np.int64),
        alternatives=np.full(count, -1, np.int64), cues=np.zeros((count, 4), np.float32),
        pictures=np.zeros(count, np.bool_), repeats=np.ones(count, np.float32), origins=np.zeros(count, np.int16),
    )  # fmt: skip
    config = config_from(
        {"network": "plain-tiny", "alphabet": "digits", "epochs": 12, "batch_size": 16, "teacher": str(run),
         "teacher_share": 1.0, "learning_rate": 0.02, "ema_decay": 0.0, "bf16": False}
    )  # fmt: skip
    losses: list[float] = []
    Trainer(config).fit(data, {}, record=lambda epoch: losses.append(epoch.loss))
    assert losses[-1] < 0.6 * losses[0]
