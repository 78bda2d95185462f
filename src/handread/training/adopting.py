"""adopt: a card for a network that was trained elsewhere, so that it reads through Handread's imaging.

What the file does not tell is found out on labelled data: the layout of the input, whether the answers are
probabilities, the range of the numbers, dark or bright ink, and how large and where the ink stands. Each is tried and
judged by the log loss (after fitting a temperature) on the same items.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from handread.alphabet import Alphabet
from handread.card import ModelCard
from handread.data.atomic import write_atomic
from handread.data.images import LabelledImages
from handread.data.load import load_data
from handread.decode import probabilities
from handread.errors import ConfigError, DataError, ModelError
from handread.evaluation.metrics import negative_log_likelihood
from handread.frame import Frame
from handread.imaging.glyph import normalise
from handread.runtime.session import Session
from handread.runtime.store import read_model
from handread.training.calibrate import Judged, calibrate, fit_temperature
from handread.training.rewire import (
    Foreign,
    Wiring,
    declared_columns,
    layouts,
    read_foreign,
    softmax_before,
    wired,
)

if TYPE_CHECKING:
    from handread.types import Floats, Labels, ModelInput, Progress

FEW = 200
"""With fewer items than this the choice and the thresholds are shaky."""
SCALES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0), (-0.4242, 2.8215), (0.0, 16.0))
"""Paper and ink that networks are shown; the fourth is MNIST less its mean over its deviation (0.1307 and 0.3081),
the last scikit-learn's digits."""
FLOORS = (1e-7, 1e-5, 1e-4, 1e-3, 1e-2, 3e-2)
"""Least probabilities that are tried where the answers are probabilities: a forest's "never" is not infinite."""

_CHOOSE_BY = 2000
"""Most items that choices are made by."""
_SECONDS = 3.0
"""Longest time that one trial may take: a slow network is judged by fewer items, but by `FEW` at least."""
_TRIED = 16
"""Items that show whether a wiring runs."""
_DETAIL = 4
"""Pictures are laid out this many times larger once, and from there into each frame that is tried."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is known of the foreign network; None is found out."""

    alphabet: Alphabet
    """Its classes in order."""
    height: int
    """Of its input in pixels."""
    width: int
    """Of its input in pixels."""
    scale: tuple[float, float] | None = None
    """The number that stands for black and the one for white in what it was trained on."""
    invert: bool | None = None
    """True for a network trained on dark ink."""
    ink: int | None = None
    """Longer side of the ink in the input in pixels."""
    centre: str | None = None
    """What stands in the middle of the input, ``box`` or ``mass``."""
    output: str | None = None
    """Name of the output that holds the answers."""
    name: str = "adopted"
    """For the card."""
    licence: str = "not stated"
    """For the card."""

    def __post_init__(self) -> None:
        try:
            for centre in ("box", self.centre or "box"):
                Frame(self.height, self.width, self.ink or min(self.height, self.width), centre)
        except ValueError as error:
            raise ConfigError(f"such an input cannot be: {error}") from None
        if self.scale is not None and not (np.isfinite(self.scale).all() and self.scale[0] < self.scale[1]):
            low, high = self.scale
            raise ConfigError(f"the scale {low:g}..{high:g} goes nowhere; write the smaller number first, such as 0..1")


