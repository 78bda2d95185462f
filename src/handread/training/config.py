"""Recipes: every option of a training run as a typed field with its unit in the name; no torch here."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handread.errors import ConfigError, shown
from handread.registry import unknown


def option(default: Any, low: float | None = None, high: float | None = None, *, choices: tuple[str, ...] = ()) -> Any:
    """A field with the range (inclusive) or the choices it is checked against."""
    return field(default=default, metadata={"low": low, "high": high, "choices": choices})


_LARGEST_RECIPE = 1 << 16
_MOST_DOTS = 300

OPTIMIZERS = ("adamw", "adam", "rmsprop", "sgd", "muon")
SCHEDULES = ("cosine", "one-cycle", "exponential", "plateau", "constant")


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How ink is varied during training; 0 means identity everywhere."""

    rotate_degrees: float = option(0.0, 0, 180)
    """Standard deviation of the rotation."""
    slant: float = option(0.0, 0, 2)
    """Standard deviation of the horizontal shear (pixels right per pixel up)."""
    scale_fraction: float = option(0.0, 0, 0.9)
    """Standard deviation of each axis' scale around 1."""
    shift_pixels: float = option(0.0, 0, 16)
    """Standard deviation of the shift on each axis, in input pixels."""
    elastic_pixels: float = option(0.0, 0, 8)
    """Standard deviation of a smooth random displacement, in input pixels (Simard et al. 2003)."""
    sharp_fraction: float = option(0.0, 0, 1)
    """Share of the images of which all that is sampled bicubically: the bilinear way softens every edge, and what is
    read later has not been softened."""
    thicken_fraction: float = option(0.0, 0, 1)
    """Share of the images whose strokes are thickened by up to a pixel on each side."""
    thin_fraction: float = option(0.0, 0, 1)
    """Share of the images whose strokes are thinned by up to a pixel on each side."""
    blur_fraction: float = option(0.0, 0, 1)
    """Share of the images that are blurred."""
    coarse_fraction: float = option(0.0, 0, 1)
    """Share of the images that lose detail, as if scanned at 10 to 20 pixels a side."""
    harden_fraction: float = option(0.0, 0, 1)
    """Share of the images whose soft edges become hard, as in black-and-white scans."""
    gamma: float = option(0.0, 0, 2)
    """Standard deviation of the logarithm of the exponent put on the ink's intensity."""
    light: float = option(0.0, 0, 1)
    """Largest fraction by which ink fades smoothly across the image."""
    noise: float = option(0.0, 0, 1)
    """Largest standard deviation of pixel noise, as a fraction of full ink."""
    cutout_fraction: float = option(0.0, 0, 1)
    """Share of the images in which a few small patches of ink are missing."""
    stray_fraction: float = option(0.0, 0, 1)
    """Share of the images that a thin line crosses: straight, bent, zigzag or dotted."""
    specks_fraction: float = option(0.0, 0, 1)
    """Share of the images with bright single pixels or small blots."""
    outline_fraction: float = option(0.0, 0, 1)
    """Share of the images of which only the outline of the strokes is left."""
    scatter_fraction: float = option(0.0, 0, 1)
    """Share of the images with ragged edges, every pixel moved for itself."""
    clean_fraction: float = option(0.0, 0, 1)
    """Share of the images that are only turned, stretched and moved: how sharp and how wide a stroke is tells small
    letters, which size normalisation has enlarged, from capitals."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """One data set that the training sees."""

    data: str = option("")
    """Below the folder given as --data, or any DATA when absolute; or `synthetic`, `non-characters`, `pairs`,
    `turned`."""
    split: str = option("")
    """Name of the split inside it; empty: its training part, the whole where it is undivided."""
    repeat: float = option(1.0, 0, 1000)
    """How often each image is seen in one epoch; a fraction sees that share of them."""
    held_out_fraction: float = option(0.0, 0, 0.9)
    """Share kept out of the training for validation."""
    held_out: str = option("random", choices=("random", "last"))
    """Which: at random, stratified, disjoint by writer where writers are known; or the last ones as they stand."""
    count: int = option(0, 0, 10_000_000)
    """How many to make, for sources that are drawn; of other sources, a random choice of so many; 0: all."""
    characters: str = option("")
    """Which to draw, for `synthetic`: a named alphabet or the characters; empty: all of the recipe's alphabet."""
    prior: str = option("learnt", choices=("learnt", "cued", "ignored"))
    """How often this source holds each class is learnt, or ignored (`handread.training.priors`), or learnt only for
    images whose size and place are not known (cued)."""
    foreign: str = option("error", choices=("error", "left-out", "refused"))
    """Characters of this source that the recipe's alphabet lacks: an error, left out, or learnt as no character (with
    `reject`), but for those that look like one of the alphabet, which are left out."""
    licence: str = option("")
    """Licence of the data, for the model card."""
    origin: str = option("")
    """Where the data came from, for the model card."""


