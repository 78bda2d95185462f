"""Class frequencies of a source: ignored, learnt, or learnt only where nothing is known of size and place."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from handread.training.config import SourceConfig, TrainConfig
from handread.training.loop import merged_cross_entropy
from handread.training.priors import LEAST, Priors
from handread.training.sources import TrainingSet

CHARACTERS, OUTPUTS = 3, 4


def rows(labels: list[int], origins: list[int], alternatives: list[int] | None = None) -> TrainingSet:
    count = len(labels)
    return TrainingSet(
        images=np.zeros((count, 1, 2, 2), np.uint8),
        labels=np.array(labels),
        alternatives=np.array(alternatives or [-1] * count),
        cues=np.zeros((count, 4), np.float32),
        pictures=np.zeros(count, np.bool_),
        repeats=np.ones(count, np.float32),
        origins=np.array(origins, np.int16),
    )


def known(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.tile(np.array([1, 0, 0.5, 0.5], np.float32), (count, 1))


def test_learnt_frequencies_change_nothing() -> None:
    data = rows([0, 0, 1], [0, 0, 0])
    priors = Priors(data, [SourceConfig()], CHARACTERS, OUTPUTS)
    assert priors.idle
    assert priors.of(data.origins, known(3)) is None


def test_ignored_frequencies_are_logarithms_against_equal_shares() -> None:
    data = rows([0, 0, 0, 1], [0, 0, 0, 0])
    found = Priors(data, [SourceConfig(prior="ignored")], CHARACTERS, OUTPUTS).of(
        data.origins, np.zeros((4, 4), np.float32)
    )
    assert found is not None
    assert found.shape == (4, OUTPUTS)
    assert found[0].tolist() == pytest.approx([math.log(0.75 * 3), math.log(0.25 * 3), LEAST, 0.0])


def test_cued_frequencies_are_ignored_only_where_a_cue_is_shown() -> None:
    data = rows([0, 0, 0, 1], [0, 0, 0, 0])
    cues = known(4)
    cues[1:] = 0
    found = Priors(data, [SourceConfig(prior="cued")], CHARACTERS, OUTPUTS).of(data.origins, cues)
    assert found is not None
    assert found[0, 0] == pytest.approx(math.log(0.75 * 3))
    assert not found[1:].any()


def test_each_source_has_its_own() -> None:
    data = rows([0, 0, 2, 2], [0, 0, 1, 1])
    found = Priors(data, [SourceConfig(prior="ignored"), SourceConfig()], CHARACTERS, OUTPUTS).of(
        data.origins, known(4)
    )
    assert found is not None
    assert found[0].tolist() == pytest.approx([math.log(3), LEAST, LEAST, 0])
    assert not found[2:].any()


def test_doubtful_labels_are_shared_out_as_the_certain_ones_are() -> None:
    # three certain 0 and one certain 1: four doubtful ones count as three and one
    data = rows([0, 0, 0, 1, 0, 0, 1, 1], [0] * 8, [-1, -1, -1, -1, 1, 1, 0, 0])
    found = Priors(data, [SourceConfig(prior="ignored")], CHARACTERS, OUTPUTS).of(data.origins, known(8))
    assert found is not None
    assert found[0, :2].tolist() == pytest.approx([math.log(0.75 * 3), math.log(0.25 * 3)])


def test_no_character_is_never_corrected() -> None:
    data = rows([0, 3, 3], [0, 0, 0])
    found = Priors(data, [SourceConfig(prior="ignored")], CHARACTERS, OUTPUTS).of(data.origins, known(3))
    assert found is not None
    assert not found[:, 3].any()
    assert found[0, 0] == pytest.approx(math.log(3))  # of the characters alone


def test_a_class_that_a_source_lacks_is_hardly_pushed_away() -> None:
    data = rows([0, 1], [0, 0])
    found = Priors(data, [SourceConfig(prior="ignored")], CHARACTERS, OUTPUTS).of(data.origins, known(2))
    assert found is not None
    labels, none = torch.tensor([0]), torch.tensor([-1])
    push = []
    for prior in (torch.zeros(1, OUTPUTS), torch.from_numpy(found[:1])):
        logits = torch.zeros(1, OUTPUTS, requires_grad=True)
        merged_cross_entropy(logits + prior, labels, none, 0.0).backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        push.append(float(logits.grad[0, 2]))
    assert push[1] < push[0] / 20


def test_an_unknown_word_is_refused() -> None:
    from handread.errors import ConfigError
    from handread.training.config import config_from

    with pytest.raises(ConfigError, match="prior: there is no choice called 'ignore'; did you mean ignored"):
        config_from({"sources": [{"data": "a", "prior": "ignore"}]})
    assert TrainConfig().sources == ()
