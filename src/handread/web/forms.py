"""multipart/form-data in memory: the files and the fields of a form, bounded, never written to the disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from handread.web.problems import ProblemError

MOST_FIELDS = 32
_LONGEST_FIELD = 4096
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class File:
    """One uploaded file: the name that the client gave it, which is never used as a path, and its bytes."""

    field: str
    name: str
    content: bytes


@dataclass(slots=True)
class Form:
    """What a form holds, in its order."""

    files: list[File] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


def parse_form(body: bytes, content_type: str, *, most_files: int) -> Form:
    """The form in `body`; `ProblemError` 413 for too many files or too long a field, 422 for what is no form."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise ProblemError(
            422, "form", "the Content-Type multipart/form-data names no boundary; let your client set it"
        )
    collector = _Collector(most_files)
    try:
        parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise ProblemError(422, "form", f"the body is no whole multipart form ({error}); send it again") from None
    if not collector.ended:
        raise ProblemError(422, "form", "the form breaks off before its end; send it again")
    return collector.form


def plain_name(name: str) -> str:
    """A client's file name as text for people: without folders and control characters, at most 255 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in last)[:_LONGEST_NAME]


class _Collector:
    def __init__(self, most_files: int) -> None:
        self.form = Form()
        self.ended = False
        self._most_files = most_files
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._data: list[bytes] = []
        self._name = ""
        self._file: str | None = None
        self._length = 0

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_part_end": self._end,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        self._disposition, self._data, self._length = b"", [], 0

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        options = parse_options_header(self._disposition.decode("latin-1"))[1]
        if b"name" not in options:
            raise ProblemError(422, "form", "a part of the form has no name; name the parts with pictures 'pictures'")
        self._name = _text(options[b"name"])[:_LONGEST_NAME]
        self._file = _text(options[b"filename"]) if b"filename" in options else None
        if self._file is not None and len(self.form.files) >= self._most_files:
            raise ProblemError(
                413, "too-many", f"the form has more than {self._most_files} files; send them in several requests"
            )
        if self._file is None and len(self.form.fields) >= MOST_FIELDS:
            raise ProblemError(413, "too-many", f"the form has more than {MOST_FIELDS} fields; leave some out")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._length += end - start
        if self._file is None and self._length > _LONGEST_FIELD:
            raise ProblemError(
                413, "too-large", f"the field {self._name[:40]!r} is longer than {_LONGEST_FIELD} bytes; a picture is "
                "sent as a file with a name"
            )  # fmt: skip
        self._data.append(data[start:end])

    def _end(self) -> None:
        content = self._data[0] if len(self._data) == 1 else b"".join(self._data)
        if self._file is None:
            self.form.fields[self._name] = _text(content)
        else:
            self.form.files.append(File(self._name, plain_name(self._file), content))

    def _finish(self) -> None:
        self.ended = True


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")
