"""Where models live: the shipped ones by name, any other by its path or by the folder of the run that made it.

The shipped files lie in ``handread/weights`` beside ``checksums.json``, which maps file names to SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from handread.errors import ModelError, UnknownNameError
from handread.registry import unknown

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
"""Folder of the shipped models."""

CHECKSUMS = "checksums.json"
SUFFIX = ".onnx"
OF_A_RUN = "model.onnx"
"""Name of the finished model in a run folder."""
LARGEST_BYTES = 1 << 30
"""Largest file that is opened; protobuf itself ends at twice that."""


def shipped() -> tuple[str, ...]:
    """Names of the models that came with this Handread, sorted."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob(f"*{SUFFIX}")))


def locate(model: str | Path) -> Path:
    """The file of a shipped name, of a path (a `Path`, or text with a separator or the suffix .onnx) or of a run folder.

    Raises `UnknownNameError` for a name that is not shipped and `ModelError` for a path without a file.
    """
    if isinstance(model, str) and not _is_path(model):
        if model in shipped():
            return WEIGHTS / f"{model}{SUFFIX}"
        if not Path(model).exists():
            names = shipped()
            sentence = unknown("shipped model", model, names) if names else "no model is shipped"
            raise UnknownNameError(f"{sentence}; a file of your own needs its path, such as ./mine.onnx")
    path = Path(model)
    if path.is_dir():
        if not (path / OF_A_RUN).is_file():
            raise ModelError(
                f"{path} is a folder without {OF_A_RUN}; name a model's file, or finish the run with handread train ... "
                "--resume"
            )
        path /= OF_A_RUN
    if not path.is_file():
        raise ModelError(f"{path} does not exist; check the path, or name a shipped model")
    return path


def load(model: str | Path) -> bytes:
    """The bytes of a model's file, as `locate` finds it; a shipped one must match its checksum.

    Raises as `locate` does, and `ModelError` when the file cannot be read or is damaged.
    """
    path = locate(model)
    content = read_model(path)
    real = path.resolve()
    if real.parent == WEIGHTS:  # by whatever way it was named; 2 ms for 3 MB
        recorded = checksums().get(real.name)
        if recorded is None:
            raise ModelError(f"{path} has no checksum in {CHECKSUMS}; install Handread again, or load a copy of it")
        if recorded != checksum(content):
            raise ModelError(
                f"{path} is damaged: its checksum is not the one it was shipped with; install Handread again"
            )
    return content


def read_model(path: Path) -> bytes:
    """The bytes of the file there; raises `ModelError` when it cannot be read or has more than `LARGEST_BYTES`."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ModelError(f"{path} is larger than {LARGEST_BYTES >> 30} GiB, which no reader of characters is")
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None


def checksums() -> dict[str, str]:
    """SHA-256 of each shipped file as recorded when it was shipped, file name -> hexadecimal digits."""
    try:
        table = json.loads((WEIGHTS / CHECKSUMS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"{WEIGHTS / CHECKSUMS} is damaged ({error}); install Handread again") from None
    if not isinstance(table, dict):
        raise ModelError(f"{WEIGHTS / CHECKSUMS} is damaged (not a table); install Handread again")
    return table


def checksum(content: bytes) -> str:
    """SHA-256 of `content` as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _is_path(model: str) -> bool:
    separators = [os.sep, *([os.altsep] if os.altsep else [])]
    return model.endswith(SUFFIX) or any(separator in model for separator in separators)
