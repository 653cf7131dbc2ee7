"""`/v1/targets`: where commands go, what is sent there now, and by hand nothing, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from orchestrator.api.asked import document
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.targets import Pause, PausedNow, Targets
from orchestrator.api.models.targets import Target as TargetShown
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from orchestrator.asks import NotYetError
from orchestrator.target_looks import shown, shown_one
from orchestrator.targets import UnknownTargetError

NAME: Final = Parameter("name", "path", "as the targets file says it")


async def targets(request: web.Request) -> web.Response:
    return answer(200, {"targets": await shown(request.app[CONTEXT])})


async def target(request: web.Request) -> web.Response:
    with _refusals():
        return answer(200, await shown_one(request.app[CONTEXT], request.match_info["name"]))


async def pause(request: web.Request) -> web.Response:
    asked = await document(request, Pause)
    with _refusals():
        await request.app[CONTEXT].target_asks.pause(request.match_info["name"], asked.reason)
    return answer(202, {"paused": True})


async def resume(request: web.Request) -> web.Response:
    with _refusals():
        await request.app[CONTEXT].target_asks.resume(request.match_info["name"])
    return answer(202, {"paused": False})


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownTargetError as error:
        raise Problem(404, str(error)) from error
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error


ROUTES: Final = (
    Route("GET", "/v1/targets", targets, "Targets, and what is sent to them now", answers={200: json(Targets)}),
    Route(
        "GET",
        "/v1/targets/{name}",
        target,
        "One target",
        parameters=(NAME,),
        answers={200: json(TargetShown)},
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/targets/{name}/pause",
        pause,
        "Sends nothing to a target until it is resumed; what is being sent ends as ever",
        parameters=(NAME,),
        body=json(Pause),
        answers={202: json(PausedNow, "nothing more is handed out")},
        problems=(404, 504),
    ),
    Route(
        "POST",
        "/v1/targets/{name}/resume",
        resume,
        "Sends again to a target that was paused",
        parameters=(NAME,),
        answers={202: json(PausedNow, "what waits is handed out")},
        problems=(404, 504),
    ),
)
