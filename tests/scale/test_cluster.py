"""Ray on this machine, started once: what the threads do, it does too, and a dying worker changes nothing."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import ray

from handread.errors import HandreadError
from handread.imaging.draw import Paper, Pen, draw_text
from handread.scale import cluster
from handread.scale.job import Done, Job
from handread.scale.listing import MARK
from handread.scale.outcome import Options
from handread.scale.run import ReadConfig, read_all
from handread.scale.shard import Shard

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own warnings are not ours to mend


@pytest.fixture(scope="module")
def local_cluster() -> Iterator[None]:
    """Ray with two cores, as a user may have started it."""
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    ray.init(address="local", num_cpus=2, object_store_memory=100 << 20, **quiet)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures of one to three digits by the project's own pen, two of them cut off."""
    place = tmp_path_factory.mktemp("drawn")
    for number in range(40):
        rng = np.random.default_rng(number)
        picture = draw_text(str(number * 7), height_px=40, pen=Pen(width_px=4), paper=Paper(), rng=rng).image
        cv2.imwrite(str(place / f"{number}.png"), picture)
    for number in (3, 21):
        path = place / f"{number}.png"
        path.write_bytes(path.read_bytes()[:60])
    return place


def contents(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


@pytest.fixture(scope="module")
def by_threads(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the threads make of the pictures, by name of the file."""
    out = tmp_path_factory.mktemp("threads") / "out"
    assert read_all([str(drawn)], str(out), ReadConfig("digits", shard_size=9)).failed == 2
    return contents(out)


@pytest.mark.usefixtures("local_cluster")
def test_both_engines_write_the_same_bytes(
    drawn: Path, by_threads: dict[str, bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = read_all([str(drawn)], str(tmp_path), ReadConfig("digits", shard_size=9), engine="ray", workers=2)
    assert (found.pictures, found.failed, found.shards, found.found) == (40, 2, 5, 0)
    assert contents(tmp_path) == by_threads
    assert set(by_threads) == {MARK, *(f"part-0000{n}.parquet" for n in range(5))}
    assert capfd.readouterr().err == ""
    assert ray.is_initialized()  # what the user started is left running


@pytest.mark.usefixtures("local_cluster")
def test_a_worker_that_dies_loses_and_doubles_nothing(
    drawn: Path, by_threads: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tmp_path / "tries"
    tries.mkdir()

    class Mortal(cluster.ShardReader):
        """Dies at the first try of shard 1 before it is read, and of shard 3 when it is written."""

        def read(self, shard: Shard) -> Any:
            first = not list(tries.glob(f"{shard.number} *"))
            (tries / f"{shard.number} by process {os.getpid()}").touch()
            if first and shard.number == 1:
                os._exit(1)
            done = super().read(shard)
            if first and shard.number == 3:
                os._exit(1)
            return done

    monkeypatch.setattr(cluster, "ShardReader", Mortal)
    out = tmp_path / "out"
    found = read_all([str(drawn)], str(out), ReadConfig("digits", shard_size=9), engine="ray", workers=2)
    tried = Counter(path.name[0] for path in tries.iterdir())
    assert tried.keys() == set("01234")
    assert min(tried["1"], tried["3"]) >= 2
    assert (found.pictures, found.failed, found.shards) == (40, 2, 5)
    assert contents(out) == by_threads


def test_shards_are_handed_over_in_waves(tiny_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = []

    def fake(job: Job, wave: list[str], workers: int) -> Iterator[Done]:
        waves.append((wave, workers))
        yield from (Done(number, 1, 0) for number in range(len(wave)))

    monkeypatch.setattr(cluster, "WAVE", 3)
    monkeypatch.setattr(cluster, "_running", lambda workers: contextlib.nullcontext())
    monkeypatch.setattr(cluster, "_as_block", lambda shard: shard.entries[0])
    monkeypatch.setattr(cluster, "_read_wave", fake)
    job = Job(tiny_bytes, "tiny", Options("0"), "out", ".")
    shards = (Shard(number, (name,)) for number, name in enumerate("abcdefg"))
    assert len(list(cluster.read_shards(job, shards, 2))) == 7
    assert waves == [(["a", "b", "c"], 2), (["d", "e", "f"], 2), (["g"], 1)]


def test_what_ends_a_run_comes_back_as_its_sentence(drawn: Path, tmp_path: Path, tiny_bytes: bytes) -> None:
    out = tmp_path / "out"
    job = Job(tiny_bytes, "tiny", Options("0123456789"), str(out), str(drawn))
    reader = cluster.ShardReader(job)
    shard = Shard(4, ("1.png", "3.png"))
    block = pa.table({"shard": [shard.to_json()]})
    assert reader(block).to_pylist() == [{"number": 4, "pictures": 2, "failed": 1, "wrong": ""}]
    (out / "part-00004.parquet").unlink()
    out.rmdir()
    (row,) = reader(block).to_pylist()
    assert row["wrong"].startswith(f"cannot write {out / 'part-00004.parquet'}")


@pytest.mark.parametrize(
    ("address", "said"), [("127.0.0.1:{port}", "Connection refused"), ("auto", "there is no running cluster")]
)
def test_a_cluster_that_is_not_there(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    def nobody(**options: Any) -> None:
        raise ConnectionError("there is no running cluster.\nMore.")

    with socket.socket() as free:  # a port at which nobody listens
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv(cluster.ADDRESS, address.format(port=free.getsockname()[1]))
        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        monkeypatch.setattr(ray, "init", nobody)
        with pytest.raises(HandreadError, match=rf"cannot be reached \(.*{said}\); check RAY_ADDRESS"):
            read_all([str(drawn)], str(tmp_path / "out"), engine="ray")
