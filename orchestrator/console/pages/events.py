"""`/console/events`: the newest events, by type, subject, partition and time, as `GET /v1/events` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from orchestrator.api.looks import LISTING
from orchestrator.api.problem import Problem
from orchestrator.console.render import link
from orchestrator.console.site import CONSOLE, UNDER, asked, asked_moment, page
from orchestrator.history import MOST_LOOKED, EventFilter, Recorded, newest
from rules.model.rule import Rule
from streams import rfc3339
from streams.event import CONTROL, DERIVED, RESULT

PATH: Final = f"{UNDER}/events"
FILTERS: Final = ("type", "subject", "partition", "since", "until")
LIMIT: Final = 50
EVERY: Final = 3.0
KINDS: Final = {DERIVED: "derived", RESULT: "result", CONTROL: "control"}


def add(app: web.Application) -> None:
    app.router.add_get(PATH, events)


async def events(request: web.Request) -> web.Response:
    console = request.app[CONSOLE]
    filters = {name: asked(request, name) for name in FILTERS}
    cursor = asked(request, "cursor")
    log = console.context.log
    partition = _partition(filters["partition"], log.info.partitions)
    since, until = asked_moment(request, "since"), asked_moment(request, "until")
    filter = EventFilter(partition, filters["type"], filters["subject"], since, until)
    moments = {"since": _written(since), "until": _written(until)}
    found = await request.app[LISTING].run(newest, log, filter, LIMIT, cursor)
    return page(
        request,
        "events.html",
        "Events",
        every=EVERY if cursor is None else None,
        events=[_shown(each) for each in found.events],
        looked=found.looked,
        most=MOST_LOOKED,
        filters=filters,
        filtered=any(filters.values()),
        types=_types(console.ruleset.rules),
        cursor=cursor,
        first=link(PATH, **filters),
        next=link(PATH, cursor=found.next, **filters) if found.next else None,
        api=link("/v1/events", **filters | moments),
    )


def _partition(text: str | None, partitions: int) -> int | None:
    """Raises Problem."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < partitions):
        raise Problem(404, f"there is no partition {text[:40]}: there are {partitions}, from 0 on")
    return int(text)


def _written(at: int | None) -> str | None:
    return rfc3339.format(at) if at is not None else None


def _types(rules: Sequence[Rule]) -> list[str]:
    """What rules listen to, patterns left out."""
    return sorted({type for rule in rules for type in rule.listened if not type.endswith("*")})


def _shown(found: Recorded) -> dict[str, Any]:
    event = found.event
    return {
        "position": str(found.position),
        "time": rfc3339.format(event.time) if rfc3339.MIN <= event.time <= rfc3339.MAX else None,
        "type": event.type,
        "subject": event.subject,
        "key": event.key,
        "id": event.id,
        "source": event.source,
        "kind": KINDS.get(event.kind, "published"),
        "data": _data(event.data),
    }


def _data(data: msgspec.Raw) -> str:
    return bytes(data).decode("utf-8", "backslashreplace")
