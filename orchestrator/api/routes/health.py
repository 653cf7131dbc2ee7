"""`/health` says what is wrong, in words; `/ready` whether this process does its work.

What a restart may mend (something hangs) is `failing` and answered with 503, because whoever watches the process ends
it then. Everything else that is wrong is `degraded` and answered with 200: a restart mends no disk and no target.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.models.health import Health, Ready
from orchestrator.api.problem import answer, printable
from orchestrator.api.route import Route, json


async def health(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    problems = context.problems()
    if context.stalled():
        return answer(503, {"status": "failing", "problems": printable(problems)})
    return answer(200, {"status": "degraded" if problems else "ok", "problems": printable(problems)})


async def ready(request: web.Request) -> web.Response:
    waiting = request.app[CONTEXT].waiting_for()
    return answer(503 if waiting else 200, {"ready": not waiting, "waiting_for": waiting})


ROUTES: Final = (
    Route(
        "GET",
        "/health",
        health,
        "What is wrong, in words",
        answers={200: json(Health, "a restart would mend nothing"), 503: json(Health, "something hangs")},
    ),
    Route(
        "GET",
        "/ready",
        ready,
        "Whether this process does its work",
        answers={200: json(Ready, "it does"), 503: json(Ready, "what it waits for")},
    ),
)
