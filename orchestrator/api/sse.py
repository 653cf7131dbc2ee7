"""Server-sent events: a stream that says where it is, so that a reader resumes with `Last-Event-ID`.

A reader that does not take what is written for LONGEST seconds is cut off; it resumes where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import Problem
from orchestrator.live import TooManyStreams

MEDIA: Final = "text/event-stream"
LONGEST: Final = 30.0
QUIET: Final = 15.0
"""Seconds without anything after which a sign of life is sent: the place alone, which the reader keeps."""
LOOK: Final = 1.0
"""Seconds between two looks whether the reader is there."""
RETRY: Final = 2_000
"""Milliseconds after which a reader comes again."""
LAST: Final = "Last-Event-ID"


def wanted(request: web.Request) -> bool:
    return MEDIA in request.headers.get("Accept", "")


class Stream:
    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self.response = response

    async def until(self, news: Callable[[float], Awaitable[bool]], id: str) -> None:
        """Waits for news (False: none in so many seconds), with signs of life. `id` is where the reader is. Raises
        ConnectionError if it is gone."""
        quiet = 0.0
        while not await news(LOOK):
            transport = self._request.transport
            if transport is None or transport.is_closing():
                raise ConnectionResetError("the reader is gone")
            if self._request.app[CONTEXT].live.stopping:
                return
            quiet += LOOK
            if quiet >= QUIET:
                quiet = 0.0
                await self._write(f"id: {id}\n\n".encode())

    async def begin(self, id: str) -> None:
        """With where it begins, so that a reader who is cut off before anything came misses nothing either."""
        place = f"id: {id}\n" if id else ""
        await self._write(f"retry: {RETRY}\n{place}\n".encode())

    async def send(self, items: list[tuple[str, str, Any]]) -> None:
        """(event type, id, data as JSON) each. Raises ConnectionError if the reader is gone or does not read."""
        await self._write(b"".join(_message(kind, id, data) for kind, id, data in items))

    async def _write(self, body: bytes) -> None:
        try:
            async with asyncio.timeout(LONGEST):
                await self.response.write(body)
        except TimeoutError:
            raise ConnectionResetError("the reader does not read") from None


def _message(kind: str, id: str, data: Any) -> bytes:
    return f"event: {kind}\nid: {id}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


@asynccontextmanager
async def stream(request: web.Request, id: str = "") -> AsyncIterator[Stream]:
    """While the block runs; a reader that goes away ends it. Raises Problem 503 for one too many."""
    live = request.app[CONTEXT].live
    try:
        with live.stream():
            response = web.StreamResponse(
                headers={
                    "Content-Type": MEDIA,
                    "Cache-Control": "no-store",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(request)
            made = Stream(request, response)
            try:
                await made.begin(id)
                yield made
                await response.write_eof()
            except ConnectionError:
                if request.transport is not None:
                    request.transport.abort()
    except TooManyStreams as error:
        raise Problem(503, str(error), code="too-many", headers={"Retry-After": "5"}) from None
