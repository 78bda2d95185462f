"""Baselines: scikit-learn's classic classifiers on the pixels of the network's input, as runs like any other.

They learn from the same arrays as networks do, are written as the same self-describing ONNX file, and are checked
against what scikit-learn itself answers. Nothing is pickled.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.decode import probabilities
from handread.errors import ConfigError, MissingExtraError, ModelError
from handread.evaluation.leak import FILE as SEEN
from handread.evaluation.leak import seen_list
from handread.evaluation.metrics import negative_log_likelihood
from handread.frame import MNIST_FRAME
from handread.registry import Registry
from handread.runtime import store
from handread.runtime.session import Session
from handread.training.adopting import FLOORS, calibrated_file, check_same
from handread.training.baseline_graphs import ANSWERS, narrowest, neighbours_graph, vectors_graph
from handread.training.calibrate import Judged
from handread.training.config import AugmentConfig, BaselineConfig, TrainConfig
from handread.training.loop import Epoch
from handread.training.rewire import Wiring, read_foreign, wired
from handread.training.surroundings import surroundings

if TYPE_CHECKING:
    from handread.training.sources import Prepared
    from handread.training.watcher import Watcher
    from handread.types import Floats, Labels

FRAME = MNIST_FRAME
"""How the ink lies in a baseline's input: these classifiers compare pixel with pixel, so the place is all."""
SAME = 0.98
"""Least share of pictures on which the file must answer as scikit-learn does; the rest may be ties."""

