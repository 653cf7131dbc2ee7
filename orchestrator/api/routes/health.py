"""`/health` says what is wrong, in words; `/ready` whether this process does its work."""

from __future__ import annotations

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import answer, printable


def add(app: web.Application) -> None:
    app.router.add_get("/health", health)
    app.router.add_get("/ready", ready)


async def health(request: web.Request) -> web.Response:
    problems = request.app[CONTEXT].problems()
    status = "failing" if problems else "ok"
    return answer(503 if problems else 200, {"status": status, "problems": printable(problems)})


async def ready(request: web.Request) -> web.Response:
    views = request.app[CONTEXT].views()
    waiting = [f"partition {view.partition}: {view.reason}" for view in views if view.state != "running"]
    return answer(503 if waiting else 200, {"ready": not waiting, "waiting_for": waiting})
