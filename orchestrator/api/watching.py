"""Answers that wait for query tables: until they show what one wrote, or for as long as somebody watches."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final

from aiohttp import web

from orchestrator import places
from orchestrator.api import sse
from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import Problem
from orchestrator.caught_up import LONGEST, PATIENCE, NotCaughtUp, wait

_PREFER: Final = re.compile(r"\bwait=(\d{1,4})\b", re.ASCII)


async def until_shown(request: web.Request, min_position: str | None) -> None:
    """At most PATIENCE seconds, or as `Prefer: wait=N` says (RFC 7240). Raises Problem 504 that says how far it came,
    and what `places.read` raises."""
    if min_position is None:
        return
    context = request.app[CONTEXT]
    goals = places.read(context.log, min_position)
    asked = _PREFER.search(request.headers.get("Prefer", ""))
    patience = min(float(asked[1]), LONGEST) if asked is not None else PATIENCE
    try:
        await wait(context.log, context.queries, goals, patience)
    except NotCaughtUp as error:
        as_of = places.write(context.log, error.shown)
        raise Problem(504, str(error), headers={"Retry-After": "1"}, as_of=as_of) from None


async def watch(
    request: web.Request,
    partitions: Collection[int],
    look: Callable[[], Awaitable[tuple[dict[int, int], Any]]],
    news: Callable[[Any, Any], list[tuple[str, Any]]],
) -> web.StreamResponse:
    """Streams what changes. `look` answers (what it is true of: partition → offset, the state); `news` what there is to
    say after a state (None at first) of the next one, as (event type, data)."""
    context = request.app[CONTEXT]
    live = context.live
    async with sse.stream(request) as stream:
        with live.watching(partitions):
            before = None
            while not live.stopping:
                since = live.looks
                at, state = await look()
                id = places.write(context.log, at)
                if said := news(before, state):
                    await stream.send([(kind, id, data) for kind, data in said])
                before = state
                await stream.until(partial(live.moved, at, since), id)
    return stream.response
