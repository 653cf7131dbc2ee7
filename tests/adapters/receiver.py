"""A real receiver of webhooks on loopback: remembers what came, and answers as the test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Receiver:
    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """(headers in lower case, body), in order of arrival."""
    answer: Callable[[int, web.Request], Awaitable[web.StreamResponse] | web.StreamResponse] = lambda number, request: (
        web.Response(status=204)
    )
    """From the number of the request, counted from 1."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers | {":method": request.method, ":path": request.path_qs}, await request.read()))
        self.arrived.set()
        answer = self.answer(len(self.requests), request)
        return answer if isinstance(answer, web.StreamResponse) else await answer


@asynccontextmanager
async def receiving(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:[^\0]*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host, 0, ssl_context=tls).start()
    port = runner.addresses[0][1]
    receiver.url = f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}/hook?x=1"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """The address of a server that sends these bytes to whoever connects and says something, and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # they need not listen to the end
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
