"""Kill commands at random moments and see whether anything is lost.

    python -m fuzz crashes --kills 50 --seed 1        all of them; adds a row for each to fuzz/results/crashes.csv
    python -m fuzz crashes train --kills 3            one of them; fewer than 50 kills leave no row

A process that has loaded everything, and done nothing, forks: a child is the command, and is killed with SIGKILL at a
moment of the time that an unbroken one takes. What stands in the folder then must be whole: every file under its final
name can be read, and whatever was promised is there. Then, as luck will have it, the same command is given again and
killed again, or left to come to its end, which must be that of the unbroken one, byte for byte.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from handread.data.atomic import ENDING, write_atomic

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "crashes.csv"
HEADER = ("command", "seed", "kills", "resumed", "lost", "doubled", "seconds")
ENOUGH = 50
"""Kills that are worth a row."""
AGAIN = 0.5
"""Share of kills after which the resumed command is killed too."""
UNFINISHED = (ENDING, ".part", ".part.json")
"""Ends of names behind which a half file may stand."""

RECIPE = """
name = "tiny"
network = "plain-tiny"
alphabet = "017"
epochs = 6
batch_size = 16
learning_rate = 0.03
ema_decay = 0.5
keep = "best"
bf16 = false
threads = 1
[augment]
rotate_degrees = 3.0
[[sources]]
data = "characters"
held_out_fraction = 0.2
licence = "none"
"""

State = dict[str, bytes]
Promise = Callable[[], None]
"""What a command calls when it says that something is kept."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A command, and how its folder is to be judged."""

    act: Callable[[Path, Promise], int]
    """Does it in the folder ``out`` of a stage, and gives the exit code."""
    doubled: Callable[[Path], int] = lambda out: 0
    """Things that stand there twice."""
    kept: Callable[[Path], int] = lambda out: sys.maxsize
    """How many of the promised things stand there."""


