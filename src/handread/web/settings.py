"""What the operator of a server chooses, checked once and then fixed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from handread.errors import ConfigError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that only this machine reaches."""

_SHORTEST_TOKEN = 16
_MOST_TOKEN_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of one server; `ConfigError` for what cannot be."""

    model: str = "handread"
    """A shipped name or the path of a file."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes a free one."""
    workers: int = 1
    """Processes."""
    max_upload_mb: float = 20.0
    """Largest body of a request in megabytes of a million bytes."""
    rate_per_second: float = 0.0
    """Requests a second that one client may send on average; 0 sets no bound."""
    cors: tuple[str, ...] = ()
    """Origins whose pages may call the API, such as https://example.org; * means any."""
    root_path: str = ""
    """Path below which a proxy shows the server, such as /handread."""
    tokens: tuple[str, ...] = field(default=(), repr=False)
    """Whoever sends one of them may use the API; without any, everybody may."""
    collect: Path | None = None
    """Folder for corrections; None takes none."""
    collect_mb: float = 200.0
    """Corrections that would take more than this together are refused."""
    max_pictures: int = 1000
    """Pictures a request."""
    max_characters: int = 10_000
    """Characters of one array of `/v1/read/batch`."""
    max_pixels: int = 50_000_000
    """Pixels of one picture."""
    max_connections: int = 1000
    """Connections held open at once; the one that has been silent longest goes when another comes."""
    max_waiting: int = 512
    """Requests that may wait for their turn; others are told to come again."""
    max_buffered_mb: float = 256.0
    """Memory for the bodies of all requests together, in megabytes."""
    quiet_seconds: float = 10.0
    """A request whose next part does not come within this is given up."""
    slowest_bytes_per_second: float = 8000.0
    """A body that comes slower than this, after `quiet_seconds` of grace, is given up."""
    stop_seconds: float = 30.0
    """How long a server that was told to stop goes on answering what it has accepted."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, 65535),
            ("workers", 1, 256),
            ("max_upload_mb", 0.001, 2000),
            ("rate_per_second", 0, 1e6),
            ("collect_mb", 0.001, 1e6),
            ("max_pictures", 1, 100_000),
            ("max_characters", 1, 1_000_000),
            ("max_pixels", 1000, 80_000_000),
            ("max_connections", 1, 100_000),
            ("max_waiting", 1, 100_000),
            ("max_buffered_mb", 0.001, 100_000),
            ("quiet_seconds", 0.01, 3600),
            ("slowest_bytes_per_second", 0, 1e9),
            ("stop_seconds", 0, 3600),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(f"{name} is {value}, expected {low:g} to {high:g}")
        for origin in self.cors:
            _check_origin(origin)
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigError(
                f"the root path is {self.root_path!r}; it begins with a slash and does not end with one, as /handread"
            )
        if any(character in self.root_path for character in "?# \\"):
            raise ConfigError(f"the root path {self.root_path!r} is no plain path; write it like /handread")

    @property
    def max_upload_bytes(self) -> int:
        """Largest body in bytes."""
        return int(self.max_upload_mb * 1e6)

    @property
    def is_private(self) -> bool:
        """True when only this machine reaches the server, or only those who know a token."""
        return self.host in LOOPBACK or bool(self.tokens)


def read_tokens(path: str | Path) -> tuple[str, ...]:
    """The tokens of a file, one a line; empty lines and lines that begin with # are left out.

    Raises `ConfigError` when the file cannot be read, holds none, or one that is too short or has a space in it.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_TOKEN_BYTES + 1)
        text = content.decode("ascii")
    except OSError as error:
        raise ConfigError(f"the token file {path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the token file {path} is not plain ASCII text; write one token a line") from None
    if len(content) > _MOST_TOKEN_BYTES:
        raise ConfigError(
            f"the token file {path} has more than {_MOST_TOKEN_BYTES:,} bytes; one token a line is enough"
        )
    tokens = tuple(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    if not tokens:
        raise ConfigError(f"the token file {path} holds no token; write one a line")
    for number, token in enumerate(tokens, start=1):  # the token itself has no place in a message
        if len(token) < _SHORTEST_TOKEN or not token.isprintable() or " " in token:
            raise ConfigError(
                f"token {number} of {path} is shorter than {_SHORTEST_TOKEN} characters or has a space in it; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
    return tokens


def _check_origin(origin: str) -> None:
    if origin == "*":
        return
    try:
        parts = urlsplit(origin)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or origin != f"{parts.scheme}://{parts.netloc}" or "@" in origin:
        raise ConfigError(f"{origin!r} is no origin; write it as https://example.org, without a path, or *")
