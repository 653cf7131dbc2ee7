"""`/console/projections`: which there are; and one row with the history of its key.

Keys come as parameters: in paths, browsers would make something else of `..` and `//`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from orchestrator.api.looks import LISTING
from orchestrator.api.problem import Problem
from orchestrator.console.key_events import MOST_LOOKED_AT, key_events
from orchestrator.console.site import CONSOLE, UNDER, asked, page
from projections.query import CommandFilter

PATH: Final = f"{UNDER}/projections"
COMMANDS: Final = 10
"""Of the key, that the page of a row shows."""
LONGEST_OFFSET: Final = 18
"""Digits."""


def add(app: web.Application) -> None:
    app.router.add_get(PATH, projections)
    app.router.add_get(f"{PATH}/row", row)


async def projections(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    found = await asyncio.to_thread(console.context.queries.projections)
    declared = console.ruleset.projections
    return page(
        request,
        "projections.html",
        "Projections",
        projections=[
            {
                "name": each.name,
                "rows": each.rows,
                "lag": each.lag,
                "fields": each.fields,
                "index": each.index,
                "everywhere": declared[each.name].everywhere,
                "types": [type for type, _ in declared[each.name].fold],
            }
            for each in found
        ],
    )


async def row(request: web.Request) -> web.Response:
    """`?name=…&key=…`; `&before=` goes on with the history before an offset."""
    console = request.app[CONSOLE]
    name, key = asked(request, "name"), request.query.get("key", "")
    queries = console.context.queries
    if name not in queries.names:
        raise Problem(404, f"there is no projection `{(name or '')[:80]}`; there are: {', '.join(queries.names)}")
    before = _offset(asked(request, "before"))
    found, events, commands = await asyncio.gather(
        asyncio.to_thread(queries.row, name, key),
        request.app[LISTING].run(key_events, console.context.log, key, before),
        asyncio.to_thread(queries.commands, CommandFilter(key=key), COMMANDS),
    )
    return page(
        request,
        "row.html",
        f"{name} {key}",
        name=name,
        key=key,
        row=found.row,
        row_as_of=str(found.as_of),
        history=events,
        before=before,
        most=MOST_LOOKED_AT,
        commands=commands.commands,
        more_commands=commands.next is not None,
        others=_others(console.ruleset.projections, name),
    )


def _others(projections: dict[str, Any], name: str) -> list[str]:
    return [each for each in projections if each != name]


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_OFFSET):
        raise Problem(400, f"`{text[:40]}` is no offset")
    return int(text)