@dataclass(slots=True)
class Tally:
    """What came of the kills of one command."""

    kills: int = 0
    resumed: int = 0
    """Commands that came to their end after a kill."""
    lost: int = 0
    """Files that were half there or unreadable, promises broken, ends that differed."""
    doubled: int = 0
    seconds: float = 0.0
    why: list[str] = field(default_factory=list)

    def loses(self, why: str) -> None:
        """Count a loss and keep its reason."""
        self.lost += 1
        self.why.append(why)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, kill, write; 1 when something was lost or doubled."""
    parser = argparse.ArgumentParser(
        prog="python -m fuzz crashes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=f"of {', '.join(SCENES)}; default all")
    parser.add_argument("--kills", type=int, default=50, help="of each command; default 50")
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    wanted = parser.parse_args(arguments)
    unknown = sorted(set(wanted.commands) - set(SCENES))
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; choose of {', '.join(SCENES)}")
    _load()
    bad = False
    with tempfile.TemporaryDirectory(prefix="handread-crashes-") as folder:
        stage = Path(folder)
        _in_child(lambda: _prepare(stage), stage)
        with _serving(stage):
            for name in wanted.commands or SCENES:
                tally = attack(SCENES[name], stage, wanted.kills, random.Random(f"{name} {wanted.seed}"))
                print(_line(name, tally), flush=True)
                for why in tally.why[:5]:
                    print(f"  {why}", flush=True)
                bad = bad or bool(tally.lost or tally.doubled)
                if wanted.kills >= ENOUGH:
                    _append(name, wanted.seed, tally)
    return int(bad)


def attack(scene: Scene, stage: Path, kills: int, chance: random.Random) -> Tally:
    """Kill `scene` so many times on `stage`, a folder with what `_prepare` has put there."""
    tally, begun, out = Tally(), time.perf_counter(), stage / "out"
    _clear(out)
    start = time.perf_counter()
    code, told, _ = _unbroken(scene, stage)
    length = time.perf_counter() - start
    if code:
        raise RuntimeError(f"the unbroken command ended with {code}: {told}")
    end = state_of(out)
    _clear(out)
    promised, fresh = 0, True
    while tally.kills < kills:
        if fresh or chance.random() < AGAIN:
            start = time.perf_counter()
            killed, more = _killed(scene, stage, chance.uniform(0, length))
            promised = max(promised, more)
            if fresh and not killed:  # it takes less time than was thought
                length = time.perf_counter() - start
            if killed:
                tally.kills += 1
                _judge(scene, out, promised, tally)
                fresh = False
                continue
        code, told, _ = _unbroken(scene, stage)
        if code:
            tally.loses(f"given again, the command ended with {code}: {told}")
        elif (now := state_of(out)) != end:
            names = sorted(name for name in {*now, *end} if now.get(name) != end.get(name))
            tally.loses(f"after a kill the end differs in {', '.join(names)}")
        tally.resumed += not fresh
        tally.doubled += scene.doubled(out)
        _clear(out)
        promised, fresh = 0, True
    tally.seconds = time.perf_counter() - begun
    return tally


def _judge(scene: Scene, out: Path, promised: int, tally: Tally) -> None:
    for path in sorted(out.rglob("*")):
        if path.is_file() and not path.name.endswith(UNFINISHED):
            try:
                readable(path)
            except Exception as error:
                tally.loses(f"{path.relative_to(out)} cannot be read: {' '.join(str(error).split())}")
    tally.doubled += scene.doubled(out)
    if scene.kept(out) < promised:
        tally.loses(f"{promised} were promised and {scene.kept(out)} are there")


def readable(path: Path) -> None:
    """Raise an exception of whatever kind unless the file is whole, by its form."""
    content, form = path.read_bytes(), path.suffix
    if form == ".safetensors":
        from handread.training.checkpoint import parse_checkpoint

        parse_checkpoint(content, path)  # which knows its own checksum
    elif form == ".onnx":
        import onnx

        onnx.checker.check_model(onnx.load_from_string(content))
    elif form == ".parquet":
        import pyarrow.parquet as pq

        pq.read_table(io.BytesIO(content))
    elif form == ".json":
        json.loads(content)
    elif form == ".csv":
        rows = list(csv.reader(io.StringIO(content.decode()), strict=True))
        if not content.endswith(b"\n") or {len(row) for row in rows} != {len(rows[0])}:
            raise ValueError("its last row is not whole")
    elif form == ".png":
        from PIL import Image

        Image.open(io.BytesIO(content)).load()
    elif form == ".html" and not content.rstrip().endswith(b"</html>"):
        raise ValueError("it has no end")
    elif form == ".gz":
        import tarfile

        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                archive.extractfile(member)
    elif form == ".bin" and content != _content(path.name):
        raise ValueError("it is not what was published")


def state_of(out: Path) -> State:
    """Relative path -> content of every file."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


# --- children


def _unbroken(scene: Scene, stage: Path) -> tuple[int, str, int]:
    """Exit code, what was said on stderr, promises."""
    child, promises = _fork(scene, stage)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), (stage / "stderr").read_text(errors="replace")[-500:], _count(promises)


def _killed(scene: Scene, stage: Path, after_seconds: float) -> tuple[bool, int]:
    """Whether the kill came in time, and the promises until then."""
    child, promises = _fork(scene, stage)
    end = time.perf_counter() + after_seconds
    while time.perf_counter() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return False, _count(promises)
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), _count(promises)


def _fork(scene: Scene, stage: Path) -> tuple[int, int]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    code = 70
    try:
        os.close(reader)
        with open(stage / "stderr", "w", encoding="utf-8") as err, open(os.devnull, "w", encoding="utf-8") as out:
            sys.stdout, sys.stderr = out, err
            os.chdir(stage)  # no repository, of which the record would tell
            code = scene.act(stage, partial(_promise, writer))
    finally:
        os._exit(code)


def _promise(pipe: int) -> None:
    os.write(pipe, b".")


def _count(promises: int) -> int:
    with os.fdopen(promises, "rb") as pipe:
        return len(pipe.read())


def _in_child(work: Callable[[], None], stage: Path) -> None:
    def act(_: Path, promise: Promise) -> int:
        work()
        return 0

    code, told, _ = _unbroken(Scene(act), stage)
    if code:
        raise RuntimeError(f"nothing could be prepared: {told}")


