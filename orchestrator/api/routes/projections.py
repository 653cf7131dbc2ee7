"""`/v1/projections`: what there is, lists of rows, and one row as of a position."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

from orchestrator.api import sse
from orchestrator.api.asked import question
from orchestrator.api.context import CONTEXT
from orchestrator.api.models.projections import Projections, Row, RowQuery, Rows, RowsQuery
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import JSON, Content, Parameter, Route, json
from orchestrator.api.watching import until_shown, watch
from projections.query import Queries, RowPage
from streams.position import Position


async def projections(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(request.app[CONTEXT].queries.projections)
    return answer(200, {"projections": found})


async def rows(request: web.Request) -> web.StreamResponse:
    """A page, or for who accepts a stream, the page and what changes of it."""
    queries = request.app[CONTEXT].queries
    name = _existing(queries, request)
    asked = question(request, RowsQuery)
    filters = list((asked.model_extra or {}).items())
    await until_shown(request, asked.min_position)

    async def page() -> RowPage:
        return await asyncio.to_thread(queries.rows, name, filters, asked.sort, asked.limit, asked.cursor)

    if sse.wanted(request):
        if asked.cursor is not None:
            raise Problem(400, "a stream shows the first page: leave `cursor` out", field="cursor")

        async def look() -> tuple[dict[int, int], Any]:
            found = await page()
            return _offsets(found.as_of), {row.key: row.row for row in found.rows}

        return await watch(request, _offsets((await page()).as_of), look, _changes)
    found = await page()
    listed = [{"key": row.key, "row": row.row} for row in found.rows]
    return answer(200, {"rows": listed, "next": found.next, "as_of": [str(position) for position in found.as_of]})


async def row(request: web.Request) -> web.StreamResponse:
    """The row, or for who accepts a stream, the row whenever it changes; null where there is none."""
    queries = request.app[CONTEXT].queries
    name, key = _existing(queries, request), request.match_info["key"]
    await until_shown(request, question(request, RowQuery).min_position)
    found = await asyncio.to_thread(queries.row, name, key)
    if sse.wanted(request):

        async def look() -> tuple[dict[int, int], Any]:
            now = await asyncio.to_thread(queries.row, name, key)
            return _offsets([now.as_of]), {"key": key, "row": now.row}

        return await watch(request, _offsets([found.as_of]), look, _news)
    if found.row is None:
        raise Problem(404, f"`{name}` has no row of `{key}`", code="no-row", as_of=str(found.as_of))
    return answer(200, {"key": found.key, "row": found.row, "as_of": str(found.as_of)})


def _offsets(as_of: Sequence[Position]) -> dict[int, int]:
    return {position.partition: position.offset for position in as_of}


def _news(before: Any, now: Any) -> list[tuple[str, Any]]:
    return [("row", now)] if now != before else []


def _changes(before: Any, now: dict[str, Any]) -> list[tuple[str, Any]]:
    """The whole list at first; then the rows that came or changed, and the keys that left, in their new order."""
    if before is None:
        return [("rows", {"rows": [{"key": key, "row": row} for key, row in now.items()]})]
    put = [{"key": key, "row": row} for key, row in now.items() if before.get(key) != row]
    gone = [key for key in before if key not in now]
    return (
        [("changes", {"put": put, "gone": gone, "keys": list(now)})] if put or gone or list(before) != list(now) else []
    )


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
        answers={200: Content({JSON: Rows, sse.MEDIA: {"type": "string"}}, "a page, or a stream of its changes")},
        problems=(404, 409, 504),
    ),
    Route(
        "GET",
        "/v1/projections/{name}/{key:[\\s\\S]*}",
        row,
        "One row of a projection",
        parameters=(Parameter("name", "path", "of the projection"), Parameter("key", "path", "of the row")),
        query=RowQuery,
        answers={200: Content({JSON: Row, sse.MEDIA: {"type": "string"}}, "the row, or a stream of its changes")},
        problems=(404, 409, 504),
    ),
)
