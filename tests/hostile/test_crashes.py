"""A kill at any moment and a full disk at any moment: nothing half, nothing lost, and the same command ends as ever."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from handread.cli.main import run
from handread.data import atomic, catalog
from handread.data.alone import alone_in
from handread.data.atomic import ENDING, write_atomic
from handread.data.catalog import Download, Entry
from handread.data.load import load_data
from handread.errors import DataError
from tests.conftest import as_png
from tests.hostile.moments import Disk, finished, restore, state_of, watched

Act = Callable[[], None]


@pytest.fixture(autouse=True)
def as_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process remembers of folders is forgotten, as after a kill."""
    monkeypatch.setattr(atomic, "_swept", _Nothing())


class _Nothing(set[str]):
    def __contains__(self, folder: object) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended."""

    code: int
    err: str


def handread(*arguments: object) -> Told:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as left,
    ):
        run([str(argument) for argument in arguments])
    assert isinstance(left.value.code, int)
    return Told(left.value.code, err.getvalue())


def survives(folder: Path, act: Act, *, unfinished: tuple[str, ...] = (ENDING,)) -> Disk:
    """Assert that `act`, killed at any moment, leaves nothing half in `folder` and, done again, ends as unbroken.

    `act` is idempotent: a command with what makes it go on. Gives what was seen of an unbroken run.
    """
    before = state_of(folder)
    with watched(folder) as disk:
        act()
    end = state_of(folder)
    assert len(disk.states) > 1, "it wrote nothing"
    assert [name for name in disk.opened if not name.endswith(unfinished)] == []
    for _, state in disk.states.values():
        for name, content in finished(state).items():
            if content is not None and not name.endswith(unfinished) and content != before.get(name):
                assert content in disk.placed[name], f"{name} was half there"
    for _, state in disk.states.values():
        restore(folder, state)
        act()
        assert state_of(folder) == end
    return disk


def withstands(folder: Path, act: Callable[[], Told], *, every: int = 1, kept: tuple[str, ...] = ()) -> int:
    """Assert that a disk that is full from any call on leads to one sentence, code 2, whole files and no others.

    Then there is room again, and `act` ends as unbroken. Files named in `kept` are not touched by a failure. Gives the
    number of calls.
    """
    before = state_of(folder)
    with watched(folder) as disk:
        assert act().code == 0
    end, calls = state_of(folder), disk.grown
    for allowed in range(0, calls, every):
        restore(folder, before)
        with watched(folder, full_after=allowed):
            told = act()
        after = state_of(folder)
        assert not [name for name in after if name.endswith(ENDING)], allowed
        if told.code == 0:  # nothing but a courtesy was refused
            assert finished(after) == end
            continue
        assert told.code == 2, told.err
        assert re.fullmatch(r"handread: [^\n]*No space left on device[^\n]*\n", told.err), told.err
        for name, content in after.items():
            if content is not None and not name.endswith((".part", ".part.json")) and content != before.get(name):
                assert content in disk.placed[name], (name, allowed)
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        if allowed == calls // 2:
            act()
            assert state_of(folder) == end
    return calls


# --- one file


def test_a_file_is_the_old_one_or_the_new_one_at_every_moment(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    disk = survives(tmp_path, lambda: write_atomic(tmp_path / "a", b"new content"))
    assert disk.calls == ["open", "write", "write", "fsync", "chmod", "replace"]
    assert {state["a"] for _, state in disk.states.values()} == {b"old", b"new content"}


def test_the_folder_is_synced_after_the_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    real = atomic.os.fsync

    def fsync(handle: int) -> None:
        synced.append(("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file", (tmp_path / "a").exists()))
        real(handle)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    write_atomic(tmp_path / "a", b"new")
    assert synced == [("file", False), ("folder", True)]


def test_what_killed_processes_left_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    (tmp_path / f".a.1{ENDING}").write_bytes(b"left by a killed one")
    (tmp_path / "a.part").write_bytes(b"somebody else's")
    (tmp_path / f".b.2{ENDING}").symlink_to(tmp_path / "a.part")
    handle, mine = atomic._begun(tmp_path / "c")
    try:
        write_atomic(tmp_path / "a", b"new")
        assert set(state_of(tmp_path)) == {"a", "a.part", f".b.2{ENDING}", Path(mine).name}
    finally:
        atomic.os.close(handle)


def test_a_link_stays_and_a_device_is_no_file_to_replace(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"new")
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "real").read_bytes()) == (True, b"new")
    write_atomic("/dev/null", b"nothing")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(DataError, match="cannot write /dev/full: No space left on device"):
        write_atomic("/dev/full", b"anything")


# --- commands


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder that commands write into; its old files are not theirs to lose."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "old.csv").write_bytes(b"old")
    return folder


@pytest.fixture
def photos(tmp_path: Path, draw: Callable[[str], Image.Image]) -> Path:
    """1.png to 5.png: 7 1 0 7 1."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, what in enumerate("71071", start=1):
        draw(what).save(folder / f"{number}.png")
    return folder


