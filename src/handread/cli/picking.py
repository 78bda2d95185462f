"""handread pick: the desktop window."""

from __future__ import annotations

import click

from handread.cli.options import ALPHABET, MODEL, ONE, parse_alphabet


@click.command("pick", epilog="Example: handread pick photos/ --alphabet digits")
@click.argument("pictures", nargs=-1, metavar="[PICTURE | FOLDER]...")
@ALPHABET
@ONE
@MODEL
@click.option(
    "--corrections",
    default="corrections",
    show_default=True,
    metavar="FOLDER",
    help="Where characters go whose label you type; `handread learn`, `train` and `evaluate` take it as data.",
)
@click.option(
    "--theme",
    type=click.Choice(["system", "light", "dark"]),
    default="system",
    show_default=True,
    metavar="NAME",
    help="Colours of the window: system, light or dark.",
)
def command(
    pictures: tuple[str, ...], alphabet: str | None, one: bool, model: str, corrections: str, theme: str
) -> None:
    """Read pictures in a window and correct them.

    Without a picture the window asks for some; a folder stands for all pictures in it. F1 in the window shows
    the keys.
    """
    from handread.desktop.pick import pick
    from handread.recognizer import Recognizer

    pick(
        Recognizer(model),
        pictures,
        alphabet=None if alphabet is None else parse_alphabet(alphabet),
        one=one,
        corrections=corrections,
        theme=theme,
    )
