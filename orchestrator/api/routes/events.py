"""`/v1/events`: events from outside, in every form that CloudEvents over HTTP has; what there is, listed or followed.

Binary (`ce-…` headers, the body is `data`), structured (`application/cloudevents+json`), batched
(`application/cloudevents-batch+json`), and plain `application/json` with one event or an array of them. All events of a
request are checked before any is stored; the answer comes when they are in the log.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from aiohttp import web

from orchestrator.api import sse
from orchestrator.api.asked import micros, question
from orchestrator.api.body import read_body
from orchestrator.api.context import CONTEXT, Context
from orchestrator.api.looks import LISTING
from orchestrator.api.models.events import MANY, ONE, Accepted, CloudEvent, Events, EventsQuery
from orchestrator.api.problem import Problem, answer
from orchestrator.api.route import JSON, Content, Route, json
from orchestrator.history import EventFilter, Recorded, newest
from orchestrator.pages import Page
from orchestrator.places import read as read_places
from orchestrator.places import write as write_places
from streams.event import NULL, Event
from streams.intake import IntakeError
from streams.log import Log
from streams.position import Position

MOST: Final = 10_000
"""Events in one request."""
PIECE: Final = 64 << 10
"""Bytes of data that a stream sends at once."""


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


async def recorded(request: web.Request) -> web.StreamResponse:
    """A page, or a stream for who accepts one."""
    context = request.app[CONTEXT]
    asked = question(request, EventsQuery)
    filter = EventFilter(
        asked.partition, asked.type, asked.subject, micros("since", asked.since), micros("until", asked.until)
    )
    if asked.partition is not None and asked.partition >= context.log.info.partitions:
        raise Problem(404, f"there is no partition {asked.partition}: there are {context.log.info.partitions}")
    if sse.wanted(request):
        if asked.limit is not None or asked.cursor is not None:
            raise Problem(400, "a stream has no pages: leave `limit` and `cursor` out", field="limit")
        return await _follow(request, filter, request.headers.get(sse.LAST, "") or asked.after)
    if asked.after is not None:
        raise Problem(400, f"`after` is of a stream: accept {sse.MEDIA}, or use `cursor`", field="after")
    page = await request.app[LISTING].run(newest, context.log, filter, asked.limit or 100, asked.cursor)
    return answer(200, {"events": [_shown(each) for each in page.events], "next": page.next, "looked": page.looked})


async def _follow(request: web.Request, filter: EventFilter, after: str | None) -> web.StreamResponse:
    context = request.app[CONTEXT]
    log, live = context.log, context.live
    places = {partition: at for partition, at in (await live.tails()).items() if partition in filter.partitions(log)}
    if after is not None:
        asked = read_places(log, after)
        places = {partition: asked.get(partition, at) for partition, at in places.items()}
    async with sse.stream(request, write_places(log, places)) as stream:
        while not live.stopping:
            before = places.copy()
            for partition in before:
                # A stream that waits for its reader holds what it sends, and no page.
                if items := _next(log, filter, partition, await live.read(partition, places[partition]), places):
                    await stream.send(items)
            if places == before:
                await stream.until(partial(live.news, places), write_places(log, places))
            else:
                await asyncio.sleep(0)  # pages that are at hand are no reason to keep others waiting
    return stream.response


def _next(
    log: Log, filter: EventFilter, partition: int, page: Page, places: dict[int, int]
) -> list[tuple[str, str, Any]]:
    """What is sent next of a page, about PIECE bytes at most; the partition's place moves behind it."""
    items: list[tuple[str, str, Any]] = []
    size = 0
    for offset, event in page.taken(filter):
        places[partition] = offset
        found = Recorded(Position(log.info.generation, partition, offset), event)
        items.append(("event", write_places(log, places), _shown(found)))
        size += len(event.data)
        if size >= PIECE:
            return items
    if page.offsets:
        places[partition] = page.offsets[-1]
    return items


def _shown(found: Recorded) -> dict[str, Any]:
    return {"position": str(found.position), **found.event.document()}


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
    Route(
        "GET",
        "/v1/events",
        recorded,
        "Events, newest first; followed from the end on by who accepts text/event-stream",
        query=EventsQuery,
        answers={200: Content({JSON: Events, sse.MEDIA: {"type": "string"}}, "a page, or a stream")},
        problems=(404, 409),
    ),
)
