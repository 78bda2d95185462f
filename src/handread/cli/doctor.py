"""handread doctor: does this installation work, and what does it run on?"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from handread import __version__
from handread.cli.extras import requirements, version_of
from handread.cli.options import JSON
from handread.errors import HandreadError
from handread.machine import instructions

if TYPE_CHECKING:
    from PIL import Image

_TIMED_READS = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `ok` is None for what is merely told."""

    name: str
    value: str
    ok: bool | None = None


@click.command("doctor", epilog="Example: handread doctor --json")
@JSON
def command(as_json: bool) -> int:
    """Check that this installation works.

    Tells versions, extras, shipped models and the processor, and really reads a drawn character. The exit
    code is 1 when something is broken.
    """
    checks = list(examine())
    broken = [check for check in checks if check.ok is False]
    if as_json:
        click.echo(json.dumps({"ok": not broken, "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            click.echo(f"{_sign(check.ok)} {check.name:<{width}}  {check.value}")
        click.echo("\n" + (f"{len(broken)} broken, see above." if broken else "Everything works."))
    return 1 if broken else 0


def examine() -> Iterator[Check]:
    """All findings, in the order in which they are shown."""
    yield Check("handread", __version__)
    yield Check("python", f"{platform.python_version()} at {sys.executable}")
    yield Check("system", platform.platform())
    yield Check("processor", ", ".join(instructions()) or "features unknown")
    yield from _dependencies()
    yield from _models()
    yield _guarded("self-test", _self_test)
    yield _guarded("one read", _timing)


def _dependencies() -> Iterator[Check]:
    table = requirements()
    for name in table.pop(""):
        version = version_of(name)
        yield Check(name, version or f"missing: pip install {name}", version is not None)
    for extra, names in table.items():
        missing = [name for name in names if version_of(name) is None]
        state = f"not installed (pip install 'handread[{extra}]')" if missing else "installed"
        yield Check(f"extra {extra}", state)


def _models() -> Iterator[Check]:
    from handread.runtime import store

    names = store.shipped()
    if not names:
        yield Check("models", "none is shipped; install Handread again", False)
    for name in names:
        yield _guarded(f"model {name}", lambda name=name: _model(name))  # type: ignore[misc]


def _model(name: str) -> str:
    from handread.runtime import store
    from handread.runtime.session import Session

    content = store.load(name)
    classes = len(Session(content, name=name).alphabet)
    return f"{classes} classes, {len(content) / 1e6:.2f} MB, checksum right"


def _self_test() -> str:
    from handread.recognizer import Recognizer

    reading = Recognizer().read(drawn_seven(), alphabet="digits", one=True)
    if reading.text != "7":
        raise HandreadError(f"a drawn 7 was read as {reading.text or 'nothing'!r}; install Handread again")
    return f"a drawn 7 was read as 7 ({100 * reading.confidence:.0f} %)"


def _timing() -> str:
    from handread.recognizer import Recognizer

    start = time.perf_counter()
    reader = Recognizer()
    loaded = time.perf_counter() - start
    picture = drawn_seven()
    best = min(_seconds(lambda: reader.read(picture, one=True)) for _ in range(_TIMED_READS))
    return f"{1e3 * best:.1f} ms, after {1e3 * loaded:.0f} ms for loading the model"


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _guarded(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, check(), True)
    except Exception as error:  # a doctor reports whatever is broken and goes on
        return Check(name, str(error) or type(error).__name__, False)


def drawn_seven() -> Image.Image:
    """A 7 as a pen draws it: a picture of 120 x 160 pixels, dark on light, slanted, with uneven paper."""
    from PIL import Image, ImageDraw

    picture = Image.linear_gradient("L").resize((120, 160)).point(lambda v: 200 + v // 6)
    ImageDraw.Draw(picture).line(
        [(30, 38), (60, 35), (92, 36), (78, 70), (64, 102), (54, 130)], fill=40, width=9, joint="curve"
    )
    return picture


def _sign(ok: bool | None) -> str:
    if ok is None:
        return "  "
    return click.style("ok" if ok else "NO", fg="green" if ok else "red")
