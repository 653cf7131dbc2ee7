"""`GET /v1/trace/{id}`: what caused what, from an event, a command, a position or a key."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from orchestrator.api.asked import question
from orchestrator.api.context import CONTEXT
from orchestrator.api.looks import TRACING
from orchestrator.api.models.trace import Trace, TraceQuery
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from orchestrator.trace.tree import trace


async def show(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    asked = question(request, TraceQuery)
    id = request.match_info["id"]
    looks = request.app[TRACING]
    found = await looks.run(trace, context.log, context.queries, id, source=asked.source, what=asked.what)
    if not found.roots:
        bound = "" if found.complete else f", among the newest {found.looked:,} events"
        raise Problem(
            404, f"there is no {asked.what or 'command, event or key'} `{id[:80]}`{bound}", looked=found.looked
        )
    return answer(200, found)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/trace/{id:[\\s\\S]+}",
        show,
        "What caused what: from an event, a command, a position or a key to where it began, and all that followed",
        parameters=(Parameter("id", "path", "of an event or a command, a position, or a key"),),
        query=TraceQuery,
        answers={200: json(Trace, "trees")},
        problems=(404,),
    ),
)
