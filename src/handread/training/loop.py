"""The training loop: augment, forward, backward, step, record."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from handread.alphabet import Alphabet
from handread.errors import ConfigError, ModelError
from handread.frame import Frame
from handread.networks.base import Network
from handread.networks.build import build_network
from handread.networks.views import ShiftedViews
from handread.training.augment import augment
from handread.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    network_tensors,
    optimizer_tensors,
    random_tensors,
    restore_network,
    restore_optimizer,
    restore_random,
    start_network,
)
from handread.training.config import AugmentConfig, TrainConfig
from handread.training.cues import CueSampler
from handread.training.distributed import ALONE, Group, spread, threads_of, total_gradients
from handread.training.memory import keep_freed_memory
from handread.training.optimizers import build_optimizer
from handread.training.priors import Priors
from handread.training.schedule import Watched, factor
from handread.training.sources import TrainingSet
from handread.training.teacher import Teacher, imitation

_JUDGED_PIXELS = 128 * 32 * 32
"""Pixels of input that go through the network at once where nothing is learnt."""

_VARIED_TOGETHER = 128
"""Images that share one source of chance: what several processes divide is varied in pieces that do not depend on how
many they are. Smaller pieces would be divided more evenly, and take longer one after another."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean training loss in nats."""
    accuracy: dict[str, float]
    """Share of right first guesses on each validation set, 0..1."""
    losses: dict[str, float]
    """Mean negative log likelihood in nats on each validation set."""
    learning_rate: float
    """Of the last step."""
    images_per_second: float
    seconds: float
    best: bool
    """Nothing before was better in what the recipe watches."""


@dataclass(slots=True)
class _Position:
    """Where inside an epoch a run stands."""

    noise: torch.Generator
    choice: np.random.Generator
    step: int = 0
    total: float = 0.0
    """Sum of the training loss over the images seen."""
    seen: int = 0

    @classmethod
    def at_start_of(cls, epoch: int, seed: int) -> _Position:
        noise = torch.Generator().manual_seed(seed * 100_003 + epoch)
        return cls(noise, np.random.default_rng([seed, epoch, 1]))


