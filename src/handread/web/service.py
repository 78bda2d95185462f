"""What the routes hand on: requests taken apart, read in threads, and put together as answers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from handread.alphabet import NAMED, Alphabet
from handread.answer import as_row
from handread.errors import AlphabetError, ImageError
from handread.imaging.read import FORMATS
from handread.imaging.single import Single, single_character
from handread.recognizer import Recognizer
from handread.runtime import store
from handread.runtime.session import Session, read_card
from handread.types import REFUSED, Reading
from handread.web.batching import Gatherer
from handread.web.drawing import draw_canvas
from handread.web.look import look
from handread.web.problems import ProblemError
from handread.web.together import Together

if TYPE_CHECKING:
    from handread.card import ModelCard
    from handread.web.metrics import Metrics
    from handread.web.schemas import BatchRequest, Options, ReadRequest
    from handread.web.settings import Settings

LARGE_BODY = 256_000
"""Bytes from which even taking a request apart is left to the threads for large ones."""
_SMALL_THREADS = 16
_GROUPS = 2
"""Groups of requests that are worked on at once: one has its pictures prepared while the network runs the other."""
_REST = 1.5
"""Rest after a large request as a share of the time it took."""
_LONGEST_REST_SECONDS = 1.0
_REST_STEP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it came, and what the answer calls it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done for one request."""

    run: Callable[[], bytes]
    """Gives the answer; raises `ProblemError`."""
    large: bool = False
    """It takes long: others go first."""


@dataclass(frozen=True, slots=True)
class Singles:
    """Small pictures of one character each, to be read together with those of other clients."""

    pictures: list[Picture]
    options: Options
    alphabet: Alphabet


@dataclass(frozen=True, slots=True)
class _Prepared:
    asked: Singles
    singles: list[Single | ImageError]

    @property
    def kind(self) -> tuple[Alphabet, int, bool]:
        """Those of one kind are read in one call."""
        return self.asked.alphabet, self.asked.options.top, self.asked.options.strict


