"""`orchestrator events list|tail`: what is in the log, and what comes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orchestrator.cli.client import connect
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line, listed, one_line, terminal
from orchestrator.cli.times import moment

COLUMNS: Final = ("position", "time", "type", "subject", "id", "source", "data")
LONGEST: Final = 200
"""Characters of data in a table."""


def list_events(
    *,
    partition: int | None = None,
    type: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    url: str | None = None,
    json: bool = False,
) -> int:
    """List events of the log, newest first.

    Example: orchestrator events list --type order.placed --since 15m

    Parameters
    ----------
    partition
        Only those of this partition.
    type
        Only those of this type; control events such as orchestrator.tick only if it is one of theirs.
    subject
        Only those of this subject.
    since
        Only those whose time is not before: RFC 3339, or how long ago, such as 15m.
    until
        Only those whose time is before: RFC 3339, or how long ago.
    limit
        How many at most.
    cursor
        Go on behind a page: what `more:` said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    filters = _filters(partition, type, subject, since, until)
    with connect(url) as client:
        found = client.call("GET", "/v1/events", query={**filters, "limit": limit, "cursor": cursor})
    listed(COLUMNS, found["events"], [_cells(each) for each in found["events"]], found["next"], json)
    return OK


def tail(
    *,
    partition: int | None = None,
    type: str | None = None,
    subject: str | None = None,
    since: str | None = None,
    until: str | None = None,
    after: str | None = None,
    url: str | None = None,
    json: bool = False,
) -> int:
    """Show events as they come, until Ctrl-C.

    Connects anew by itself where the connection is lost, and misses nothing.

    Example: orchestrator events tail --type order.placed

    Parameters
    ----------
    partition
        Only those of this partition.
    type
        Only those of this type; control events such as orchestrator.tick only if it is one of theirs.
    subject
        Only those of this subject.
    since
        Only those whose time is not before: RFC 3339, or how long ago, such as 15m.
    until
        Only those whose time is before: RFC 3339, or how long ago.
    after
        Begin behind these positions, with commas between, instead of at the end of the log.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    filters = _filters(partition, type, subject, since, until)
    with connect(url) as client:
        client.call("GET", "/v1/events", query={**filters, "limit": 1})  # is it there, and are the filters right
        for found in client.follow(after, filters):
            event = {"position": found.position, **found.event}
            if json:
                json_line(event)
            else:
                line(one_line("  ".join(str(cell or "-") for cell in _cells(event)), terminal()))
    return OK


def _filters(
    partition: int | None, type: str | None, subject: str | None, since: str | None, until: str | None
) -> dict[str, Any]:
    times = {"since": moment("--since", since), "until": moment("--until", until)}
    return {"partition": partition, "type": type, "subject": subject, **times}


def _cells(event: dict[str, Any]) -> list[str | None]:
    data = msgspec.json.encode(event.get("data")).decode()
    return [*(event.get(name) for name in COLUMNS[:-1]), one_line(data, LONGEST)]
