"""`GET /v1/projections/{name}/{key}`: one row as of a position."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.api.context import CONTEXT
from orchestrator.api.models.projections import Row
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json


async def row(request: web.Request) -> web.Response:
    queries = request.app[CONTEXT].queries
    name, key = request.match_info["name"], request.match_info["key"]
    if name not in queries.names:
        there = ", ".join(queries.names) or "none"
        raise Problem(404, f"there is no projection `{name}`; there are: {there}")
    found = await asyncio.to_thread(queries.row, name, key)
    if found.row is None:
        raise Problem(404, f"`{name}` has no row of `{key}`", as_of=str(found.as_of))
    return answer(200, {"key": found.key, "row": found.row, "as_of": str(found.as_of)})


ROUTES: Final = (
    Route(
        "GET",
        "/v1/projections/{name}/{key:.*}",
        row,
        "One row of a projection",
        parameters=(Parameter("name", "path", "of the projection"), Parameter("key", "path", "of the row")),
        answers={200: json(Row)},
        problems=(404,),
    ),
)
