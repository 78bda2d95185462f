"""Everything that is opened and is no picture, under attack: sets in every form, weights, cards, recipes, checkpoints.

Of two cases one is the damaged bytes of a whole file; in the other the damage is inside, and the archive, the gz or the
protobuf around it is whole, so that it is looked at. Whatever happens, nothing may come, go or change in the folder that
the file lies in, and nothing may stay among the temporary files.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzz.case import MEGABYTES, SECONDS, Case, Peak, Verdict, refusal
from fuzz.mutate import ODD, mutated
from fuzz.seeds import Seed
from handread.card import METADATA_KEY, DataSource, ModelCard
from handread.errors import ConfigError, DataError, HandreadError, ModelError, UnknownNameError

SIDE = 8
_MADE = 1_700_000_000
"""Seconds since 1970 that stand in archives, so that the same case has the same bytes."""


@dataclass(frozen=True, slots=True)
class Road:
    """What opens a kind of file."""

    suffix: str
    """Of the file's name."""
    allowed: tuple[type[HandreadError], ...]
    """How it may be refused."""
    open: Callable[[Path], object]
    """Opens it; what it gives is looked at no further."""


def _labelled(path: Path) -> None:
    from handread.data.load import load_data

    load_data(path)


def _unlabelled(path: Path) -> None:
    from handread.data.unlabelled import load_unlabelled

    load_unlabelled(path).ids.count("")


def _pair(path: Path) -> None:
    (path.parent / "train-labels-idx1-ubyte").write_bytes(_idx(np.arange(6) % 10))
    images = path.rename(path.parent / "train-images-idx3-ubyte")
    try:
        _labelled(images)
    finally:
        images.rename(path)
        (path.parent / "train-labels-idx1-ubyte").unlink()


def _weights(path: Path) -> None:
    from handread.recognizer import Recognizer

    reader = Recognizer(path)
    height, width = reader.card.frame.shape
    reader.classify(np.zeros((2, height, width), np.uint8))


def _foreign(path: Path) -> None:
    from handread.training.rewire import layouts, read_foreign, softmax_before

    found = read_foreign(path.read_bytes(), path.name)
    layouts(found, SIDE, SIDE)
    for output in found.outputs:
        softmax_before(found, output)


def _card(path: Path) -> None:
    ModelCard.from_json(path.read_bytes().decode("utf-8", "replace")).to_json().encode()


def _recipe(path: Path) -> None:
    from handread.training.config import config_to, load_recipe

    json.dumps(config_to(load_recipe(path)))


def _report(path: Path) -> None:
    from handread.cli.comparing import _read, summary
    from handread.evaluation.compare import compare

    report = _read(path)
    summary(compare(report, report))


def _checkpoint(path: Path) -> None:
    from handread.training.checkpoint import load_checkpoint

    load_checkpoint(path)


def _listing(path: Path) -> None:
    from handread.scale.entry import Rows
    from handread.scale.listing import entries
    from handread.scale.parquet import pictures_in

    for entry in entries([str(path)]):
        for picture in pictures_in(entry) if isinstance(entry, Rows) else ():
            assert picture.source


ROADS = {
    "set": Road(".zip", (DataError,), _labelled),
    "unlabelled": Road(".zip", (DataError,), _unlabelled),
    "pair": Road(".idx", (DataError,), _pair),
    "table": Road(".csv", (DataError,), _labelled),
    "weights": Road(".onnx", (ModelError,), _weights),
    "foreign": Road(".onnx", (ModelError,), _foreign),
    "card": Road(".json", (ModelError,), _card),
    "recipe": Road(".toml", (ConfigError, UnknownNameError), _recipe),
    "report": Road(".json", (DataError,), _report),
    "checkpoint": Road(".safetensors", (ModelError,), _checkpoint),
    "list": Road(".csv", (DataError,), _listing),
    "parquet": Road(".parquet", (DataError,), _listing),
}


