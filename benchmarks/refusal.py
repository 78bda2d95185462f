"""What the shipped model refuses: strangers, letters among digits, its least sure answers; and its calibration.

    python -m benchmarks.run refusal --data FOLDER

FOLDER holds mnist/ (the four IDX files), emnist/validation.npz, photos/validation/ (class folders) and, where it is
there, blank-cells/ (pictures of nothing). Strangers are drawn (`handread.evaluation.strangers`). Writes
benchmarks/results/refusal.csv and refusal_curves.csv, the tables of docs/accuracy.md and, from the curves, its charts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy import percent
from benchmarks.results import RESULTS, ROOT, Row, markdown

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from handread.data.images import LabelledImages
    from handread.decode import Scores
    from handread.recognizer import Recognizer

FILE = RESULTS / "refusal.csv"
CURVES = RESULTS / "refusal_curves.csv"
PAGE = ROOT / "docs" / "accuracy.md"
COLUMNS = ("part", "set", "kind", "measure", "n", "value", "low", "high", "model", "version", "weights")

KEPT = 0.95
"""Share of the true characters that the threshold keeps."""
REFUSED = (0.0, 0.005, 0.01, 0.02, 0.05)
"""Shares of MNIST's test digits that are refused, the least sure first."""
COUNT = 2400
"""Strangers drawn for each road."""
SEED = 2026
SIDES = (44, 64, 110)
"""Pixels of the strangers; on paper an eighth more at each rim."""

NAMES = {
    "mnist": "MNIST, test, digits among digits",
    "emnist": "EMNIST, validation, 62 classes",
    "photos": "photographs, validation, 62 classes",
    "together": "the three together",
}
GROUP_NAMES = {
    "all": "**all strangers drawn**",
    "blank": "empty cells with dirt",
    "noise": "noise",
    "blots": "blots",
    "lines": "lines",
    "shapes": "shapes",
    "patterns": "patterns",
    "scripts": "letters of other scripts",
    "pairs": "two characters in one box",
    "cells": "real empty form cells",
}
SCORE_NAMES = {
    "acceptance": "`acceptance`: the answer against the likelier of no character and a foreign one",
    "ink": "`ink`: the probability that it is a character",
    "confidence": "`confidence`: the probability of the answer among those allowed",
    "product": "the product of `ink`, `mass` and `confidence`",
}
"""Numbers on which a threshold could stand."""
LETTER_NAMES = {
    "letters": "letters that look like no digit",
    "look-alikes": "letters that look like a digit (O, l, Z, S, g, …)",
    "digits": "digits, as the price",
}


@dataclass(frozen=True, slots=True)
class Road:
    """True characters, the alphabet asked for, and how strangers come to the reader beside them."""

    set: str
    place: str
    split: str | None
    alphabet: str
    pictures: bool
    """Strangers are put on paper and read as ``read --one`` reads; else they are arrays of ink."""


