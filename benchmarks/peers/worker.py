"""One recogniser in a process of its own, told what to do by lines of JSON: `python worker.py NAME THREADS IMAGES`.

The first line that it prints says that it is ready and what it is; then each line that it is given is answered by one:

    {"do": "single", "way": "predict", "count": 50}     ->  {"seconds": 0.045}       the median of one digit
    {"do": "many", "way": "predict", "count": 10000, "batch": 256}  ->  {"rate": 4810.2}   digits a second
    {"do": "keep", "path": "model.keras"}               ->  {}                       the network as a file

An error is answered by {"error": "..."}. The end of the input ends the process. IMAGES is a .npy file, uint8
(N, 28, 28). `python worker.py cold-keras FILE IMAGES` and cold-torch print the first digit's class and end: what is
timed as a process from its start to an answer.

It runs in the peers' environment, where there is no Handread, and (named ``handread``) in Handread's, where there are
no peers.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
import types
from collections.abc import Callable
from typing import IO, Any

networks: Any = importlib.import_module("networks")  # a script's own folder is no package

NETWORK = "kaggle-batchnorm"

Way = Callable[[Any], Any]
"""Classes of uint8 (B, 28, 28)."""


class Peer:
    """A recogniser: its ways to classify a batch of digits, by name."""

    ways: dict[str, Way]
    at_once = True
    """False where a call takes one digit only."""

    def set_batch(self, batch: int) -> None:
        """Told before digits come `batch` at once."""

    def keep(self, path: str) -> None:
        """Write the network to a file."""
        raise NotImplementedError(f"{type(self).__name__} has no file")


class Keras(Peer):
    """The network ``kaggle-batchnorm`` as its notebook builds it, 2,213,610 parameters, with random weights."""

    def __init__(self, threads: int) -> None:
        tensorflow: Any = importlib.import_module("tensorflow")
        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        self.model = networks.keras_network(NETWORK)
        compiled = tensorflow.function(lambda x: self.model(x, training=False))
        self.batch = 32
        self.ways = {
            "predict": lambda x: self.model.predict(_floats(x), batch_size=self.batch, verbose=0),
            "call": lambda x: self.model(_floats(x), training=False).numpy(),
            "function": lambda x: compiled(tensorflow.constant(_floats(x))).numpy(),
        }

    def set_batch(self, batch: int) -> None:
        self.batch = batch

    def keep(self, path: str) -> None:
        self.model.save(path)


class Torch(Peer):
    """The same network in PyTorch, eager, in inference mode."""

    def __init__(self, threads: int) -> None:
        self.torch: Any = importlib.import_module("torch")
        self.torch.set_num_threads(threads)
        self.model = _torch_network(self.torch)
        self.ways = {"eager": self._run}

    def _run(self, x: Any) -> Any:
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(_floats(x)).permute(0, 3, 1, 2)).numpy()

    def keep(self, path: str) -> None:
        self.torch.save(self.model.state_dict(), path)


class RapidOCR(Peer):
    """RapidOCR's recogniser alone: no search for lines, no turning."""

    def __init__(self, threads: int) -> None:
        rapidocr: Any = importlib.import_module("rapidocr")
        typings: Any = importlib.import_module("rapidocr.ch_ppocr_rec.typings")
        numpy: Any = importlib.import_module("numpy")
        engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )
        engine(numpy.zeros((28, 28, 3), numpy.uint8), use_det=False, use_cls=False, use_rec=True)  # loads it
        self.recogniser = engine.text_rec

        def run(x: Any) -> Any:  # dark on white, three channels
            pictures = [numpy.repeat(255 - one[..., None], 3, 2) for one in x]
            return self.recogniser(typings.TextRecInput(img=pictures)).txts

        self.ways = {"recogniser": run}

    def set_batch(self, batch: int) -> None:
        self.recogniser.rec_batch_num = batch


class DigitRecognizer(Peer):
    """digit-recognizer-py; it takes one digit a call."""

    at_once = False

    def __init__(self, threads: int) -> None:
        torch: Any = importlib.import_module("torch")
        torch.set_num_threads(threads)
        try:
            importlib.import_module("torchvision")
        except RuntimeError:  # built for another PyTorch, such as one with CUDA; of its operators none is used here
            for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
                del sys.modules[name]
            sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
        module: Any = importlib.import_module("digit_recognizer")
        made = module.DigitRecognizer()
        self.ways = {"predict": lambda x: [made.predict(one) for one in x]}