@dataclass(frozen=True, slots=True)
class Trial:
    """One frame that was tried."""

    frame: Frame
    nll: float
    """Nats an item, after fitting a temperature."""
    accuracy: float


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was found out, and the card that it led to."""

    card: ModelCard
    wiring: Wiring
    input: str
    """Name, type and shape of the foreign input, for people."""
    answers: str
    """What the foreign outputs were taken for, one phrase."""
    trials: tuple[Trial, ...]
    """Frames in the order tried; the first was chosen unless another was clearly better (`clearly_best`)."""
    n: int
    """Items that it was calibrated on."""
    left_out: int
    """Items outside the alphabet."""
    accuracy: float
    """On those n items: not a test figure, for the choices were made by them."""
    skipped: tuple[str, ...]
    """Pictures that could not be read."""


def adopt(
    source: Path,
    out: Path,
    order: Order,
    *,
    data: str,
    split: str | None = None,
    skip_broken: bool = False,
    progress: Progress = lambda done, total: None,
) -> Adopted:
    """Write `out`: the network in `source` with a card, calibrated on `data`.

    Raises `ModelError` for a file that cannot be used or answers something else than the alphabet, `DataError` for
    data that cannot be read or holds nothing of the alphabet; nothing is written then.
    """
    foreign = read_foreign(read_model(source), source.name)
    _check_classes(foreign, order.alphabet, source.name)
    detail = _detailed(order)
    loaded = load_data(data, split=split, progress=progress, skip_broken=skip_broken, frame=detail)
    items = loaded.restricted(order.alphabet)
    if not len(items):
        raise DataError(f"{loaded.name} holds none of {''.join(order.alphabet)}; choose other data or another alphabet")
    frames = list(_frames(order))
    some = _sample(items, FEW)
    wiring = _find_wiring(foreign, order, _inputs(some, frames[0]), some.labels, source.name)
    some = _sample(items, _affordable(_session(foreign, wiring, order, frames[0]), _inputs(some, frames[0])))
    few = _sample(some, FEW)
    wiring = _find_scale(foreign, order, wiring, [_inputs(few, frame) for frame in frames], few.labels)
    session = _session(foreign, wiring, order, frames[0])
    tried = [_tried(session, frame, some) for frame in frames]
    trials = tuple(trial for trial, _ in tried)
    frame = frames[clearly_best([losses for _, losses in tried])]
    if items.frame is not None:
        again = load_data(data, split=split, progress=progress, skip_broken=skip_broken, frame=frame)
        items = again.restricted(order.alphabet)
    inputs = _inputs(items, frame)
    judged = Judged(_run(session, inputs, progress), items.labels)
    accuracy = float((judged.logits.argmax(axis=1) == items.labels).mean())
    card = dataclasses.replace(
        _card(order, frame, source.name),
        scores={f"calibration accuracy, {items.name}, n {len(items)}": round(accuracy, 5)},
    )
    content, wiring, card = calibrated_file(foreign, wiring, card, {items.name: judged})
    check_same(content, inputs[:_TRIED], judged.logits[:_TRIED], wiring)
    write_atomic(out, content)
    return Adopted(
        card=card, wiring=wiring, input=_shown(foreign, wiring), answers=_answers(foreign, wiring), trials=trials,
        n=len(items), left_out=len(loaded) - len(items), accuracy=accuracy, skipped=loaded.skipped,
    )  # fmt: skip


def calibrated_file(
    foreign: Foreign, wiring: Wiring, card: ModelCard, judged: Mapping[str, Judged]
) -> tuple[bytes, Wiring, ModelCard]:
    """The finished file with the least log loss on `judged`: floor of the probabilities, temperature, thresholds.

    `judged` are the answers of `wiring` to validation sets, each of which weighs the same; empty: nothing is fitted.
    """
    if not judged:
        return wired(foreign, wiring, card), wiring, card
    parts = list(judged.values())
    if wiring.floor:
        floor = _best_floor(parts, len(card.alphabet))
        wiring = dataclasses.replace(wiring, floor=floor)
        judged = {name: _floored(part, floor) for name, part in judged.items()}
    found = calibrate(judged, Alphabet.of(card.alphabet), has_none=False)
    card = dataclasses.replace(
        card, temperature=found.temperature, accept_above=found.accept_above, alphabet_above=found.alphabet_above
    )
    return wired(foreign, wiring, card), wiring, card


def check_same(content: bytes, inputs: npt.NDArray[np.uint8], expected: Floats, wiring: Wiring) -> None:
    """Raise `ModelError` where the finished file gives other logits than `expected`."""
    if wiring.floor:
        expected = np.maximum(expected, np.log(wiring.floor))
    if not np.allclose(Session.from_bytes(content).run(inputs), expected, atol=1e-3, rtol=1e-3):
        raise ModelError("the network does not give the same answers twice; nothing was written")


def _sample(items: LabelledImages, most: int) -> LabelledImages:
    """Up to `most` items by chance, always the same ones."""
    return items.take(np.sort(np.random.default_rng(0).permutation(len(items))[:most]))


def _affordable(session: Session, inputs: npt.NDArray[np.uint8]) -> int:
    """How many items one trial may have."""
    few = inputs[:_TRIED]
    start = time.perf_counter()
    session.run(few)
    each = (time.perf_counter() - start) / len(few)
    return int(min(_CHOOSE_BY, max(FEW, _SECONDS / each)))


def _check_classes(foreign: Foreign, alphabet: Alphabet, name: str) -> None:
    """Where the file names its classes, they must be the alphabet's, in its order."""
    classes = foreign.classes
    if all(len(text) == 1 for text in classes) and classes and classes != alphabet.characters:
        raise ModelError(
            f"{name} says that its classes are {''.join(classes)}, in this order, and the alphabet is "
            f"{''.join(alphabet)}; write --alphabet {''.join(classes)}"
        )


