"""handread submit: the readings of unlabelled characters as a table, as Kaggle wants it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from handread.cli.options import SKIP_BROKEN, SPLIT, parse_alphabet, tell_skipped
from handread.cli.progress import counting

if TYPE_CHECKING:
    from handread.evaluation.submission import Submission

_SHOWN = 5
"""Least sure items that the summary names."""


@click.command("submit", epilog="Example: handread submit handread --data test.csv --out submission.csv")
@click.argument("model")
@click.option("--data", required=True, metavar="DATA", help="A CSV of pixels, pictures, NPZ, IDX, or an archive.")
@click.option(
    "--out", default="submission.csv", show_default=True, metavar="FILE", type=click.Path(path_type=Path),
    help="Write the table here; an older one is replaced when the new one is whole.",
)  # fmt: skip
@SPLIT
@click.option("--alphabet", default="digits", show_default=True, metavar="NAME|CHARACTERS", help="Answers allowed.")
@SKIP_BROKEN
def command(model: str, data: str, out: Path, split: str | None, alphabet: str, skip_broken: bool) -> None:
    """Read unlabelled characters and write a submission.

    The table has the columns ImageId and Label: arrays are counted from 1, as Kaggle's Digit Recognizer has it,
    pictures go by their file names. Labels that the data may have are not looked at. MODEL is a shipped name or an
    ONNX file.
    """
    from handread.data.atomic import write_atomic
    from handread.data.unlabelled import load_unlabelled
    from handread.evaluation.submission import submission_csv, submit
    from handread.recognizer import Recognizer

    wanted = parse_alphabet(alphabet)
    reader = Recognizer(model)
    reader.alphabet.indices_of(wanted)  # a wrong one is told before any loading
    with counting("loading") as progress:
        items = load_unlabelled(data, split=split, frame=reader.card.frame, progress=progress, skip_broken=skip_broken)
    tell_skipped(items.skipped, len(items))
    if items.labels_left_out:
        click.echo(f"handread: {items.name} has labels, which are left out", err=True)
    with counting("reading") as progress:
        submission = submit(reader, items, wanted, progress=progress)
    write_atomic(out, submission_csv(submission))
    click.echo(f"{out}: {summary(submission)}")


def summary(submission: Submission) -> str:
    """How many rows and how sure, in a few lines for people."""
    count = len(submission)
    confidence = submission.confidence
    refused = count - int(submission.accepted.sum())
    lines = [
        f"{count:,} {'row' if count == 1 else 'rows'}, mean confidence {100 * float(confidence.mean()):.2f} %",
        f"{refused:,} of them below the model's own acceptance ({100 * refused / count:.2f} %)",
    ]
    least = confidence.argsort(kind="stable")[:_SHOWN].tolist()
    named = ", ".join(f"{submission.ids[i]} ({submission.labels[i]}, {100 * confidence[i]:.0f} %)" for i in least)
    return "\n".join([*lines, f"least sure: {named}"])
