"""The road of a picture under attack: from bytes, arrays and streams to a reading.

Of a thousand cases 900 are damaged files, 80 other things than files (arrays of odd types, images, streams), 19 whole
files and one is a giant or a crowded page. Two thirds end at the grey image, the others go on to the network, as one
character or as a page.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from fuzz.arrays import odd_source
from fuzz.case import MEGABYTES, SECONDS, Case, Peak, Verdict, give_back, refusal
from fuzz.giants import GIANTS, page
from fuzz.mutate import mutated
from fuzz.seeds import Seed, build
from handread.errors import ImageError
from handread.imaging.read import WORKING_SIDE, read_picture

if TYPE_CHECKING:
    from handread.card import ModelCard
    from handread.imaging.read import Picture
    from handread.recognizer import Recognizer
    from handread.runtime.session import Session
    from handread.types import Cues, Logits, ModelInput, Reading

ROADS = ("grey", "one", "page")
_SHARES = (0.66, 0.17, 0.17)
"""Of the roads."""
GIANT_EVERY = 2000
"""One case of so many is a giant, one a crowded page."""


class _Network:
    """A session that says how long it ran: its time is a matter of how many characters there are."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.seconds = 0.0
        self.threads = 1
        self.alphabet = session.alphabet

    @property
    def card(self) -> ModelCard:
        """As the session's."""
        return self._session.card

    def run(self, images: ModelInput, cues: Cues | None = None) -> Logits:
        """As the session's."""
        start = time.process_time()
        try:
            return self._session.run(images, cues)
        finally:
            self.seconds += time.process_time() - start


class Pictures:
    """`imaging.read` to `Recognizer.read`."""

    name = "pictures"
    outcomes = ("read", "empty", "refused")

    def __init__(self) -> None:
        self._seeds: list[Seed] = []
        self._peak = Peak()
        self._reader: Recognizer | None = None
        self._network: _Network | None = None
        self._longest = self._begun = 0.0

    def prepare(self) -> None:
        """Draw the seeds, load the shipped network on one thread."""
        from handread.recognizer import Recognizer
        from handread.runtime import store
        from handread.runtime.session import Session

        cv2.setNumThreads(1)
        self._seeds = build()
        self._network = _Network(Session(store.load("handread"), threads=1))
        self._reader = Recognizer.of_session(self._network)

    def make(self, seed: int, index: int) -> Case:
        """The case of that number."""
        if not self._seeds:
            self._seeds = build()
        rng = np.random.default_rng([seed, index])
        road = ROADS[int(rng.choice(len(ROADS), p=_SHARES))]
        if index % GIANT_EVERY == GIANT_EVERY // 2:
            name = list(GIANTS)[(index // GIANT_EVERY + seed) % len(GIANTS)]
            return Case(f"giant {name}", road, GIANTS[name](rng))
        if index % GIANT_EVERY == 0:
            image, name = page(rng)
            return Case(f"page of {name}", "page" if rng.random() < 0.8 else "one", image)
        base, draw = self._seeds[int(rng.integers(len(self._seeds)))], rng.random()
        if base.foreign and rng.random() < 0.8:
            base = self._seeds[int(rng.integers(len(self._seeds)))]
        if draw < 0.08:
            source, name = odd_source(base, rng)
            return Case(name, road, source)
        if draw < 0.1:
            return Case(f"{base.name} whole", road, base.data)
        data, damage = mutated(base, self._seeds, rng)
        return Case(f"{base.name} {damage}", road, data)

    def run(self, case: Case) -> Verdict:
        """Read it, and judge what comes."""
        if self._network is None:
            self.prepare()
        assert self._network is not None
        if case.kind.startswith("giant "):
            give_back()
        self._peak.reset()
        self._start()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                outcome, why = self._read(case)
            except Exception as error:  # any at all is what is looked for
                judged = refusal(error, (ImageError,))
                outcome, why = judged.outcome, judged.why
        self._stop()
        seconds, peak = self._longest, self._peak.megabytes()
        if outcome != "find" and seconds > SECONDS:
            outcome, why = "find", f"{case.kind.partition(' ')[0]} on road {case.road}: takes long"
        elif outcome != "find" and peak > MEGABYTES:
            outcome, why = "find", f"{case.kind.partition(' ')[0]} on road {case.road}: takes much memory"
        return Verdict(outcome, why, seconds, peak)

    def versions(self) -> str:
        """Of what decodes and runs."""
        import platform
        from importlib.metadata import PackageNotFoundError, version

        names = ["handread", "numpy", "onnxruntime", "opencv-python-headless", "pillow", "pillow-heif"]
        found = [f"Python {platform.python_version()}"]
        for name in names:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                continue
        return "; ".join(found)

    def _start(self) -> None:
        assert self._network is not None
        self._longest, self._network.seconds, self._begun = 0.0, 0.0, time.process_time()

    def _stop(self) -> None:
        """End of one of the ways in which the case is read: the longest counts, the network's part aside."""
        assert self._network is not None
        now = time.process_time()
        self._longest = max(self._longest, now - self._begun - self._network.seconds)
        self._network.seconds, self._begun = 0.0, now

    def _read(self, case: Case) -> tuple[str, str]:
        picture = read_picture(case.payload)
        wrong = _wrong_picture(picture)
        if wrong or case.road == "grey":
            return ("find", wrong) if wrong else ("read", "")
        assert self._reader is not None
        self._stop()
        reading = self._reader.read(_again(case.payload), one=case.road == "one", strict=True)
        wrong = _wrong_reading(reading, picture, one=case.road == "one")
        if wrong:
            return "find", wrong
        return ("read" if reading.characters else "empty"), ""


def _again(payload: Any) -> Any:
    if hasattr(payload, "seek") and hasattr(payload, "getvalue"):
        payload.seek(0)
    return payload


def _wrong_picture(picture: Picture) -> str:
    gray = picture.gray
    if type(gray) is not np.ndarray or gray.dtype != np.uint8 or gray.ndim != 2 or not gray.size:
        return f"a grey picture is {type(gray).__name__} {gray.dtype} {gray.shape}"
    if max(gray.shape) > WORKING_SIDE or not picture.scale >= 1:
        return f"a grey picture of {gray.shape} with scale {picture.scale}"
    return ""


def _wrong_reading(reading: Reading, picture: Picture, *, one: bool) -> str:
    height, width = (round(side * picture.scale) + 1 for side in picture.gray.shape)
    if one and len(reading.characters) > 1:
        return "more than one character where there is one"
    if not 0 <= reading.confidence <= 1:
        return f"a confidence of {reading.confidence}"
    for character in reading.characters:
        box = character.box
        if box.x < 0 or box.y < 0 or box.width < 1 or box.height < 1 or box.right > width or box.bottom > height:
            return "a box outside its picture, or empty"
        chances = [candidate.probability for candidate in character.candidates]
        if not chances or not all(0 <= p <= 1 for p in chances) or chances != sorted(chances, reverse=True):
            return f"candidates with the probabilities {chances}"
        if character.accepted == bool(character.reason):
            return "a character accepted with a reason to refuse it, or refused without"
    return ""
