"""`/v1/imports/{digest}`: open (PUT), send numbered lines (POST …/events), finish (POST …/finish), look (GET).

The body of …/events is JSON lines; `?line=` is the number of its first line in the file, and blank lines count. The
lease that PUT answers goes back in the header `Import-Lease`. Every event says its time, and nothing of a batch is
stored if one line is refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from orchestrator.api.asked import document, question
from orchestrator.api.body import read_body
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.models.imports import Finish, Import, LinesQuery, Sent
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import Content, Parameter, Route, json
from orchestrator.import_session import ImportConflict
from streams import rfc3339
from streams.event import Event
from streams.intake import IntakeError

LEASE: Final = "Import-Lease"
MOST: Final = 10_000
DIGEST: Final = "[0-9a-f]{32,128}"
_DIGEST: Final = re.compile(DIGEST, re.ASCII)


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
    first = question(request, LinesQuery).line
    body = await read_body(request, context.body_bytes)
    events, latest = _lines(body, first, context)
    try:
        found = await context.imports.events(digest, _lease(request), first, events)
    except ImportConflict as error:
        raise _conflict(error) from error
    return answer(202, {"accepted": len(events), "latest": rfc3339.format(latest) if events else None, **found})


async def finish(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    until = (await document(request, Finish)).until
    try:
        micros = rfc3339.parse(until) if until is not None else None
    except ValueError as error:
        raise Problem(400, f"`until` is refused: {error}; send RFC 3339", field="until") from None
    ahead = context.intake.max_ahead
    if micros is not None and ahead is not None and micros - context.now() > ahead:
        # It would set the clock of every key there, for good.
        raise Problem(400, f"`until` is {until}, ahead of the clock: send a time that has passed", field="until")
    try:
        return answer(202, await context.imports.finish(_digest(request), _lease(request), micros))
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
            raise Problem(400, f"line {number}: {error}", code="bad-event", line=number, field=error.field) from error
        latest = max(latest, event.time)
        events.append((number, event))
    return events, latest


def _digest(request: web.Request) -> str:
    digest = request.match_info["digest"]
    if not _DIGEST.fullmatch(digest):
        raise Problem(400, "the digest of a file is hexadecimal, such as its SHA-256", field="digest")
    return digest


def _lease(request: web.Request) -> str:
    if LEASE not in request.headers:
        raise Problem(400, f"the header {LEASE} is missing: send the `lease` that PUT answered", field=LEASE)
    return request.headers[LEASE]


def _conflict(error: ImportConflict) -> Problem:
    headers: dict[str, str] | None = None
    more: dict[str, Any] = {}
    if error.retry_after is not None:
        headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    return Problem(409, str(error), headers=headers, **more)


_FILE: Final = Parameter("digest", "path", "of the file, hexadecimal, such as its SHA-256", f"^{DIGEST}$")
_LEASE: Final = Parameter(LEASE, "header", "the `lease` that PUT answered")
ROUTES: Final = (
    Route(
        "PUT",
        "/v1/imports/{digest}",
        open_import,
        "Opens an import of history, or goes on with it",
        parameters=(_FILE,),
        answers={200: json(Import)},
        problems=(409,),
    ),
    Route(
        "GET",
        "/v1/imports/{digest}",
        show,
        "How far an import is",
        parameters=(_FILE,),
        answers={200: json(Import)},
        problems=(404,),
    ),
    Route(
        "POST",
        "/v1/imports/{digest}/events",
        send,
        "Takes lines of the file: nothing of a request is stored if one line is refused",
        query=LinesQuery,
        parameters=(_FILE, _LEASE),
        body=Content({"application/jsonl": {"type": "string"}}, "JSON lines, each a CloudEvent with `time`"),
        answers={202: json(Sent)},
        problems=(409, 413),
    ),
    Route(
        "POST",
        "/v1/imports/{digest}/finish",
        finish,
        "Moves every clock right after `until`, and sets the log live",
        parameters=(_FILE, _LEASE),
        body=json(Finish),
        answers={202: json(Import)},
        problems=(409,),
    ),
)