class Trainer:
    """A run in progress: network, averaged network, optimizer, and the epochs so far."""

    def __init__(self, config: TrainConfig, group: Group = ALONE) -> None:
        """In a `group` of several processes every method but `logits`, `checkpoint` and `kept` is called by all."""
        keep_freed_memory()
        torch.manual_seed(config.seed)
        if threads := threads_of(config.threads, group):
            torch.set_num_threads(threads)
        self.config = config
        self.group = group
        self.alphabet = Alphabet.of(config.alphabet)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        outputs = len(self.alphabet) + config.reject
        network = build_network(config.network, outputs).to(self.device)
        self.network: Network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.start:
            start_network(self.network, load_checkpoint(Path(config.start) / "last.safetensors"), config.start)
        self.average: Network = copy.deepcopy(self.network).eval() if config.ema_decay else self.network
        self.answering: Network = ShiftedViews(self.average) if config.shifted_views else self.average
        self._learner: nn.Module = self.network if group.size == 1 else spread(self.network, group)
        self.optimizer = build_optimizer(self.network, config)
        self.sampler = CueSampler(self.alphabet)
        self.teacher = Teacher(config.teacher, self.alphabet, outputs, network.frame) if config.teacher else None
        self.epochs_done = 0
        self.progress = Watched()
        self._position: _Position | None = None
        self._priors: Priors | None = None

    def fit(
        self,
        data: TrainingSet,
        validation: dict[str, TrainingSet],
        *,
        record: Callable[[Epoch], None] = lambda epoch: None,
        tick: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the recipe's last epoch or until it stops early.

        `record` is called after each epoch, `tick` after each step. When `stop` says True after a step the run
        stands still there and False is returned; it goes on, to the same end bit for bit, when called again.
        Raises `ConfigError` where the recipe watches validation and there is none.
        """
        config = self.config
        watching = config.schedule == "plateau" or config.stop_after or config.keep == "best"
        if watching and not any(len(part) for part in validation.values()):
            raise ConfigError("this recipe goes by validation results, but nothing is held out; "
                              "set held_out_fraction of a source, or name a validation set")  # fmt: skip
        self._priors = self._priors_of(data)
        repeats = balanced(data.repeats, data.labels) if config.class_balanced else data.repeats
        while self.epochs_done < config.epochs and not self.progress.stops(config):
            start, epoch = time.perf_counter(), self.epochs_done
            position = self._position or _Position.at_start_of(epoch, config.seed)
            self._position, first, rate = position, position.seen, 0.0
            bounds = batch_bounds(rows := epoch_rows(repeats, config.seed, epoch), config.batch_size)
            steps = len(bounds)
            self._learner.train()
            for low, high in bounds[position.step :]:
                rate = config.learning_rate * factor(config, epoch * steps + position.step, steps, self.progress.factor)
                loss = self.learn(self._batch(data, rows[low:high], position), rate, epoch * steps + position.step)
                position.step += 1
                position.total += loss * (high - low)
                position.seen += high - low
                tick(position.step, steps)
                if position.step < steps and self.group.any(stop()):
                    return False
            self._position = None
            self.epochs_done = epoch + 1
            judged = {name: self.judge(part) for name, part in validation.items() if len(part)}
            before = self.progress
            if judged:
                self.progress = before.after(_watched(judged, config), epoch + 1, config)
            seconds = time.perf_counter() - start
            record(
                Epoch(
                    epoch=epoch + 1,
                    loss=position.total / max(position.seen, 1),
                    accuracy={name: accuracy for name, (accuracy, _) in judged.items()},
                    losses={name: loss for name, (_, loss) in judged.items()},
                    learning_rate=rate,
                    images_per_second=(position.seen - first) / seconds,
                    seconds=seconds,
                    best=self.progress.best_epoch == epoch + 1 or not judged,
                )
            )
            if self.group.any(stop()):
                return self.epochs_done >= config.epochs
        return True

    def learn(self, batch: Batch, rate: float, step: int = 0) -> float:
        """One step at a learning rate; the loss. `step` counts from the run's start."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bf16 and has_bf16(self.device)):
            plain = self._learner(batch.images, batch.cues).float()
        # a network of several branches is judged branch by branch: judged by their mean they would become one
        answers = plain.unbind(1) if plain.ndim == 3 else (plain,)
        loss = torch.stack([self._loss(answer, batch) for answer in answers]).mean()
        for weight in self.network.parameters():
            weight.grad = None  # the optimizer's own zero_grad also keeps a profile of it, which counts in short runs
        if self.group.size == 1:
            loss.backward()  # type: ignore[no-untyped-call]
            reached = float(loss.detach())
        else:
            # every image weighs the same, wherever it is; a part without any has no mean
            loss = loss * batch.weight if len(batch.labels) else plain.sum()
            loss.backward()
            reached = total_gradients(self.network, loss, self.group)
        self.optimizer.step()
        self._average(step)
        return reached

    def _loss(self, plain: Tensor, batch: Batch) -> Tensor:
        """Mean over the images of `batch`; `plain` is what the network answers, (N, K)."""
        config = self.config
        logits = plain if batch.priors is None else plain + batch.priors
        loss = merged_cross_entropy(logits, batch.labels, batch.alternatives, config.label_smoothing)
        if batch.other_labels is not None and batch.other_alternatives is not None:
            other = merged_cross_entropy(logits, batch.other_labels, batch.other_alternatives, config.label_smoothing)
            loss = batch.share * loss + (1 - batch.share) * other
        if batch.answers is not None:
            taught = imitation(plain, batch.answers, config.teacher_temperature)
            loss = config.teacher_share * taught + (1 - config.teacher_share) * loss
        return loss

    def batches(self, data: TrainingSet, count: int) -> Iterator[Batch]:
        """`count` batches as epochs would show them, one epoch after another."""
        self._priors = self._priors_of(data)
        epoch = 0
        while count > 0:
            position = _Position.at_start_of(epoch, self.config.seed)
            rows = epoch_rows(data.repeats, self.config.seed, epoch)
            for low, high in batch_bounds(rows, self.config.batch_size)[:count]:
                yield self._batch(data, rows[low:high], position)
                count -= 1
            epoch += 1

    def _batch(self, data: TrainingSet, rows: npt.NDArray[np.int64], position: _Position) -> Batch:
        """What this process learns from `rows`; of all of them only when pictures are mixed."""
        config = self.config
        labels, alternatives, pictures = data.labels[rows], data.alternatives[rows], data.pictures[rows]
        if self._cues_matter():
            cues = self.sampler.sample(labels, data.cues[rows], pictures, alternatives >= 0, position.choice)
        else:
            cues = np.zeros((len(rows), data.cues.shape[1]), np.float32)
        priors = self._priors.of(data.origins[rows], cues) if self._priors is not None else None
        own = self.group.part_of(len(rows))
        seen = slice(0, len(rows)) if config.mixup else own
        images = varied(data.images, rows, seen, config.augment, position.noise)
        batch = Batch(
            images.to(self.device).contiguous(memory_format=torch.channels_last),
            torch.from_numpy(cues[seen]).to(self.device),
            torch.from_numpy(labels[seen]).to(self.device),
            torch.from_numpy(alternatives[seen]).to(self.device),
            None if priors is None else torch.from_numpy(priors[seen]).to(self.device),
            weight=(seen.stop - seen.start) / len(rows),
        )
        if config.mixup:
            share = float(position.choice.beta(config.mixup, config.mixup))
            partners = torch.from_numpy(position.choice.permutation(len(rows))).to(self.device)
            batch = mixed(batch, share, partners).part(own)
        if self.teacher is None or not len(batch.labels):
            return batch
        answers = self.teacher.answers(batch.images, batch.cues.cpu().numpy()).to(self.device)
        return dataclasses.replace(batch, answers=answers)

    def _cues_matter(self) -> bool:
        """False where nothing looks at them: drawing them takes a twentieth of a run of seconds."""
        corrected = self._priors is not None and not self._priors.idle
        return self.network.uses_cues or self.teacher is not None or corrected

    def _priors_of(self, data: TrainingSet) -> Priors:
        classes = len(self.alphabet)
        return Priors(data, self.config.sources, classes, classes + self.config.reject)

    def _average(self, step: int) -> None:
        """Exponential moving average of weights and statistics, faster at first so that it forgets the start."""
        if not self.config.ema_decay:
            return
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        follow(self.average, self.network, decay)

    def logits(self, images: npt.NDArray[np.uint8], cues: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 (N, K) of the network that is exported, its weights averaged, for ModelInput and cues."""
        out = []
        size = max(1, _JUDGED_PIXELS // (images.shape[2] * images.shape[3]))
        self.answering.eval()
        with torch.inference_mode():
            for first in range(0, len(images), size):
                image = torch.from_numpy(images[first : first + size]).to(self.device).float() / 255
                cue = torch.from_numpy(cues[first : first + size]).to(self.device)
                out.append(self.answering(image, cue).float().cpu())
        return torch.cat(out).numpy()

    def judge(self, data: TrainingSet) -> tuple[float, float]:
        """Accuracy (0..1) and mean loss (nats) of the averaged network, either case where the label's is unknown."""
        if self.group.size == 1:
            hits, loss = self._judged(data)
            return hits / len(data), loss
        part = self.group.part_of(len(data))
        own = data.take(np.arange(part.start, part.stop))
        hits, loss = self._judged(own) if len(own) else (0, 0.0)
        sums = self.group.total(torch.tensor([hits, loss * len(own)], dtype=torch.float64))
        return float(sums[0]) / len(data), float(sums[1]) / len(data)

    def _judged(self, data: TrainingSet) -> tuple[int, float]:
        """How many are right, and the mean loss."""
        cues = np.where(data.pictures[:, None], data.cues, 0).astype(np.float32)
        logits = self.logits(data.images, cues)
        guess = logits[:, : len(self.alphabet)].argmax(axis=1)
        hit = (guess == data.labels) | (guess == data.alternatives)
        loss = merged_cross_entropy(
            torch.from_numpy(logits), torch.from_numpy(data.labels), torch.from_numpy(data.alternatives), 0.0
        )
        return int(hit.sum()), float(loss)

    def checkpoint(self, facts: dict[str, object]) -> Checkpoint:
        """The state of the run, between two steps or two epochs."""
        tensors = network_tensors("network", self.network)
        if self.average is not self.network:
            tensors |= network_tensors("average", self.average)
        tensors |= optimizer_tensors(self.optimizer) | random_tensors(self.device)
        state: dict[str, object] = {"progress": dataclasses.asdict(self.progress)}
        if self._position is not None:
            here = self._position
            tensors["random.noise"] = here.noise.get_state()
            state["position"] = {"step": here.step, "total": here.total, "seen": here.seen,
                                 "choice": here.choice.bit_generator.state}  # fmt: skip
        return Checkpoint(self.epochs_done, tensors, facts | {"state": state})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same recipe."""
        restore_network("network", self.network, checkpoint.tensors)
        if self.average is not self.network:
            restore_network("average", self.average, checkpoint.tensors)
        restore_optimizer(self.optimizer, checkpoint.tensors)
        restore_random(self.device, checkpoint.tensors)
        self.epochs_done = checkpoint.epoch
        state = checkpoint.facts.get("state", {})
        try:
            self.progress = Watched(**state.get("progress", {}))
            self._position = None
            if "position" in state:
                here = state["position"]
                position = _Position.at_start_of(checkpoint.epoch, self.config.seed)
                position.noise.set_state(checkpoint.tensors["random.noise"])
                position.choice.bit_generator.state = here["choice"]
                position.step, position.total, position.seen = here["step"], here["total"], here["seen"]
                self._position = position
        except (TypeError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"the checkpoint is damaged ({error}); start without --resume") from None

    def load_kept(self, checkpoint: Checkpoint) -> None:
        """Put the weights of `kept` into the network that is exported."""
        restore_network("kept", self.average, checkpoint.tensors)

    def kept(self) -> Checkpoint:
        """The weights that would be exported now, without what only learning needs."""
        return Checkpoint(self.epochs_done, network_tensors("kept", self.average), {})


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    images: Tensor
    """float32 (N, 1, height, width), 0..1."""
    cues: Tensor
    """float32 (N, 4)."""
    labels: Tensor
    """int64 (N,)."""
    alternatives: Tensor
    """int64 (N,), -1 where the label is certain."""
    priors: Tensor | None = field(default=None)
    """float32 (N, K), added to the logits in the loss; None: nothing is."""
    other_labels: Tensor | None = field(default=None)
    """int64 (N,): of the image that each is mixed with; None where nothing is."""
    other_alternatives: Tensor | None = field(default=None)
    """int64 (N,), likewise."""
    share: float = 1.0
    """Share (0..1) of the image itself."""
    answers: Tensor | None = field(default=None)
    """float32 (N, K): the teacher's logits for these images; None: nobody teaches."""
    weight: float = 1.0
    """Share of the step's images that these are: all, unless other processes have some."""

    def part(self, rows: slice) -> Batch:
        """The given rows, with their weight among all."""
        count = len(self.labels)
        if rows == slice(0, count):
            return self
        parts: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        parts = {name: value[rows] if isinstance(value, Tensor) else value for name, value in parts.items()}
        return Batch(**parts | {"weight": (rows.stop - rows.start) / count})


def varied(
    images: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    seen: slice,
    config: AugmentConfig,
    noise: torch.Generator,
) -> Tensor:
    """float32 (seen, 1, height, width), 0..1: the images at ``rows[seen]``, each varied as it would be among all of
    `rows`. Of the rest, only what shares a piece with them is laid out."""
    firsts = range(0, len(rows), _VARIED_TOGETHER)
    seeds = torch.randint(1 << 62, (len(firsts),), generator=noise).tolist()
    pieces = []
    for first, seed in zip(firsts, seeds, strict=True):
        low, high = max(seen.start - first, 0), min(seen.stop - first, _VARIED_TOGETHER)
        if low < high:
            piece = torch.from_numpy(images[rows[first : first + _VARIED_TOGETHER]]).float() / 255
            pieces.append(augment(piece, config, torch.Generator().manual_seed(seed))[low:high])
    if not pieces:
        return torch.empty(0, *images.shape[1:])
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def mixed(batch: Batch, share: float, partners: Tensor) -> Batch:
    """`share` of every image and cue, and the rest of its partner's (mixup, Zhang et al. 2018)."""
    return dataclasses.replace(
        batch,
        images=share * batch.images + (1 - share) * batch.images[partners],
        cues=share * batch.cues + (1 - share) * batch.cues[partners],
        priors=None if batch.priors is None else share * batch.priors + (1 - share) * batch.priors[partners],
        other_labels=batch.labels[partners],
        other_alternatives=batch.alternatives[partners],
        share=share,
    )


def follow(average: Network, network: Network, decay: float) -> None:
    """Move the weights and statistics of `average` a step of the moving average towards those of `network`."""
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    floats = [pair for pair in pairs if pair[0].dtype.is_floating_point]
    with torch.no_grad():
        # one call for all of a network's small tensors, each of which would cost as much
        torch._foreach_lerp_([mean for mean, _ in floats], [now for _, now in floats], 1 - decay)
        for mean, now in pairs:
            if not mean.dtype.is_floating_point:
                mean.copy_(now)


def frame_of(config: TrainConfig) -> Frame:
    """The frame that the recipe's network takes; its weights are not made."""
    with torch.device("meta"):
        return build_network(config.network, 2).frame


def _watched(judged: dict[str, tuple[float, float]], config: TrainConfig) -> float:
    """What plateau, early stopping and `keep` go by, larger is better."""
    values = [accuracy if config.watch == "accuracy" else -loss for accuracy, loss in judged.values()]
    return float(np.mean(np.array(values)))


def has_bf16(device: torch.device) -> bool:
    """True where bfloat16 is native; elsewhere it is emulated, and slower than single precision."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # torch has no public name for this question about the processor; without an answer, single precision is safe
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(native())


def epoch_rows(repeats: npt.NDArray[np.float32], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Shuffled rows of one epoch: each as often as its `repeats` says, a fraction by chance."""
    rng = np.random.default_rng([seed, epoch])
    times = np.floor(repeats + rng.random(len(repeats))).astype(np.int64)
    rows = np.repeat(np.arange(len(repeats), dtype=np.int64), times)
    rng.shuffle(rows)
    return rows


def balanced(repeats: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """`repeats` scaled so that an epoch shows every class equally often and as many images as before."""
    shown = np.bincount(labels, weights=repeats)
    present = shown > 0
    wanted = np.zeros(len(shown))
    wanted[present] = shown.sum() / present.sum() / shown[present]
    return np.asarray(repeats * wanted[labels], dtype=np.float32)


def batch_bounds(rows: npt.NDArray[np.int64], size: int) -> list[tuple[int, int]]:
    """Half-open ranges of about `size` rows; a single row left over joins the batch before it, since statistics of
    one image are none."""
    starts = list(range(0, len(rows), size))
    if len(starts) > 1 and len(rows) - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], len(rows)][: len(starts)], strict=True))


def merged_cross_entropy(logits: Tensor, labels: Tensor, alternatives: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy; where `alternatives` names a second class, of the two classes' joint probability.

    logits (N, K), labels (N,), alternatives (N,) with -1 for none; `smoothing` as in Szegedy et al. 2016.
    """
    log_probability = functional.log_softmax(logits, dim=1)
    own = log_probability.gather(1, labels[:, None])[:, 0]
    # on other devices the question would be a wait
    if alternatives.device.type == "cpu" and not bool((alternatives >= 0).any()):
        return -((1 - smoothing) * own + smoothing * log_probability.mean(dim=1)).mean()
    other = log_probability.gather(1, alternatives.clamp(min=0)[:, None])[:, 0]
    joint = torch.where(alternatives >= 0, torch.logaddexp(own, other), own)
    return -((1 - smoothing) * joint + smoothing * log_probability.mean(dim=1)).mean()
