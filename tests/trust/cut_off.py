"""All that Handread does with pictures, in a process that may reach nothing but itself.

    python cut_off.py FOLDER

FOLDER holds tiny.toml, signs.npz and photo.jpg. Two guards look on. Python's audit hooks see each attempt of Python
code, write it down and refuse it. Where the system grants a network namespace of its own, which has no way out, the
kernel counts there what native code attempts too. What was seen goes to FOLDER/seen.json, the pages that the server
gave to FOLDER/served, and at last both guards are tried by attempts made on purpose.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import ipaddress
import json
import os
import re
import socket
import struct
import sys
import traceback
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1])
OUTSIDE = "192.0.2.1"
"""An address that nobody has (RFC 5737)."""

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1
_PLACE_OF_HOST = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.bind": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
    "socket.getnameinfo": 0,
    "http.client.connect": 1,
    "ftplib.connect": 1,
    "smtplib.connect": 1,
    "urllib.Request": 0,
    "webbrowser.open": 0,
}
"""Audit event -> which of its arguments says who is meant."""


def cut_off() -> bool:
    """Go into a network namespace with a loopback and nothing else; False where the system does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if not hasattr(libc, "unshare"):
        return False
    if libc.unshare(_NEW_NETWORK):
        if libc.unshare(_NEW_USER | _NEW_NETWORK):
            return False
        with contextlib.suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, _GET_FLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", flags | _UP))
    return True


def counted() -> dict[str, int]:
    """What the kernel has counted in this namespace: packets without a way, and datagrams, as questions for names are."""
    rows = [line.split() for line in Path("/proc/self/net/snmp").read_text().splitlines()]
    table = {
        f"{names[0]}{name}": int(value)
        for names, values in zip(rows[::2], rows[1::2], strict=True)
        for name, value in zip(names[1:], values[1:], strict=True)
    }
    with contextlib.suppress(OSError):
        table |= {k: int(v) for k, v in map(str.split, Path("/proc/self/net/snmp6").read_text().splitlines())}
    wanted = ("Ip:OutNoRoutes", "Udp:OutDatagrams", "Ip6OutNoRoutes", "Udp6OutDatagrams")
    return {name: table.get(name, 0) for name in wanted}


