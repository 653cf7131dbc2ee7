"""`/console/projections/NAME`: rows of a projection, filtered and sorted as `GET /v1/projections/NAME` does it.

The address carries the filters under the names that the API gives them. What the form adds comes under names with a
dot, which no field has; the answer to it leads to the address that carries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiohttp import web

from orchestrator.api.problem import Problem
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, asked, elsewhere, page
from projections.filters import OPERATIONS, QueryError
from projections.query import RowPage
from projections.table import KEY
from rules.model.projection import Projection

UNDER_NAME: Final = "/console/projections"
LIMIT: Final = 50
EVERY: Final = 3.0
MOST_COLUMNS: Final = 14
RESERVED: Final = ("sort", "cursor")
ADDED: Final = ("add.field", "add.is", "add.value")
PREFIX: Final = "prefix"
LAST: Final = "\\U0010ffff"
"""Nearly every text that begins with a prefix is less than the prefix with this behind it."""
WORDS: Final = {
    "": "is",
    "ne": "is not",
    "gt": ">",
    "gte": "≥",
    "lt": "<",
    "lte": "≤",
    PREFIX: "begins with",
    "in": "is one of",
    "null": "is null (true, false)",
}


class Filter(NamedTuple):
    said: str
    without: str
    """The address of the same list without it."""


def add(app: web.Application) -> None:
    app.router.add_get(f"{UNDER_NAME}/{{name}}", rows)


async def rows(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    queries = request.app[CONSOLE].context.queries
    if name not in queries.names:
        raise Problem(404, f"there is no projection `{name[:80]}`; there are: {', '.join(queries.names) or 'none'}")
    filters = [(field, text) for field, text in request.query.items() if field not in (*RESERVED, *ADDED)]
    sort, cursor = asked(request, "sort"), asked(request, "cursor")
    if asked(request, "add.field") is not None:
        return elsewhere(_address(name, [*filters, *_added(request)], sort))
    problem = None
    found = RowPage([], None, [])
    try:
        found = await asyncio.to_thread(queries.rows, name, filters, sort, LIMIT, cursor)
    except QueryError as error:
        problem = str(error)
    declared = request.app[CONSOLE].ruleset.projections[name]
    return page(
        request,
        "rows.html",
        name,
        status=200 if problem is None else 400,
        every=EVERY if cursor is None and problem is None else None,
        name=name,
        rows=found.rows,
        columns=_columns(declared, found),
        numeric=_numeric(found),
        sorting={each: _sorting(name, filters, sort, each) for each in (KEY, *declared.index)},
        filters=_shown(name, filters, sort),
        hidden=[*filters, *([("sort", sort)] if sort else [])],
        fields=(KEY, *declared.index),
        words=WORDS,
        problem=problem,
        next=_address(name, filters, sort, found.next) if found.next else None,
        first=_address(name, filters, sort),
        cursor=cursor,
        positions=" ".join(map(str, found.as_of)),
        api=link(f"/v1/projections/{name}", **dict(filters), sort=sort),
    )


def _added(request: web.Request) -> list[tuple[str, str]]:
    """What the form adds. Raises Problem."""
    field, operation, text = (request.query.get(name, "") for name in ADDED)
    if operation not in WORDS:
        raise Problem(400, f"there is no `{operation[:40]}`: use {', '.join(filter(None, OPERATIONS))}")
    if operation == PREFIX:
        return [(f"{field}__gte", text), (f"{field}__lt", text + LAST)]
    return [(f"{field}__{operation}" if operation else field, text)]


def _address(name: str, filters: Sequence[tuple[str, str]], sort: str | None, cursor: str | None = None) -> str:
    return link(f"{UNDER_NAME}/{name}", **dict(filters), sort=sort, cursor=cursor)


def _sorting(name: str, filters: Sequence[tuple[str, str]], sort: str | None, field: str) -> tuple[str, str]:
    """(which way it is sorted by this field: ascending, descending or none; the address that sorts by it)."""
    now = sort or KEY
    if now == field:
        return "ascending", _address(name, filters, f"-{field}")
    return "descending" if now == f"-{field}" else "none", _address(name, filters, field)


def _shown(name: str, filters: Sequence[tuple[str, str]], sort: str | None) -> list[Filter]:
    """Filters in words; the two that stand for a prefix as one."""
    found: list[Filter] = []
    done: set[str] = set()
    given = dict(filters)
    for parameter, text in filters:
        field, _, operation = parameter.rpartition("__")
        if not field or operation not in OPERATIONS:
            field, operation = parameter, ""
        gone = {parameter}
        if operation == "gte" and given.get(f"{field}__lt") == text + LAST:
            operation, gone = PREFIX, {parameter, f"{field}__lt"}
        if parameter not in done:
            rest = [pair for pair in filters if pair[0] not in gone]
            found.append(Filter(f"{field} {WORDS[operation].partition(' (')[0]} {text}", _address(name, rest, sort)))
        done |= gone
    return found


def _columns(declared: Projection, found: RowPage) -> list[str]:
    """What it declares, and what else rows hold."""
    folded = [field for _, values in declared.fold for field, _ in values]
    names = dict.fromkeys([*(field for field, _ in declared.initial), *folded])
    names |= dict.fromkeys(field for each in found.rows for field in each.row)
    return list(names)[:MOST_COLUMNS]


def _numeric(found: RowPage) -> set[str]:
    """Columns that hold nothing but numbers, on this page: they are set to the right."""
    names = {field for each in found.rows for field in each.row}
    return {name for name in names if all(_is_number(each.row.get(name, 0)) for each in found.rows)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
