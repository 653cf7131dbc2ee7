"""An event to publish, as a CloudEvent.

`source` and `id` together are its name: published twice under one name it counts once. An `Event` draws an id when it
is made, so whatever sends it again, a retry or a spool after a crash, sends the same event. Who makes the event anew
from data of their own (a row of an outbox table, a line of a file) gives it an id from there. Mappings are taken as
they are and need an id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import uuid4

from orchestrator_client.errors import EventError


def _drawn() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class Event:
    type: str
    source: str
    subject: str | None = None
    """The key that most rules go by; none is the empty text."""
    data: Any = None
    """Anything that is JSON."""
    id: str = field(default_factory=_drawn)
    time: datetime | str | None = None
    """With an offset. Without one the server takes the time at which the event arrives; an event that waits in a
    publisher or a spool gets the time at which it was handed over."""
    extensions: Mapping[str, str | int | bool] = field(default_factory=dict)
    """Further attributes; `partitionkey` chooses the partition instead of `subject`."""


AnyEvent: TypeAlias = Event | Mapping[str, Any]


def encode(event: AnyEvent, now: datetime | None = None) -> bytes:
    """Its JSON, in one line. `now` is the time of an event that says none. Raises EventError."""
    attributes = _attributes(event)
    if now is not None and attributes.get("time") is None:
        attributes["time"] = _time(now)
    for name in ("id", "source", "type"):
        found = attributes.get(name)
        if not isinstance(found, str) or not found:
            raise EventError(name, "is missing" if found in (None, "") else "is no text")
    try:
        text = json.dumps(attributes, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except UnicodeEncodeError:
        raise EventError("", "the event holds a lone surrogate: send valid Unicode") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError("", f"the event is not JSON ({error})") from None


def _attributes(event: AnyEvent) -> dict[str, Any]:
    if not isinstance(event, Event):
        found = dict(event)
        if isinstance(found.get("time"), datetime):
            found["time"] = _time(found["time"])
        return found
    found = {**event.extensions, "specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    if event.subject is not None:
        found["subject"] = event.subject
    if event.time is not None:
        found["time"] = _time(event.time)
    if event.data is not None:
        found["data"] = event.data
    return found


def _time(time: datetime | str) -> str:
    if isinstance(time, str):
        return time
    if time.tzinfo is None:
        raise EventError("time", "has no offset: use datetime.now(UTC), or .astimezone() for local time")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