class Files:
    """Every other door than that for pictures."""

    name = "files"
    outcomes = ("read", "refused")

    def __init__(self) -> None:
        self._seeds: dict[str, list[Seed]] = {}
        self._peak = Peak()

    def prepare(self) -> None:
        """Make the seeds, load what opens them."""
        self._made()
        import handread.recognizer
        import handread.training.checkpoint
        import handread.training.rewire

        assert handread
        for road in ROADS:
            self.run(Case("whole", road, self._seeds[road][0].data))

    def make(self, seed: int, index: int) -> Case:
        """The case of that number."""
        rng = np.random.default_rng([seed, index])
        seeds = self._made()
        road = list(ROADS)[int(rng.integers(len(ROADS)))]
        base = seeds[road][int(rng.integers(len(seeds[road])))]
        inner = _INSIDE.get(base.form)
        if inner is not None and rng.random() < 0.5:
            content, damage = _damaged(inner.content(base.data), inner.form, seeds[road], rng)
            return Case(f"{base.name} inside {damage}", road, inner.wrap(content))
        content, damage = _damaged(base.data, base.form, seeds[road], rng)
        return Case(f"{base.name} {damage}", road, content)

    def run(self, case: Case) -> Verdict:
        """Open it from a folder of its own, and look at what is left there."""
        road = ROADS[case.road]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            folder, temporary = Path(name) / "in", Path(name) / "temporary"
            folder.mkdir()
            temporary.mkdir()
            path = folder / f"file{road.suffix}"
            path.write_bytes(case.payload)
            before, tempfile.tempdir = tempfile.tempdir, str(temporary)
            self._peak.reset()
            begun = time.process_time()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    road.open(path)
                verdict = Verdict("read")
            except Exception as error:  # any at all is what is looked for
                verdict = refusal(error, road.allowed)
            finally:
                tempfile.tempdir = before
            seconds, peak = time.process_time() - begun, self._peak.megabytes()
            outcome, why = verdict.outcome, verdict.why
            left = [str(p.relative_to(name)) for p in (*folder.iterdir(), *temporary.iterdir()) if p != path]
            if left or path.read_bytes() != case.payload:
                outcome, why = "find", f"road {case.road}: left {left[:3]} or changed its file"
        if outcome != "find" and seconds > SECONDS:
            outcome, why = "find", f"{case.kind.partition(' ')[0]} on road {case.road}: takes long"
        elif outcome != "find" and peak > MEGABYTES:
            outcome, why = "find", f"{case.kind.partition(' ')[0]} on road {case.road}: takes much memory"
        return Verdict(outcome, why, seconds, peak)

    def versions(self) -> str:
        """Of what opens them."""
        import platform
        from importlib.metadata import version

        names = ("handread", "numpy", "onnx", "onnxruntime", "pyarrow", "safetensors")
        return "; ".join((f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)))

    def _made(self) -> dict[str, list[Seed]]:
        self._seeds = self._seeds or build()
        return self._seeds


def _damaged(data: bytes, form: str, others: list[Seed], rng: np.random.Generator) -> tuple[bytes, str]:
    if form in _TEXTS and rng.random() < 0.7:
        return _words(data, rng), "words"
    return mutated(Seed(form, form, data), others, rng)


_TOKEN = re.compile(rb'"[^"\n]*"|[-+.\w]+')
_ODD_WORDS: tuple[bytes, ...] = (
    b"", b'""', b"nan", b"NaN", b"-Infinity", b"inf", b"1e400", b"-1", b"true", b"null", b"[]", b"{}", b"[[]]", b'"\\ud800"',
    b'"\\u001b[2J"', b"9" * 5000, b"0x" + b"f" * 5000, b"[" * 3000, b'{"a":' * 2000, b"a." * 2000, b"x" * 30_000, b"\0",
    "\u202e".encode(), "\U0010ffff".encode(), b"\xff", b"../../x", b"/etc/passwd", b"/dev/zero", b'"', b"\r", b"1_0",
    "\u0663".encode(),
)  # fmt: skip


def _words(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three words of a text made others: odd ones, odd numbers, or such as stand elsewhere in it."""
    for _ in range(int(rng.integers(1, 4))):
        words = list(_TOKEN.finditer(data))
        if not words:
            break
        old = words[int(rng.integers(len(words)))]
        draw = rng.random()
        if draw < 0.6:
            new = _ODD_WORDS[int(rng.integers(len(_ODD_WORDS)))]
        elif draw < 0.8:
            new = str(ODD[int(rng.integers(len(ODD)))]).encode()
        else:
            new = words[int(rng.integers(len(words)))][0]
        data = data[: old.start()] + new + data[old.end() :]
    return data


def build() -> dict[str, list[Seed]]:
    """Tiny whole files for every road."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 4, 4), np.uint8)
    labels = np.arange(6) % 10
    table = _table(images, labels)
    bare = "\n".join(
        [",".join(f"pixel{i}" for i in range(16)), *(",".join(map(str, i.ravel())) for i in images)]
    ).encode()
    npz = _npz(images=images, labels=labels, characters=np.array("0123456789"), writers=labels + 1)
    usps = b"".join(b"%d " % (1 + n) + b" ".join(b"%d:-0.5" % (1 + k) for k in range(40)) + b"\n" for n in range(5))
    idx = _idx(images)
    model = _model()
    listed = b"image,label\nset.csv,7\n../x.png,8\n"
    return {
        "set": [
            Seed("zip", "zip", _zip({"set/train.csv": table})), Seed("tgz", "tgz", _tgz({"set/train.csv": table})),
            Seed("npz", "npz", npz), Seed("zip", "nested", _zip({"a.zip": _zip({"train.csv": table})})),
            Seed("zip", "listed", _zip({"labels.csv": listed})),
        ],
        "unlabelled": [
            Seed("csv", "csv", bare), Seed("zip", "zip", _zip({"test.csv": bare})), Seed("npz", "npz", _npz(images=images)),
            Seed("idx", "idx", idx),
        ],
        "pair": [Seed("idx", "idx", idx), Seed("gz", "gz", gzip.compress(idx, mtime=0))],
        "table": [Seed("csv", "csv", table), Seed("csv", "usps", usps), Seed("csv", "listed", listed)],
        "weights": [Seed("onnx", "onnx", model)],
        "foreign": [Seed("onnx", "onnx", model)],
        "card": [Seed("json", "card", _CARD.to_json().encode())],
        "recipe": [Seed("toml", "recipe", _RECIPE)],
        "report": [Seed("json", "report", json.dumps(_REPORT).encode())],
        "checkpoint": [Seed("safetensors", "checkpoint", _safetensors())],
        "list": [Seed("csv", "list", b"image\na.png\nhttps://example.org/b.png\n")],
        "parquet": [Seed("parquet", "parquet", _parquet())],
    }  # fmt: skip


def _table(images: Any, labels: Any) -> bytes:
    rows = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(images, labels, strict=True)]
    return "\n".join(["label," + ",".join(f"pixel{i}" for i in range(16)), *rows, ""]).encode()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _first_of_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return source.read(source.namelist()[0])


