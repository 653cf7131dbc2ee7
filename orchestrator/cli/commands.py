"""`orchestrator commands list|show`: what was decided, and what became of it."""

from __future__ import annotations

import msgspec

from orchestrator.cli.client import connect, segment
from orchestrator.cli.exits import OK
from orchestrator.cli.show import json_line, line, listed, one_line
from orchestrator.cli.which import Key, Rule, Since, To, Until, filters

COLUMNS = ("id", "state", "command", "to", "rule", "key", "at", "attempts", "last_error")


def list_commands(
    *,
    state: str | None = None,
    to: To = None,
    rule: Rule = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    limit: int = 100,
    cursor: str | None = None,
    url: str | None = None,
    json: bool = False,
) -> int:
    """List commands, newest first.

    Example: orchestrator commands list --state parked

    Parameters
    ----------
    state
        Only those in this state: pending, in_flight, retrying, waiting, done, parked, cancelled, expired or shadow.
    limit
        How many at most.
    cursor
        Go on behind a page: what `more:` said.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print one JSON object a line.
    """
    query = {"state": state, **filters(to, rule, key, since, until), "limit": limit, "cursor": cursor}
    with connect(url) as client:
        found = client.call("GET", "/v1/commands", query=query)
    rows = [
        {**each, "last_error": each["last_error"] and one_line(each["last_error"], 100)} for each in found["commands"]
    ]
    listed(COLUMNS, found["commands"], [[each[name] for name in COLUMNS] for each in rows], found["next"], json)
    return OK


def show(id: str, /, *, url: str | None = None, json: bool = False) -> int:
    """Show all that is known of one command.

    Example: orchestrator commands show 4ac098c6e748278dec04ad354b846b4f

    Parameters
    ----------
    id
        The command's id, as `commands list` shows it.
    url
        Where the server is; by default http://127.0.0.1:8000 (ORCHESTRATOR_URL).
    json
        Print the answer as one JSON object.
    """
    with connect(url) as client:
        found = client.call("GET", f"/v1/commands/{segment(id)}")
    if json:
        json_line(found)
    else:
        line(msgspec.json.format(msgspec.json.encode(found)).decode())
    return OK
