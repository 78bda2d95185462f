"""What --skip-broken left out, told on stderr: how many, and the first by name."""

from __future__ import annotations

from collections.abc import Sequence

import click

_NAMED = 5


def tell_skipped(names: Sequence[str], kept: int) -> None:
    """Say that pictures called `names` were left out beside `kept` others; nothing where there are none."""
    if not names:
        return
    shown = ", ".join(names[:_NAMED])
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    count = f"{len(names):,} of {kept + len(names):,}"
    click.echo(f"handread: left out {count} items that cannot be read: {shown}{more}", err=True)
