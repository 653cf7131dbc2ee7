"""`/v1/commands`: what was decided and what became of it; parked commands are sent again by hand."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from adapters.errors import UnknownCommandError, WrongStateError
from adapters.ledger import State
from orchestrator.api.body import read_object
from orchestrator.api.context import CONTEXT
from orchestrator.api.problem import Problem, answer
from orchestrator.redrive import NotYetError
from projections.query import CommandFilter

FILTERS: Final = ("state", "to", "rule", "key")
MOST: Final = 1_000


def add(app: web.Application) -> None:
    app.router.add_get("/v1/commands", commands)
    app.router.add_post("/v1/commands/redrive", redrive)
    app.router.add_get("/v1/commands/{id}", command)


async def commands(request: web.Request) -> web.Response:
    query = request.query
    for name in query:
        if name not in (*FILTERS, "limit", "cursor"):
            raise Problem(400, f"there is no filter `{name[:40]}`: use {', '.join(FILTERS)}, limit, cursor", field=name)
        if len(query.getall(name)) > 1:
            raise Problem(400, f"`{name}` comes more than once: send it once", field=name)
    state = query.get("state")
    if state is not None and state not in set(State):
        raise Problem(400, f"there is no state `{state[:40]}`: use {', '.join(State)}", field="state")
    limit = query.get("limit", "100")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise Problem(400, f"the limit `{limit[:40]}` is no number", field="limit")
    filter = CommandFilter(state, query.get("to"), query.get("rule"), query.get("key"))
    queries = request.app[CONTEXT].queries
    page = await asyncio.to_thread(queries.commands, filter, int(limit), query.get("cursor"))
    return answer(200, {"commands": page.commands, "next": page.next})


async def command(request: web.Request) -> web.Response:
    id = request.match_info["id"]
    found = await asyncio.to_thread(request.app[CONTEXT].queries.command, id)
    if found is None:
        raise Problem(404, f"there is no command `{id[:80]}`, or it is not shown yet")
    return answer(200, found)


async def redrive(request: web.Request) -> web.Response:
    """`{"ids": […]}`: all of them, or none and why."""
    context = request.app[CONTEXT]
    found = await read_object(request, context.body_bytes)
    ids = found.get("ids")
    if set(found) != {"ids"} or not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise Problem(400, 'send {"ids": […]}, the ids of parked commands', field="ids")
    if not 1 <= len(ids) <= MOST:
        raise Problem(400, f"{len(ids)} ids are not possible: send 1 to {MOST}", field="ids")
    try:
        await context.redrive(ids)
    except UnknownCommandError as error:
        raise Problem(404, str(error), id=error.id) from error
    except WrongStateError as error:
        raise Problem(409, str(error), id=error.id) from error
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error
    return answer(202, {"redriven": len(set(ids))})
