"""`/v1/delivery`: whether commands are sent at all, and after a restore the word that they may be."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from orchestrator.api.asked import document
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.delivery import Arm, ArmedNow, Delivery
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Route, json
from orchestrator.armings import ArmedError, MiscountedError
from orchestrator.asks import NotYetError
from streams import rfc3339


async def delivery(request: web.Request) -> web.Response:
    found = await request.app[CONTEXT].armings.standing()
    return answer(
        200,
        {
            "armed": not found.disarmed,
            "disarmed_since": rfc3339.format(found.disarmed) if found.disarmed else None,
            "commands": found.commands,
            "settled": found.settled,
        },
    )


async def arm(request: web.Request) -> web.Response:
    asked = await document(request, Arm)
    try:
        await request.app[CONTEXT].armings.arm(asked.count)
    except (ArmedError, MiscountedError) as error:
        raise Problem(409, str(error)) from error
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "5"}) from error
    return answer(202, {"armed": True})


ROUTES: Final = (
    Route(
        "GET",
        "/v1/delivery",
        delivery,
        "Whether commands are sent at all, and how many wait",
        answers={200: json(Delivery)},
    ),
    Route(
        "POST",
        "/v1/delivery/arm",
        arm,
        "Sends commands again after a restore; how many that are is to be said",
        body=json(Arm),
        answers={202: json(ArmedNow, "what waits is handed out")},
        problems=(409, 504),
    ),
)