@dataclass(frozen=True, slots=True)
class BaselineConfig:
    """Options of the classic classifiers, which `network` names; each takes its own."""

    training_images: int = option(0, 0, 10_000_000)
    """Most images to fit to, a random choice; 0: all."""
    neighbours: int = option(3, 1, 1000)
    """`k-nearest-neighbours`: how many vote."""
    weighted: bool = option(True)
    """`k-nearest-neighbours`: each vote weighs one over its distance."""
    regularisation: float = option(1.0, 1e-6, 1e6)
    """`support-vectors` and `logistic-regression`: scikit-learn's C, larger is looser."""
    gamma: float = option(0.025, 1e-6, 100)
    """`support-vectors`: of the kernel exp(-gamma |x - y|^2), pixels in 0..1."""
    trees: int = option(100, 1, 10_000)
    """`random-forest`: how many."""
    leaf: int = option(1, 1, 1000)
    """`random-forest`: fewest images in a leaf."""
    iterations: int = option(200, 1, 100_000)
    """`logistic-regression`: most steps of L-BFGS."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A complete, reproducible training run."""

    name: str = option("model")
    """Name on the model card."""
    version: str = option("1")
    """Version on the model card."""
    network: str = option("residual-base")
    """Registered network."""
    alphabet: str = option("alphanumeric")
    """Classes, a named alphabet or the characters."""
    reject: bool = option(False)
    """Learn one more class: this ink is no character."""
    seed: int = option(1, 0, 2**31)
    """Seed of everything random."""
    epochs: int = option(10, 1, 10_000)
    """Passes over the training data."""
    batch_size: int = option(256, 1, 65_536)
    """Images a step."""
    optimizer: str = option("adamw", choices=OPTIMIZERS)
    """AdamW, Adam (Kingma and Ba 2015), RMSprop (Hinton 2012), SGD with Nesterov momentum, or Muon (Jordan et al. 2024;
    a fifth of the learning rate goes to AdamW for the first and last layers, norms and biases)."""
    momentum: float = option(0.9, 0, 0.9999)
    """Of SGD and Muon."""
    rho: float = option(0.9, 0, 0.9999)
    """Of RMSprop: decay of the mean of squared gradients."""
    schedule: str = option("cosine", choices=SCHEDULES)
    """How the learning rate moves: a half cosine down, one cycle up and down, a factor every epoch, a factor when
    validation stands still, or not at all."""
    learning_rate: float = option(0.002, 1e-7, 10)
    """Peak of the schedule."""
    weight_decay: float = option(0.05, 0, 10)
    """Of AdamW, SGD and Muon, decoupled (Loshchilov and Hutter 2019); Adam and RMSprop have none."""
    warmup_fraction: float = option(0.1, 0, 1)
    """Share of all steps in which the learning rate rises; 0: it starts at the peak."""
    final_fraction: float = option(0.01, 0, 1)
    """Last learning rate of cosine and one-cycle, and the least of plateau, as a fraction of the peak."""
    epoch_factor: float = option(0.9, 0.01, 1)
    """Exponential: the learning rate is multiplied by it after every epoch."""
    plateau_factor: float = option(0.5, 0.01, 0.99)
    """Plateau: the learning rate is multiplied by it ..."""
    plateau_patience: int = option(3, 1, 1000)
    """... after so many epochs without a better `watch`."""
    watch: str = option("accuracy", choices=("accuracy", "loss"))
    """Mean over the validation sets that plateau, early stopping and `keep` go by."""
    stop_after: int = option(0, 0, 1000)
    """Early stopping: end after so many epochs without a better `watch`; 0: never."""
    keep: str = option("last", choices=("last", "best"))
    """Weights that become the model: those of the last epoch, or of the one with the best `watch`."""
    ema_decay: float = option(0.999, 0, 0.99999)
    """Decay a step of the moving average of the weights that is kept; 0: the weights themselves are."""
    label_smoothing: float = option(0.0, 0, 0.5)
    """Share of the target spread evenly over all classes."""
    mixup: float = option(0.0, 0, 10)
    """Both parameters of the Beta distribution by which pairs of images are mixed (Zhang et al. 2018); 0: none."""
    shifted_views: bool = option(False)
    """The finished network answers with the mean of the picture and of four copies of it, each shifted by a pixel: five
    times the work whenever it reads."""
    start: str = option("")
    """A run folder whose averaged weights this run begins with; empty: with random ones."""
    teacher: str = option("")
    """A finished model whose answers are learnt beside the labels: a run folder, a file or a shipped name."""
    teacher_share: float = option(0.7, 0, 1)
    """Weight of the teacher's answers in the loss; the labels have the rest."""
    teacher_temperature: float = option(2.0, 0.1, 100)
    """By which both distributions are softened before they are compared."""
    members: int = option(1, 1, 100)
    """Networks trained one after another, with seeds that follow each other; the model is the mean of them all."""
    class_balanced: bool = option(False)
    """Show every class equally often, whatever the data has."""
    bf16: bool = option(True)
    """Compute in bfloat16 where the processor has it."""
    threads: int = option(0, 0, 1024)
    """Processor threads; 0: as many as there are."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """How the ink is varied."""
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    """Options of the classic classifiers."""
    sources: tuple[SourceConfig, ...] = ()
    """What is trained on; empty: the data given on the command line."""
    validation: tuple[SourceConfig, ...] = ()
    """What is chosen and calibrated on, beside what sources hold out."""


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a TOML recipe and apply `key=value` overrides (`epochs=3`, `augment.noise=0.1`).

    Raises `ConfigError` for an unknown key (with the near one), a wrong type, or a value out of range.
    """
    try:
        if path.stat().st_size > _LARGEST_RECIPE:
            raise ConfigError(f"the recipe {path} has more than {_LARGEST_RECIPE:,} bytes; recipes have some thousands")
        raw = _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"the recipe {path} does not exist; look in recipes/") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"the recipe {path} cannot be read: {str(error)[:200]}") from None
    for override in overrides:
        _override(raw, override)
    return config_from(raw)


