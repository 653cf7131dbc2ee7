"""What surrounds every answer: the id of its request, compression, and who may read it from other origins.

`X-Request-Id` is the caller's if it is printable and short, else drawn here; logs of the request carry it as
`request_id`. Answers beyond a kilobyte are compressed for who accepts gzip. Other origins are let in only by name.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp_cors
import structlog
from aiohttp import web

REQUEST_ID: Final = "X-Request-Id"
LEAST: Final = 1 << 10
"""Bytes from which on an answer is worth compressing."""
_KEY: Final = web.RequestKey("id", str)
_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)
_EXPOSED: Final = (REQUEST_ID, "Retry-After")
_METHODS: Final = ("GET", "POST", "PUT", "DELETE")


def middleware() -> Any:
    @web.middleware
    async def envelope(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get(REQUEST_ID, "")
        id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        request[_KEY] = id
        with structlog.contextvars.bound_contextvars(request_id=id):
            response = await handler(request)
        if isinstance(response, web.Response) and _long(response):
            response.headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("Accept-Encoding", ""):
                response.enable_compression(web.ContentCoding.gzip)
        return response

    return envelope


async def sign(request: web.Request, response: web.StreamResponse) -> None:
    """Before the head of any answer is sent; some that aiohttp gives on its own never came through the middleware."""
    response.headers[REQUEST_ID] = request.get(_KEY) or secrets.token_hex(8)


def allow(app: web.Application, origins: Sequence[str]) -> None:
    """Pages of these origins may call every route, without credentials. Call it when all routes are there."""
    if not origins:
        return
    options = aiohttp_cors.ResourceOptions(expose_headers=_EXPOSED, allow_headers="*", allow_methods=_METHODS)
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(origins, options))
    for route in list(app.router.routes()):
        if route.method != "HEAD":
            cors.add(route)


def _long(response: web.Response) -> bool:
    body = response.body
    return isinstance(body, bytes) and len(body) >= LEAST
