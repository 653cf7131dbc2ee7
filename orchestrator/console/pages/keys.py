"""`/console/keys`: keys that wait behind an event that could not be evaluated; evaluate it again, or leave it out.

Keys come as parameters of addresses, also where a form is sent: fields of forms would change line ends in them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.api.problem import Problem
from orchestrator.blocked import ACTIONS, act, blocked_key, blocked_keys
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, UNDER, asked, elsewhere, form, page

PATH: Final = f"{UNDER}/keys"
LIMIT: Final = 50
EVERY: Final = 5.0
UNDOABLE: Final = ("unpark",)
"""Of the actions those that lose nothing; the others ask for a tick."""


def add(app: web.Application) -> None:
    app.router.add_get(PATH, blocked)
    app.router.add_get(f"{PATH}/{{action}}", confirm)
    app.router.add_post(f"{PATH}/{{action}}", free)


async def blocked(request: web.Request) -> web.Response:
    cursor = asked(request, "cursor")
    log = request.app[CONSOLE].context.log
    try:
        found = await asyncio.to_thread(blocked_keys, log, LIMIT, cursor or "")
    except ValueError:
        raise Problem(400, "the cursor is none of ours: begin with the first page") from None
    return page(request, "keys.html", "Blocked keys", every=EVERY, keys=found.keys, next=found.next, cursor=cursor)


async def confirm(request: web.Request) -> web.Response:
    action, key = _what(request)
    found = await asyncio.to_thread(blocked_key, request.app[CONSOLE].context.log, key)
    if found is None:
        raise Problem(404, f"the key `{key[:80]}` is not blocked (any more)")
    return page(request, "free_key.html", "Free a key", action=action, key=key, found=found)


async def free(request: web.Request) -> web.Response:
    action, key = _what(request)
    fields = await form(request)
    if action not in UNDOABLE and fields.get("sure") != ["yes"]:
        raise Problem(400, "tick that the event shall be left out for good: nothing was done")
    context = request.app[CONSOLE].context
    if await asyncio.to_thread(act, context.log, key, action, context.now()) is None:
        raise Problem(404, f"the key `{key[:80]}` is not blocked any more: nothing was done")
    return elsewhere(link(PATH, said=action))


def _what(request: web.Request) -> tuple[str, str]:
    action, key = request.match_info["action"], request.query.get("key")
    if action not in ACTIONS:
        raise Problem(404, f"there is no action `{action[:40]}`: there are {', '.join(ACTIONS)}")
    if key is None:
        raise Problem(400, "the address names no key: come here from the list of blocked keys")
    return action, key
