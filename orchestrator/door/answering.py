"""Where siblings are answered: a port of its own, in each process that delivers from a shared log (`siblings.py`)."""

from __future__ import annotations

import asyncio
import hmac

import msgspec
from aiohttp import web

from adapters.errors import DeliveryError
from adapters.work import RETURNED, Work
from orchestrator.door import wire
from orchestrator.door.here import Here
from orchestrator.door.wire import Said


def app(here: Here, secret: str, body_bytes: int) -> web.Application:
    """`secret`: what a caller must know of this process. A caller that goes away takes nothing."""
    waiting: dict[str, asyncio.Task[list[Work]]] = {}
    """By the ticket of who waits."""

    async def lease(request: web.Request) -> web.Response:
        asked = wire.asked.decode(await _body(request, secret))
        task = waiting[asked.ticket] = asyncio.create_task(here.lease(asked))
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            if not task.cancel():
                await give_back(found(task))
            raise
        finally:
            waiting.pop(asked.ticket, None)
        works = found(task)
        if request.transport is None or request.transport.is_closing():
            await give_back(works)
        return web.Response(body=wire.encode(works))

    async def enough(request: web.Request) -> web.Response:
        """Who waits is answered at once: with nothing, or with what it just got."""
        task = waiting.get(wire.ticket.decode(await _body(request, secret)))
        if task is not None:
            task.cancel()
        return web.Response(body=wire.encode(None))

    def found(task: asyncio.Task[list[Work]]) -> list[Work]:
        if task.cancelled():
            return []
        try:
            return task.result()
        except DeliveryError as error:
            raise web.HTTPNotFound(text=str(error)) from error  # its targets file is another one

    async def give_back(works: list[Work]) -> None:
        await here.settle([Said(work, RETURNED) for work in works])

    async def settle(request: web.Request) -> web.Response:
        said = wire.said.decode(await _body(request, secret))
        return web.Response(body=wire.encode(await here.settle(said)))

    async def workers(request: web.Request) -> web.Response:
        await _body(request, secret)
        return web.Response(body=wire.encode(await here.workers()))

    made = web.Application(client_max_size=body_bytes, middlewares=[_refusals])
    made.router.add_post("/{secret}/lease", lease)
    made.router.add_post("/{secret}/enough", enough)
    made.router.add_post("/{secret}/settle", settle)
    made.router.add_post("/{secret}/workers", workers)
    return made


async def _body(request: web.Request, secret: str) -> bytes:
    if not hmac.compare_digest(request.match_info["secret"].encode(), secret.encode()):
        raise web.HTTPNotFound
    return await request.read()


@web.middleware
async def _refusals(request: web.Request, handler: object) -> web.StreamResponse:
    try:
        return await handler(request)  # type: ignore[operator,no-any-return]
    except msgspec.MsgspecError as error:
        raise web.HTTPBadRequest(text=str(error)) from error  # a sibling of another version
