"""`orchestrator keys blocked|unpark|skip`: what waits behind an event that could not be evaluated."""

from __future__ import annotations

from orchestrator.cli.client import body, connect
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line, table

COLUMNS = ("key", "partition", "waiting", "event", "type", "position", "reason")


def blocked(*, limit: int = 100, cursor: str | None = None, url: str | None = None, json: bool = False) -> int:
    """List blocked keys: the event that is parked, why, and how many wait behind it.

    Example: orchestrator keys blocked

    Parameters
    ----------
    limit
        How many at most.
    cursor
        Go on behind a page: what `more:` said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/keys/blocked", query={"limit": limit, "cursor": cursor})
    if json:
        json_line(found)
        return OK
    rows = []
    for each in found["keys"]:
        event = each["event"] or {}
        parked = (event.get("id"), event.get("type"), event.get("position"))
        rows.append([each["key"], each["partition"], each["waiting"], *parked, each["reason"]])
    table(COLUMNS, rows)
    if found["next"]:
        line(f"more: --cursor {found['next']}")
    return OK


def unpark(key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Evaluate the parked event of a key again, and then what waits behind it: when the cause is mended.

    Example: orchestrator keys unpark A15

    Parameters
    ----------
    key
        The key, as `keys blocked` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    return _act("unpark", key, url, json)


def skip(key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Leave the parked event of a key out for good, and evaluate what waits behind it.

    Example: orchestrator keys skip A15

    Parameters
    ----------
    key
        The key, as `keys blocked` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    return _act("skip", key, url, json)


def _act(action: str, key: str, url: str | None, json: bool) -> int:
    with connect(url) as client:
        found = client.call("POST", f"/v1/keys/{action}", body({"key": key}))
    if json:
        json_line(found)
    else:
        line(f"{action} of `{key}` is in the log at {found['position']}; see `orchestrator keys blocked`")
    return OK