def _clear(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()


# --- what is killed


def _load() -> None:
    """Load all that the commands need, and compute nothing: threads do not survive a fork."""
    for name in LOADED:
        importlib.import_module(name)
    import torch

    import handread.training.learning as learning
    import handread.training.loop as loop
    import handread.training.run as running
    from handread.training.surroundings import code_digest

    torch.set_num_threads(1)
    code_digest()  # of the code that is loaded, whatever becomes of its files meanwhile
    seconds = iter(range(1 << 60))
    # Every epoch takes one second, so that what is told of it is the same each time.
    vars(loop)["time"] = SimpleNamespace(perf_counter=lambda: float(next(seconds)))
    vars(running)["draw_curves"] = _curves  # drawing takes longer than all else together
    vars(learning).update(DRAWN=60, SCRIBBLED=20)


def _curves(history: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    write_atomic(path.with_suffix(".json"), json.dumps([title, history]).encode())


def _prepare(stage: Path) -> None:
    """Pictures, and what comes of training on them."""
    from PIL import Image

    from handread.imaging.draw import Pen, draw_character

    chance = np.random.default_rng(1)
    for number in range(60):
        what = "017"[number % 3]
        ink = draw_character(what, height_px=60.0, pen=Pen(width_px=5.0), rng=chance)
        picture = Image.fromarray(255 - np.pad(ink, 10))
        for folder in (stage / "characters" / what, *([stage / "photos"] if number < 12 else [])):
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{number}.png")
    (stage / "tiny.toml").write_text(RECIPE, encoding="utf-8")
    if code := _handread("train", stage / "tiny.toml", "--data", stage, "--out", stage / "finished"):
        raise RuntimeError(f"the training ended with {code}")


def _handread(*arguments: object) -> int:
    from handread.cli.main import run

    try:
        run([str(argument) for argument in arguments])
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 1


def _train(stage: Path, promise: Promise) -> int:
    return _handread("train", stage / "tiny.toml", "--data", stage, "--out", stage / "out" / "run", "--resume")


def _export(stage: Path, promise: Promise, *, out: str) -> int:
    return _handread("export", stage / "finished", "--out", stage / "out" / out)


def _page(stage: Path, promise: Promise) -> int:
    return _handread("export", stage / "finished", "--page", stage / "out" / "page")


def _submit(stage: Path, promise: Promise) -> int:
    return _handread(
        "submit", stage / "finished" / "model.onnx", "--data", stage / "photos", "--alphabet", "017",
        "--out", stage / "out" / "submission.csv",
    )  # fmt: skip


def _read(stage: Path, promise: Promise) -> int:
    return _handread(
        "read", stage / "photos", "--one", "--model", stage / "finished" / "model.onnx",
        "--out", stage / "out" / "readings", "--shard-size", 2,
    )  # fmt: skip


def _learn(stage: Path, promise: Promise) -> int:
    return _handread(
        "learn", stage / "characters", "--from", stage / "finished" / "model.onnx", "--epochs", 2,
        "--out", stage / "out" / "mine.onnx",
    )  # fmt: skip


def _fetch(stage: Path, promise: Promise) -> int:
    os.environ["HANDREAD_DATA"] = str(stage / "out")
    return _handread("data", "fetch", "mnist")


def _corrections(stage: Path, promise: Promise) -> int:
    from handread.desktop.corrections import Corrections, Origin
    from handread.types import Box

    for number in range(12):
        corrections = Corrections(stage / "out" / "mine")
        picture = np.full((20, 16), 10 * number, dtype=np.uint8)
        corrections.save(Origin("a.png", "0123456789ab", Box(40 * number, 0, 16, 20)), "017"[number % 3], picture)
        promise()
    return 0


def _collect(stage: Path, promise: Promise) -> int:
    from handread.web.collect import Collection

    for path in sorted((stage / "photos").iterdir()):
        Collection(stage / "out" / "mine", most_bytes=10**7).keep(path.read_bytes(), "7", "1")
        promise()
    return 0


def _rows(path: Path) -> list[str]:
    """First cell of every row but the header's."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file)][1:]


def _twice(names: Sequence[str]) -> int:
    return len(names) - len(set(names))


def _sources(out: Path) -> list[str]:
    import pyarrow.parquet as pq

    shards = sorted((out / "readings").glob("part-*.parquet"))
    return [source for shard in shards for source in pq.read_table(shard).column("source").to_pylist()]


def _corrected(out: Path) -> list[str]:
    return _rows(out / "mine" / "labels.csv")


SCENES = {
    "train": Scene(_train, doubled=lambda out: _twice(_rows(out / "run" / "history.csv"))),
    "learn": Scene(_learn),
    "export": Scene(partial(_export, out="model.onnx")),
    "export archive": Scene(partial(_export, out="run.tar.gz")),
    "export page": Scene(_page),
    "fetch": Scene(_fetch),
    "submit": Scene(_submit, doubled=lambda out: _twice(_rows(out / "submission.csv"))),
    "read": Scene(_read, doubled=lambda out: _twice(_sources(out))),
    "corrections": Scene(
        _corrections, doubled=lambda out: _twice(_corrected(out)), kept=lambda out: len(_corrected(out))
    ),
    "collect": Scene(_collect, doubled=lambda out: _twice(_corrected(out)), kept=lambda out: len(_corrected(out))),
}
LOADED = (
    "torch", "onnx", "pyarrow.parquet",
    "handread.cli.data", "handread.cli.exporting", "handread.cli.learning", "handread.cli.reading",
    "handread.cli.submitting", "handread.cli.training", "handread.data.fetch", "handread.data.unlabelled",
    "handread.desktop.corrections", "handread.evaluation.submission", "handread.recognizer", "handread.scale.run",
    "handread.scale.threads", "handread.training.learning", "handread.training.run", "handread.web.collect",
    "handread.web.offline",
)  # fmt: skip


# --- what fetches ask


_FILES = {"a.bin": 900_000, "b.bin": 300_000}


def _content(name: str) -> bytes:
    return np.random.default_rng(_FILES[name]).bytes(_FILES[name])


@contextlib.contextmanager
def _serving(stage: Path) -> Iterator[None]:
    """A server on this machine, in a process of its own, and a set of the catalogue that comes from it."""
    from handread.data import catalog
    from handread.data.catalog import Download, Entry

    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
            os.write(writer, f"{server.server_address[1]}\n".encode())
            server.serve_forever()
        finally:
            os._exit(1)
    os.close(writer)
    try:
        with os.fdopen(reader) as said:
            url = f"http://127.0.0.1:{said.readline().strip()}"
        known = f"sha256:{hashlib.sha256(_content('a.bin')).hexdigest()}"
        downloads = (
            Download((f"{url}/a.bin",), "mnist/a.bin", known, _FILES["a.bin"]),
            Download((f"{url}/b.bin",), "mnist/b.bin"),
        )
        catalog.CATALOG["mnist"] = Entry("mnist", "a set", "free", "nowhere", ("mnist",), downloads=downloads)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """The file from the byte that is asked for."""
        body = _content(self.path.strip("/"))
        start = int("".join(c for c in self.headers.get("Range", "0") if c.isdecimal()))
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", f'"{self.path}"')
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body[start:])

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


# --- what is told


def _line(name: str, tally: Tally) -> str:
    return (
        f"{name}: {tally.kills} kills, {tally.resumed} resumed to the end, {tally.lost} lost, "
        f"{tally.doubled} doubled, {tally.seconds:.0f} s"
    )


def _append(name: str, seed: int, tally: Tally) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    if not RESULTS.exists():
        table.writerow(HEADER)
    table.writerow((name, seed, tally.kills, tally.resumed, tally.lost, tally.doubled, round(tally.seconds)))
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    RESULTS.parent.mkdir(exist_ok=True)
    write_atomic(RESULTS, (before + text.getvalue()).encode())


if __name__ == "__main__":
    raise SystemExit(main())