Command = Callable[[], Told]


@pytest.fixture
def submit(out: Path, photos: Path, tiny_model: Path) -> Command:
    return partial(handread, "submit", tiny_model, "--data", photos, "--out", out / "old.csv")


@pytest.fixture
def read(out: Path, photos: Path, tiny_model: Path) -> Command:
    pytest.importorskip("pyarrow")
    return partial(handread, "read", photos, "--one", "--model", tiny_model, "--out", out / "read", "--shard-size", 2)


@pytest.fixture
def export(out: Path, tmp_path: Path, tiny_bytes: bytes) -> Command:
    if missing := [name for name in ("torch", "onnx", "safetensors") if find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} absent; pip install 'handread[train]'")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.onnx").write_bytes(tiny_bytes)
    return partial(handread, "export", tmp_path / "run", "--out", out / "old.csv.onnx")


@pytest.fixture
def page(out: Path, tiny_model: Path) -> Command:
    return partial(handread, "export", tiny_model, "--page", out / "page")


@pytest.fixture
def fetch(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Two files, of which one has no checksum, from a server on this machine that goes on where it is asked to."""
    content = {name: np.random.default_rng(size).bytes(size) for name, size in (("a.bin", 150_000), ("b.bin", 70_000))}
    with _serving(content) as url:
        known = Download((f"{url}/a.bin",), "mnist/a.bin", f"sha256:{_sha256(content['a.bin'])}", 150_000)
        downloads = (known, Download((f"{url}/b.bin",), "mnist/b.bin"))
        entry = Entry("mnist", "a set", "free", "https://example.org", ("mnist",), downloads=downloads)
        monkeypatch.setitem(catalog.CATALOG, "mnist", entry)
        monkeypatch.setenv(catalog.FOLDER_VARIABLE, str(out))
        yield partial(handread, "data", "fetch", "mnist")


@pytest.fixture
def fetch_zip(out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """A zip of two members that are laid beside it."""
    with _serving({"a.zip": _zip({"x/a-1.gz": b"one" * 100, "x/a-2.gz": b"two" * 100})}) as url:
        downloads = (Download((f"{url}/a.zip",), "emnist/a.zip"),)
        entry = Entry(
            "mnist", "a set", "free", "https://example.org", ("emnist/a-1.gz",), downloads=downloads, unpack=r"a-\d\.gz"
        )
        monkeypatch.setitem(catalog.CATALOG, "mnist", entry)
        monkeypatch.setenv(catalog.FOLDER_VARIABLE, str(out))
        yield partial(handread, "data", "fetch", "mnist")


COMMANDS = ("submit", "read", "export", "page", "fetch", "fetch_zip")
HALVES = (ENDING, ".part", ".part.json")


def well(command: Command) -> None:
    assert command() == Told(0, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_killed_at_any_moment_is_given_again(name: str, out: Path, request: pytest.FixtureRequest) -> None:
    command: Command = request.getfixturevalue(name)
    survives(out, lambda: well(command), unfinished=HALVES)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_a_full_disk_says_so_and_loses_nothing(
    name: str, out: Path, request: pytest.FixtureRequest
) -> None:
    command: Command = request.getfixturevalue(name)
    kept = ("old.csv",)
    assert withstands(out, command, every=29 if name == "page" else 1, kept=kept) >= 5


# --- training


@pytest.fixture
def train(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Two epochs of a tiny network, of which the best is kept; every epoch takes one second. Its curves are not
    drawn, which takes longer than all else."""
    loop = pytest.importorskip("handread.training.loop", reason="needs the extra 'train'")
    import handread.training.run as running
    from tests.training.conftest import RECIPE, signs

    images, labels = signs(60)
    np.savez(tmp_path / "signs.npz", images=images, labels=labels)
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("epochs = 4", 'epochs = 2\nkeep = "best"'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)  # no repository, of which the record would tell
    seconds = iter(range(1_000_000))
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: float(next(seconds))))
    monkeypatch.setattr(
        running, "draw_curves", lambda history, path, title: write_atomic(path, repr([title, history]).encode())
    )
    return partial(handread, "train", tmp_path / "tiny.toml", "--data", tmp_path, "--out", out / "run", "--resume")


