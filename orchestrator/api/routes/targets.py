"""`/v1/targets`: where commands go, what is sent there now, and by hand nothing, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from adapters.gate_looks import GateLook, look
from adapters.target import Target
from orchestrator.api.asked import document
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.targets import Pause, PausedNow, Targets
from orchestrator.api.models.targets import Target as TargetShown
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from orchestrator.asks import NotYetError
from orchestrator.target_asks import UnknownTargetError
from streams import rfc3339

NAME: Final = Parameter("name", "path", "as the targets file says it")


async def targets(request: web.Request) -> web.Response:
    return answer(200, {"targets": await shown(request)})


async def target(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    found = [each for each in await shown(request) if each["name"] == name]
    if not found:
        raise Problem(404, f"there is no target `{name[:80]}`: GET /v1/targets lists those")
    return answer(200, found[0])


async def pause(request: web.Request) -> web.Response:
    asked = await document(request, Pause)
    with _refusals():
        await request.app[CONTEXT].target_asks.pause(request.match_info["name"], asked.reason)
    return answer(202, {"paused": True})


async def resume(request: web.Request) -> web.Response:
    with _refusals():
        await request.app[CONTEXT].target_asks.resume(request.match_info["name"])
    return answer(202, {"paused": False})


async def shown(request: web.Request) -> list[dict[str, Any]]:
    """All of them, by name."""
    context = request.app[CONTEXT]
    found = sorted(context.targets.values(), key=lambda each: each.name)
    looks = await asyncio.to_thread(look, context.log, [each.name for each in found], context.now())
    return [_document(each, looks[each.name]) for each in found]


def _document(target: Target, look: GateLook) -> dict[str, Any]:
    retry, rate, breaker = target.retry, target.gate.rate, target.gate.breaker
    return {
        "name": target.name,
        "kind": target.kind,
        "deliver": "workers" if target.open is None else "here",
        "timeout": target.timeout,
        "concurrency": target.concurrency,
        "batch": target.batch,
        "retry": {
            "initial": retry.initial,
            "factor": retry.factor,
            "max": retry.max,
            "attempts": retry.attempts,
            "elapsed": retry.elapsed,
        },
        "rate": None if rate is None else {"limit": rate.limit, "per": rate.per, "burst": rate.burst},
        "breaker": {
            "state": "off" if breaker is None else look.state,
            "since": _moment(look.since),
            "until": _moment(look.until),
            "reason": look.reason or None,
        },
        "paused": None
        if look.paused is None
        else {"since": rfc3339.format(look.paused.at), "reason": look.paused.reason},
    }


def _moment(micros: int) -> str | None:
    return rfc3339.format(micros) if micros else None


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
