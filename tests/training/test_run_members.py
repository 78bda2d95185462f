"""A recipe of several members: a run folder for each, one model of them all, and nothing trained twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handread.errors import ConfigError
from handread.evaluation.leak import FILE, SeenList
from handread.runtime.session import Session
from handread.training.run import train_recipe
from handread.training.seen import lists_of
from handread.training.watcher import Watcher

OPTIONS = ["members=2", "epochs=3", "seed=5"]


@pytest.fixture(scope="module")
def run(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "both"
    assert train_recipe(shop / "tiny.toml", str(shop), out, OPTIONS) == out / "model.onnx"
    return out


def probabilities(path: Path, images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    logits = Session.from_bytes(path.read_bytes()).run(images).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def test_members_are_the_runs_that_their_seeds_make_alone(run: Path, shop: Path, tmp_path: Path) -> None:
    train_recipe(shop / "tiny.toml", str(shop), tmp_path / "alone", ["epochs=3", "seed=6"])
    assert (run / "member-2" / "model.onnx").read_bytes() == (tmp_path / "alone" / "model.onnx").read_bytes()
    assert (run / "member-1" / "model.onnx").read_bytes() != (run / "member-2" / "model.onnx").read_bytes()


def test_the_model_is_their_mean_with_a_card_of_its_own(run: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 1, 32, 32)).astype(np.uint8)
    members = [probabilities(run / f"member-{k}" / "model.onnx", images) for k in (1, 2)]
    assert np.allclose(probabilities(run / "model.onnx", images), np.mean(members, axis=0), atol=1e-5)
    card = Session.from_bytes((run / "model.onnx").read_bytes()).card
    assert (card.name, card.recipe, len(card.data)) == ("tiny", "tiny.toml", 1)
    assert "validation accuracy, signs.npz" in card.scores
    assert (run / "config.json").exists()
    assert (run / "sources.json").exists()


def test_together_they_tell_what_each_saw(run: Path) -> None:
    """Each holds out others."""
    members = [run / f"member-{k}" for k in (1, 2)]
    first, second = (SeenList.load(member / FILE) for member in members)
    both = SeenList.load(run / FILE)
    assert np.array_equal(both.images, np.union1d(first.images, second.images))
    assert both.count == first.count + second.count == 192
    assert Session.from_bytes((run / "model.onnx").read_bytes()).card.seen == both.sketch()
    assert lists_of(members) is not None
    assert lists_of([*members, run / "nowhere"]) is None


def test_a_stopped_run_goes_on_with_the_member_it_was_at(run: Path, shop: Path, tmp_path: Path) -> None:
    out, seen, stopped = tmp_path / "stopped", 0, False

    def stop() -> bool:
        return seen == 4

    def count(epoch: object) -> None:
        nonlocal seen
        seen += 1

    stopped = train_recipe(shop / "tiny.toml", str(shop), out, OPTIONS, watcher=Watcher(stop=stop, epoch=count)) is None
    assert stopped
    assert (out / "member-1" / "model.onnx").exists()
    assert not (out / "model.onnx").exists()
    seen = 10
    train_recipe(shop / "tiny.toml", str(shop), out, OPTIONS, resume=True, watcher=Watcher(epoch=count))
    assert seen == 12  # two of three epochs of the second member were left
    assert (out / "model.onnx").read_bytes() == (run / "model.onnx").read_bytes()


def test_a_finished_run_is_not_overwritten(run: Path, shop: Path) -> None:
    with pytest.raises(ConfigError, match="holds a run already"):
        train_recipe(shop / "tiny.toml", str(shop), run, OPTIONS)


def test_the_single_and_the_ensemble_recipe_differ_in_name_and_number_alone() -> None:
    import dataclasses

    from handread.training.config import load_recipe

    recipes = Path(__file__).resolve().parent.parent.parent / "recipes"
    single, ensemble = (load_recipe(recipes / f"mnist-{kind}.toml") for kind in ("single", "ensemble"))
    assert dataclasses.replace(ensemble, name=single.name, members=1) == single
    assert ensemble.members > 1


def test_a_teacher_is_the_mean_without_the_views(
    run: Path, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent.parent))
    from benchmarks.mnist_accuracy import without_views

    train_recipe(shop / "tiny.toml", str(shop), tmp_path / "seen", [*OPTIONS, "shifted_views=true"])
    (tmp_path / "teacher.onnx").write_bytes(without_views([tmp_path / "seen" / f"member-{k}" for k in (1, 2)]))
    images = np.random.default_rng(0).integers(0, 256, (9, 1, 32, 32)).astype(np.uint8)
    plain = probabilities(run / "model.onnx", images)
    assert np.allclose(probabilities(tmp_path / "teacher.onnx", images), plain, atol=1e-5)
    assert not np.allclose(probabilities(tmp_path / "seen" / "model.onnx", images), plain, atol=1e-3)