attempts: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Write down and refuse what would leave this machine."""
    place = _PLACE_OF_HOST.get(event)
    if place is None or _is_here(event, arguments[place]):
        return
    code = [line.strip() for line in traceback.format_stack(limit=6)[:-1]]
    attempts.append(f"{event} {arguments[place]!r} at {' / '.join(code)}")
    raise PermissionError(f"{event} {arguments[place]!r} is refused")


def _is_here(event: str, target: object) -> bool:
    if target is None or (isinstance(target, (bytes, bytearray)) and event != "socket.getaddrinfo"):
        return True  # a Unix socket, or one that is connected already
    if isinstance(target, tuple):
        target = target[0]
    host = target.decode() if isinstance(target, bytes) else str(target)
    if event in ("urllib.Request", "webbrowser.open"):
        host = re.sub(r"^\w+://|[:/].*$", "", host)
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or (event in ("socket.connect", "socket.bind") and host.startswith("/"))


def commands() -> None:
    """Train, learn, measure, report, export and read, as typed."""
    import handread.training.learning as learning
    from handread.cli.main import group

    learning.DRAWN, learning.SCRIBBLED = 30, 10
    set_, model, own = "signs.npz", "run/model.onnx", "own.onnx"
    for line in (
        ["read", "photo.jpg", "--json"],
        ["explore", set_, "--report", "pages/explored.html"],
        ["train", "tiny.toml", "--data", ".", "--out", "run"],
        ["evaluate", model, "--data", set_, "--report", "pages/evaluated.html", "--json", "a.json"],
        ["learn", set_, "--from", model, "--out", own, "--epochs", "1"],
        ["evaluate", own, "--data", set_, "--json", "b.json"],
        ["compare", "a.json", "b.json", "--report", "pages/compared.html"],
        ["submit", own, "--data", set_, "--alphabet", "012", "--out", "submission.csv"],
        ["export", "--page", "pages/alone"],
        ["models"],
        ["data", "list"],
    ):
        code = group.main(line, "handread", standalone_mode=False)
        assert code in (None, 0), (line, code)


def serve() -> None:
    """Ask a server for its page, for all that the page names, and for readings; keep what it answers."""
    import http.client
    import threading

    from handread.web.server import listen, make_server
    from handread.web.settings import Settings

    settings = Settings(port=0)
    listener = listen(settings)
    server = make_server(settings)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    answers: dict[str, Any] = {}
    (FOLDER / "served").mkdir()

    def ask(method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        connection = http.client.HTTPConnection("localhost", listener.getsockname()[1], timeout=60)
        connection.request(method, path, body, {"content-type": kind} if kind else {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        name = f"{len(answers):03}"
        (FOLDER / "served" / name).write_bytes(content)
        answers[f"{method} {path}"] = {"file": name, "status": answer.status, "headers": dict(answer.getheaders())}
        return content

    todo, seen = ["/", "/about", "/openapi.json", "/v1/models", "/healthz", "/nowhere"], set()
    while todo:
        path = todo.pop()
        seen.add(path)
        text = ask("GET", path).decode("utf-8", "replace")
        folder = path.rpartition("/")[0] + "/"
        found = re.findall(r'(?:src|href)="([^"#?]+)"|from "([^"]+)"|url\("?([^")]+)"?\)', text)
        for name in filter(None, (part for parts in found for part in parts)):
            where = os.path.normpath(os.path.join(folder, name))
            if where.startswith("/static/") and where not in seen and where not in todo:
                todo.append(where)
    edge = b'--edge\r\nContent-Disposition: form-data; name="pictures"; filename="photo.jpg"\r\n\r\n'
    picture = edge + Path("photo.jpg").read_bytes() + b"\r\n--edge--\r\n"
    ask("POST", "/v1/read", picture, "multipart/form-data; boundary=edge")
    ask("POST", "/v1/corrections", b"{}", "application/json")
    ask("GET", "/metrics")
    server.should_exit = True
    thread.join(20)
    (FOLDER / "served.json").write_text(json.dumps(answers))


def left_behind() -> list[str]:
    """Files that are in the homes and temporary folders given to this process."""
    return sorted(str(path) for name in ("home", "temporary") for path in (FOLDER / name).rglob("*") if path.is_file())


def main() -> None:
    """Do it all, tell what was seen, and see whether the guards see."""
    alone = cut_off()
    sys.addaudithook(watch)
    os.chdir(FOLDER)
    for name in ("home", "temporary", "pages"):
        (FOLDER / name).mkdir()
    os.environ |= {"HOME": str(FOLDER / "home"), "TMPDIR": str(FOLDER / "temporary")}

    importlib.import_module("handread")  # first, as by who uses it: onnxruntime looks once whether it is to be silent
    import onnxruntime

    told = []
    onnxruntime.disable_telemetry_events = lambda: told.append("off")
    before = counted() if alone else {}
    serve()
    from_reading = left_behind()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        commands()
    after = counted() if alone else {}
    seen = {
        "attempts": list(attempts),
        "alone": alone,
        "counted": {name: after[name] - before[name] for name in after},
        "left behind by reading": from_reading,
        "onnxruntime's telemetry": told,
        "torch": "torch" in sys.modules,
    }

    attempts.clear()
    for attempt in (
        lambda: socket.create_connection((OUTSIDE, 9)),
        lambda: socket.getaddrinfo("handread.invalid", 80),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (OUTSIDE, 9)),
    ):
        with contextlib.suppress(PermissionError):
            attempt()
    seen["tried"] = list(attempts)
    if alone:  # elsewhere this would be a real attempt
        libc = ctypes.CDLL(None)
        address = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(OUTSIDE))
        libc.connect(libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0), address, len(address))
        seen["tried natively"] = counted()["Ip:OutNoRoutes"] - after["Ip:OutNoRoutes"]
    (FOLDER / "seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