_CHECKED = 256
_SAMPLE = 1000

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A classifier that has learnt, as a graph and as scikit-learn runs it."""

    graph: bytes
    """ONNX: float32 (N, P) pixels in 0..`ink`, to (N, K)."""
    output: str
    """Name of the output with the answers."""
    ink: float
    """The number that stands for full ink."""
    shares: bool
    """True where the answers are probabilities, False where they are logits."""
    answers: Callable[[Pixels], npt.NDArray[Any]]
    """What scikit-learn answers to pixels uint8 (N, P): the same numbers (N, K)."""


Fit: TypeAlias = "Callable[[Pixels, Labels, BaselineConfig, int], Fitted]"
"""Of pixels uint8 (N, P), labels int64 (N,) that hold every class 0..K-1, the options, and the seed."""

BASELINES: Registry[Fit] = Registry("baseline")
"""By name, which is what a recipe writes as `network`."""


@BASELINES.register("k-nearest-neighbours")
def nearest_neighbours(pixels: Pixels, labels: Labels, options: BaselineConfig, seed: int) -> Fitted:
    """The votes of the most similar images (Euclidean distance of the pixels); learns them all by heart."""
    if options.neighbours > len(pixels):
        raise ConfigError(f"baseline.neighbours is {options.neighbours}, but there are {len(pixels)} images to learn")
    model = _sklearn("neighbors").KNeighborsClassifier(
        options.neighbours, weights="distance" if options.weighted else "uniform", algorithm="brute", n_jobs=-1
    )
    model.fit(_scaled(pixels), labels)
    graph = neighbours_graph(
        pixels, labels, int(labels.max()) + 1, neighbours=options.neighbours, weighted=options.weighted
    )
    return Fitted(graph.SerializeToString(), ANSWERS, 255.0, True, lambda some: model.predict_proba(_scaled(some)))


@BASELINES.register("support-vectors")
def support_vectors(pixels: Pixels, labels: Labels, options: BaselineConfig, seed: int) -> Fitted:
    """A support vector machine with a Gaussian kernel, one for each pair of classes (Cortes and Vapnik 1995)."""
    model = _sklearn("svm").SVC(
        C=options.regularisation, gamma=options.gamma, decision_function_shape="ovo", cache_size=1000
    )
    model.fit(_scaled(pixels), labels)
    classes = len(model.classes_)
    # with two classes scikit-learn turns the signs of what it shows
    sign = -1 if classes == 2 else 1
    graph = vectors_graph(
        pixels[model.support_], sign * model.dual_coef_, sign * model.intercept_, model.n_support_, gamma=options.gamma
    )

    def answers(some: Pixels) -> npt.NDArray[Any]:
        decisions = model.decision_function(_scaled(some)).reshape(len(some), -1)
        return narrowest(sign * decisions, classes)

    return Fitted(graph.SerializeToString(), ANSWERS, 255.0, False, answers)


@BASELINES.register("random-forest")
def random_forest(pixels: Pixels, labels: Labels, options: BaselineConfig, seed: int) -> Fitted:
    """The mean of many decision trees, each grown on a sample of the images (Breiman 2001)."""
    model = _sklearn("ensemble").RandomForestClassifier(
        options.trees, min_samples_leaf=options.leaf, n_jobs=-1, random_state=seed
    )
    model.fit(_scaled(pixels), labels)
    graph = _converted(model, pixels.shape[1])
    return Fitted(graph, "probabilities", 1.0, True, lambda some: model.predict_proba(_scaled(some)))


@BASELINES.register("logistic-regression")
def logistic_regression(pixels: Pixels, labels: Labels, options: BaselineConfig, seed: int) -> Fitted:
    """One weight a pixel and class: a network without a hidden layer."""
    model = _sklearn("linear_model").LogisticRegression(C=options.regularisation, max_iter=options.iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would like more iterations: baseline.iterations is the user's to say
        model.fit(_scaled(pixels), labels)
    graph = _converted(model, pixels.shape[1])
    return Fitted(graph, "probabilities", 1.0, True, lambda some: model.predict_proba(_scaled(some)))


def train_baseline(config: TrainConfig, prepared: Prepared, recipe: str, out: Path, watcher: Watcher) -> Path:
    """Fit the baseline that `config.network` names and write environment.json, history.csv and model.onnx into `out`.

    `prepared` was laid into `FRAME`; `recipe` is its file's name, for the card. Gives the path of model.onnx. Raises
    `ConfigError` for a recipe that asks for what a baseline cannot do, `ModelError` when the file and scikit-learn
    disagree; model.onnx is not written then.
    """
    alphabet = Alphabet.of(config.alphabet)
    pixels, labels = _lesson(config, prepared, alphabet)
    watcher.begin(dataclasses.replace(config, epochs=1), len(pixels), 0)
    start = time.perf_counter()
    fitted = BASELINES[config.network](pixels, labels, config.baseline, config.seed)
    seconds = time.perf_counter() - start
    foreign = read_foreign(fitted.graph, config.network)
    wiring = Wiring("flat", 1, 0.0, fitted.ink, fitted.output, floor=FLOORS[0] if fitted.shares else 0.0)
    seen = seen_list(_pictures(pixels))
    card = ModelCard(
        name=config.name, version=config.version, alphabet="".join(alphabet),
        height=FRAME.height, width=FRAME.width, ink_side=FRAME.ink, centre=FRAME.centre,
        data=prepared.sources, recipe=recipe, seen=seen.sketch(),
    )  # fmt: skip
    session = Session.from_bytes(wired(foreign, wiring, card))
    judged = {name: Judged(session.run(p.images), p.labels) for name, p in prepared.validation.items() if len(p)}
    accuracy = {name: float((p.logits.argmax(axis=1) == p.labels).mean()) for name, p in judged.items()}
    learnt = Judged(session.run(_pictures(pixels[:_SAMPLE])), labels[:_SAMPLE])
    card = _with_scores(card, accuracy)
    content, wiring, _ = calibrated_file(foreign, wiring, card, judged)
    example = next((p.images for p in prepared.validation.values() if len(p)), _pictures(pixels))[:_CHECKED]
    _check_against_sklearn(session.run(example), fitted, example, config.name)
    check_same(content, example, session.run(example), wiring)
    path = out / store.OF_A_RUN
    write_atomic(path, content)
    seen.save(out / SEEN)
    epoch = Epoch(
        epoch=1, loss=_loss(learnt), accuracy=accuracy, losses={name: _loss(p) for name, p in judged.items()},
        learning_rate=0.0, images_per_second=len(pixels) / max(seconds, 1e-9), seconds=seconds, best=True,
    )  # fmt: skip
    write_atomic(out / "environment.json", json.dumps(_environment(len(content)), indent=1).encode())
    write_atomic(out / "history.csv", _history(epoch))
    watcher.epoch(epoch)
    return path


def _environment(model_bytes: int) -> dict[str, object]:
    """Versions and machine, for the record."""
    return surroundings("scikit-learn", "scipy", "skl2onnx") | {
        "device": "cpu",
        "threads": os.cpu_count() or 1,
        "model bytes": model_bytes,
    }


def _lesson(config: TrainConfig, prepared: Prepared, alphabet: Alphabet) -> tuple[Pixels, Labels]:
    """Pixels uint8 (N, P) and labels; refuses what a baseline cannot do."""
    if config.reject:
        raise ConfigError(f"{config.network} cannot learn what is no character; leave reject = true out")
    if config.augment != AugmentConfig():
        raise ConfigError(f"{config.network} sees every image once, as it is; leave [augment] out")
    training = prepared.training
    rows = np.flatnonzero(training.repeats > 0)
    limit = config.baseline.training_images
    if limit and limit < len(rows):
        rows = np.sort(np.random.default_rng(config.seed).permutation(rows)[:limit])
    labels = training.labels[rows]
    missing = [character for place, character in enumerate(alphabet) if not (labels == place).any()]
    if missing:
        raise ConfigError(
            f"there is no image of {', '.join(map(repr, missing[:5]))} to learn from; narrow the recipe's alphabet"
        )
    if len(alphabet) < 2:
        raise ConfigError(f"{config.network} needs two classes at least; widen the recipe's alphabet")
    return training.images[rows].reshape(len(rows), -1), labels


def _check_against_sklearn(logits: Floats, fitted: Fitted, images: Pixels, name: str) -> None:
    expected = fitted.answers(images.reshape(len(images), -1))
    if fitted.shares:
        close = np.abs(np.exp(logits) - np.maximum(expected, FLOORS[0])).max(axis=1) < 1e-3
    else:
        close = np.abs(logits - expected).max(axis=1) < 1e-3 * max(1.0, float(np.abs(expected).max()))
    if not close.mean() >= SAME:
        raise ModelError(
            f"scikit-learn and onnxruntime disagree about {name} on {int((~close).sum())} of {len(close)} images; "
            "nothing was written"
        )


def _converted(model: Any, pixels: int) -> bytes:
    """The graph of an estimator by skl2onnx, its probabilities as an array."""
    skl2onnx = _module("skl2onnx")
    types = _module("skl2onnx.common.data_types")
    made = skl2onnx.convert_sklearn(
        model, initial_types=[("pixels", types.FloatTensorType([None, pixels]))],
        options={id(model): {"zipmap": False}}, target_opset={"": 17, "ai.onnx.ml": 3},
    )  # fmt: skip
    return bytes(made.SerializeToString())


def _with_scores(card: ModelCard, accuracy: dict[str, float]) -> ModelCard:
    return dataclasses.replace(card, scores={f"validation accuracy, {n}": round(a, 5) for n, a in accuracy.items()})


def _history(epoch: Epoch) -> bytes:
    row = {"epoch": epoch.epoch, "loss": epoch.loss, "seconds": epoch.seconds, "learning_rate": epoch.learning_rate}
    row |= {f"accuracy {name}": value for name, value in epoch.accuracy.items()}
    row |= {f"loss {name}": value for name, value in epoch.losses.items()}
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(row))
    table.writeheader()
    table.writerow(row)
    return text.getvalue().encode()


def _loss(part: Judged) -> float:
    return negative_log_likelihood(part.labels, probabilities(part.logits))


def _scaled(pixels: Pixels) -> Floats:
    return np.asarray(pixels / np.float32(255), dtype=np.float32)


def _pictures(pixels: Pixels) -> Pixels:
    return pixels.reshape(len(pixels), 1, FRAME.height, FRAME.width)


def _sklearn(part: str) -> Any:
    return _module(f"sklearn.{part}")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError("a baseline", "train") from None
