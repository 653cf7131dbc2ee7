"""`GET /v1/partitions`: owner, position, tail, lag, clock, state and last progress of each."""

from __future__ import annotations

import asyncio

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import answer
from orchestrator.partitions import partitions


def add(app: web.Application) -> None:
    app.router.add_get("/v1/partitions", show)


async def show(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    found = await asyncio.to_thread(partitions, context.log, context.views(), context.queries)
    return answer(200, {"partitions": found})
