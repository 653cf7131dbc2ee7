"""`GET /v1/workers`: who takes commands over HTTP, and what becomes of them."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.models.workers import Workers
from orchestrator.api.problem import answer
from orchestrator.api.route import Route, json
from orchestrator.door.registry import Worker
from streams import rfc3339


async def workers(request: web.Request) -> web.Response:
    found = await request.app[CONTEXT].door.workers()
    return answer(200, {"workers": [_worker(each) for each in found]})


def _worker(worker: Worker) -> dict[str, Any]:
    ended = worker.done + worker.failed
    rate = round(worker.failed / ended, 4) if ended else None
    return worker._asdict() | {"last_seen": rfc3339.format(worker.last_seen), "failure_rate": rate}


ROUTES: Final = (
    Route(
        "GET",
        "/v1/workers",
        workers,
        "Workers that were heard of within the last minute, or hold commands",
        answers={200: json(Workers, "all that any server of this log heard of")},
    ),
)
