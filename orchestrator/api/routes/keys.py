"""`/v1/keys`: keys that are blocked behind a parked event; they are unparked or skipped by hand."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from orchestrator.api.body import read_object
from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import Problem, answer
from orchestrator.blocked import ACTIONS, MOST, act, blocked_keys

PARAMETERS: Final = ("limit", "cursor")


def add(app: web.Application) -> None:
    app.router.add_get("/v1/keys/blocked", blocked)
    for action in ACTIONS:
        app.router.add_post(f"/v1/keys/{action}", free)


async def blocked(request: web.Request) -> web.Response:
    for name in request.query:
        if name not in PARAMETERS:
            raise Problem(400, f"there is no parameter `{name[:40]}`: use {', '.join(PARAMETERS)}", field=name)
    limit = request.query.get("limit", "100")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST):
        raise Problem(400, f"the limit `{limit[:40]}` is no number from 1 to {MOST}", field="limit")
    log = request.app[CONTEXT].log
    try:
        page = await asyncio.to_thread(blocked_keys, log, int(limit), request.query.get("cursor", ""))
    except ValueError:
        raise Problem(400, "the cursor is none of ours: use `next` of the page before", field="cursor") from None
    return answer(200, {"keys": page.keys, "next": page.next})


async def free(request: web.Request) -> web.Response:
    """`{"key": …}`: evaluate the parked event again, or skip it, and then what waits behind it."""
    context = request.app[CONTEXT]
    found: dict[str, Any] = await read_object(request, context.body_bytes)
    key = found.get("key")
    if set(found) != {"key"} or not isinstance(key, str):
        raise Problem(400, 'send {"key": …}, the key as `GET /v1/keys/blocked` shows it', field="key")
    action = request.path.rpartition("/")[2]
    position = await asyncio.to_thread(act, context.log, key, action, context.now())
    if position is None:
        raise Problem(404, f"the key `{key[:80]}` is not blocked")
    return answer(202, {"key": key, "action": action, "position": position})