def _tgz(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), _MADE
            target.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _npz(**arrays: Any) -> bytes:
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[f"{name}.npy"] = buffer.getvalue()
    return _zip(members)


def _npz_with(images: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(6) % 10)
    return _zip({"images.npy": images, "labels.npy": buffer.getvalue()})


def _idx(values: Any) -> bytes:
    return struct.pack(f">2xBB{values.ndim}I", 8, values.ndim, *values.shape) + bytes(values.astype(np.uint8).tobytes())


_CARD = ModelCard(
    "tiny", "1", "01", SIDE, SIDE, 6, data=(DataSource("a", 3, "CC0-1.0", "b"),), scores={"accuracy, n 3": 0.5},
    window=(0.0, 0.0, 1.0, 1.0),
)  # fmt: skip


def _model() -> bytes:
    return _with_card(_CARD.to_json().encode())


def _with_card(text: bytes) -> bytes:
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Softmax", ["product"], ["logits"], axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 1, SIDE, SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])
    weights = numpy_helper.from_array(np.eye(SIDE * SIDE, 2, dtype=np.float32), "weights")
    graph = helper.make_graph(nodes, "tiny", [image], [logits], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: text.decode("utf-8", "replace")})
    return bytes(model.SerializeToString())


def _card_of(data: bytes) -> bytes:
    return str(next(p.value for p in onnx.load_from_string(data).metadata_props)).encode()


_RECIPE = b"""name = "tiny"
network = "compact"
alphabet = "digits"
epochs = 3
learning_rate = 1e-3
[augment]
rotate_degrees = 5.5
[[sources]]
data = "mnist"
held_out_fraction = 0.1
[[validation]]
data = "digits"
"""

_REPORT: dict[str, Any] = {
    "format": 3, "model": "m", "data": "d", "alphabet": "01", "n": 2, "correct": 1, "accuracy": 0.5,
    "interval95": [0.1, 0.9], "top2": 1.0, "top3": 1.0, "case_insensitive": 0.5, "merged": 0.5, "nll": 0.1,
    "ece": 0.1, "refused": 0.0, "seconds": 0.1, "confusion": [[1, 0], [1, 0]], "refusal_curve": [[1.0, 0.5]],
    "environment": {"python": "3"}, "digest": "0123", "stress": None,
    "reliability": [{"count": 2, "confidence": 0.5, "accuracy": 0.5}],
    "classes": [{"character": "0", "support": 1, "read": 2, "precision": 0.5, "recall": 1.0, "f1": None}],
    "items": {"labels": [0, 1], "read": [0, 0], "confidence": [1, 2], "label_probability": [1, 2], "files": ["a", "b"]},
}  # fmt: skip


def _safetensors() -> bytes:
    import torch
    from safetensors.torch import save

    header = {"format": 2, "epoch": 1, "facts": {"config": {}, "history": []}}
    return bytes(save({"network.a": torch.zeros(2, 3)}, metadata={"handread": json.dumps(header)}))


def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([b"a", None, b"ccc"] * 20, pa.binary())}), sink, row_group_size=30)
    return sink.getvalue()


@dataclass(frozen=True, slots=True)
class _Inside:
    """What lies in a file, and the way to put another in its place."""

    form: str
    content: Callable[[bytes], bytes]
    wrap: Callable[[bytes], bytes]


_TEXTS = ("csv", "json", "toml")
_INSIDE = {
    "zip": _Inside("csv", _first_of_zip, lambda content: _zip({"set/train.csv": content})),
    "tgz": _Inside("tar", gzip.decompress, lambda content: gzip.compress(content, mtime=0)),
    "gz": _Inside("idx", gzip.decompress, lambda content: gzip.compress(content, mtime=0)),
    "npz": _Inside("npy", _first_of_zip, _npz_with),
    "onnx": _Inside("json", _card_of, _with_card),
}
