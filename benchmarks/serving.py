"""How the server bears load: many clients with single characters, and some with photographs, at once.

    python -m benchmarks.run serving [--seconds 60]

On loopback, 64 clients send 28 x 28 pictures of one character and 8 send photographs of 12 megapixels, each client
its next request as soon as it has its answer. Then 8 clients send arrays of 64 characters, and what comes through a
second is told as a ratio to what `Recognizer.classify` reads a second inside the server's own process, where nothing
is sent. The clients run in a process of their own, on the same machine and so on the same cores.

This module imports only the standard library at its top, so that the clients cost little.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.child import child, measured_on
from benchmarks.results import RESULTS, ROOT, Row, markdown

FILE = RESULTS / "serving.csv"
PAGE = ROOT / "docs" / "serving.md"
COLUMNS = ("measure", "value", "unit", "seconds", "machine", "versions", "weights")

SMALL_CLIENTS = 64
PHOTO_CLIENTS = 8
BATCH_CLIENTS = 8
BATCH = 64

TITLES = {
    "small-requests": "single characters answered, 64 clients",
    "small-rate": "— a second",
    "small-p50": "— median time to the answer",
    "small-p99": "— 99th percentile",
    "small-worst": "— longest",
    "photo-requests": "photographs of 12 megapixels answered at the same time, 8 clients",
    "photo-p50": "— median time to the answer",
    "photo-p99": "— 99th percentile",
    "errors": "answers that were not 200, or lost",
    "memory-start": "memory of the server after a warm-up of a sixth of the time",
    "memory-end": "— at the end",
    "memory-peak": "— the most",
    "classify-rate": "`Recognizer.classify`, inside the server's process, characters a second",
    "batch-rate": "`/v1/read/batch` with 64 characters a request, characters a second",
    "batch-ratio": "— as a ratio to the same",
    "drawing-p50": "a drawing of two digits, one client: median time to the answer",
    "drawing-p99": "— 99th percentile",
}
"""Measure -> what it is, in the order of the table."""

UNITS = {
    "small-requests": "", "small-rate": "", "small-p50": "ms", "small-p99": "ms", "small-worst": "ms",
    "photo-requests": "", "photo-p50": "ms", "photo-p99": "ms", "errors": "", "memory-start": "MB",
    "memory-end": "MB", "memory-peak": "MB", "classify-rate": "", "batch-rate": "", "batch-ratio": "times",
    "drawing-p50": "ms", "drawing-p99": "ms",
}  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What a group of clients met with."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Milliseconds that `share` (0..1) of the answers did not exceed."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def measure(seconds: int, say: Callable[[str], None]) -> list[Row]:
    """One row a measure; `say` hears of each."""
    with tempfile.TemporaryDirectory() as folder:
        child("from benchmarks.serving import draw; draw(sys.argv[1])", folder)
        server = subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.serving import host; host()"], cwd=ROOT, stdout=subprocess.PIPE,
            stdin=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stdout is not None
            port, classify_rate = server.stdout.readline().split()
            found = asyncio.run(_load(Path(folder), int(port), server.pid, seconds, say))
        finally:
            server.communicate(timeout=60)  # the end of its input tells it to stop
    found["classify-rate"] = float(classify_rate)
    found["batch-ratio"] = found["batch-rate"] / found["classify-rate"]
    machine, versions, weights = measured_on()
    rows: list[Row] = []
    for name in TITLES:
        values = (name, f"{found[name]:.3f}", UNITS[name], str(seconds), machine, versions, weights)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
        say(f"{name:16} {found[name]:12.3f} {UNITS[name]}")
    return rows


def table(rows: list[Row]) -> str:
    """The rows for people, with the machine below."""
    lines = [[TITLES[row["measure"]], _shown(row)] for row in rows]
    first = rows[0]
    return (
        markdown(["what", ""], lines, right=[1])
        + f"\n\n{first['seconds']} seconds on {first['machine']}, clients and server on the same cores, "
        f"with {first['versions']}."
    )


def _shown(row: Row) -> str:
    value = float(row["value"])
    return f"{value:.2f} times" if row["unit"] == "times" else f"{value:,.0f} {row['unit']}".strip()


async def _load(folder: Path, port: int, pid: int, seconds: int, say: Callable[[str], None]) -> dict[str, float]:
    characters = [_form(path.name, path.read_bytes()) for path in sorted(folder.glob("*.png"))]
    photos = [_form(path.name, path.read_bytes(), one=False) for path in sorted(folder.glob("*.jpg"))]
    found: dict[str, float] = {}
    drawing = Tally()
    await _clients(port, [_drawing()], 1, max(2.0, seconds / 12), drawing)
    found["drawing-p50"], found["drawing-p99"] = drawing.percentile(0.5), drawing.percentile(0.99)
    small, photo = Tally(), Tally()
    memory = asyncio.create_task(_memory(pid, seconds))
    await asyncio.gather(
        _clients(port, characters, SMALL_CLIENTS, seconds, small), _clients(port, photos, PHOTO_CLIENTS, seconds, photo)
    )
    found["memory-start"], found["memory-end"], found["memory-peak"] = await memory
    batch = Tally()
    span = max(3.0, seconds / 6)
    await _clients(port, [_array((folder / "batch.raw").read_bytes())], BATCH_CLIENTS, span, batch)
    errors = [*small.errors, *photo.errors, *batch.errors, *drawing.errors]
    for error in errors[:5]:
        say(error)
    return found | {
        "small-requests": len(small.seconds), "small-rate": len(small.seconds) / seconds,
        "small-p50": small.percentile(0.5), "small-p99": small.percentile(0.99), "small-worst": small.percentile(1),
        "photo-requests": len(photo.seconds), "photo-p50": photo.percentile(0.5), "photo-p99": photo.percentile(0.99),
        "errors": len(errors), "batch-rate": BATCH * len(batch.seconds) / span,
    }  # fmt: skip


async def _clients(port: int, requests: Sequence[bytes], count: int, seconds: float, tally: Tally) -> None:
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_client(port, requests, number, end, tally) for number in range(count)))


async def _client(port: int, requests: Sequence[bytes], number: int, end: float, tally: Tally) -> None:
    """One request after the other on one connection, until the time is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        start = time.perf_counter()
        try:
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
            body = await reader.readexactly(length)
            if lines[0].split()[1] != b"200":
                tally.errors.append(f"{lines[0].decode()} {body[:200].decode()}")
            else:
                tally.seconds.append(time.perf_counter() - start)
        except (OSError, EOFError, asyncio.IncompleteReadError, StopIteration) as error:
            tally.errors.append(f"lost: {type(error).__name__} {error}")
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number += 1
    writer.close()


