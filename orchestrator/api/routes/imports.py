"""`/v1/imports/{digest}`: open (PUT), send numbered lines (POST …/events), finish (POST …/finish), look (GET).

The body of …/events is JSON lines; `?line=` is the number of its first line in the file, and blank lines count. The
lease that PUT answers goes back in the header `Import-Lease`. Every event says its time, and nothing of a batch is
stored if one line is refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from orchestrator.api.body import read_body, read_object
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.problem import Problem, answer
from orchestrator.import_session import ImportConflict
from streams import rfc3339
from streams.event import Event
from streams.intake import IntakeError

LEASE: Final = "Import-Lease"
MOST: Final = 10_000
_DIGEST: Final = re.compile(r"[0-9a-f]{32,128}", re.ASCII)


def add(app: web.Application) -> None:
    app.router.add_put("/v1/imports/{digest}", open_import)
    app.router.add_get("/v1/imports/{digest}", show)
    app.router.add_post("/v1/imports/{digest}/events", send)
    app.router.add_post("/v1/imports/{digest}/finish", finish)


async def open_import(request: web.Request) -> web.Response:
    try:
        return answer(200, await request.app[CONTEXT].imports.open(_digest(request)))
    except ImportConflict as error:
        raise _conflict(error) from error


async def show(request: web.Request) -> web.Response:
    found = await request.app[CONTEXT].imports.status(_digest(request), request.headers.get(LEASE, ""))
    if found["state"] == "unknown":
        raise Problem(404, "no such import is open or finished")
    return answer(200, found)


async def send(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    digest = _digest(request)
    first = request.query.get("line", "")
    if not (first.isascii() and first.isdigit() and int(first[:18]) >= 1 and len(first) <= 15):
        raise Problem(400, "the number of the first line is missing: add ?line=N, N from 1", field="line")
    body = await read_body(request, context.body_bytes)
    events, latest = _lines(body, int(first), context)
    try:
        found = await context.imports.events(digest, request.headers.get(LEASE, ""), int(first), events)
    except ImportConflict as error:
        raise _conflict(error) from error
    return answer(202, {"accepted": len(events), "latest": rfc3339.format(latest) if events else None, **found})


async def finish(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    found = await read_object(request, context.body_bytes)
    if set(found) - {"until"}:
        raise Problem(400, "the body has one field, `until`", field=sorted(set(found) - {"until"})[0])
    until = found.get("until")
    if not isinstance(until, str | None):
        raise Problem(400, "`until` is no text; send RFC 3339, such as 2024-01-31T12:30:00Z", field="until")
    try:
        micros = rfc3339.parse(until) if until is not None else None
    except ValueError as error:
        raise Problem(400, f"`until` is refused: {error}; send RFC 3339", field="until") from None
    ahead = context.intake.max_ahead
    if micros is not None and ahead is not None and micros - context.now() > ahead:
        # It would set the clock of every key there, for good.
        raise Problem(400, f"`until` is {until}, ahead of the clock: send a time that has passed", field="until")
    try:
        return answer(202, await context.imports.finish(_digest(request), request.headers.get(LEASE, ""), micros))
    except ImportConflict as error:
        raise _conflict(error) from error


def _lines(body: bytes, first: int, context: Context) -> tuple[list[tuple[int, Event]], int]:
    """(line, event) of all lines that are not blank, and the greatest time. Raises Problem that names the line."""
    now = context.now()
    events: list[tuple[int, Event]] = []
    latest = rfc3339.MIN
    lines = body.removesuffix(b"\n").split(b"\n")
    if len(lines) > MOST:
        raise Problem(413, f"{len(lines):,} lines are more than the {MOST:,} of one request: send them in parts")
    for number, line in enumerate(lines, first):
        if not line or line.isspace():
            continue
        try:
            event = context.intake.past_from_json(line, now)
        except IntakeError as error:
            raise Problem(400, f"line {number}: {error}", line=number, field=error.field) from error
        latest = max(latest, event.time)
        events.append((number, event))
    return events, latest


def _digest(request: web.Request) -> str:
    digest = request.match_info["digest"]
    if not _DIGEST.fullmatch(digest):
        raise Problem(400, "the digest of a file is hexadecimal, such as its SHA-256", field="digest")
    return digest


def _conflict(error: ImportConflict) -> Problem:
    headers: dict[str, str] | None = None
    more: dict[str, Any] = {}
    if error.retry_after is not None:
        headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    return Problem(409, str(error), headers=headers, **more)
