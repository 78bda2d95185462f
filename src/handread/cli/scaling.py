"""handread read --out: pictures by the million into a folder of Parquet files."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from handread.cli.extras import require
from handread.cli.options import parse_alphabet
from handread.cli.progress import counting
from handread.errors import ConfigError

if TYPE_CHECKING:
    from handread.scale.run import Summary


@dataclass(frozen=True, slots=True)
class ScaleOptions:
    """The options that belong to --out; None where one was not given."""

    out: str | None
    engine: str | None
    column: str | None
    shard_size: int | None
    workers: int | None

    def check(self, top: bool) -> None:
        """Raise `ConfigError` for an option that means nothing with, or without, --out; `top`: --top was given."""
        if self.out is None:
            given = [f"--{name.replace('_', '-')}" for name, value in asdict(self).items() if value is not None]
            if given:
                raise ConfigError(f"{given[0]} belongs to --out: name the folder that the readings go to")
        elif top:
            raise ConfigError("--top has no place beside --out: its files hold the best candidate alone")


def read_into(
    inputs: tuple[str, ...],
    options: ScaleOptions,
    *,
    alphabet: str | None,
    one: bool,
    strict: bool,
    model: str,
    as_json: bool,
) -> int:
    """Read `inputs` into ``options.out`` and tell what came of it; 2 when not one picture could be read, else 0."""
    assert options.out is not None
    engine = options.engine or "threads"
    require("reading into Parquet (--out)", "scale", "pyarrow", *(["ray"] if engine == "ray" else []))
    from handread.scale.listing import COLUMN
    from handread.scale.run import SHARD_SIZE, ReadConfig, read_all

    config = ReadConfig(
        alphabet=None if alphabet is None else "".join(parse_alphabet(alphabet)),
        one=one,
        strict=strict,
        model=model,
        column=options.column or COLUMN,
        shard_size=options.shard_size or SHARD_SIZE,
    )
    with counting("reading") as progress:
        found = read_all(inputs, options.out, config, engine=engine, workers=options.workers, progress=progress)
    click.echo(json.dumps({"out": options.out, **asdict(found)}) if as_json else told(found, options.out))
    if found.failed < found.pictures:
        return 0
    click.echo(f"handread: none of the pictures could be read; the column error in {options.out} says why", err=True)
    return 2


def told(found: Summary, out: str) -> str:
    """The summary for people, one line."""
    failed = f", {found.failed:,} cannot be read (see the column error)" if found.failed else ""
    before = f" ({found.found:,} finished before)" if found.found else ""
    shards = "1 shard" if found.shards == 1 else f"{found.shards:,} shards"
    return f"{found.pictures:,} pictures{failed}; {shards} in {out.rstrip(os.sep)}{before}"
