"""One library that trains, in a process of its own, told what to do by lines of JSON: `python trainer.py NAME THREADS DATA`.

Lines as those of worker.py; DATA is a .npz file with images, uint8 (N, 28, 28), and labels, int64 (N,) from 0 to 9.

    {"recipe": "mnist-adam", "batch": 200, "optimizer": "adam", "rate": 0.003, "rho": 0.9, "count": 8000,
     "augment": "none", "bf16": false}         ->  {"seconds": 1.62, "rate": 4938.3, "way": "slices"}

One epoch of the first `count` images. The first time that something is asked for, everything is compiled and warmed up
before; where a library has several ways to the same, all are tried on a few batches, and the fastest stays. `augment`
is "none", "own" for what the library offers, or "generator" for Keras's ImageDataGenerator alone.

It runs in the peers' environment, where there is no Handread, and (named ``handread``) in Handread's, where there are
no peers.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import json
import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

networks: Any = importlib.import_module("networks")  # a script's own folder is no package
worker: Any = importlib.import_module("worker")

WARM = 2
"""Batches that are not counted: the first compiles."""
TRIED = 6
"""Batches by which the fastest way is chosen."""
RECIPES = Path(__file__).resolve().parents[2] / "recipes"

Epoch = Callable[[int], None]
"""Trains on the first so many images, once each, in random order."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one line asks for."""

    recipe: str
    batch: int
    optimizer: str
    rate: float
    rho: float
    """Of RMSprop: decay of the mean of squared gradients."""
    count: int
    augment: str = "none"
    bf16: bool = False


class Library(ABC):
    """What trains."""

    def __init__(self, threads: int, images: Any, labels: Any) -> None:
        self.threads, self.images, self.labels = threads, images, labels
        self._begun: dict[Asked, tuple[str, Epoch]] = {}

    @abstractmethod
    def ways(self, asked: Asked) -> dict[str, Callable[[], Epoch]]:
        """Name -> what builds network and optimizer for it."""

    def epoch(self, asked: Asked) -> dict[str, Any]:
        """One epoch, by the way that was the fastest; seconds and images a second."""
        if len(self.labels) < asked.count:
            raise ValueError(f"{asked.count} images were asked for, there are {len(self.labels)}")
        if asked not in self._begun:
            self._begun[asked] = self._fastest(asked)
        way, run = self._begun[asked]
        start = time.perf_counter()
        run(asked.count)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "rate": asked.count / seconds, "way": way}

    def _fastest(self, asked: Asked) -> tuple[str, Epoch]:
        found: dict[str, tuple[float, Epoch]] = {}
        ways = self.ways(asked)
        if not ways:
            raise ValueError(f"{type(self).__name__} has nothing for {asked.augment!r}")
        failed = ""
        for name, build in ways.items():
            try:
                run = build()
                run(min(WARM * asked.batch, asked.count))
                start = time.perf_counter()
                if len(ways) > 1:
                    run(min(TRIED * asked.batch, asked.count))
                found[name] = time.perf_counter() - start, run
            except ImportError as error:  # a way that needs what is not installed
                failed = str(error)
        if not found:
            raise ValueError(failed)
        name = min(found, key=lambda name: found[name][0])
        return name, found[name][1]


class Keras(Library):
    """Keras on TensorFlow: `model.fit`."""

    def __init__(self, threads: int, images: Any, labels: Any) -> None:
        super().__init__(threads, images, labels)
        self.tensorflow: Any = importlib.import_module("tensorflow")
        self.tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        self.tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        self.keras: Any = importlib.import_module("keras")

    def ways(self, asked: Asked) -> dict[str, Callable[[], Epoch]]:
        feeds = {"none": ["arrays"], "own": ["layers", "generator"], "generator": ["generator"]}[asked.augment]
        return {
            f"{feed}, {'compiled by XLA' if compiled else 'without XLA'}": lambda feed=feed, compiled=compiled: (  # type: ignore[misc]
                self._begin(asked, feed, compiled)
            )
            for feed in feeds
            for compiled in (True, False)
        }

    def _begin(self, asked: Asked, feed: str, compiled: bool) -> Epoch:
        keras = self.keras
        model = networks.keras_network(asked.recipe)
        made = keras.optimizers
        optimizer = made.RMSprop(asked.rate, rho=asked.rho) if asked.optimizer == "rmsprop" else made.Adam(asked.rate)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=compiled)
        pixels = floats(self.images[: asked.count], asked.recipe, channels_last=True)
        labels = self.labels[: asked.count]
        feeds = {"arrays": self._arrays, "layers": self._layers, "generator": self._generator}
        fed = functools.cache(lambda count: feeds[feed](pixels[:count], labels[:count], asked.batch))  # traced once

        def run(count: int) -> None:
            model.fit(**fed(count), epochs=1, verbose=0)

        return run

    def _arrays(self, pixels: Any, labels: Any, batch: int) -> dict[str, Any]:
        return {"x": pixels, "y": labels, "batch_size": batch}

    def _layers(self, pixels: Any, labels: Any, batch: int) -> dict[str, Any]:
        """Its layers for variation, as its documentation puts them before a model: in the pipeline of the data."""
        layers, data = self.keras.layers, self.tensorflow.data
        vary = self.keras.Sequential(
            [
                layers.RandomRotation(10 / 360, fill_mode="constant"),
                layers.RandomZoom(0.1, fill_mode="constant"),
                layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            ]
        )
        items = data.Dataset.from_tensor_slices((pixels, labels)).shuffle(len(labels)).batch(batch)
        items = items.map(lambda x, y: (vary(x, training=True), y), num_parallel_calls=data.AUTOTUNE)
        return {"x": items.prefetch(data.AUTOTUNE)}

    def _generator(self, pixels: Any, labels: Any, batch: int) -> dict[str, Any]:
        """As the notebook has it: rotation, zoom and shift."""
        generator: Any = self.tensorflow.keras.preprocessing.image.ImageDataGenerator(
            rotation_range=10, zoom_range=0.1, width_shift_range=0.1, height_shift_range=0.1
        )
        return {"x": generator.flow(pixels, labels, batch_size=batch)}


