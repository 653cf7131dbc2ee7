"""A server that says what a test tells it to, in a thread of its own, over real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    """As it came, with its query."""
    headers: dict[str, str]
    body: bytes

    @property
    def ids(self) -> list[str]:
        return [event["id"] for event in json.loads(self.body)]


class Speaking:
    """Answers each request with the next of `script`, and with `usual` when that is at its end."""

    def __init__(self, usual: Handler) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Handler] = deque()
        self.usual = usual
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the port that it had before, if it had one."""
        self._on_loop(self._start())

    def stop(self) -> None:
        self._on_loop(self._stop())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _on_loop(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append(Asked(request.method, request.path_qs, dict(request.headers), body))
        return await (self.script.popleft() if self.script else self.usual)(request)


async def takes(request: web.Request) -> web.StreamResponse:
    """All events, at made-up positions."""
    count = len(json.loads(await request.read()))
    return web.json_response({"accepted": count, "positions": [f"1.0.{n}" for n in range(1, count + 1)]}, status=202)


def problem(status: int, detail: str = "no", retry_after: str = "", **more: Any) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        document = {"type": "about:blank", "title": "No", "status": status, "detail": detail, **more}
        headers = {"X-Request-Id": "r1"} | ({"Retry-After": retry_after} if retry_after else {})
        return web.json_response(document, status=status, content_type="application/problem+json", headers=headers)

    return handler


def says(document: Any, status: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(document, status=status)

    return handler


def html(status: int) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>hello</h1>", status=status, content_type="text/html")

    return handler


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """The request arrived; its answer does not."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def streams(*chunks: bytes, cut: bool = False) -> Handler:
    """Server-sent events, then the end of the stream, or of the connection in the middle of it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    return handler
