"""`POST /v1/events`: events from outside, in every form that CloudEvents over HTTP has.

Binary (`ce-…` headers, the body is `data`), structured (`application/cloudevents+json`), batched
(`application/cloudevents-batch+json`), and plain `application/json` with one event or an array of them. All events of a
request are checked before any is stored; the answer comes when they are in the log.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from orchestrator.api.body import read_body
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.models.events import MANY, ONE, Accepted, CloudEvent
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import JSON, Content, Route, json
from streams.event import NULL, Event
from streams.intake import IntakeError

MOST: Final = 10_000
"""Events in one request."""


async def publish(request: web.Request) -> web.Response:
    context = request.app[CONTEXT]
    body = await read_body(request, context.body_bytes)
    events = _events(request, body, context)
    if len(events) > MOST:
        raise Problem(413, f"{len(events):,} events are more than the {MOST:,} of one request: send them in parts")
    positions = await context.appends.events(events)
    return answer(202, {"accepted": len(events), "positions": [str(position) for position in positions]})


def _events(request: web.Request, body: bytes, context: Context) -> list[Event]:
    """Raises IntakeError, and Problem 415 for a form that is none of ours."""
    now = context.now()
    kind = request.content_type.lower()
    charset = (request.charset or "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise Problem(415, f"the charset is {charset[:40]}: send UTF-8")
    if kind == "application/cloudevents-batch+json":
        return context.intake.many_from_json(body, now)
    if kind == "application/cloudevents+json":
        return [context.intake.from_json(body, now)]
    if any(name[:3].lower() == b"ce-" for name, _ in request.raw_headers):
        return [context.intake.from_attributes(_binary(request, body), now)]
    if kind != "application/json":
        raise Problem(
            415,
            f"the content type is {request.headers.get('Content-Type', 'missing')[:80]}: send application/json, "
            "application/cloudevents+json or application/cloudevents-batch+json, or `ce-` headers",
        )
    if body.lstrip()[:1] == b"[":
        return context.intake.many_from_json(body, now)
    return [context.intake.from_json(body, now)]


def _binary(request: web.Request, body: bytes) -> dict[str, Any]:
    """Attributes of the binary mode: percent-decoded header values, all of them text."""
    found: dict[str, Any] = {}
    for header, value in request.headers.items():
        name = header.lower()
        if name.startswith("ce-"):
            if name == "ce-":
                raise IntakeError("ce-", "is no header", "write the name of an attribute behind it, such as `ce-id`")
            if name[3:] in found:
                raise IntakeError(name[3:], "comes twice", "send each attribute once")
            found[name[3:]] = _decoded(name[3:], value)
    if "data" in found or "datacontenttype" in found:
        name = "data" if "data" in found else "datacontenttype"
        raise IntakeError(name, "is no header", "send `data` as the body and its type as Content-Type")
    if body:
        if "Content-Type" in request.headers:
            found["datacontenttype"] = request.headers["Content-Type"]
        found["data"] = msgspec.Raw(body)
    else:
        found["data"] = NULL
    return found


def _decoded(name: str, value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise IntakeError(name, "is not UTF-8 when percent-decoded", "percent-encode UTF-8") from None


ROUTES: Final = (
    Route(
        "POST",
        "/v1/events",
        publish,
        "Takes events: all of them, or none and why. The answer comes when they are on disk",
        body=Content(
            {
                JSON: {"anyOf": [ONE, MANY]},
                "application/cloudevents+json": CloudEvent,
                "application/cloudevents-batch+json": MANY,
            },
            "One event or several. With headers `ce-id`, `ce-source`, `ce-type` (CloudEvents' binary mode) the body is "
            "`data`.",
        ),
        answers={202: json(Accepted, "their positions, in order")},
        problems=(413, 415),
    ),
)
