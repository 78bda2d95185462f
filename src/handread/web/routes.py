"""The API: what stands at which address, and how a request is taken apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response

from handread import __version__
from handread.alphabet import NAMED
from handread.web import intake, schemas
from handread.web.documents import problem_responses, request_body
from handread.web.intake import JSON
from handread.web.limits import check_token
from handread.web.problems import ProblemError
from handread.web.service import Job, Singles
from handread.web.state import State, state_of

TakeApart = Callable[[State, bytes, str], Job | Singles]
"""Takes a body and its type; gives what is to be done."""


async def admit(request: Request) -> None:
    """Who may come in, and how often."""
    state = state_of(request)
    check_token(request, state.settings.tokens)
    state.rate.check(request.client.host if request.client else "unknown", time.monotonic())


class _Direct(APIRoute):
    """Hands the request itself to its function, which gives the response: no parameters to look for, a fifth less
    time for a small request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI has it."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint

        async def handle(request: Request) -> Response:
            await admit(request)
            return await endpoint(request)

        return handle


router = APIRouter(route_class=_Direct)
open_router = APIRouter()


@router.post(
    "/v1/read",
    summary="Read pictures or a drawing",
    response_model=schemas.ReadAnswer,
    responses=problem_responses(401, 408, 413, 415, 422, 429, 503),
    openapi_extra=request_body(schemas.ReadRequest, schemas.Options),
)
async def read(request: Request) -> Response:
    """Pictures as a form (`pictures`, one or more files) or in JSON, or one drawing as strokes in JSON.

    A picture that cannot be read among several has its `error`; where it is the only one, the answer is a problem.
    """
    return await _answer(request, intake.read)


@router.post(
    "/v1/read/batch",
    summary="Read many single characters",
    response_model=schemas.BatchAnswer,
    response_model_exclude_none=True,
    responses=problem_responses(401, 408, 413, 415, 422, 429, 503),
    openapi_extra=request_body(schemas.BatchRequest, schemas.BatchOptions),
)
async def read_batch(request: Request) -> Response:
    """An array of characters, or many pictures, with a short answer: one letter, confidence and verdict each."""
    return await _answer(request, intake.read_batch)


@router.get(
    "/v1/models", summary="Models, alphabets and limits", response_model=schemas.ModelsAnswer,
    responses=problem_responses(401, 429),
)  # fmt: skip
async def models(request: Request) -> Response:
    """The models that this server has, with their cards and scores, and what a request may hold."""
    state = state_of(request)
    content = await run_in_threadpool(_models, state)
    return JSONResponse(content, headers={"cache-control": "no-cache"})


@router.post(
    "/v1/corrections", status_code=201, summary="Keep a correction", response_model=schemas.CorrectionAnswer,
    responses=problem_responses(401, 404, 408, 409, 413, 415, 422, 429, 503),
    openapi_extra=request_body(schemas.Correction),
)  # fmt: skip
async def correct(request: Request) -> Response:
    """A character and what it is, kept in the operator's folder; only where the server was started with --collect."""
    if state_of(request).collection is None:
        raise ProblemError(404, "not-collected", "this server keeps no corrections; its operator did not ask for them")
    return await _answer(request, intake.correct, status=201)


@router.get("/metrics", summary="Figures for Prometheus", tags=["operators"], response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Requests, seconds, pictures, characters, batches, memory."""
    state = state_of(request)
    content, media_type = await run_in_threadpool(state.exposition)
    return Response(content, media_type=media_type, headers={"cache-control": "no-store"})


@open_router.get("/healthz", summary="Is the process alive?", tags=["operators"])
async def healthz() -> dict[str, str]:
    """Always well while the process answers."""
    return {"status": "ok"}


@open_router.get("/readyz", summary="Does it take requests?", tags=["operators"], responses=problem_responses(503))
async def readyz(request: Request) -> dict[str, str]:
    """Well while there is room for requests."""
    state = state_of(request)
    if state.queue.waiting >= state.queue.most:
        raise ProblemError(503, "busy", "too many requests wait; send no more for a while", {"retry-after": "1"})
    return {"status": "ready"}


async def _answer(request: Request, take_apart: TakeApart, *, status: int = 200) -> Response:
    state = state_of(request)
    content_type = request.headers.get("content-type", "")
    with state.queue.place():
        body = await state.body.read(request)
        try:
            content = await state.service.answer(partial(take_apart, state, body, content_type), len(body))
        finally:
            state.memory.give(len(body))
    return Response(content, status, {"cache-control": "no-store"}, JSON)


def _models(state: State) -> dict[str, object]:
    service, settings = state.service, state.settings
    known = service.reader.alphabet
    rows = [{"name": name, "loaded": loaded, "card": card.described()} for name, loaded, card in service.models()]
    return {
        "handread": __version__,
        "loaded": service.reader.card.name,
        "models": rows,
        "alphabets": {name: chars for name, chars in NAMED.items() if all(c in known for c in chars)},
        "collect": state.collection is not None,
        "limits": {
            "upload_bytes": settings.max_upload_bytes,
            "pictures": settings.max_pictures,
            "characters": settings.max_characters,
            "pixels": settings.max_pixels,
        },
    }