class Service:
    """One network, threads for small requests, and others for large ones."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        """Load the model; raises as `Recognizer` does."""
        self.settings = settings
        session = Session(store.load(settings.model), name=settings.model)
        self._metrics = metrics
        self.network = Gatherer(session, metrics.count_batch)
        self.reader = Recognizer.of_session(self.network)
        self._small = ThreadPoolExecutor(_SMALL_THREADS, "small")
        self._large = ThreadPoolExecutor(max(1, session.threads - 1), "large")
        self._preparing = threading.Lock()
        self._in_a_hurry = 0
        self._rest_until = 0.0
        self._together: Together[Callable[[], Job | Singles], bytes | Job] = Together(self._group, _GROUPS)

    async def answer(self, take_apart: Callable[[], Job | Singles], size: int) -> bytes:
        """The answer to a request with a body of `size` bytes; raises `ProblemError`."""
        loop = asyncio.get_running_loop()
        if size > LARGE_BODY:
            return await loop.run_in_executor(self._large, self._patiently, lambda: self._at_once(take_apart()))
        self._in_a_hurry += 1
        try:
            done = await self._together.submit(take_apart)
            if isinstance(done, bytes):
                return done
            if not done.large:
                return await loop.run_in_executor(self._small, self._announced(done.run))
        finally:
            self._in_a_hurry -= 1
        return await loop.run_in_executor(self._large, self._patiently, done.run)

    def _patiently(self, work: Callable[[], bytes]) -> bytes:
        """Do `work` in a thread for large requests, which rests longer than it worked while small ones wait."""
        # a lower priority of the thread would not do: it could be put aside while it holds the interpreter's lock
        while self._in_a_hurry and (left := self._rest_until - time.monotonic()) > 0:
            time.sleep(min(left, _REST_STEP_SECONDS))
        start = time.monotonic()
        try:
            return work()
        finally:
            end = time.monotonic()
            self._rest_until = end + min(_REST * (end - start), _LONGEST_REST_SECONDS)

    def _at_once(self, job: Job | Singles) -> bytes:
        if isinstance(job, Job):
            return job.run()
        return self.read_pictures(job.pictures, job.options, job.alphabet)

    def _group(self, requests: list[Callable[[], Job | Singles]]) -> list[bytes | Job | Exception]:
        """Take requests apart and answer those for single characters, their pictures in one batch."""
        # one group at a time: two would only take the interpreter's lock from each other at every call into OpenCV
        with self._preparing:
            outcomes = [self._taken_apart(take_apart) for take_apart in requests]
        answers = self._read_singles([outcome for outcome in outcomes if isinstance(outcome, _Prepared)])
        return [next(answers) if isinstance(outcome, _Prepared) else outcome for outcome in outcomes]

    def _taken_apart(self, take_apart: Callable[[], Job | Singles]) -> _Prepared | Job | Exception:
        try:
            asked = take_apart()
            if isinstance(asked, Job):
                return asked
            return _Prepared(asked, [self._single(picture) for picture in asked.pictures])
        except Exception as error:  # one client's trouble, whatever it is, must not become the others'
            return error

    def _read_singles(self, prepared: list[_Prepared]) -> Iterator[bytes | Exception]:
        alike: dict[tuple[Alphabet, int, bool], list[Single]] = {}
        for one in prepared:
            singles = [single for single in one.singles if isinstance(single, Single)]
            alike.setdefault(one.kind, []).extend(singles)
        readings: dict[tuple[Alphabet, int, bool], Iterator[Reading] | Exception] = {}
        for kind, singles in alike.items():
            alphabet, top, strict = kind
            try:
                readings[kind] = iter(self.reader.read_singles(singles, alphabet=alphabet, top=top, strict=strict))
            except Exception as error:
                readings[kind] = error
        for one in prepared:
            found = readings[one.kind]
            if isinstance(found, Exception):
                yield found
            else:
                outcomes = [next(found) if isinstance(single, Single) else single for single in one.singles]
                yield self._rows(one.asked.pictures, outcomes)

    def _single(self, picture: Picture) -> Single | ImageError:
        try:
            return single_character(self._content(picture), self.reader.card.frame)
        except ImageError as error:
            return named(picture.name, error)

    def _content(self, picture: Picture) -> bytes:
        """The bytes of a picture; `ImageError` for one of more pixels than the server takes."""
        pixels, most = pixels_of(picture), self.settings.max_pixels
        if pixels > most:
            name = picture.name or "the picture"
            raise ImageError(f"{name} is too large ({pixels:,} pixels, at most {most:,}); scale it down first")
        return picture.content

    def _rows(self, pictures: list[Picture], outcomes: Sequence[Reading | ImageError]) -> bytes | Exception:
        for outcome in outcomes:
            self._metrics.count_reading(None if isinstance(outcome, ImageError) else outcome)
        if len(outcomes) == 1 and isinstance(outcomes[0], ImageError):
            return ProblemError(422, "unreadable", str(outcomes[0]))
        rows = [as_row(picture.name, outcome) for picture, outcome in zip(pictures, outcomes, strict=True)]
        return self.encode(readings=rows)

    def _announced(self, work: Callable[[], bytes]) -> Callable[[], bytes]:
        def run() -> bytes:
            with self.network.coming():
                return work()

        return run

    def close(self) -> None:
        """End the threads once their work is done."""
        self._together.close()
        self._small.shutdown()
        self._large.shutdown()
        self.network.close()

    def alphabet(self, spec: str | None) -> Alphabet:
        """The alphabet of a request; `ProblemError` 422 for one that is none or that the model does not know."""
        try:
            wanted = self.reader.alphabet if spec is None else Alphabet.of(spec)
            self.reader.alphabet.indices_of(wanted)
        except AlphabetError as error:
            hint = "" if spec in NAMED else f"; the names are {', '.join(NAMED)}"
            raise ProblemError(422, "alphabet", f"{error}{hint}") from None
        return wanted

    def read_pictures(self, pictures: Sequence[Picture], options: Options, alphabet: Alphabet) -> bytes:
        """The answer with one row a picture; `ProblemError` 422 where there is one picture and it cannot be read."""
        rows = []
        for picture in pictures:
            try:
                rows.append(self._row(picture.name, self._content(picture), options, alphabet))
            except ImageError as error:
                self._metrics.count_reading(None)
                told = named(picture.name, error)
                if len(pictures) == 1:
                    raise ProblemError(422, "unreadable", str(told)) from None
                rows.append(as_row(picture.name, told))
        return self.encode(readings=rows)

    def read_drawing(self, request: ReadRequest, alphabet: Alphabet) -> bytes:
        """The answer to a drawing, boxes in pixels of its canvas."""
        assert request.strokes is not None
        assert request.width is not None
        assert request.height is not None
        canvas = draw_canvas(request.strokes, width=request.width, height=request.height, pen=request.pen)
        return self.encode(readings=[self._row("drawing", canvas.gray, request, alphabet, scale=canvas.scale)])

    def _row(
        self, name: str, source: Any, options: Options, alphabet: Alphabet, *, scale: float = 1.0
    ) -> dict[str, Any]:
        """The row of one picture; boxes count in pixels of `source` times `scale`."""
        if not options.look:
            reading = self.reader.read(
                source, alphabet=alphabet, one=options.one, top=options.top, strict=options.strict
            )
            self._metrics.count_reading(reading)
            return as_row(name, _scaled(reading, scale))
        seen = self.reader.look(source, alphabet=alphabet, one=options.one, top=options.top, strict=options.strict)
        self._metrics.count_reading(seen.reading)
        return {**as_row(name, _scaled(seen.reading, scale)), "look": look(self.reader, seen, alphabet)}

    def classify(self, request: BatchRequest, alphabet: Alphabet) -> bytes:
        """The answer to an array of characters."""
        assert request.characters is not None
        assert request.shape is not None
        count, height, width = request.shape
        if count > self.settings.max_characters:
            raise ProblemError(
                413,
                "too-many",
                f"{count} characters are more than {self.settings.max_characters}; send several requests",
            )
        content = decode_base64(request.characters, "characters")
        if len(content) != count * height * width:
            raise ProblemError(
                422, "shape",
                f"characters holds {len(content)} bytes, a shape of {count} x {height} x {width} needs "
                f"{count * height * width}; send uint8, row by row",
            )  # fmt: skip
        images = np.frombuffer(content, np.uint8).reshape(count, height, width)
        scores = self.reader.score(images, alphabet=alphabet)
        self._metrics.count_characters(int(scores.accepted.sum()), count)
        return self.encode(
            labels="".join(scores.alphabet[k] for k in scores.labels.tolist()),
            confidence=_rounded(scores.confidence),
            accepted=scores.accepted.tolist(),
            errors=[],
        )

    def classify_pictures(self, pictures: Sequence[Picture], alphabet: Alphabet) -> bytes:
        """The same answer to pictures that hold one character each."""
        singles = [self._single(picture) for picture in pictures]
        errors = [
            {"index": index, "name": pictures[index].name, "error": str(single)}
            for index, single in enumerate(singles)
            if isinstance(single, ImageError)
        ]
        if len(errors) == len(pictures):
            raise ProblemError(422, "unreadable", str(errors[0]["error"]))
        labels, confidence, accepted = [REFUSED] * len(singles), [0.0] * len(singles), [False] * len(singles)
        inked = {i: single for i, single in enumerate(singles) if isinstance(single, Single) and not single.empty}
        if inked:
            glyphs = np.stack([single.glyph for single in inked.values()])
            cues = np.stack([single.cue for single in inked.values()])
            scores = self.reader.score(glyphs, cues=cues, normalised=True, alphabet=alphabet)
            found = zip(
                inked, scores.labels.tolist(), _rounded(scores.confidence), scores.accepted.tolist(), strict=True
            )
            for place, label, sure, believed in found:
                labels[place], confidence[place], accepted[place] = alphabet[label], sure, believed
        self._metrics.count_characters(sum(accepted), len(inked))
        return self.encode(labels="".join(labels), confidence=confidence, accepted=accepted, errors=errors)

    def models(self) -> Iterator[tuple[str, bool, ModelCard]]:
        """Name, whether it is the loaded one, and card of every shipped model and of the loaded one."""
        loaded = self.settings.model
        yield loaded, True, self.reader.card
        for name in store.shipped():
            if name != loaded:
                yield name, False, read_card(store.load(name), name=name)

    def encode(self, **parts: Any) -> bytes:
        """An answer as JSON."""
        card = self.reader.card
        return json.dumps({"model": card.name, "version": card.version, **parts}, ensure_ascii=False).encode()


def decode_base64(text: str, what: str) -> bytes:
    """Bytes of base64 or of a data: URI; `ProblemError` 422 for anything else."""
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise ProblemError(422, "base64", f"{what} is a data: URI that is not in base64; encode it so")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProblemError(422, "base64", f"{what} is not base64 ({error}); encode the bytes of the file") from None


def _rounded(values: npt.NDArray[np.float32]) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def pixels_of(picture: Picture) -> int:
    """Pixels as the head of the file has it; 0 where that cannot be told."""
    head = picture.content[:24]
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) == 24:  # the usual form, without Pillow's 50 us
        return int.from_bytes(head[16:20]) * int.from_bytes(head[20:24])
    from PIL import Image

    try:
        with Image.open(io.BytesIO(picture.content), formats=FORMATS) as image:
            return int(image.width * image.height)
    except Exception:  # whatever is wrong with it is said when it is read
        return 0


def _scaled(reading: Reading, factor: float) -> Reading:
    if factor == 1:
        return reading
    return dataclasses.replace(
        reading,
        characters=tuple(dataclasses.replace(c, box=c.box.scaled(factor)) for c in reading.characters),
    )


def named(name: str, error: ImageError) -> ImageError:
    """The error with the picture's own name in it, where it had none."""
    text = str(error)
    if text.startswith("the given ") and " bytes " in text:
        return ImageError((name or "the picture") + " " + text.split(" bytes ", 1)[1])
    return error
