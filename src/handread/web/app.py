"""The application: settings in, FastAPI out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware.cors import CORSMiddleware

from handread import __version__
from handread.web import pages, problems
from handread.web.documents import complete
from handread.web.metrics import Measured
from handread.web.routes import open_router, router
from handread.web.settings import Settings
from handread.web.state import State

DESCRIPTION = "Reads handwritten characters: digits and letters from pictures and drawings."


def create_app(settings: Settings | None = None) -> FastAPI:
    """A server's application; raises `HandreadError` where the model or the folder for corrections is no good."""
    state = State.of(settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        state.service.close()

    app = FastAPI(
        title="Handread",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load from a foreign host
        redoc_url=None,
    )
    app.state.handread = state
    app.include_router(router)
    app.include_router(open_router)
    pages.install(app)
    problems.install(app)
    _middleware(app, state)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            app.openapi_schema = complete(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _middleware(app: FastAPI, state: State) -> None:
    """The last that is added comes first."""
    if state.settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=state.settings.cors,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["retry-after"],
            max_age=600,
        )
    app.add_middleware(pages.StrictHeaders, shared=bool(state.settings.cors))
    app.add_middleware(Measured, metrics=state.metrics)
