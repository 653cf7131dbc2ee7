"""`orchestrator projections list|get|watch`: what there is, rows of it, one row, and what changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from orchestrator.cli.client import Client, connect, segment
from orchestrator.cli.exits import OK, USAGE, CommandFailed
from orchestrator.cli.show import json_line, line, listed, note, one_line, terminal

COLUMNS: Final = ("name", "rows", "lag", "index", "fields")
Where = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Sort = Annotated[str | None, Parameter(allow_leading_hyphen=True)]


def list_projections(
    name: str | None = None,
    /,
    *,
    where: Where = (),
    sort: Sort = None,
    limit: int = 100,
    cursor: str | None = None,
    min_position: str | None = None,
    url: str | None = None,
    json: bool = False,
) -> int:
    """List projections, or the rows of one.

    Example: orchestrator projections list fines --where amount__gt=100 --sort -amount

    Parameters
    ----------
    name
        The projection whose rows are listed; without it, the projections.
    where
        Only rows for which this holds: FIELD=VALUE, FIELD__gt=VALUE, also __gte, __lt, __lte, __ne, __in, __null, for
        indexed fields and `key`.
    sort
        An indexed field or `key`; `-` before it for the last first.
    limit
        How many rows at most.
    cursor
        Go on behind a page: what `more:` said.
    min_position
        Wait until the rows show what was published there, a position such as `events publish --json` tells.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    filters = _filters(where)
    with connect(url) as client:
        if name is None:
            if filters or sort or cursor or min_position:
                raise CommandFailed("name the projection whose rows are filtered: projections list NAME …", USAGE)
            _list_all(client, json)
            return OK
        query = {**filters, "sort": sort, "limit": limit, "cursor": cursor, "min_position": min_position}
        found = client.call("GET", f"/v1/projections/{segment(name)}", query=query)
    rows = found["rows"]
    fields = list(dict.fromkeys(field for each in rows for field in each["row"]))
    cells = [[each["key"], *(_cell(each["row"], field) for field in fields)] for each in rows]
    listed(("key", *fields), rows, cells, found["next"], json)
    note(f"as of {','.join(found['as_of'])}")
    return OK


def _list_all(client: Client, json: bool) -> None:
    found = client.call("GET", "/v1/projections")["projections"]
    rows = [
        [
            each["name"],
            each["rows"],
            each["lag"],
            ", ".join(each["index"]) or "-",
            ", ".join(f"{field}: {kind}" for field, kind in each["fields"].items()),
        ]
        for each in found
    ]
    listed(COLUMNS, found, rows, None, json)


def get(name: str, key: str, /, *, min_position: str | None = None, url: str | None = None, json: bool = False) -> int:
    """Show the row of a key, and as of which position.

    Example: orchestrator projections get fines A15

    Parameters
    ----------
    name
        The projection.
    key
        The key of the row.
    min_position
        Wait until the row shows what was published there, a position such as `events publish --json` tells.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    path = f"/v1/projections/{segment(name)}/{segment(key)}"
    with connect(url) as client:
        found = client.call("GET", path, query={"min_position": min_position})
    if json:
        json_line(found)
        return OK
    width = max((len(field) for field in found["row"]), default=0)
    line(f"{name} {key} as of {found['as_of']}")
    for field, value in found["row"].items():
        line(f"  {field.ljust(width)}  {one_line(_text(value))}")
    return OK


def watch(
    name: str,
    key: str | None = None,
    /,
    *,
    where: Where = (),
    sort: Sort = None,
    limit: int = 100,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Show a row, or rows, and then whatever changes of them, until Ctrl-C.

    Connects anew by itself where the connection is lost.

    Example: orchestrator projections watch fines A15

    Parameters
    ----------
    name
        The projection.
    key
        The key of the row; without it, the list is watched.
    where
        Of a list: only rows for which this holds, as in `projections list`.
    sort
        Of a list: an indexed field or `key`; `-` before it for the last first.
    limit
        Of a list: how many rows at most.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line, for each change.
    """
    filters = _filters(where)
    if key is not None and (filters or sort):
        raise CommandFailed("a row is watched as it is: leave --where and --sort out, or the key", USAGE)
    with connect(url) as client:
        if key is not None:
            _watch_row(client, name, key, json)
        else:
            _watch_rows(client, name, filters, sort, limit, json)
    return OK


def _watch_row(client: Client, name: str, key: str, json: bool) -> None:
    for found in client.watch(name, key):
        if json:
            json_line({"key": key, "row": found.fields, "as_of": found.as_of})
        else:
            _say(found.as_of, found.fields)


def _watch_rows(client: Client, name: str, filters: dict[str, str], sort: str | None, limit: int, json: bool) -> None:
    for found in client.watch_rows(name, filters, sort, limit):
        if json:
            put = [{"key": row.key, "row": row.fields} for row in found.put]
            json_line({"put": put, "gone": found.gone, "as_of": found.as_of})
            continue
        for row in found.put:
            _say(row.key, row.fields)
        for gone in found.gone:
            _say(gone, None)


def _say(what: str, fields: dict[str, Any] | None) -> None:
    """A line: `-` where there is no row any more."""
    parts: Iterable[str] = (f"{field}={_text(value)}" for field, value in fields.items()) if fields is not None else "-"
    line(one_line("  ".join([what, *parts]), terminal()))


def _cell(row: dict[str, Any], field: str) -> str:
    return _text(row[field]) if field in row else "-"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _filters(where: Sequence[str]) -> dict[str, str]:
    """Raises CommandFailed."""
    found: dict[str, str] = {}
    for each in where:
        field, equals, value = each.partition("=")
        if not equals or not field:
            raise CommandFailed(f"--where {each}: write FIELD=VALUE, such as total__gt=100", USAGE)
        if field in found:
            raise CommandFailed(f"--where {each}: `{field}` comes twice", USAGE)
        found[field] = value
    return found
