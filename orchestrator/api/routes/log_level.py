"""`/v1/log-level`: how much is logged, of all workers of this server, for a while or until it is changed again."""

from __future__ import annotations

import time
from typing import Final

from aiohttp import web

from orchestrator.api.asked import document
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.log_level import Chosen, Level
from orchestrator.api.problem import answer
from orchestrator.api.route import Route, json
from orchestrator.log_level import LogLevels
from streams import rfc3339


async def show(request: web.Request) -> web.Response:
    return _answer(request.app[CONTEXT].log_levels)


async def choose(request: web.Request) -> web.Response:
    levels = request.app[CONTEXT].log_levels
    asked = (await document(request, Chosen)).model_dump()
    seconds = asked["for"]
    levels.ask(asked["level"], None if seconds is None else time.time() + seconds)
    return _answer(levels)


def _answer(levels: LogLevels) -> web.Response:
    until = None if levels.until is None else rfc3339.format(int(levels.until * 1e6))
    return answer(200, {"level": levels.level, "configured": levels.configured, "until": until})


ROUTES: Final = (
    Route("GET", "/v1/log-level", show, "How much is logged", answers={200: json(Level, "as it is now")}),
    Route(
        "PUT",
        "/v1/log-level",
        choose,
        "Logs more or less, on all workers of this server, for a while or until it is changed again",
        body=json(Chosen),
        answers={200: json(Level, "as it is now")},
    ),
)