class Handread(Peer):
    """A model of Handread, named in the environment variable HANDREAD_BENCHMARK_MODEL."""

    def __init__(self, threads: int) -> None:
        module: Any = importlib.import_module("handread")
        reader = module.Recognizer(os.environ.get("HANDREAD_BENCHMARK_MODEL", "handread"), threads=threads)
        self.ways = {"classify": lambda x: reader.classify(x, alphabet="digits")[0]}


class Fake(Peer):
    """For the tests: sleeps a millisecond a call, and counts what it was given."""

    def __init__(self, threads: int) -> None:
        self.ways = {"sleep": lambda x: time.sleep(0.001), "fail": lambda x: 1 / 0}


PEERS: dict[str, type[Any]] = {
    "keras": Keras, "torch": Torch, "rapidocr": RapidOCR, "digit-recognizer-py": DigitRecognizer,
    "handread": Handread, "fake": Fake,
}  # fmt: skip


def _floats(x: Any) -> Any:
    """float32 (B, 28, 28, 1), 0..1: what the notebook gives its network."""
    return x[..., None].astype("float32") / 255


def _torch_network(torch: Any) -> Any:
    return torch.nn.Sequential(*networks.torch_network(NETWORK, torch), torch.nn.Softmax(1)).eval()


def answer(peer: Any, images: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """What one line asks for."""
    if asked["do"] == "keep":
        peer.keep(asked["path"])
        return {}
    way = peer.ways[asked["way"]]
    if asked["do"] == "single":
        peer.set_batch(1)
        return {"seconds": statistics.median(seconds(way, images[:1]) for _ in range(asked["count"]))}
    count, batch = asked["count"], asked["batch"] if peer.at_once else 1
    peer.set_batch(batch)
    many = images[:count]
    if len(many) < count:
        raise ValueError(f"{count} digits were asked for, there are {len(many)}")
    way(many[:batch])  # the first call of a shape compiles
    start = time.perf_counter()
    for first in range(0, count, batch):
        way(many[first : first + batch])
    return {"rate": count / (time.perf_counter() - start)}


def seconds(way: Way, x: Any) -> float:
    """Time of one call."""
    start = time.perf_counter()
    way(x)
    return time.perf_counter() - start


def serve(told_by: Callable[[dict[str, Any]], dict[str, Any]], lines: IO[str], out: IO[str]) -> None:
    """Answer lines until they end, each by what `told_by` says of it."""
    for line in lines:
        try:
            told = told_by(json.loads(line))
        except Exception as error:  # the other side decides what is left out
            told = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), file=out, flush=True)


def cold_keras(path: str, images: Any) -> None:
    """A process that loads the network and reads one digit."""
    keras: Any = importlib.import_module("keras")
    print(keras.models.load_model(path).predict(_floats(images[:1]), verbose=0).argmax())


def cold_torch(path: str, images: Any) -> None:
    """The same by PyTorch."""
    torch: Any = importlib.import_module("torch")
    model = _torch_network(torch)
    model.load_state_dict(torch.load(path, weights_only=True))
    with torch.inference_mode():
        print(int(model(torch.from_numpy(_floats(images[:1])).permute(0, 3, 1, 2)).argmax()))


def main() -> None:
    """See the module's description."""
    # what libraries print must not come between the answers
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    numpy: Any = importlib.import_module("numpy")
    name, what, place = sys.argv[1:4]
    images = numpy.load(place)
    if name.startswith("cold-"):
        {"cold-keras": cold_keras, "cold-torch": cold_torch}[name](what, images)
        return
    start = time.perf_counter()
    peer = PEERS[name](int(what))
    for way in peer.ways.values():
        if name != "fake":
            way(images[:1])
    print(json.dumps({"ready": name, "seconds": time.perf_counter() - start}), file=out, flush=True)
    serve(lambda asked: answer(peer, images, asked), sys.stdin, out)


if __name__ == "__main__":
    main()
