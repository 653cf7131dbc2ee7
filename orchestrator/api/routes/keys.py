"""`/v1/keys`: keys that are blocked behind a parked event; they are unparked or skipped by hand."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.api.asked import document, question
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.keys import BlockedKeys, BlockedQuery, Freed, Key
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Route, json
from orchestrator.blocked import ACTIONS, act, blocked_key, blocked_keys


async def blocked(request: web.Request) -> web.Response:
    asked = question(request, BlockedQuery)
    log = request.app[CONTEXT].log
    if asked.key is not None:
        if asked.cursor:
            raise Problem(400, "one key has no pages: leave `cursor` out", field="cursor")
        found = await asyncio.to_thread(blocked_key, log, asked.key)
        return answer(200, {"keys": [found] if found is not None else [], "next": None})
    try:
        page = await asyncio.to_thread(blocked_keys, log, asked.limit, asked.cursor)
    except ValueError:
        raise Problem(400, "the cursor is none of ours: use `next` of the page before", field="cursor") from None
    return answer(200, {"keys": page.keys, "next": page.next})


async def free(request: web.Request) -> web.Response:
    """Evaluates the parked event again, or skips it, and then what waits behind it."""
    context = request.app[CONTEXT]
    key = (await document(request, Key)).key
    action = request.path.rpartition("/")[2]
    position = await asyncio.to_thread(act, context.log, key, action, context.now())
    if position is None:
        raise Problem(404, f"the key `{key[:80]}` is not blocked")
    return answer(202, {"key": key, "action": action, "position": position})


_SAYS: Final = {
    "unpark": "Evaluates the parked event of a key again, and then what waits behind it",
    "skip": "Leaves the parked event of a key out for good, and evaluates what waits behind it",
}
ROUTES: Final = (
    Route(
        "GET",
        "/v1/keys/blocked",
        blocked,
        "Keys that wait behind an event that could not be evaluated",
        query=BlockedQuery,
        answers={200: json(BlockedKeys, "a page")},
    ),
    *(
        Route(
            "POST",
            f"/v1/keys/{action}",
            free,
            _SAYS[action],
            body=json(Key),
            answers={202: json(Freed, "where the decision stands in the log")},
            problems=(404,),
        )
        for action in ACTIONS
    ),
)