def test_a_training_killed_at_any_moment_goes_on_to_the_same_run(out: Path, train: Command) -> None:
    """Every file of the run folder, report and record included, bit for bit."""
    disk = survives(out, lambda: well(train))
    assert {"run/last.safetensors", "run/model.onnx", "run/history.csv"} < set(disk.placed)
    assert "run/previous.safetensors" not in state_of(out)


def test_a_training_on_a_full_disk_says_so_and_keeps_its_checkpoints(out: Path, train: Command) -> None:
    withstands(out, train, every=11, kept=("old.csv",))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks no processes")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_trainings_killed_with_kill_9_go_on_to_the_same_run(out: Path, train: Command) -> None:
    from handread.training.checkpoint import load_checkpoint

    train = partial(train, "--set", "epochs=20")
    well(train)
    end = state_of(out)
    restore(out, {"old.csv": b"old"})
    history, killed = out / "run" / "history.csv", 0
    for epochs in (1, 7, 13):
        if (child := os.fork()) == 0:
            with contextlib.suppress(BaseException):
                train()
            os._exit(0)
        patience = time.monotonic() + 60
        while time.monotonic() < patience:
            if history.exists() and history.read_text().count("\n") > epochs:
                break
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        for path in (out / "run").glob("*.safetensors"):
            load_checkpoint(path)
    assert killed, "each had ended before it was killed"
    well(train)
    assert state_of(out) == end


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_a_training_told_to_terminate_saves_all(out: Path, train: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import handread.training.run as running

    well(train)
    end = state_of(out)
    restore(out, {"old.csv": b"old"})
    real = running.weights_digest

    def digest(network: object) -> str:
        if not (out / "run" / "last.safetensors").exists():
            os.kill(os.getpid(), signal.SIGTERM)
        return real(network)

    monkeypatch.setattr(running, "weights_digest", digest)
    told = train()
    assert told.code == 130
    assert told.err.endswith(f"handread: stopped, everything is saved in {out / 'run'}; go on with --resume\n")
    well(train)
    assert state_of(out) == end


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_a_command_told_to_terminate_takes_away_what_is_half_done(
    out: Path, submit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, handler = state_of(out), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(atomic, "_permissions", lambda path: os.kill(os.getpid(), signal.SIGTERM))
    assert submit() == Told(143, "")
    assert state_of(out) == before
    assert signal.getsignal(signal.SIGTERM) is handler


def stopped_after_two_epochs(train: Command) -> None:
    """Begin a run of four epochs and leave it after two."""
    from handread.training.run import train_recipe
    from handread.training.watcher import Watcher

    recipe, data, out = train.args[1], train.args[3], train.args[5]  # type: ignore[attr-defined]
    epochs: list[object] = []
    watcher = Watcher(epoch=epochs.append, stop=lambda: len(epochs) == 2)
    assert train_recipe(recipe, str(data), out, ["epochs=4"], watcher=watcher) is None


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(out: Path, train: Command) -> None:
    train = partial(train, "--set", "epochs=4")
    stopped_after_two_epochs(train)
    kept = state_of(out)
    well(train)
    end = state_of(out)
    newest = out / "run" / "last.safetensors"
    whole = kept["run/last.safetensors"]
    assert whole is not None
    flipped = whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]  # one bit of one number
    restore(out, kept | {"run/last.safetensors": flipped})
    sentence = f"handread: {newest} is damaged; going on from the checkpoint before it, with 1 epoch done\n"
    assert train() == Told(0, sentence)
    assert state_of(out) == end
    restore(out, kept | {"run/last.safetensors": flipped, "run/previous.safetensors": whole[:-1]})
    told = train()
    assert told.code == 2
    assert re.fullmatch(r"handread: the checkpoint .*last\.safetensors is damaged .*choose another folder\n", told.err)
    assert state_of(out)["run/previous.safetensors"] == whole[:-1]


def test_two_processes_do_not_train_in_one_folder(out: Path, train: Command) -> None:
    (out / "run").mkdir()
    with alone_in(out / "run") as free:
        assert free
        told = train()
    assert told.code == 2
    assert told.err == (
        f"handread: another process is training in {out / 'run'}; wait for its end or choose another folder\n"
    )
    assert state_of(out) == {"old.csv": b"old", "run": None}


# --- disks as they are


@pytest.fixture
def mounted(out: Path) -> Iterator[Callable[[str], None]]:
    """A small disk of its own at `out`; a function that changes how it is mounted."""

    def mount(*arguments: str) -> int:
        return subprocess.run(["mount", *arguments, str(out)], stderr=subprocess.DEVNULL, check=False).returncode

    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("a disk of its own is made with mount, on Linux")
    if mount("-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        pytest.skip("nobody but root may mount a disk")
    try:
        (out / "old.csv").write_bytes(b"old")
        yield lambda options: None if mount("-o", f"remount,{options}") == 0 else pytest.skip("cannot be remounted")
    finally:
        subprocess.run(["umount", str(out)], check=True)


EVERY = (*COMMANDS, "train")


def refused(command: Command, out: Path, reason: str) -> None:
    """Assert that it says in one sentence that it cannot write, and changes nothing; an empty folder does no harm."""
    before = files_at(out)
    told = command()
    assert told.code == 2, told.err
    assert re.fullmatch(rf"handread: [^\n]*{reason}[^\n]*[;:] [^\n]+\n", told.err), told.err
    assert files_at(out) == before


def files_at(out: Path) -> dict[str, bytes]:
    found = state_of(out) if out.is_dir() else {"": out.read_bytes()}
    return {name: content for name, content in found.items() if content is not None}


def test_a_disk_without_room_is_told_by_every_command(
    out: Path, mounted: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    (out / "filler").touch()
    for name in EVERY:
        command = request.getfixturevalue(name)
        with contextlib.suppress(OSError), open(out / "filler", "ab", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        refused(command, out, r"(No space left on device|has 0 left)")


def test_a_disk_for_reading_only_is_told_by_every_command(
    out: Path, mounted: Callable[[str], None], request: pytest.FixtureRequest
) -> None:
    mounted("ro")
    for name in EVERY:
        refused(request.getfixturevalue(name), out, "Read-only file system")


def test_a_place_below_a_file_is_told_by_every_command(out: Path, request: pytest.FixtureRequest) -> None:
    commands = [request.getfixturevalue(name) for name in EVERY]
    shutil.rmtree(out)
    out.write_bytes(b"a file")
    for command in commands:
        refused(command, out, "(Not a directory|File exists)")


def test_a_file_may_be_no_larger_than_the_system_allows(
    out: Path, export: Command, submit: Command, page: Command, train: Command
) -> None:
    resource = pytest.importorskip("resource", reason="Windows knows no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        told = [command() for command in (export, page, train)]
        well(submit)  # its file is small
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for one in told:
        assert one.code == 2
        assert re.fullmatch(r"handread: cannot write [^\n]*File too large; [^\n]+\n", one.err), one.err
    assert not list(out.rglob(f"*{ENDING}"))
    for command in (export, page, train):
        well(command)


def test_an_output_without_room_is_one_sentence_too(
    photos: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with (
        open("/dev/full", "w", encoding="utf-8") as full,
        contextlib.redirect_stdout(full),
        pytest.raises(SystemExit) as left,
    ):
        run(["read", str(photos / "1.png"), "--model", str(tiny_model)])
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "handread: cannot write the output: No space left on device; make room, or write elsewhere\n"
    )


# --- corrections


Step = Callable[[Path], None]


def window(png: list[bytes]) -> list[tuple[Step, list[str]]]:
    """What the window keeps, and the labels that must be there after each step."""
    from handread.desktop.corrections import Corrections, Origin
    from handread.types import Box

    picture = np.full((20, 16), 200, dtype=np.uint8)
    one, two, moved = (Origin("a.png", "0123456789ab", Box(x, 0, 16, 20)) for x in (0, 100, 1))

    def save(origin: Origin, label: str) -> Step:
        return lambda folder: Corrections(folder).save(origin, label, picture)

    return [
        (save(one, "1"), ["1"]),
        (save(two, "2"), ["1", "2"]),
        (save(moved, "7"), ["2", "7"]),
        (lambda folder: Corrections(folder).relabel(two, "3"), ["3", "7"]),
        (lambda folder: Corrections(folder).remove(two) and None, ["7"]),
    ]


def server(png: list[bytes]) -> list[tuple[Step, list[str]]]:
    """Likewise what the server keeps."""
    pytest.importorskip("fastapi")
    from handread.web.collect import Collection

    def keep(picture: bytes, label: str) -> Step:
        return lambda folder: Collection(folder, most_bytes=10**6).keep(picture, label, "") and None

    return [(keep(png[0], "7"), ["7"]), (keep(png[1], "1"), ["7", "1"]), (keep(png[0], "0"), ["0", "1"])]


@pytest.mark.parametrize("of", [window, server])
def test_a_correction_that_was_kept_is_there_after_any_kill(
    of: Callable[[list[bytes]], list[tuple[Step, list[str]]]], out: Path, draw: Callable[[str], Image.Image]
) -> None:
    folder = out / "mine"
    folder.mkdir()
    steps = of([as_png(draw(what)) for what in "71"])
    with watched(folder) as disk:
        for step, _ in steps:
            step(folder)
            disk.told += 1
            disk.look()
    end = state_of(folder)
    expected: list[list[str]] = [[], *(labels for _, labels in steps)]
    assert {told for told, _ in disk.states.values()} == set(range(len(expected)))
    assert [name for name in disk.opened if not name.endswith(ENDING)] == []
    for told, state in disk.states.values():
        restore(folder, state)
        assert labels_of(folder) in expected[told : told + 2]
        for step, _ in steps[told:]:
            step(folder)
        assert finished(state_of(folder)) == end


def labels_of(folder: Path) -> list[str]:
    """The labels of a set that can be loaded, sorted as its list has them."""
    path = folder / "labels.csv"
    labels = [row.split(",")[1] for row in path.read_text().splitlines()[1:]] if path.exists() else []
    if labels:
        assert sorted(load_data(folder).characters()) == sorted(labels)
    return labels


@pytest.mark.parametrize("of", [window, server])
def test_a_correction_that_finds_no_room_takes_none_away(
    of: Callable[[list[bytes]], list[tuple[Step, list[str]]]], out: Path, draw: Callable[[str], Image.Image]
) -> None:
    folder = out / "mine"
    folder.mkdir()
    (first, labels), (second, after) = of([as_png(draw(what)) for what in "71"])[:2]
    first(folder)
    before = state_of(folder)
    with watched(folder) as disk:
        second(folder)
    for allowed in range(disk.grown):
        restore(folder, before)
        with watched(folder, full_after=allowed), pytest.raises(DataError, match="No space left on device"):
            second(folder)
        assert labels_of(folder) == labels
        assert not list(folder.rglob(f"*{ENDING}"))
        second(folder)
        assert labels_of(folder) == after


@contextlib.contextmanager
def _serving(content: dict[str, bytes]) -> Iterator[str]:
    """A server of these files on this machine, which sends a part when it is asked for one; gives its address."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            body = content[self.path.strip("/")]
            start = int(re.sub(r"\D", "", self.headers.get("Range", "0")))
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body[start:])

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _zip(members: dict[str, bytes]) -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


# --- the long form


def test_the_long_form_sees_a_half_file(
    tmp_path: Path, draw: Callable[[str], Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
    from fuzz.crashes import main, readable

    whole = {"a.json": b'{"a": 1}', "a.csv": b"image,label\na.png,7\n", "a.png": as_png(draw("7")),
             "a.html": b"<html>text</html>\n"}  # fmt: skip
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
        readable(tmp_path / name)
        (tmp_path / name).write_bytes(content[: len(content) // 2 + 1])
        with pytest.raises((ValueError, OSError)):
            readable(tmp_path / name)
    with pytest.raises(SystemExit) as left:
        main(["nothing"])
    assert left.value.code == 2
