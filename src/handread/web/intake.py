"""Requests taken apart: a body and its type to what is to be done. Runs in threads."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from handread.errors import ImageError
from handread.web import schemas
from handread.web.forms import parse_form
from handread.web.problems import ProblemError
from handread.web.service import Job, Picture, Singles, decode_base64, named, pixels_of
from handread.web.state import State

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"
MULTIPART = "multipart/form-data"

SMALL_PIXELS = 100_000
"""Pictures of one character that have no more than this together are read with those of other clients."""
LARGE_PIXELS = 500_000
"""Pictures that have more than this together are left to the threads for large requests."""

_PICTURES_OF_THE_LARGEST = 4
"""A request holds no more pixels than so many pictures of the largest size."""


def read(state: State, body: bytes, content_type: str) -> Job | Singles:
    """What `/v1/read` is asked for; `ProblemError` for what it does not understand."""
    service = state.service
    if _kind(content_type) == JSON:
        request = parse_json(schemas.ReadRequest, body)
        options: schemas.Options = request
        if request.strokes is not None:
            return Job(partial(service.read_drawing, request, service.alphabet(request.alphabet)))
        pictures = _decoded(request.pictures or [], state)
    else:
        pictures, options = _form(schemas.Options, body, content_type, state)
    alphabet = service.alphabet(options.alphabet)
    pixels = _pixels(pictures, state)
    if options.one and not options.look and pixels <= SMALL_PIXELS:
        return Singles(pictures, options, alphabet)
    return Job(partial(service.read_pictures, pictures, options, alphabet), large=pixels > LARGE_PIXELS)


def read_batch(state: State, body: bytes, content_type: str) -> Job:
    """What `/v1/read/batch` is asked for; `ProblemError` for what it does not understand."""
    service = state.service
    options: schemas.BatchOptions
    if _kind(content_type) == JSON:
        request = parse_json(schemas.BatchRequest, body)
        if request.characters is not None:
            return Job(partial(service.classify, request, service.alphabet(request.alphabet)))
        pictures, options = _decoded(request.pictures or [], state), request
    else:
        pictures, options = _form(schemas.BatchOptions, body, content_type, state)
    alphabet = service.alphabet(options.alphabet)
    large = _pixels(pictures, state) > LARGE_PIXELS
    if options.one:
        return Job(partial(service.classify_pictures, pictures, alphabet), large)
    wanted = schemas.Options(top=options.top, strict=options.strict)
    return Job(partial(service.read_pictures, pictures, wanted, alphabet), large)


def correct(state: State, body: bytes, content_type: str) -> Job:
    """The correction that a body holds; `ProblemError` for what is none."""
    collection = state.collection
    assert collection is not None
    if _kind(content_type) != JSON:  # a foreign page may send forms unasked, JSON it may not
        raise ProblemError(415, "media-type", f"a correction is sent as {JSON}")
    correction = parse_json(schemas.Correction, body)
    if correction.label.isspace() or not correction.label.isprintable():
        raise ProblemError(422, "invalid", f"label: {correction.label!r} is no visible character")
    picture = decode_base64(correction.picture, "picture")

    def keep() -> bytes:
        try:
            kept = collection.keep(picture, correction.label, correction.read)
        except ImageError as error:
            raise ProblemError(422, "unreadable", str(named("the picture", error))) from None
        return json.dumps(dataclasses.asdict(kept)).encode()

    return Job(keep)


def _pixels(pictures: list[Picture], state: State) -> int:
    """Of all pictures that will be read; `ProblemError` 413 where that would take too long for one request."""
    each = [pixels for pixels in map(pixels_of, pictures) if pixels <= state.settings.max_pixels]
    most = _PICTURES_OF_THE_LARGEST * state.settings.max_pixels
    if sum(each) > most:
        raise ProblemError(
            413, "too-many", f"the pictures have more than {most:,} pixels together; send them in several requests"
        )
    return sum(each)


def _kind(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (JSON, MULTIPART):
        raise ProblemError(
            415, "media-type",
            f"a body of type {kind[:80] or '(none)'} is not understood; send {MULTIPART} with the pictures as files, or "
            f"{JSON}",
        )  # fmt: skip
    return kind


def parse_json(model: type[Model], body: bytes) -> Model:
    """`body` as `model`; `ProblemError` 422 with the first thing that is wrong."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(error) from None


def _form(model: type[Model], body: bytes, content_type: str, state: State) -> tuple[list[Picture], Model]:
    form = parse_form(body, content_type, most_files=state.settings.max_pictures)
    for file in form.files:
        if file.field != "pictures":
            raise ProblemError(422, "form", f"the form has a file called {file.field[:40]!r}; call it 'pictures'")
    if not form.files:
        raise ProblemError(422, "form", "the form has no picture; send files under the name 'pictures'")
    try:
        options = model.model_validate({name: value for name, value in form.fields.items() if value != ""})
    except ValidationError as error:
        raise _invalid(error) from None
    return [Picture(file.name, file.content) for file in form.files], options


def _decoded(pictures: list[schemas.PictureData], state: State) -> list[Picture]:
    most = state.settings.max_pictures
    if len(pictures) > most:
        raise ProblemError(
            413, "too-many", f"{len(pictures)} pictures are more than {most}; send them in several requests"
        )
    return [
        Picture(picture.name, decode_base64(picture.data, picture.name or f"picture {number}"))
        for number, picture in enumerate(pictures, start=1)
    ]


def _invalid(error: ValidationError) -> ProblemError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    about = f"{where[:200]} cannot be used" if where else "the request cannot be understood"
    return ProblemError(422, "invalid", f"{about}: {said[:400]}; its form stands at /openapi.json")
