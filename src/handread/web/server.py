"""Running the application: sockets, processes, and the way it stops."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from types import FrameType

import cv2
import uvicorn
from PIL import Image

from handread.errors import ConfigError, HandreadError
from handread.web.app import create_app
from handread.web.connections import Connection, Connections
from handread.web.metrics import SHARED_FOLDER
from handread.web.settings import Settings
from handread.web.state import State

_BACKLOG = 2048
"""Connections that the system holds until they are taken."""
_SPARE_FILES = 256
"""Files that are open beside the connections."""
_REVIVAL_SECONDS = 1.0


class _Config(uvicorn.Config):
    """Makes the application in the process that runs it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            "handread",
            host=settings.host,
            port=settings.port,
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            log_level="error",  # what clients do wrong is theirs to know
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            root_path=settings.root_path,
            timeout_keep_alive=max(1, round(settings.quiet_seconds)),
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
        )
        self.settings = settings
        self.connections_held = Connections(settings)

    def load(self) -> None:
        """As uvicorn does at the start of each process."""
        # requests run side by side; threads within one of them only get in each other's way
        cv2.setNumThreads(1)
        warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # refused by `max_pixels`
        self.app = create_app(self.settings)
        super().load()


def listen(settings: Settings) -> socket.socket:
    """A socket that takes connections; `ConfigError` where the address or the port cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # with the protocol named: asyncio turns Nagle's delay of 40 ms off only for sockets that say TCP
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; choose another --port or "
            "--host"
        ) from None
    return listener


def make_server(settings: Settings) -> uvicorn.Server:
    """A server of one process, to be given a socket that listens: ``make_server(settings).run([listener])``.

    Raises `HandreadError` where the model or the folder for corrections is no good.
    """
    config = _Config(settings)
    config.load()
    # what was loaded stays: the collector need not look through it again and again while requests wait
    gc.freeze()
    return uvicorn.Server(config)


def serve(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer until told to stop by SIGINT or SIGTERM; what was accepted by then is answered.

    `ready` is called once the model is loaded. Raises `HandreadError` as `make_server` does.
    """
    _allow_files(settings.max_connections + _SPARE_FILES)
    if settings.workers == 1:
        server = make_server(settings)
        ready()
        with _stopping_quietly():
            server.run(sockets=[listener])
        return
    State.of(settings).service.close()  # what is wrong with the settings is said once, here
    folder = tempfile.mkdtemp(prefix="handread-metrics-")
    os.environ[SHARED_FOLDER] = folder
    try:
        _supervise(settings, listener, ready)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _stopping_quietly() -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more at its end; being told to stop is no failure."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, lambda *_: None)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Keep `settings.workers` processes running until a signal; then let them finish."""
    context = multiprocessing.get_context("spawn")

    def start() -> BaseProcess:
        process = context.Process(target=_work, args=(settings, listener), daemon=False)
        process.start()
        return process

    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    processes = [start() for _ in range(settings.workers)]
    ready()
    try:
        while not stop.wait(_REVIVAL_SECONDS):
            processes = [process if process.is_alive() else start() for process in processes]
    finally:
        listener.close()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(settings.stop_seconds + 5)
            if process.is_alive():
                process.kill()


def _work(settings: Settings, listener: socket.socket) -> None:
    """One of several processes."""
    # Ctrl-C goes to all processes of a terminal; here the first tells the others
    with contextlib.suppress(HandreadError):
        server = make_server(settings)
        with _stopping_quietly():
            server.run(sockets=[listener])


def _allow_files(count: int) -> None:
    """Raise the soft limit of open files to `count` where the hard one allows it."""
    try:
        import resource
    except ImportError:  # Windows has none
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
