"""The page and its files, and the headers that keep a browser strict with everything this server sends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).resolve().parent / "static"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_LASTING = ("/vendor/", "/fonts/")
"""Folders whose files change their name when they change."""


class StrictHeaders:
    """Adds `HEADERS` to every response; with other origins allowed, their pages may use what they fetch."""

    def __init__(self, app: ASGIApp, *, shared: bool = False) -> None:
        self.app = app
        self._headers = {**HEADERS, "cross-origin-resource-policy": "cross-origin"} if shared else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, strict)


class _Assets(StaticFiles):
    def file_response(self, *arguments: object, **named: object) -> Response:
        response: Response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        path = str(arguments[0]).replace("\\", "/")
        lasting = any(folder in path for folder in _LASTING)
        response.headers["cache-control"] = "public, max-age=604800" if lasting else "no-cache"
        return response


def install(app: FastAPI) -> None:
    """The page at /, the model's page at /about, and their files below /static."""
    if STATIC.is_dir():
        app.mount("/static", _Assets(directory=STATIC), name="static")

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> Response:
        return _page("index.html")

    @app.api_route("/about", methods=["GET", "HEAD"], include_in_schema=False)
    async def about() -> Response:
        return _page("about.html")


def _page(name: str) -> Response:
    path = STATIC / name
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, headers={"cache-control": "no-cache"}, media_type="text/html; charset=utf-8")
