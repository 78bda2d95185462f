"""The engine of many machines: Ray Data hands shards to a pool of actors, each of which holds a recogniser.

An actor writes the shard that it has read, whole or not at all, so only a few numbers come back. Ray gives the shard
of a worker that died to another; whether the first one had written it already, there is one file in the end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from handread.errors import HandreadError, MissingExtraError
from handread.machine import cores
from handread.scale.job import Done, Job, finished, read_shard
from handread.scale.outlet import outlet
from handread.scale.shard import Shard

# Ray looks when it is imported: nothing is told to anybody, and its C++ side does not write between our lines.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
try:
    import pyarrow as pa
    import ray
    import ray.data
except ImportError:
    raise MissingExtraError("reading with --engine ray", "scale") from None


ADDRESS = "RAY_ADDRESS"
"""Environment variable with the address of a cluster; without it Ray is started on this machine alone."""

WAVE = 10_000
"""Shards that are handed to Ray at once: the addresses of ten million pictures of 60 letters are 600 MB."""

_STORE_BYTES = 200 << 20
"""Ray's shared memory on one machine. Only addresses and counts go through it, and what is more goes to the disk."""

_KNOCK_SECONDS = 10


def read_shards(job: Job, shards: Iterator[Shard], workers: int | None) -> Iterator[Done]:
    """Read `shards` on `workers` actors of one core each, by default one a core; gives each when it is written."""
    with _running(workers):
        while wave := [_as_block(shard) for shard in islice(shards, WAVE)]:
            pool = min(len(wave), workers or int(ray.cluster_resources().get("CPU", 1)))
            yield from _read_wave(job, wave, pool)


def _read_wave(job: Job, wave: list[Any], workers: int) -> Iterator[Done]:
    found = ray.data.from_arrow_refs(wave).map_batches(
        ShardReader,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=(ray.put(job),),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    for row in found.iter_rows():
        if row["wrong"]:
            raise HandreadError(row["wrong"])
        yield Done(row["number"], row["pictures"], row["failed"])


def _as_block(shard: Shard) -> Any:
    return ray.put(pa.table({"shard": [shard.to_json()]}))


class ShardReader:
    """What an actor runs: a recogniser, and the way from a shard to its file."""

    def __init__(self, job: Any) -> None:
        """Load the network of a `Job`, or of a reference to one in Ray's store."""
        import cv2

        cv2.setNumThreads(1)  # an actor has one core
        self.job: Job = ray.get(job) if isinstance(job, ray.ObjectRef) else job
        self.reader = self.job.reader()
        self.folder = outlet(self.job.out)

    def __call__(self, block: Any) -> Any:
        """Read the shards of an Arrow table with the column ``shard``; a table with a row for each."""
        rows = [self._row(Shard.from_json(text)) for text in block.column("shard").to_pylist()]
        return pa.Table.from_pylist(rows)

    def read(self, shard: Shard) -> Done:
        """Read a shard, unless a worker that died since has finished it."""
        count = finished(self.job, shard, self.folder)
        if count is not None:
            return Done(shard.number, count.pictures, count.failed)
        return read_shard(self.job, self.reader, shard, self.folder)

    def _row(self, shard: Shard) -> dict[str, Any]:
        try:
            done = self.read(shard)
        except HandreadError as error:  # told as the sentence that it is, not as a failure of Ray's
            return {"number": shard.number, "pictures": 0, "failed": 0, "wrong": str(error)}
        return {"number": done.number, "pictures": done.pictures, "failed": done.failed, "wrong": ""}


@contextlib.contextmanager
def _running(workers: int | None) -> Iterator[None]:
    """Ray as it is running, or the configured cluster, or one of this machine that ends with the reading."""
    context = ray.data.DataContext.get_current()
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "execution_no_progress_timeout_s": -1,  # a large shard may take an hour
    }
    before = {name: getattr(context, name) for name in wanted if hasattr(context, name)}
    started = not ray.is_initialized()
    if started:
        _start(workers)
    for name in before:
        setattr(context, name, wanted[name])
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):  # what it tells of every execution is kept in its files
            handler.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)
        if started:
            ray.shutdown()


def _start(workers: int | None) -> None:
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    address = os.environ.get(ADDRESS)
    try:
        _knock(address)
        with _silence():
            if address:
                ray.init(address=address, **quiet)
            else:
                ray.init(
                    address="local", num_cpus=workers or cores(), include_dashboard=False,
                    object_store_memory=_STORE_BYTES, **quiet,
                )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise HandreadError(
            f"{where} cannot be reached ({reason}); check {ADDRESS}, or read with --engine threads"
        ) from None


def _knock(address: str | None) -> None:
    """Raise OSError where nobody answers at HOST:PORT: Ray itself would try for minutes, and then end the process."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_SECONDS).close()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No standard error: while it starts, Ray's C++ side says there that it was told to be quiet."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
