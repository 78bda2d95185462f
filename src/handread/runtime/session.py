"""Session: one self-describing ONNX file, checked against its card and run by onnxruntime on the CPU.

    ready = Session(Path("mine.onnx").read_bytes(), name="mine.onnx")
    logits = ready.run(glyphs)              # uint8 (N, 1, 32, 32) -> float32 (N, K)

The network takes ``image`` uint8 (N, 1, height, width) and, where the card says so, ``cues`` float32 (N, 4);
it gives ``logits`` float32 (N, K), one column a character of the card and one more, the last, for "none".
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from handread.alphabet import Alphabet
from handread.card import METADATA_KEY, ModelCard
from handread.errors import ModelError
from handread.machine import cores
from handread.runtime.wire import ENDLESS, SCAN, Asked, asked_by

if TYPE_CHECKING:
    from handread.types import Cues, Logits, ModelInput

CHUNK = 64
"""Items a call. Larger batches were no faster (0.78 ms an item at 16, 0.82 at 64, 0.87 at 256 for a 490,000
parameter network on one core) and hold four times the memory."""

CUES = 4
"""Length of one size-and-position cue."""

MOST_BYTES = 4 << 30
"""Memory that all networks of a process may take at once; a small file can ask for any amount."""

LONGEST_SECONDS = 60.0
"""Time that a graph with a graph inside, which it runs many times, may take for `CHUNK` items."""

ort.disable_telemetry_events()  # for builds that do not look at the environment, and programs that loaded it first
ort.set_default_logger_severity(4)  # onnxruntime tells the terminal what Handread says in one sentence


with contextlib.suppress(Exception):  # a program that loaded onnxruntime first has settled this
    ort.create_and_register_allocator(
        ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
        ort.OrtArenaCfg({"max_mem": MOST_BYTES}),
    )


class Session:
    """A loaded network. Safe to share between threads."""

    __slots__ = ("_repeats", "_session", "alphabet", "card", "name", "threads")

    def __init__(self, content: bytes, *, name: str = "the model", threads: int | None = None) -> None:
        """Load the `content` of an ONNX file; `name` is what errors call it.

        `threads` is how many chunks of a large batch run at once, by default one a processor core. Raises
        `ModelError` for anything but a whole ONNX file with a card that it agrees with.
        """
        if threads is not None and threads < 1:
            raise ModelError(f"{threads} threads run nothing; give at least 1, or None for all cores")
        self.name = name
        self.threads = threads or cores()
        asked = check_asked(content, name)
        self._repeats = SCAN in asked.operators
        self._session = _open(content, name, repeats=self._repeats)
        self.card = _card(self._session, name)
        self.alphabet = Alphabet.of(self.card.alphabet)
        try:
            _check(self._session, self.card, name)
        except UnicodeDecodeError as error:
            raise ModelError(f"{name} has a name that is no text ({error}); export it again") from None

    @classmethod
    def from_bytes(cls, content: bytes) -> Session:
        """A session of an ONNX file that is still in memory, such as one just exported."""
        return cls(content)

    def run(self, images: ModelInput, cues: Cues | None = None) -> Logits:
        """Logits float32 (N, K) of `images` uint8 (N, 1, height, width).

        `cues`, float32 (N, 4), are used by networks that know them; None stands for "nothing is known". The
        result is the same bit for bit whatever the number of threads. Raises `ModelError` for other shapes.
        """
        self._check_input(images, cues)
        starts = range(0, len(images), CHUNK)
        if self.threads == 1 or len(starts) < 2:
            parts = [self._chunk(images, cues, start) for start in starts]
        else:
            # chunks side by side scale better than one chunk on many threads, and a single item stays on one
            with ThreadPoolExecutor(min(self.threads, len(starts))) as pool:
                parts = list(pool.map(lambda start: self._chunk(images, cues, start), starts))
        if not parts:
            return np.zeros((0, len(self.alphabet) + self.card.has_none), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _check_input(self, images: ModelInput, cues: Cues | None) -> None:
        shape = (1, self.card.height, self.card.width)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != shape:
            raise ModelError(
                f"{self.name} takes uint8 (N, {', '.join(map(str, shape))}), "
                f"got {images.dtype} {images.shape}; normalise the images first"
            )
        if cues is not None and (cues.dtype != np.float32 or cues.shape != (len(images), CUES)):
            raise ModelError(f"{self.name} takes cues float32 ({len(images)}, {CUES}), got {cues.dtype} {cues.shape}")

    def _chunk(self, images: ModelInput, cues: Cues | None, start: int) -> Logits:
        part = images[start : start + CHUNK]
        feeds: dict[str, Any] = {"image": np.ascontiguousarray(part)}
        if self.card.has_cues:
            known = np.zeros((len(part), CUES), np.float32) if cues is None else cues[start : start + CHUNK]
            feeds["cues"] = np.ascontiguousarray(known)
        limits = ort.RunOptions() if self._repeats else None
        try:
            with _stopping(limits):
                logits: Logits = self._session.run(["logits"], feeds, limits)[0]
        except Exception as error:  # onnxruntime's errors share no narrower base
            if limits is not None and limits.terminate:
                raise ModelError(
                    f"{self.name} took longer than {LONGEST_SECONDS:g} s for {len(part)} items; use another network"
                ) from None
            raise ModelError(f"{self.name} failed while running: {_first_line(error)}") from None
        return logits


def read_card(content: bytes, *, name: str = "the model") -> ModelCard:
    """The card inside the `content` of an ONNX file; raises `ModelError` when there is none to read."""
    asked = check_asked(content, name)
    return _card(_open(content, name, repeats=SCAN in asked.operators), name)


def check_asked(content: bytes, name: str) -> Asked:
    """What an ONNX file asks for before it is opened; `ModelError` where Handread does not do it."""
    if not content:
        raise ModelError(f"{name} is empty (0 bytes); copy or export it again")
    try:
        asked = asked_by(content)
    except ValueError as error:
        raise ModelError(f"{name} is not an ONNX file, or only a part of one ({error}); copy it again") from None
    if asked.outside:
        raise ModelError(f"{name} keeps its weights in other files; export it as one file")
    if asked.functions:
        raise ModelError(f"{name} defines operators of its own; handread adopt makes a plain file of it")
    endless = sorted(ENDLESS & asked.operators)
    if endless:
        raise ModelError(f"{name} has the operator {endless[0]}, which may never end; export it without")
    return asked


def _open(content: bytes, name: str, *, repeats: bool) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")  # where MOST_BYTES holds
    # What needs no input would be computed while the file is loaded, when nothing can stop it.
    left_out = ["ConstantFolding"] if repeats else []
    try:
        return ort.InferenceSession(
            content, options, providers=["CPUExecutionProvider"], enable_fallback=0, disabled_optimizers=left_out
        )
    except Exception as error:  # onnxruntime's errors share no narrower base
        text = _first_line(error)
        if "PROTOBUF" in text or "protobuf" in text:
            raise ModelError(f"{name} is not an ONNX file, or only a part of one; copy it again") from None
        raise ModelError(f"{name} cannot be loaded by onnxruntime {ort.__version__}: {text}") from None


@contextlib.contextmanager
def _stopping(limits: Any) -> Iterator[None]:
    """Have a run with the options `limits` end after `LONGEST_SECONDS`; None costs nothing."""
    if limits is None:
        yield
        return
    clock = threading.Timer(LONGEST_SECONDS, setattr, (limits, "terminate", True))
    clock.daemon = True
    clock.start()
    try:
        yield
    finally:
        clock.cancel()


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if "Available memory of" in text:
        return f"it needs more than {MOST_BYTES >> 30} GiB of memory"
    return text.splitlines()[0].removeprefix("[ONNXRuntimeError] : ")[:200]


def _card(session: Any, name: str) -> ModelCard:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError as error:
        raise ModelError(f"{name} has a card that is no text ({error}); copy or export it again") from None
    if text is None:
        raise ModelError(
            f"{name} is an ONNX file without a Handread card, so nothing says what its classes mean; "
            "export it with handread export"
        )
    try:
        return ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None


def _check(session: Any, card: ModelCard, name: str) -> None:
    """Raise `ModelError` unless inputs and outputs are those that the card promises."""
    classes = len(card.alphabet) + card.has_none
    inputs: dict[str, tuple[str, tuple[int, ...]]] = {"image": ("tensor(uint8)", (1, card.height, card.width))}
    if card.has_cues:
        inputs["cues"] = ("tensor(float)", (CUES,))
    _compare(session.get_inputs(), inputs, kind="input", name=name)
    found = [value for value in session.get_outputs() if value.name == "logits"]
    _compare(found, {"logits": ("tensor(float)", (classes,))}, kind="output", name=name)


def _compare(values: list[Any], expected: dict[str, tuple[str, tuple[int, ...]]], *, kind: str, name: str) -> None:
    names = [value.name for value in values]
    if sorted(names) != sorted(expected):
        raise ModelError(
            f"{name} has the {kind}s {', '.join(names) or 'none'}, its card promises {', '.join(expected)}; "
            "export it again"
        )
    for value in values:
        dtype, sizes = expected[value.name]
        # a size that the file leaves open is a name or None; the batch must be open, the rest may be
        fits = len(value.shape) == len(sizes) + 1 and all(
            not isinstance(have, int) or have == want for have, want in zip(value.shape[1:], sizes, strict=True)
        )
        if value.type != dtype or not fits or isinstance(value.shape[0], int):
            wanted = ", ".join(("N", *map(str, sizes)))
            shape = ", ".join(map(str, value.shape))
            raise ModelError(
                f"{name}: the {kind} {value.name!r} is {value.type} ({shape}), its card promises "
                f"{dtype} ({wanted}); export it again"
            )
