"""handread read: pictures to text."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handread.cli.options import ALPHABET, JSON_LINES, MODEL, ONE, parse_alphabet
from handread.cli.progress import counting
from handread.cli.scaling import ScaleOptions, read_into
from handread.data.order import natural
from handread.errors import HandreadError, ImageError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from handread.types import Character, Reading

STDIN = "-"

_AHEAD = 4
"""Pictures a core that may be read ahead of the one whose turn it is."""


@click.command("read", epilog="Example: handread read form.png photos/ --alphabet digits --json")
@click.argument("paths", nargs=-1, required=True, metavar="[PICTURE | FOLDER | -]...")
@ALPHABET
@ONE
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Candidates a character.")
@JSON_LINES
@click.option("--strict", is_flag=True, help="Put U+FFFD where a character is refused.")
@MODEL
@click.option(
    "--out", metavar="FOLDER|URL", help="Write what is read into Parquet files here, for millions of pictures."
)
@click.option("--engine", metavar="NAME", help="With --out: threads (default), or ray for a cluster.")
@click.option("--workers", type=click.IntRange(min=1), help="With --out: how many work at once, by default the cores.")
@click.option("--column", metavar="NAME", help="With --out: the column of pictures or addresses, by default image.")
@click.option("--shard-size", type=click.IntRange(min=1), help="With --out: pictures a file, by default 1000.")
@click.pass_context
def command(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    alphabet: str | None,
    one: bool,
    top: int,
    as_json: bool,
    strict: bool,
    model: str,
    **scale: Any,
) -> int:
    """Read the characters in pictures.

    A folder stands for all pictures in it, a dash for a picture on the standard input. A picture that cannot
    be read is named with the reason, the others are read all the same, and the exit code is 2. Characters
    that the model does not believe stand in [brackets].

    With --out, Parquet files and lists of addresses (.txt, .csv) are read too, local ones and those behind a URL
    such as s3://; what is finished is not read again, and a picture that cannot be read becomes a row with its
    error.
    """
    options = ScaleOptions(**scale)
    options.check(top=context.get_parameter_source("top") is not click.core.ParameterSource.DEFAULT)
    if options.out is not None:
        return read_into(paths, options, alphabet=alphabet, one=one, strict=strict, model=model, as_json=as_json)
    from handread.answer import as_row
    from handread.recognizer import Recognizer

    reader = Recognizer(model)
    wanted = reader.alphabet if alphabet is None else parse_alphabet(alphabet)
    reader.alphabet.indices_of(wanted)  # a wrong alphabet is one error, not one a picture
    sources = list(expand(paths))
    alone = len(sources) == 1

    def read(source: Source) -> Reading:
        return reader.read(source.open(), alphabet=wanted, one=one, top=top, strict=strict)

    failed = 0
    with counting("reading") as progress:
        outcomes = zip(sources, _in_order(read, sources), strict=True)
        for done, (source, outcome) in enumerate(outcomes, start=1):
            if isinstance(outcome, HandreadError):
                failed += 1
                click.echo(f"handread: {outcome}", err=True)
            if as_json:
                click.echo(json.dumps(as_row(source.name, outcome)))
            elif not alone:
                click.echo(f"{source.name}\t{as_text(outcome)}".replace("\n", " | "))
            elif not isinstance(outcome, HandreadError):
                click.echo(as_text(outcome))
            sys.stdout.flush()
            if not sys.stdout.isatty():  # there the lines themselves show how far it is
                progress(done, len(sources))
    return 2 if failed else 0


@dataclass(frozen=True, slots=True)
class Source:
    """One picture on the command line: its name and how to get at it."""

    name: str
    error: HandreadError | None = None
    """What was found wrong while its folder was searched."""

    def open(self) -> str | bytes:
        """What `Recognizer.read` takes; raises `error` where there is one."""
        if self.error is not None:
            raise self.error
        return sys.stdin.buffer.read() if self.name == STDIN else self.name


def expand(paths: Iterable[str]) -> Iterator[Source]:
    """Pictures named by `paths`, in order; folders give what they hold, at any depth, in natural order."""
    from handread.imaging.read import SUFFIXES

    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            yield Source(path)
            continue
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        ]
        if not found:
            known = " ".join(sorted(SUFFIXES))
            yield Source(path, ImageError(f"{path} holds no pictures; a folder is searched for {known}"))
        yield from (Source(name) for name in sorted(found, key=natural))


def as_text(outcome: Reading | HandreadError) -> str:
    """The line of one picture for people: text, confidence, refused characters in brackets."""
    if isinstance(outcome, HandreadError):
        return click.style("(cannot be read)", fg="red")
    if not outcome.characters:
        return click.style("(nothing found)", dim=True)
    note = f"{100 * outcome.confidence:.0f} %"
    reasons = dict.fromkeys(c.reason for c in outcome.characters if c.reason)
    if reasons:
        note += "; [ ] " + ", ".join(reasons)
    return f"{_marked(outcome)}  {click.style(f'({note})', dim=True)}"


def _marked(reading: Reading) -> str:
    # the text is the characters with spaces and newlines between them: mark it without knowing lines
    remaining = iter(reading.characters)
    return "".join(c if c.isspace() else _mark(c, next(remaining)) for c in reading.text)


def _mark(text: str, character: Character) -> str:
    return text if character.accepted else click.style(f"[{text}]", fg="yellow")


def _in_order(read: Callable[[Source], Reading], sources: list[Source]) -> Iterator[Reading | HandreadError]:
    """Outcomes in the order of `sources`, worked out side by side where there are several."""

    def attempt(source: Source) -> Reading | HandreadError:
        try:
            return read(source)
        except HandreadError as error:
            return error

    if len(sources) == 1:
        yield attempt(sources[0])
        return
    from concurrent.futures import ThreadPoolExecutor

    workers = min(os.cpu_count() or 1, 8, len(sources))
    waiting: deque[Future[Reading | HandreadError]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for source in sources:
            waiting.append(pool.submit(attempt, source))
            if len(waiting) > _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
