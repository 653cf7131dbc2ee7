"""`orchestrator parked list|show|unpark|skip`: events that could not be evaluated, and keys that wait behind them."""

from __future__ import annotations

from typing import Final

import msgspec

from orchestrator.cli.client import body, connect
from orchestrator.cli.exits import NOT_FOUND, OK, CommandFailed
from orchestrator.cli.show import count, json_line, line, listed, one_line

COLUMNS: Final = ("key", "partition", "waiting", "event", "type", "position", "reason")


def list_parked(*, limit: int = 100, cursor: str | None = None, url: str | None = None, json: bool = False) -> int:
    """List events that could not be evaluated: the key, why, and how many events of the key wait behind.

    Example: orchestrator parked list

    Parameters
    ----------
    limit
        How many at most.
    cursor
        Go on behind a page: what `more:` said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    with connect(url) as client:
        found = client.call("GET", "/v1/keys/blocked", query={"limit": limit, "cursor": cursor})
    rows = []
    for each in found["keys"]:
        event = each["event"] or {}
        about = (event.get("id"), event.get("type"), event.get("position"))
        rows.append([each["key"], each["partition"], each["waiting"], *about, each["reason"]])
    listed(COLUMNS, found["keys"], rows, found["next"], json)
    return OK


def show(key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Show the parked event of a key whole, why it could not be evaluated, and how many wait.

    Example: orchestrator parked show A15

    Parameters
    ----------
    key
        The key, as `parked list` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        keys = client.call("GET", "/v1/keys/blocked", query={"key": key})["keys"]
    if not keys:
        raise CommandFailed(f"no event of the key `{one_line(key, 80)}` is parked", NOT_FOUND)
    (found,) = keys
    if json:
        json_line(found)
        return OK
    line(
        f"key {one_line(found['key'])} in partition {found['partition']}: {count(found['waiting'], 'event')} behind it"
    )
    line(f"reason: {one_line(found['reason'])}")
    line(msgspec.json.format(msgspec.json.encode(found["event"]), indent=2).decode())
    return OK


def unpark(key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Evaluate the parked event of a key again, and then what waits behind it: when the cause is mended.

    Example: orchestrator parked unpark A15

    Parameters
    ----------
    key
        The key, as `parked list` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    return _act("unpark", key, url, json)


def skip(key: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Leave the parked event of a key out for good, and evaluate what waits behind it.

    Example: orchestrator parked skip A15

    Parameters
    ----------
    key
        The key, as `parked list` shows it.
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
        line(f"{action} of `{one_line(key)}` is in the log at {found['position']}; see `orchestrator parked list`")
    return OK
