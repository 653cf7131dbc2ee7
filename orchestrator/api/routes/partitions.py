"""`GET /v1/partitions`: owner, position, tail, lag, clock, state and last progress of each."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.models.partitions import Partitions
from orchestrator.api.problem import answer
from orchestrator.api.route import Route, json
from orchestrator.partitions import partitions


async def show(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    found = await asyncio.to_thread(partitions, context.log, context.views(), context.queries)
    return answer(200, {"partitions": found})


ROUTES: Final = (
    Route(
        "GET",
        "/v1/partitions",
        show,
        "Owner, position, tail, lag, clock, state and last progress of each partition",
        answers={200: json(Partitions, "all of them")},
    ),
)
