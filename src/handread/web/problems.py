"""Errors as programs want them: RFC 9457 problem documents, each with a sentence for people."""

from __future__ import annotations

import http
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from handread.errors import HandreadError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger("handread.web")


class ProblemError(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def document(status: int, code: str, detail: str) -> dict[str, Any]:
    """The members of a problem document: those of RFC 9457 and `code`, a short word that does not change."""
    return {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }


def answer(problem: ProblemError) -> Response:
    """The response that tells of a problem."""
    body = json.dumps(document(problem.status, problem.code, problem.detail), ensure_ascii=False)
    return Response(
        # what a client sent may hold half a surrogate pair
        body.encode("utf-8", errors="replace"),
        problem.status,
        {"cache-control": "no-store", **problem.headers},
        MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Have every error of the application answered with a problem document."""

    @app.exception_handler(ProblemError)
    async def on_problem(request: Request, error: ProblemError) -> Response:
        return answer(error)

    @app.exception_handler(HandreadError)
    async def on_handread_error(request: Request, error: HandreadError) -> Response:
        return answer(ProblemError(422, "unreadable", str(error)))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first.get("loc", ()))
        return answer(ProblemError(422, "invalid", f"{where}: {first.get('msg', 'it cannot be understood')}"))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        codes = {404: "not-found", 405: "method-not-allowed"}
        sentences = {
            404: f"there is nothing at {request.url.path[:200]}; the document of the API is at /openapi.json",
            405: f"{request.method} is not understood here; see the Allow header",
        }
        detail = sentences.get(error.status_code, str(error.detail))
        code = codes.get(error.status_code, "http")
        return answer(ProblemError(error.status_code, code, detail, error.headers))

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        # the traceback is for the operator's log, never for the client
        return answer(ProblemError(500, "bug", "this is a bug in Handread; the operator's log has the details"))
