"""`/console/targets`: where commands go and what is sent there now; by hand nothing for a while, and again."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from orchestrator.api.problem import Problem
from orchestrator.asks import NotYetError
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, UNDER, elsewhere, form, page
from orchestrator.target_looks import COUNTED, shown, shown_one
from orchestrator.targets import UnknownTargetError

PATH: Final = f"{UNDER}/targets"
EVERY: Final = 5.0
LONGEST_REASON: Final = 1_000
BY_HAND: Final = "paused in the console"
ACTIONS: Final = ("pause", "resume")


def add(app: web.Application) -> None:
    app.router.add_get(PATH, targets)
    app.router.add_get(f"{PATH}/{{action}}", confirm)
    app.router.add_post(f"{PATH}/{{action}}", act)


async def targets(request: web.Request) -> web.Response:
    found = await shown(request.app[CONSOLE].context)
    return page(request, "targets.html", "Targets", every=EVERY, targets=found, counted=COUNTED)


async def confirm(request: web.Request) -> web.Response:
    action, name = _what(request)
    try:
        found = await shown_one(request.app[CONSOLE].context, name)
    except UnknownTargetError as error:
        raise Problem(404, str(error)) from error
    return page(
        request,
        "pause.html",
        "Pause a target" if action == "pause" else "Resume a target",
        place=PATH,
        action=action,
        target=found,
        counted=COUNTED,
        by_hand=BY_HAND,
        longest_reason=LONGEST_REASON,
    )


async def act(request: web.Request) -> web.Response:
    action, name = _what(request)
    fields = await form(request)
    asks = request.app[CONSOLE].context.target_asks
    try:
        if action == "pause":
            await asks.pause(name, (fields.get("reason", [""])[0].strip() or BY_HAND)[:LONGEST_REASON])
        else:
            await asks.resume(name)
    except UnknownTargetError as error:
        raise Problem(404, str(error)) from error
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error
    return elsewhere(link(PATH, said=f"{action}d"))


def _what(request: web.Request) -> tuple[Literal["pause", "resume"], str]:
    action, name = request.match_info["action"], request.query.get("name")
    if name is None:
        raise Problem(400, "the address names no target: come here from the list of targets")
    if action == "pause":
        return "pause", name
    if action == "resume":
        return "resume", name
    raise Problem(404, f"there is no action `{action[:40]}`: there are {', '.join(ACTIONS)}")