class Torch(Library):
    """PyTorch, eager, in single precision: the loop of its tutorials. It has no variation of ink in its box."""

    def __init__(self, threads: int, images: Any, labels: Any) -> None:
        super().__init__(threads, images, labels)
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(threads)

    def ways(self, asked: Asked) -> dict[str, Callable[[], Epoch]]:
        if asked.augment != "none":
            return {}
        return {way: lambda way=way: self._begin(asked, way) for way in ("slices", "DataLoader")}  # type: ignore[misc]

    def _begin(self, asked: Asked, way: str) -> Epoch:
        torch, batch = self.torch, asked.batch
        model = networks.torch_network(asked.recipe, torch).train()
        weights, rate, made = model.parameters(), asked.rate, torch.optim
        rmsprop = asked.optimizer == "rmsprop"
        optimizer = made.RMSprop(weights, lr=rate, alpha=asked.rho) if rmsprop else made.Adam(weights, lr=rate)
        loss_of = torch.nn.CrossEntropyLoss()
        pixels = torch.from_numpy(floats(self.images[: asked.count], asked.recipe, channels_last=False))
        labels = torch.from_numpy(self.labels[: asked.count])

        def slices(count: int) -> Any:
            order = torch.randperm(count)
            for first in range(0, count, batch):
                rows = order[first : first + batch]
                yield pixels[rows], labels[rows]

        def loader(count: int) -> Any:
            items = torch.utils.data.TensorDataset(pixels[:count], labels[:count])
            return torch.utils.data.DataLoader(items, batch_size=batch, shuffle=True)

        def run(count: int) -> None:
            total = 0.0
            for x, y in (slices if way == "slices" else loader)(count):
                optimizer.zero_grad()
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
                total += loss.item()

        return run


class Handread(Library):
    """Handread's trainer with the recipe as it stands, but for a rate that does not wait for held-out images."""

    def ways(self, asked: Asked) -> dict[str, Callable[[], Epoch]]:
        return {"Trainer.fit": lambda: self._begin(asked)}

    def _begin(self, asked: Asked) -> Epoch:
        alphabet: Any = importlib.import_module("handread.alphabet").Alphabet
        labelled: Any = importlib.import_module("handread.data.images").LabelledImages
        options: Any = importlib.import_module("handread.training.config")
        trainer_of: Any = importlib.import_module("handread.training.loop").Trainer
        characters_of: Any = importlib.import_module("handread.training.sources").characters_of
        overrides = (
            f"threads={self.threads}", f"bf16={str(asked.bf16).lower()}", "epochs=10000", "schedule=constant",
            "stop_after=0", "keep=last",
        )  # fmt: skip
        config = options.load_recipe(RECIPES / f"{asked.recipe}.toml", overrides)
        if asked.augment == "none":
            config = dataclasses.replace(config, augment=options.AugmentConfig())
        trainer = trainer_of(config)
        frame = trainer.network.frame
        pixels = sized(self.images[: asked.count], frame.height)
        items = labelled("drawn", pixels, self.labels[: asked.count], alphabet.of("digits"), frame=frame)
        data = characters_of(items, alphabet.of(config.alphabet), frame)
        numpy: Any = importlib.import_module("numpy")

        def run(count: int) -> None:
            part = data if count == len(data) else data.take(numpy.arange(count))
            ended: list[object] = []
            trainer.fit(part, {}, record=ended.append, stop=lambda: bool(ended))

        return run


class Fake(Library):
    """For the tests: two ways of which one is slow, and one that needs what is not there."""

    def ways(self, asked: Asked) -> dict[str, Callable[[], Epoch]]:
        def missing() -> Epoch:
            raise ImportError("no such thing")

        ways = {"slow": lambda: sleeping(0.002), "fast": lambda: sleeping(0.0002), "missing": missing}
        return {"none": ways, "generator": {"missing": missing}}.get(asked.augment, {})


def sleeping(seconds: float) -> Epoch:
    """An epoch that sleeps so long for each image."""
    return lambda count: time.sleep(seconds * count)


LIBRARIES: dict[str, type[Library]] = {"keras": Keras, "torch": Torch, "handread": Handread, "fake": Fake}


def sized(images: Any, side: int) -> Any:
    """uint8 (N, side, side): every pixel of 28 x 28 as a square, where there is room for one."""
    factor = side // images.shape[1]
    return images.repeat(factor, 1).repeat(factor, 2)


def floats(images: Any, recipe: str, *, channels_last: bool) -> Any:
    """float32 (N, side, side, channels) or (N, channels, side, side), 0..1: made before the time counts, as scripts do."""
    wanted = networks.NOTEBOOKS[recipe]
    axis = 3 if channels_last else 1
    numpy: Any = importlib.import_module("numpy")
    pixels = numpy.expand_dims(sized(images, wanted.side), axis).astype("float32") / 255
    return pixels.repeat(wanted.channels, axis)


def main() -> None:
    """See the module's description."""
    # what libraries print must not come between the answers
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    name, threads, place = sys.argv[1:4]
    numpy: Any = importlib.import_module("numpy")
    with numpy.load(place) as data:
        library = LIBRARIES[name](int(threads), data["images"], data["labels"].astype("int64"))
    print(json.dumps({"ready": name}), file=out, flush=True)
    worker.serve(lambda asked: library.epoch(Asked(**asked)), sys.stdin, out)


if __name__ == "__main__":
    main()
