"""Writing a report's page where the user wants it."""

from __future__ import annotations

from pathlib import Path

from handread.errors import DataError

ENDINGS = (".html", ".htm")


def check_page(path: Path | None) -> None:
    """Raise `DataError` for a path that names no page, before minutes of work; None is fine."""
    if path is not None and path.suffix.lower() not in ENDINGS:
        raise DataError(f"a report is a page in HTML, {path.name!r} ends otherwise; name it .html")


def write_page(path: Path, text: str) -> None:
    """Put the page at `path`, whole or not at all; raises `DataError` where it cannot be written."""
    from handread.data.atomic import write_atomic

    check_page(path)
    write_atomic(path, text.encode())
