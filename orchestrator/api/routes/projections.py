"""`/v1/projections`: what there is, lists of rows, and one row as of a position."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from orchestrator.api.asked import question
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.projections import Projections, Row, Rows, RowsQuery
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Parameter, Route, json
from projections.query import Queries


async def projections(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(request.app[CONTEXT].queries.projections)
    return answer(200, {"projections": found})


async def rows(request: web.Request) -> web.Response:
    queries = request.app[CONTEXT].queries
    name = _existing(queries, request)
    asked = question(request, RowsQuery)
    filters = list((asked.model_extra or {}).items())
    page = await asyncio.to_thread(queries.rows, name, filters, asked.sort, asked.limit, asked.cursor)
    listed = [{"key": row.key, "row": row.row} for row in page.rows]
    return answer(200, {"rows": listed, "next": page.next, "as_of": [str(position) for position in page.as_of]})


async def row(request: web.Request) -> web.Response:
    queries = request.app[CONTEXT].queries
    name, key = _existing(queries, request), request.match_info["key"]
    found = await asyncio.to_thread(queries.row, name, key)
    if found.row is None:
        raise Problem(404, f"`{name}` has no row of `{key}`", as_of=str(found.as_of))
    return answer(200, {"key": found.key, "row": found.row, "as_of": str(found.as_of)})


def _existing(queries: Queries, request: web.Request) -> str:
    """The projection in the path. Raises Problem."""
    name = request.match_info["name"]
    if name not in queries.names:
        there = ", ".join(queries.names) or "none"
        raise Problem(404, f"there is no projection `{name[:80]}`; there are: {there}")
    return name


ROUTES: Final = (
    Route(
        "GET",
        "/v1/projections",
        projections,
        "The projections: fields, indexes, rows and lag of each",
        answers={200: json(Projections)},
    ),
    Route(
        "GET",
        "/v1/projections/{name}",
        rows,
        "Rows of a projection, filtered and sorted by indexed fields",
        parameters=(Parameter("name", "path", "of the projection"),),
        query=RowsQuery,
        answers={200: json(Rows, "a page")},
        problems=(404,),
    ),
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