def _detailed(order: Order) -> Frame:
    """A frame large enough to make any other from."""
    side = min(1024, _DETAIL * max(order.height, order.width))
    return Frame(side, side, side - side // 8, "box")


def _frames(order: Order) -> Iterator[Frame]:
    """Ways to lay out the ink, MNIST's first; only what the order leaves open varies."""
    side = min(order.height, order.width)
    inks = [order.ink] if order.ink else [round(side * share) for share in (20 / 28, 16 / 28, 26 / 32, 1)]
    centres = [order.centre] if order.centre else ["mass", "box"]
    for ink in dict.fromkeys(max(4, ink) for ink in inks):
        for centre in centres:
            if ink < side or centre == "box" or order.centre or order.ink:  # by its mass full ink would be cut off
                yield Frame(order.height, order.width, ink, centre)


def _inputs(items: LabelledImages, frame: Frame) -> ModelInput:
    """uint8 (N, 1, height, width): from ink, from pictures in detail, or already so."""
    if items.frame == frame:
        return items.images[:, None]
    return normalise(items.images, frame)


def _wirings(foreign: Foreign, order: Order) -> Iterator[Wiring]:
    """Ways to use the graph as far as its file leaves them open, likeliest first."""
    if order.output and order.output not in foreign.outputs:
        raise ModelError(f"there is no output {order.output!r}; there are {', '.join(foreign.outputs)}")
    outputs = [order.output] if order.output else foreign.outputs
    paper, ink = _range(order, foreign)
    for output in outputs:
        if declared_columns(foreign, output) in (None, len(order.alphabet)):
            for layout, channels in layouts(foreign, order.height, order.width):
                yield Wiring(layout, channels, paper, ink, output, before_softmax=softmax_before(foreign, output))


def _range(order: Order, foreign: Foreign) -> tuple[float, float]:
    low, high = order.scale or ((0.0, 255.0) if foreign.whole_numbers else SCALES[0])
    if foreign.whole_numbers and high - low < 16:
        raise ModelError(
            f"the input takes whole numbers ({foreign.dtype}): on a scale of {low:g}..{high:g} nothing would be left "
            "of a picture; use 0..255"
        )
    return (high, low) if order.invert else (low, high)


def _find_wiring(foreign: Foreign, order: Order, inputs: ModelInput, labels: Labels, name: str) -> Wiring:
    """The wiring that runs and gives one number a class; of several, the one with the least log loss."""
    running: list[tuple[float, int, Wiring]] = []
    why: ModelError | None = None
    for place, wiring in enumerate(_wirings(foreign, order)):
        try:
            found, answers = _first_answers(foreign, wiring, order, inputs)
        except ModelError as error:
            why = why or error
            continue
        running.append((_nll(answers, labels[: len(answers)])[0], place, found))
    if running:
        return min(running, key=lambda entry: entry[:2])[2]
    if why is not None:
        raise ModelError(f"{name} cannot be adopted: {why}") from None
    raise ModelError(f"{name} cannot be adopted: {_mismatch(foreign, order)}")


def _mismatch(foreign: Foreign, order: Order) -> str:
    if not layouts(foreign, order.height, order.width):
        return (
            f"its input has the shape {_shape(foreign)}, which holds no {order.height}x{order.width} pixels; give the "
            "size that it was trained on with --input"
        )
    columns = {declared_columns(foreign, output) for output in foreign.outputs}
    return (
        f"it gives {', '.join(map(str, sorted(c for c in columns if c)))} answers and the alphabet has "
        f"{len(order.alphabet)} characters; name its classes in order with --alphabet"
    )


def _first_answers(foreign: Foreign, wiring: Wiring, order: Order, inputs: ModelInput) -> tuple[Wiring, Floats]:
    """Run a few items; gives the wiring completed, and what came out. Raises `ModelError` where nothing does."""
    few = inputs[:_TRIED]
    if foreign.batch is not None:
        alone = dataclasses.replace(wiring, one_by_one=True)
        expected = _answers_of(foreign, alone, order, few)
        try:
            together = _answers_of(foreign, wiring, order, few)
            wiring = wiring if np.allclose(together, expected, atol=1e-4) else alone
        except ModelError:
            wiring = alone
    answers = _answers_of(foreign, wiring, order, inputs)
    if wiring.before_softmax or not _are_shares(answers):
        return wiring, answers
    wiring = dataclasses.replace(wiring, floor=FLOORS[0])
    return wiring, np.log(np.maximum(answers, FLOORS[0])).astype(np.float32)


def _answers_of(foreign: Foreign, wiring: Wiring, order: Order, inputs: ModelInput) -> Floats:
    _, height, width = inputs.shape[1:]
    frame = Frame(height, width, min(height, width))
    answers = _session(foreign, wiring, order, frame).run(inputs)
    if answers.ndim != 2 or answers.shape != (len(inputs), len(order.alphabet)):
        columns = answers.shape[-1] if answers.ndim == 2 and len(answers) == len(inputs) else answers.shape
        raise ModelError(
            f"it gives {columns} answers a picture and the alphabet has {len(order.alphabet)} characters; name its "
            "classes in order with --alphabet"
        )
    if not np.isfinite(answers).all():
        raise ModelError("it gives NaN or infinite values for ordinary pictures; check --scale and the training")
    return answers


def _are_shares(answers: Floats) -> bool:
    """Probabilities, votes or sigmoids: all between 0 and 1."""
    return bool(answers.min() >= -1e-6 and answers.max() <= 1 + 1e-4)


def _find_scale(foreign: Foreign, order: Order, wiring: Wiring, ways_in: list[ModelInput], labels: Labels) -> Wiring:
    """The likeliest range of numbers and polarity, of those that the order leaves open, with nearly the least log loss.

    No temperature is fitted here: a network is near calibration on the numbers that it was trained on, while with a
    free temperature one of rectifiers does nearly as well on a multiple of them. "Nearly", because where all answers
    are right, larger numbers always seem a little better. `ways_in` are the same items in every frame: the best counts.
    """
    usual: Iterable[tuple[float, float]] = ((0.0, 255.0),) if foreign.whole_numbers else SCALES
    scales = [order.scale] if order.scale else list(usual)
    ways = [False, True] if order.invert is None else [order.invert]
    every = [(high, low) if inverted else (low, high) for inverted in ways for low, high in scales]
    tried = [dataclasses.replace(wiring, paper=paper, ink=ink) for paper, ink in every]
    if len(tried) == 1:
        return tried[0]
    losses = []
    for one in tried:
        session = _session(foreign, one, order, next(_frames(order)))
        answers = [session.run(inputs) for inputs in ways_in]
        losses.append(min(negative_log_likelihood(labels, probabilities(logits)) for logits in answers))
    return next(one for one, loss in zip(tried, losses, strict=True) if loss <= 1.25 * min(losses) + 0.02)


def _session(foreign: Foreign, wiring: Wiring, order: Order, frame: Frame) -> Session:
    return Session.from_bytes(wired(foreign, wiring, _card(order, frame, "")))


def _card(order: Order, frame: Frame, source: str) -> ModelCard:
    return ModelCard(
        name=order.name, version="1", alphabet="".join(order.alphabet),
        height=frame.height, width=frame.width, ink_side=frame.ink, centre=frame.centre,
        recipe=f"adopted from {source}", licence=order.licence,
    )  # fmt: skip


def _tried(session: Session, frame: Frame, items: LabelledImages) -> tuple[Trial, npt.NDArray[np.float64]]:
    """What came of a frame, and the log loss of each item, float64 (N,)."""
    logits = session.run(_inputs(items, frame))
    nll, accuracy = _nll(logits, items.labels)
    temperature = fit_temperature([Judged(logits, items.labels)], logits.shape[1])
    right = probabilities(logits, temperature=temperature)[np.arange(len(items)), items.labels]
    return Trial(frame, nll, accuracy), -np.log(np.maximum(right.astype(np.float64), 1e-12))


def clearly_best(losses: Sequence[npt.NDArray[np.float64]]) -> int:
    """Place of the least mean loss, or 0 where that is not less than the first's by one standard error.

    `losses` are float64 (N,) each, of the same N items. What networks are usually trained with stands first: a
    hundred items must not talk it away by chance.
    """
    best = int(np.argmin([loss.mean() for loss in losses]))
    gain = losses[0] - losses[best]
    return best if gain.mean() > gain.std() / np.sqrt(len(gain)) else 0


def _run(session: Session, inputs: ModelInput, progress: Progress) -> Floats:
    parts = []
    for start in range(0, len(inputs), _CHOOSE_BY):
        parts.append(session.run(inputs[start : start + _CHOOSE_BY]))
        progress(min(start + _CHOOSE_BY, len(inputs)), len(inputs))
    return np.concatenate(parts)


def _nll(logits: Floats, labels: Labels) -> tuple[float, float]:
    """Log loss in nats after fitting a temperature, and accuracy."""
    temperature = fit_temperature([Judged(logits, labels)], logits.shape[1])
    loss = negative_log_likelihood(labels, probabilities(logits, temperature=temperature))
    return float(loss), float((logits.argmax(axis=1) == labels).mean())


def _best_floor(parts: Sequence[Judged], classes: int) -> float:
    """Of `FLOORS` the one with the least log loss; the smallest among equals."""
    losses = []
    for floor in FLOORS:
        floored = [_floored(part, floor) for part in parts]
        temperature = fit_temperature(floored, classes)
        each = [negative_log_likelihood(p.labels, probabilities(p.logits, temperature=temperature)) for p in floored]
        losses.append(float(np.mean(each)))
    return FLOORS[int(np.argmin(np.round(losses, 4)))]


def _floored(part: Judged, floor: float) -> Judged:
    return Judged(np.maximum(part.logits, np.float32(np.log(floor))), part.labels)


def _shown(foreign: Foreign, wiring: Wiring) -> str:
    how = {
        "NHWC": "the channel last",
        "NCHW": "the channel first",
        "NHW": "no channel",
        "flat": "one row a picture",
    }[wiring.layout]
    colour = ", three channels" if wiring.channels == 3 else ""
    alone = f", {foreign.batch} at once: pictures go through it one by one" if wiring.one_by_one else ""
    return f"{foreign.input}: {foreign.dtype} {_shape(foreign)}, {how}{colour}{alone}"


def _shape(foreign: Foreign) -> str:
    if foreign.shape is None:
        return "of any shape"
    return "(" + ", ".join("N" if size is None else str(size) for size in foreign.shape) + ")"


def _answers(foreign: Foreign, wiring: Wiring) -> str:
    if wiring.before_softmax:
        return f"{wiring.output}: probabilities, taken before their softmax"
    if wiring.floor:
        return f"{wiring.output}: probabilities, at least {wiring.floor:g} of which the logarithm is taken"
    return f"{wiring.output}: logits"