async def _memory(pid: int, seconds: float) -> tuple[float, float, float]:
    """Resident megabytes of a process after a sixth of the time, at the end, and the most between."""
    await asyncio.sleep(seconds / 6)
    seen = [_resident(pid)]
    end = time.perf_counter() + seconds * 5 / 6 - 0.5
    while time.perf_counter() < end:
        await asyncio.sleep(0.25)
        seen.append(_resident(pid))
    return seen[0], sum(seen[-8:]) / len(seen[-8:]), max(seen)


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1e3
    return math.nan


def _form(name: str, content: bytes, *, one: bool = True) -> bytes:
    edge = "handread-benchmark"
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="alphabet"\r\n\r\ndigits\r\n'.encode()]
    if one:
        parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="one"\r\n\r\ntrue\r\n'.encode())
    head = f'--{edge}\r\nContent-Disposition: form-data; name="pictures"; filename="{name}"\r\n\r\n'
    parts.append(head.encode() + content + f"\r\n--{edge}--\r\n".encode())
    return _post("/v1/read", f"multipart/form-data; boundary={edge}", b"".join(parts))


def _array(content: bytes) -> bytes:
    asked = {"characters": base64.b64encode(content).decode(), "shape": [BATCH, 28, 28], "alphabet": "digits"}
    return _post("/v1/read/batch", "application/json", json.dumps(asked).encode())


def _drawing() -> bytes:
    seven = [(60 + i, 40) for i in range(0, 80, 4)] + [(140 - i / 2, 40 + i) for i in range(0, 120, 4)]
    one = [(260, 40 + i) for i in range(0, 120, 4)]
    strokes = [[{"x": x, "y": y, "pressure": 0.5, "t": 8 * i} for i, (x, y) in enumerate(s)] for s in (seven, one)]
    asked = {"strokes": strokes, "width": 800, "height": 300, "pen": 10, "alphabet": "digits"}
    return _post("/v1/read", "application/json", json.dumps(asked).encode())


def _post(path: str, content_type: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def draw(folder: str) -> None:
    """In a child: 28 x 28 digits as *.png and batch.raw, and photographs of 4000 x 3000 pixels as *.jpg."""
    import cv2
    import numpy as np

    from handread.imaging.draw import Paper, Pen, draw_character, draw_text

    rng = np.random.default_rng(5)
    glyphs = []
    for digit in "0123456789" * 7:
        drawn = draw_character(digit, height_px=20, pen=Pen(width_px=2.4), rng=rng)
        canvas = np.zeros((28, 28), np.uint8)
        ink = drawn[:28, :28]
        y, x = (28 - ink.shape[0]) // 2, (28 - ink.shape[1]) // 2
        canvas[y : y + ink.shape[0], x : x + ink.shape[1]] = ink
        glyphs.append(canvas)
    for number, glyph in enumerate(glyphs[:10]):
        cv2.imwrite(f"{folder}/{number}.png", 255 - glyph)
    Path(folder, "batch.raw").write_bytes(np.stack(glyphs[:BATCH]).tobytes())
    light = Paper(tone=216, texture=3, shadow=0.45, shadow_angle=30, noise=3, blur=0.8)
    for number, text in enumerate(("2026\n8063\n4952", "7", "31415\n92653", "80634")):
        photo = draw_text(text, height_px=150, pen=Pen(width_px=10), paper=light, rng=np.random.default_rng(number))
        large = cv2.resize(photo.image, (4000, 3000), interpolation=cv2.INTER_CUBIC)
        large = np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(f"{folder}/{number}.jpg", large, [cv2.IMWRITE_JPEG_QUALITY, 90])


def host() -> None:
    """In a child: prints a port and what classify reads a second, serves there until its input ends."""
    import threading

    import numpy as np

    from handread.recognizer import Recognizer
    from handread.web.server import listen, make_server
    from handread.web.settings import Settings

    reader = Recognizer()
    images = np.random.default_rng(3).integers(0, 256, (1000, 28, 28)).astype(np.uint8)
    images[:, :4] = images[:, -4:] = 0
    reader.classify(images, alphabet="digits")
    turns = []
    for _ in range(5):
        start = time.perf_counter()
        reader.classify(images, alphabet="digits")
        turns.append(time.perf_counter() - start)
    settings = Settings(port=0)
    listener = listen(settings)
    server = make_server(settings)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    print(listener.getsockname()[1], len(images) / sorted(turns)[2], flush=True)
    sys.stdin.read()
    server.should_exit = True
    thread.join()
