"""What an ONNX file asks for, seen in its bytes before onnxruntime opens it: loops, and weights in other files.

onnxruntime looks for weights in other files wherever the working directory happens to be, and runs parts of a graph
that need no input as it loads it: an endless loop would never be loaded. Both must be seen before, without the package
onnx, which reading does not need. The form is protobuf's (https://protobuf.dev/programming-guides/encoding); the
numbers of the fields are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ENDLESS = frozenset({"Loop", "SequenceMap", "StringConcat", "StringSplit"})
"""Operators without which every part of a graph ends: time and memory of all others are bounded by their arrays."""
SCAN = "Scan"
"""Runs a graph inside a node once for each part of an array."""

MOST_PIECES = 5_000_000
"""Fields that are looked at in one file, some seconds' worth."""
_FEW = 50_000
"""A forest has a field for every number in it. From so many on it is worth asking first whether there is anything to
be found at all."""
_LONGEST_NAME = 100

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_GRAPH, _NODE, _OPERATOR, _DOMAIN = 7, 1, 4, 7
_FUNCTIONS = 25
_INSIDE: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", _FUNCTIONS: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto",
        22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}  # fmt: skip
"""Message -> those of its fields that are messages worth looking into."""

# A string stands in a file as it is, behind its length: where none of these bytes are, neither is what they name. The
# length ends in its own number or, written longer than it must be, in a zero.
_SIGNS = [
    end + name.encode()
    for name in (*sorted(ENDLESS), SCAN, "location")
    for end in (bytes((len(name),)), b"\0")
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What was found."""

    functions: bool = False
    """The file defines operators of its own."""
    outside: bool = False
    """Weights lie in other files."""
    operators: frozenset[str] = frozenset()
    """Of `ENDLESS` and `SCAN` those that stand in it."""


def asked_by(content: bytes) -> Asked:
    """Look through the `content` of an ONNX file. Raises `ValueError` for what is none, or has too many pieces."""
    pieces = _Pieces(content)
    functions = any(number == _FUNCTIONS for number, _, _ in pieces.fields(0, len(content)))
    pieces.count = 0
    outside, found = False, set[str]()
    waiting = [("ModelProto", 0, len(content))]
    while waiting:
        message, start, end = waiting.pop()
        for number, first, last in pieces.fields(start, end):
            if number in _INSIDE[message] and first >= 0:
                waiting.append((_INSIDE[message][number], first, last))
            elif message == "NodeProto" and number == _OPERATOR and 0 <= first < last <= first + _LONGEST_NAME:
                found.add(content[first:last].decode("utf-8", "replace"))
            elif message == "TensorProto":
                outside |= number == _EXTERNAL_DATA or (number == _DATA_LOCATION and last != 0)
            if pieces.count == _FEW and not any(sign in content for sign in _SIGNS):
                return Asked(functions)
    return Asked(functions, outside, frozenset(found & (ENDLESS | {SCAN})))


def operators_of(content: bytes) -> list[str]:
    """Names of the operators of an ONNX file's nodes, in order; its own domain stands before a foreign one's.

    Those inside graphs of nodes are left out. Raises `ValueError` as `asked_by` does.
    """
    pieces = _Pieces(content)
    found = []
    for first, last in pieces.inside(0, len(content), _GRAPH):
        for node in pieces.inside(first, last, _NODE):
            name, domain = (
                b"".join(content[start:end] for start, end in pieces.inside(*node, field)).decode()
                for field in (_OPERATOR, _DOMAIN)
            )
            found.append(f"{domain}.{name}" if domain not in ("", "ai.onnx") else name)
    return found


class _Pieces:
    """Fields of messages, counted."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.count = 0

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Every field of the message there: its number and where its bytes begin and end; (-1, value) for whole numbers."""
        at = start
        while at < end:
            self.count += 1
            if self.count > MOST_PIECES:
                raise ValueError(f"it has more than {MOST_PIECES:,} pieces")
            key, at = self._varint(at, end)
            kind = key & 7
            if kind == 0:
                value, at = self._varint(at, end)
                yield key >> 3, -1, value
            elif kind == 2:
                size, at = self._varint(at, end)
                if size > end - at:
                    raise ValueError("a piece is longer than the file")
                yield key >> 3, at, at + size
                at += size
            elif kind in (1, 5):
                at += 8 if kind == 1 else 4
                if at > end:
                    raise ValueError("its last piece is cut off")
                yield key >> 3, -1, 0
            else:
                raise ValueError(f"a piece is of the kind {kind}")

    def inside(self, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
        """Where the bytes of the fields of the number `wanted` begin and end."""
        return ((first, last) for number, first, last in self.fields(start, end) if number == wanted and first >= 0)

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if at >= end:
                break
            byte = self._content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at
        raise ValueError("a number in it does not end")