ROADS = (
    Road("mnist", "mnist", "test", "digits", False),
    Road("emnist", "emnist/validation.npz", None, "alphanumeric", False),
    Road("photos", "photos/validation", None, "alphanumeric", True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A set of true characters with what the reader makes of them."""

    road: Road
    data: LabelledImages
    """Labels counted in the road's alphabet."""
    scores: Scores

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """bool (N,)"""
        import numpy as np

        return np.asarray(self.scores.labels == self.data.labels, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Found:
    """Rows of the two files."""

    rows: list[Row]
    curves: list[Row]


def measure(data: Path, model: str, count: int, say: Callable[[str], None]) -> Found:
    """All parts on what is there of FOLDER; `count` strangers a road. `say` hears of each step."""
    import hashlib

    from handread.recognizer import Recognizer
    from handread.runtime import store

    missing = [road.place for road in ROADS if not (data / road.place).exists()]
    if missing:
        raise SystemExit(f"{data} lacks {', '.join(missing)}; the thresholds are set on all three sets")
    reader = Recognizer(model)
    judged, seen = {}, {}
    for road in ROADS:
        judged[road.set] = _judged(reader, data, road)
        seen[road.set] = _seen(reader, road, count)
        say(f"{NAMES[road.set]}: {len(judged[road.set].data):,} and {len(seen[road.set].kinds):,} strangers read")
    measures = [*_strangers(reader, data, judged, seen), *_letters(reader, judged)]
    measures += [*_left(judged["mnist"]), *_calibration(judged), *_choice(reader, judged, seen)]
    weights = hashlib.sha256(store.load(model)).hexdigest()[:12]
    stamp = {"model": reader.card.name, "version": reader.card.version, "weights": weights}
    return Found([{**one, **stamp} for one in measures], list(_curves(judged, seen)))


def _judged(reader: Recognizer, data: Path, road: Road) -> Judged:
    from handread import load_data
    from handread.alphabet import Alphabet

    items = load_data(data / road.place, split=road.split, frame=reader.card.frame)
    items = items.restricted(Alphabet.of(road.alphabet))
    return Judged(road, items, _scored(reader, items, road.alphabet))


def _scored(reader: Recognizer, items: LabelledImages, alphabet: str) -> Scores:
    if items.normalised:
        items = items.as_input(reader.card.frame)
    return reader.score(items.images, cues=items.cues, normalised=items.normalised, alphabet=alphabet)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Strangers with what the reader makes of them."""

    kinds: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    by: dict[str, npt.NDArray[np.float32]]
    """Each of `SCORE_NAMES`."""
    accepted: npt.NDArray[np.bool_]
    """As the card's own thresholds decide."""


def _seen(reader: Recognizer, road: Road, count: int) -> _Seen:
    """Drawn strangers along a road, a third at each of the sizes."""
    import numpy as np

    from handread.evaluation.strangers import on_paper, strangers
    from handread.imaging.single import single_character

    kinds: list[str] = []
    parts: list[Scores] = []
    for place, side in enumerate(SIDES):
        drawn = strangers((count + place) // len(SIDES), seed=SEED + place, size=side)
        kinds += drawn.kinds
        if road.pictures:
            rng = np.random.default_rng(SEED + place)
            pictures = [on_paper(np.pad(ink, side // 8), rng) for ink in drawn.images]
            singles = [single_character(picture, reader.card.frame) for picture in pictures]
            glyphs, cues = np.stack([one.glyph for one in singles]), np.stack([one.cue for one in singles])
            parts.append(reader.score(glyphs, cues=cues, normalised=True, alphabet=road.alphabet))
        else:
            parts.append(reader.score(drawn.images, alphabet=road.alphabet))
    return _Seen(
        np.array(kinds),
        np.array([kind.split(":")[0] for kind in kinds]),
        {name: np.concatenate([_by(name, part) for part in parts]) for name in SCORE_NAMES},
        np.concatenate([part.accepted for part in parts]),
    )


def _by(name: str, scores: Scores) -> npt.NDArray[np.float32]:
    """One of `SCORE_NAMES`, float32 (N,)."""
    if name == "product":
        return scores.ink * scores.mass * scores.confidence
    found: npt.NDArray[np.float32] = getattr(scores, name)
    return found


def _cells(reader: Recognizer, folder: Path, alphabet: str) -> Scores | None:
    import numpy as np

    from handread.imaging.single import single_character

    files = sorted(file for file in folder.iterdir() if file.is_file()) if folder.exists() else []
    if not files:
        return None
    singles = [single_character(file, reader.card.frame) for file in files]
    glyphs, cues = np.stack([one.glyph for one in singles]), np.stack([one.cue for one in singles])
    return reader.score(glyphs, cues=cues, normalised=True, alphabet=alphabet)


def _strangers(
    reader: Recognizer, data: Path, judged: Mapping[str, Judged], drawn: Mapping[str, _Seen]
) -> Iterator[Row]:
    from handread.evaluation.refusal import separation
    from handread.evaluation.strangers import GROUPS

    for name, own in judged.items():
        true = own.scores.acceptance
        yield _share("card", name, "true", "kept", int(own.scores.accepted.sum()), len(true))
        seen = drawn[name]
        parts = {"all": seen.groups == seen.groups, **{group: seen.groups == group for group in GROUPS}}
        for group, inside in parts.items():
            found = separation(true, seen.by["acceptance"][inside], keep=KEPT)
            yield _share("strangers", name, group, "accepted", found.accepted, found.n)
            yield _figure("strangers", name, group, "auroc", found.n, found.auroc)
            yield _share("card", name, group, "accepted", int(seen.accepted[inside].sum()), found.n)
        for kind in sorted(set(seen.kinds.tolist())):
            found = separation(true, seen.by["acceptance"][seen.kinds == kind], keep=KEPT)
            yield _share("kinds", name, kind, "accepted", found.accepted, found.n)
        cells = _cells(reader, data / "blank-cells", own.road.alphabet)
        if cells is not None:
            found = separation(true, cells.acceptance, keep=KEPT)
            yield _share("strangers", name, "cells", "accepted", found.accepted, found.n)
            yield _figure("strangers", name, "cells", "auroc", found.n, found.auroc)
            yield _share("card", name, "cells", "accepted", int(cells.accepted.sum()), found.n)


def _letters(reader: Recognizer, judged: Mapping[str, Judged]) -> Iterator[Row]:
    """Letters and digits of the two mixed sets, shown to a reader of digits."""
    import numpy as np

    from handread.alphabet import Alphabet
    from handread.decode import look_alikes
    from handread.evaluation.refusal import threshold_keeping

    threshold = threshold_keeping(judged["mnist"].scores.acceptance, KEPT)
    digits = Alphabet.of("digits")
    for name in ("emnist", "photos"):
        items = judged[name].data
        own = np.array([c in digits for c in items.alphabet])[items.labels]
        alike = look_alikes(items.alphabet, digits)[items.labels]
        scores = _scored(reader, items, "digits")
        for kind, inside in (("letters", ~alike), ("look-alikes", alike & ~own), ("digits", own)):
            refused = int((scores.acceptance[inside] < threshold).sum())
            yield _share("letters", name, kind, "refused", refused, int(inside.sum()))
            by_card = int((~scores.accepted[inside]).sum())
            yield _share("letters", name, kind, "refused by the card", by_card, int(inside.sum()))


def _choice(reader: Recognizer, judged: Mapping[str, Judged], drawn: Mapping[str, _Seen]) -> Iterator[Row]:
    """Each number on its own: on validation sets alone, for by this table one is chosen."""
    import numpy as np

    from handread.alphabet import Alphabet
    from handread.decode import look_alikes
    from handread.evaluation.refusal import separation

    digits = Alphabet.of("digits")
    items = judged["emnist"].data
    own = np.array([c in digits for c in items.alphabet])[items.labels]
    foreign = ~look_alikes(items.alphabet, digits)[items.labels]
    among_digits = _scored(reader, items, "digits")
    for score in SCORE_NAMES:
        given = _by(score, among_digits)
        for name, kind, true, other in (
            ("emnist", "strangers among digits", given[own], drawn["mnist"].by[score]),
            ("emnist", "letters among digits", given[own], given[foreign]),
            ("emnist", "strangers", _by(score, judged["emnist"].scores), drawn["emnist"].by[score]),
            ("photos", "strangers", _by(score, judged["photos"].scores), drawn["photos"].by[score]),
        ):
            found = separation(true, other, keep=KEPT)
            yield _share("choice", name, f"{score}: {kind}", "accepted", found.accepted, found.n)
            yield _figure("choice", name, f"{score}: {kind}", "auroc", found.n, found.auroc)


def _left(digits: Judged) -> Iterator[Row]:
    from handread.evaluation.refusal import left_after_refusing

    for share in REFUSED:
        left = left_after_refusing(digits.right, digits.scores.confidence, share)
        yield _share("left", digits.road.set, f"{share:g}", "wrong", left.wrong, left.answered)


def _calibration(judged: Mapping[str, Judged]) -> Iterator[Row]:
    import numpy as np

    from handread.evaluation.metrics import expected_calibration_error
    from handread.evaluation.refusal import calibration_error_by_chance, equal_mass_reliability

    parts = {name: (own.data.labels, _padded(own)) for name, own in judged.items()}
    labels, probabilities = zip(*parts.values(), strict=True)
    for name, (truth, given) in {**parts, "together": (np.concatenate(labels), np.concatenate(probabilities))}.items():
        chance = calibration_error_by_chance(given.max(axis=1))
        for figure, value in (
            ("ece", expected_calibration_error(truth, given)),
            ("ece, equal mass", equal_mass_reliability(truth, given).ece),
            ("by chance", chance.mean),
            ("by chance, 95 %", chance.highest95),
            ("confidence", float(given.max(axis=1).mean())),
            ("accuracy", float((given.argmax(axis=1) == truth).mean())),
        ):
            yield _figure("calibration", name, "", figure, len(truth), value)


def _padded(own: Judged) -> npt.NDArray[np.float32]:
    """Probabilities over 62 columns, of which digits are the first: so that sets can be put together."""
    import numpy as np

    given = own.scores.probabilities
    return np.pad(given, ((0, 0), (0, 62 - given.shape[1])))


def _curves(judged: Mapping[str, Judged], drawn: Mapping[str, _Seen]) -> Iterator[Row]:
    """Points of the charts: reliability by bin, errors left by share refused, strangers accepted by share kept."""
    import numpy as np

    from handread.evaluation.metrics import reliability
    from handread.evaluation.refusal import left_after_refusing, share_accepted, threshold_keeping

    for name, own in judged.items():
        bins = reliability(own.data.labels, own.scores.probabilities)
        for n, sure, right in zip(bins.count.tolist(), bins.confidence.tolist(), bins.accuracy.tolist(), strict=True):
            if n:
                yield _point("reliability", name, sure, right, n)
        for share in np.linspace(0, 0.3, 61).tolist():
            left = left_after_refusing(own.right, own.scores.confidence, share)
            yield _point("left", name, 1 - left.answered / len(own.data), left.risk, left.answered)
        seen = drawn[name]
        for kept in np.linspace(0.8, 1, 41).tolist():
            threshold = threshold_keeping(own.scores.acceptance, kept)
            yield _point("strangers", name, kept, share_accepted(seen.by["acceptance"], threshold), len(seen.kinds))


def _share(part: str, name: str, kind: str, figure: str, counted: int, n: int) -> Row:
    from handread.evaluation.metrics import wilson_interval

    low, high = wilson_interval(counted, n)
    return _row(part, name, kind, figure, n, f"{counted / n:.6f}", f"{low:.6f}", f"{high:.6f}")


def _figure(part: str, name: str, kind: str, figure: str, n: int, value: float) -> Row:
    return _row(part, name, kind, figure, n, f"{value:.6f}", "", "")


def _row(part: str, name: str, kind: str, figure: str, n: int, value: str, low: str, high: str) -> Row:
    return dict(zip(COLUMNS, (part, name, kind, figure, str(n), value, low, high), strict=False))


def _point(curve: str, name: str, x: float, y: float, n: int) -> Row:
    return {"curve": curve, "set": name, "x": f"{x:.6f}", "y": f"{y:.6f}", "n": str(n)}


# -- for people


def tables(rows: Sequence[Row]) -> dict[str, str]:
    """The tables of docs/accuracy.md by their markers."""
    found = {(row["part"], row["set"], row["kind"], row["measure"]): row for row in rows}
    return {
        "choice": _choice_table(found),
        "strangers": _strangers_table(found),
        "kinds": _kinds_table(rows),
        "letters": _letters_table(found),
        "left": _left_table(found),
        "calibration": _calibration_table(found),
    }


_Rows = Mapping[tuple[str, str, str, str], Row]


def _strangers_table(found: _Rows) -> str:
    sets = [road.set for road in ROADS]
    lines = []
    for group, title in GROUP_NAMES.items():
        if ("strangers", sets[0], group, "accepted") not in found:
            continue
        line = [title, f"{int(found['strangers', sets[0], group, 'accepted']['n']):,}"]
        for name in sets:
            accepted = found["strangers", name, group, "accepted"]["value"]
            line += [percent(accepted), f"{float(found['strangers', name, group, 'auroc']['value']):.4f}"]
        lines.append(line)
    own = [percent(found["card", name, "true", "kept"]["value"]) for name in sets]
    taken = [percent(found["card", name, "all", "accepted"]["value"]) for name in sets]
    lines.append(["at the card's own thresholds: characters kept", "", *(cell for one in own for cell in (one, ""))])
    lines.append(["— strangers accepted", "", *(cell for one in taken for cell in (one, ""))])
    header = ["accepted where 95 % of the characters are kept", "n"]
    for name in ("MNIST", "EMNIST", "photographs"):
        header += [name, "AUROC"]
    return markdown(header, lines, right=range(1, len(header)))


def _choice_table(found: _Rows) -> str:
    places = (
        ("emnist", "strangers among digits"), ("emnist", "letters among digits"),
        ("emnist", "strangers"), ("photos", "strangers"),
    )  # fmt: skip
    lines = []
    for score, title in SCORE_NAMES.items():
        line = [title]
        for name, kind in places:
            accepted, area = (found["choice", name, f"{score}: {kind}", figure] for figure in ("accepted", "auroc"))
            line.append(f"{percent(accepted['value'])} ({float(area['value']):.4f})")
        lines.append(line)
    n = [int(found["choice", name, f"ink: {kind}", "accepted"]["n"]) for name, kind in places]
    heads = ("EMNIST's digits: strangers", "letters", "EMNIST, 62 classes: strangers", "photographs, 62: strangers")
    header = ["accepted at 95 % kept (AUROC)", *(f"{head}, n = {of:,}" for head, of in zip(heads, n, strict=True))]
    return markdown(header, lines, right=range(1, 5))


def _kinds_table(rows: Sequence[Row], most: int = 12) -> str:
    """The kinds accepted most often on any road."""
    kinds: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["part"] == "kinds":
            kinds.setdefault(row["kind"], {})[row["set"]] = row
    worst = sorted(kinds, key=lambda kind: -max(float(row["value"]) for row in kinds[kind].values()))[:most]
    lines = [
        [kind, f"{int(kinds[kind]['mnist']['n']):,}", *(percent(kinds[kind][road.set]["value"]) for road in ROADS)]
        for kind in worst
        if any(float(row["value"]) for row in kinds[kind].values())
    ]
    return markdown(["kind", "n", "MNIST", "EMNIST", "photographs"], lines, right=range(1, 5))


def _letters_table(found: _Rows) -> str:
    lines = []
    for kind, title in LETTER_NAMES.items():
        line = [title]
        for name in ("emnist", "photos"):
            row, card = (found["letters", name, kind, figure] for figure in ("refused", "refused by the card"))
            line += [f"{int(row['n']):,}", percent(row["value"]), percent(card["value"])]
        lines.append(line)
    header = ["refused by a reader of digits", "EMNIST, n", "at 95 % kept", "by the card"]
    return markdown([*header, "photographs, n", "at 95 % kept", "by the card"], lines, right=range(1, 7))


def _left_table(found: _Rows) -> str:
    lines = []
    for share in REFUSED:
        row = found["left", "mnist", f"{share:g}", "wrong"]
        n, wrong = int(row["n"]), round(float(row["value"]) * int(row["n"]))
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        lines.append([f"{100 * share:g} %", f"{n:,}", str(wrong), f"{100 * wrong / n:.3f} %", interval])
    return markdown(["refused", "answered", "wrong", "of the answered", "95 % interval"], lines, right=[1, 2, 3])


def _calibration_table(found: _Rows) -> str:
    lines = []
    for name, title in NAMES.items():
        row = found["calibration", name, "", "ece"]
        figures = ("ece", "ece, equal mass", "by chance", "by chance, 95 %")
        values = [f"{float(found['calibration', name, '', figure]['value']):.4f}" for figure in figures]
        sure, right = (found["calibration", name, "", figure]["value"] for figure in ("confidence", "accuracy"))
        lines.append([title, f"{int(row['n']):,}", percent(sure), percent(right), *values])
    header = [
        "set",
        "n",
        "mean confidence",
        "right",
        "calibration error",
        "with equal bins",
        "by chance alone",
        "at most",
    ]
    return markdown(header, lines, right=range(1, 8))
