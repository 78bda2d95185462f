"""The command line's front door: commands imported when they are used, one sentence for an error."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import IO, NoReturn

import click

from handread import __version__
from handread.errors import HandreadError, bug
from handread.registry import unknown

COMMANDS: dict[str, tuple[str, str]] = {
    "read": ("handread.cli.reading:command", "Read the characters in pictures."),
    "demo": ("handread.cli.demo:command", "Read the bundled example pictures and show them."),
    "explore": ("handread.cli.exploring:command", "Show what a labelled set holds."),
    "train": ("handread.cli.training:command", "Train a network by a recipe."),
    "verify": ("handread.cli.verifying:command", "Repeat what a training run claims."),
    "learn": ("handread.cli.learning:command", "Learn your own handwriting on top of a finished recogniser."),
    "evaluate": ("handread.cli.evaluating:command", "Measure a model on labelled characters."),
    "submit": ("handread.cli.submitting:command", "Read unlabelled characters and write a submission."),
    "data": ("handread.cli.data:command", "List, fetch and check data sets."),
    "adopt": ("handread.cli.adopting:command", "Make a network that was trained elsewhere one of Handread's."),
    "compare": ("handread.cli.comparing:command", "Compare two reports on the same items."),
    "export": ("handread.cli.exporting:command", "Turn a training run into one ONNX file, or a model into a page."),
    "models": ("handread.cli.models:command", "List the shipped models, or show one model's card."),
    "serve": ("handread.cli.serving:command", "Serve a page to draw on and an API for programs."),
    "pick": ("handread.cli.picking:command", "Read pictures in a window and correct them."),
    "bench": ("handread.cli.benching:command", "Measure what reading costs on this machine, and what the limit is."),
    "doctor": ("handread.cli.doctor:command", "Check that this installation works."),
}
"""Command -> its home and its one-line help, so that ``handread --help`` imports no command."""

_USAGE_ERROR = 2
_BUG = 1
_CLOSED_PIPE = 1  # as click has it
_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""What a disk answers that takes nothing more: nobody's bug."""


class LazyGroup(click.Group):
    """A group that knows its commands from a table and imports one when it is called."""

    table: dict[str, tuple[str, str]] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the table's order, which is the order in which one meets them."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None for a name that is not in the table."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the near names in the message for an unknown one."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            raise click.UsageError(unknown("command", args[0], self.table), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's one-line helps."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: handread read number.jpg --alphabet digits",
)
@click.version_option(__version__, "--version", message="handread %(version)s")
def group() -> None:
    """Handread reads handwritten characters: digits and letters from photos, scans and drawings."""


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process.

    Codes: 0 well, 1 a bug or a check that failed, 2 bad input, 130 interrupted, 143 terminated. An error is one
    sentence on stderr; HANDREAD_DEBUG=1 adds where it came from.
    """
    for stream in (sys.stdout, sys.stderr):  # a file name that is no UTF-8 must not stop the reading
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    with _unwinding():
        code = _outcome(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        code = code or _no_room(error)
    sys.exit(code)


@contextlib.contextmanager
def _unwinding() -> Iterator[None]:
    """SIGTERM ends the process as Ctrl-C does: what is half done is taken away, what is kept is kept."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread: whoever started it sees to signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _outcome(arguments: Sequence[str] | None) -> int:
    try:
        result = group.main(args=arguments, prog_name="handread", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough, as head does
        _silence(sys.stdout)
        return _CLOSED_PIPE
    except HandreadError as error:
        return _say(str(error), error, _USAGE_ERROR)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return _no_room(error)
        return _say(bug(error, "with the command and what HANDREAD_DEBUG=1 prints"), error, _BUG)
    return result if isinstance(result, int) else 0


def _no_room(error: OSError) -> int:
    where = error.filename or "the output"
    return _say(f"cannot write {where}: {error.strerror or error}; make room, or write elsewhere", error, _USAGE_ERROR)


def _say(sentence: str, error: Exception, code: int) -> int:
    with contextlib.suppress(OSError):  # where nobody can be told, the code must do
        if os.environ.get("HANDREAD_DEBUG", "0") not in ("", "0"):
            traceback.print_exception(error)
        click.echo(f"handread: {sentence}", err=True)
    return code


def _silence(stream: IO[str]) -> None:
    """Send what is still buffered nowhere, so that the interpreter's own last flush stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