def _parsed(text: str) -> dict[str, Any]:
    """TOML; raises `ValueError` as tomllib does, or `RecursionError`."""
    # tomllib takes the square of a key's length: minutes for one of 20,000 parts
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > _MOST_DOTS:
            raise ValueError(f"line {number} has {line.count('.'):,} dots; no key is so deep")
    return tomllib.loads(text)


def config_from(raw: dict[str, Any]) -> TrainConfig:
    """A checked configuration from plain tables."""
    raw = dict(raw)
    tables: dict[str, Any] = {}
    for key, kind in (("augment", AugmentConfig), ("baseline", BaselineConfig)):
        if key in raw:
            tables[key] = _build(kind, raw.pop(key), key)
    for key in ("sources", "validation"):
        if key in raw:
            rows = raw.pop(key)
            if not isinstance(rows, list):
                raise ConfigError(f"{key} is {shown(rows)}; expected tables written [[{key}]]")
            tables[key] = tuple(_build(SourceConfig, row, f"{key}[{i}]") for i, row in enumerate(rows))
    config: TrainConfig = _build(TrainConfig, raw, "")
    return dataclasses.replace(config, **tables)


def config_to(config: TrainConfig) -> dict[str, Any]:
    """Plain tables of a configuration, for JSON; `config_from` gives the equal configuration back."""
    raw = dataclasses.asdict(config)
    raw["sources"] = list(raw["sources"])
    raw["validation"] = list(raw["validation"])
    return raw


def _override(raw: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text!r} is not of the form key=value, such as epochs=3")
    *path, last = key.strip().split(".")
    table: Any = raw
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {text!r}: {part!r} has no options below it")
    try:
        parsed = _parsed(f"v = {value}")
    except (ValueError, RecursionError):
        parsed = {"v": value}
    # a value of several lines could bring further keys, which would be lost without a word
    table[last] = parsed["v"] if len(parsed) == 1 else value


def _build(kind: type[Any], raw: Any, where: str) -> Any:
    if not isinstance(raw, dict):
        raise ConfigError(f"{where} is {shown(raw)}; expected a table")
    prefix = f"{where}." if where else ""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in fields:
            raise ConfigError(unknown("option", prefix + key, [prefix + name for name in fields]))
        values[key] = _checked(prefix + key, value, fields[key])
    return kind(**values)


def _checked(name: str, value: Any, spec: dataclasses.Field[Any]) -> Any:
    wanted = type(spec.default)
    if spec.default is dataclasses.MISSING:
        raise ConfigError(f"{name} is a table, not a value; write its options as {name}.OPTION")
    if wanted is float and type(value) is int and abs(value) < 1 << 1000:
        value = float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{name} is {shown(value)} ({type(value).__name__}); expected {wanted.__name__}")
    if isinstance(value, str) and not value.replace("\n", "").replace("\t", "").isprintable():
        raise ConfigError(f"{name} is {shown(value)}, with a character that cannot be shown; it goes onto the card")
    low, high, choices = spec.metadata["low"], spec.metadata["high"], spec.metadata["choices"]
    if choices and value not in choices:
        raise ConfigError(f"{name}: {unknown('choice', str(value), choices)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} is {value!r}; expected a finite number")
    if low is not None and not low <= value <= high:
        raise ConfigError(f"{name} is {shown(value)}; expected {low:g} to {high:g}")
    return value
