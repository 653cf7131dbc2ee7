"""`/v1/commands`: what was decided and what became of it; by hand parked ones are sent again, waiting ones
cancelled, or made to expire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from adapters.errors import UnknownCommandError, WrongStateError
from orchestrator.api.asked import document, micros, question
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.commands import (
    Cancel,
    Cancelled,
    CommandAlone,
    Commands,
    CommandsQuery,
    Expire,
    Expired,
    Ids,
    Redriven,
)
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from orchestrator.asks import NotYetError
from projections.query import CommandFilter


async def commands(request: web.Request) -> web.Response:
    asked = question(request, CommandsQuery)
    filter = CommandFilter(
        asked.state, asked.to, asked.rule, asked.key, micros("since", asked.since), micros("until", asked.until)
    )
    queries = request.app[CONTEXT].queries
    page = await asyncio.to_thread(queries.commands, filter, asked.limit, asked.cursor)
    for each in page.commands:
        each.pop("history", None)  # the one command shows it
    return answer(200, {"commands": page.commands, "next": page.next})


async def command(request: web.Request) -> web.Response:
    id = request.match_info["id"]
    found = await asyncio.to_thread(request.app[CONTEXT].queries.command, id)
    if found is None:
        raise Problem(404, f"there is no command `{id[:80]}`, or it is not shown yet")
    return answer(200, found)


async def redrive(request: web.Request) -> web.Response:
    """All of them, or none and why."""
    ids = (await document(request, Ids)).ids
    with _refusals():
        await request.app[CONTEXT].asks.redrive(ids)
    return answer(202, {"redriven": len(set(ids))})


async def cancel(request: web.Request) -> web.Response:
    """All of them, or none and why."""
    asked = await document(request, Cancel)
    with _refusals():
        cancelled = await request.app[CONTEXT].asks.cancel(asked.ids, asked.reason)
    return answer(202, {"cancelled": cancelled})


async def expire(request: web.Request) -> web.Response:
    """All of them, or none and why."""
    asked = await document(request, Expire)
    with _refusals():
        expired = await request.app[CONTEXT].asks.expire(asked.ids, asked.reason)
    return answer(202, {"expired": expired})


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except UnknownCommandError as error:
        raise Problem(404, str(error), id=error.id) from error
    except WrongStateError as error:
        raise Problem(409, str(error), id=error.id) from error
    except NotYetError as error:
        raise Problem(504, str(error), headers={"Retry-After": "60"}) from error


ROUTES: Final = (
    Route(
        "GET",
        "/v1/commands",
        commands,
        "Commands, newest first",
        query=CommandsQuery,
        answers={200: json(Commands, "a page")},
    ),
    Route(
        "POST",
        "/v1/commands/redrive",
        redrive,
        "Sends parked commands again, with the same ids: all of them, or none",
        body=json(Ids),
        answers={202: json(Redriven, "they are pending")},
        problems=(404, 409, 504),
    ),
    Route(
        "POST",
        "/v1/commands/cancel",
        cancel,
        "Cancels pending, retrying, waiting and parked commands: all of them, or none",
        body=json(Cancel),
        answers={202: json(Cancelled, "they are never sent again")},
        problems=(404, 409, 504),
    ),
    Route(
        "POST",
        "/v1/commands/expire",
        expire,
        "Lets pending, retrying, waiting and parked commands expire, so that their fallback is put out: all of them, or"
        " none",
        body=json(Expire),
        answers={202: json(Expired, "they are never sent again")},
        problems=(404, 409, 504),
    ),
    Route(
        "GET",
        "/v1/commands/{id:[0-9a-f]+}",
        command,
        "All that is known of one command",
        parameters=(Parameter("id", "path", "as the list shows it", "^[0-9a-f]+$"),),
        answers={200: json(CommandAlone)},
        problems=(404,),
    ),
)
